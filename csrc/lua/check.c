/* check: see check.h. */
#include "lua/check.h"

#include <math.h>
#include <string.h>

static lua_Integer whole(lua_State *L, int index, lua_Integer lo, lua_Integer hi, bool *ok)
{
  lua_Number n = lua_tonumber(L, index);
  *ok = n >= (lua_Number)lo && n <= (lua_Number)hi && floor(n) == n;
  return *ok ? (lua_Integer)n : 0;
}

lua_Integer ss_check_int(lua_State *L, int arg, lua_Integer lo, lua_Integer hi)
{
  bool ok;
  luaL_checknumber(L, arg);
  lua_Integer n = whole(L, arg, lo, hi, &ok);
  if (!ok)
    luaL_argerror(
        L, arg, lua_pushfstring(L, "a whole number from %f to %f expected", (lua_Number)lo, (lua_Number)hi));
  return n;
}

/* Pushes the field and returns its type; an error unless it is nil or of the wanted type. */
static int field(lua_State *L, int table, const char *key, int wanted)
{
  lua_getfield(L, table, key);
  int type = lua_type(L, -1);
  if (type != LUA_TNIL && type != wanted)
    luaL_error(L, "%s: %s expected, got %s", key, lua_typename(L, wanted), lua_typename(L, type));
  return type;
}

const char *ss_opt_field_string(lua_State *L, int table, const char *key, size_t *length)
{
  const char *s = NULL;
  if (field(L, table, key, LUA_TSTRING) == LUA_TSTRING)
    s = lua_tolstring(L, -1, length);
  else if (length)
    *length = 0;
  lua_pop(L, 1);
  return s;
}

const char *ss_opt_field_text(lua_State *L, int table, const char *key)
{
  size_t n;
  const char *s = ss_opt_field_string(L, table, key, &n);
  if (s && strlen(s) != n) luaL_error(L, "%s: contains a NUL", key);
  return s;
}

bool ss_opt_field_bool(lua_State *L, int table, const char *key)
{
  field(L, table, key, LUA_TBOOLEAN);
  bool on = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return on;
}

lua_Integer ss_opt_field_int(lua_State *L, int table, const char *key, lua_Integer lo, lua_Integer hi,
                             lua_Integer otherwise)
{
  lua_Integer n = otherwise;
  if (field(L, table, key, LUA_TNUMBER) == LUA_TNUMBER) {
    bool ok;
    n = whole(L, -1, lo, hi, &ok);
    if (!ok) luaL_error(L, "%s: a whole number from %f to %f expected", key, (lua_Number)lo, (lua_Number)hi);
  }
  lua_pop(L, 1);
  return n;
}

int ss_opt_field_choice(lua_State *L, int table, const char *key, const char *const names[], int otherwise)
{
  const char *s = ss_opt_field_text(L, table, key);
  if (!s) return otherwise;
  for (int i = 0; names[i]; i++)
    if (strcmp(s, names[i]) == 0) return i;
  return luaL_error(L, "%s: \"%s\" is not one of its values", key, s);
}

int ss_push_failure(lua_State *L, const ss_error *e)
{
  lua_pushnil(L);
  lua_pushstring(L, ss_status_name(e->status));
  lua_pushstring(L, e->text);
  if (e->reason[0])
    lua_pushstring(L, e->reason);
  else
    lua_pushnil(L);
  return 4;
}

void *ss_new_object(lua_State *L, size_t size, const char *metatable)
{
  void *object = ss_newuserdata(L, size);
  memset(object, 0, size);
  luaL_getmetatable(L, metatable);
  lua_setmetatable(L, -2);
  return object;
}

/* The metatable is each method's upvalue. */
void ss_add_methods(lua_State *L, const luaL_Reg *methods)
{
  lua_pushvalue(L, -2);
  luaL_setfuncs(L, methods, 1);
}

void *ss_check_self(lua_State *L, const char *metatable)
{
  void *self = lua_touserdata(L, 1);
  bool same = false;
  if (self && lua_getmetatable(L, 1)) {
    same = lua_rawequal(L, -1, lua_upvalueindex(1));
    lua_pop(L, 1);
  }
  return same ? self : luaL_checkudata(L, 1, metatable);
}

void ss_register_class(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction close)
{
  luaL_newmetatable(L, name);
  lua_newtable(L);
  ss_add_methods(L, methods);
  lua_pushcfunction(L, close);
  lua_setfield(L, -2, "close");
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, close);
  lua_setfield(L, -2, "__gc");
  lua_pushcfunction(L, close);
  lua_setfield(L, -2, "__close");
  lua_pushstring(L, name);
  lua_setfield(L, -2, "__name");
  /* Scripts have no business with the metatable: a second __gc through it would still be safe, but is never meant. */
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_pop(L, 1);
}
