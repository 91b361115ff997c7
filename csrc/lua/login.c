/* login: the methods of a connection for AUTH (smtpsec.h), and the list of mechanisms. */
#include "lua/check.h"
#include "lua/connection.h"

#include <string.h>

static ss_span span(lua_State *L, const char *key)
{
  ss_span s = {0};
  s.bytes = ss_opt_field_string(L, 3, key, &s.length);
  return s;
}

static const char *check_name(lua_State *L)
{
  size_t length;
  const char *name = luaL_checklstring(L, 2, &length);
  luaL_argcheck(L, !memchr(name, '\0', length), 2, "contains a NUL");
  return name;
}

/* conn:auth(mechanism, { user=, password=, token=, host=, port=, binding=, iterations= }) -> tag */
static int auth(lua_State *L)
{
  ss_error e;
  ss_conn *c = ss_lua_check_connection(L);
  const char *mechanism = check_name(L);
  luaL_checktype(L, 3, LUA_TTABLE);
  ss_credentials who = {
      .user = span(L, "user"),
      .password = span(L, "password"),
      .token = span(L, "token"),
      .host = span(L, "host"),
      .port = (unsigned)ss_opt_field_int(L, 3, "port", 0, UINT16_MAX, 0),
      .iterations = (unsigned)ss_opt_field_int(L, 3, "iterations", 1, INT32_MAX, SS_ITERATIONS),
      .binding = ss_opt_field_text(L, 3, "binding"),
  };
  return ss_lua_push_tag(L, ss_conn_auth(c, mechanism, &who, &e), &e);
}

/* conn:auth_outside(mechanism, initial or nil, done) -> tag: the responses come from the caller */
static int auth_outside(lua_State *L)
{
  ss_error e;
  size_t n = 0;
  ss_conn *c = ss_lua_check_connection(L);
  const char *mechanism = check_name(L);
  const char *initial = luaL_optlstring(L, 3, NULL, &n);
  return ss_lua_push_tag(L, ss_conn_auth_outside(c, mechanism, initial, n, lua_toboolean(L, 4), &e), &e);
}

/* conn:respond(bytes or nil, done) -> true: to the last challenge; nil takes AUTH back */
static int respond(lua_State *L)
{
  ss_error e;
  size_t n = 0;
  ss_conn *c = ss_lua_check_connection(L);
  const char *bytes = luaL_optlstring(L, 2, NULL, &n);
  if (ss_conn_respond(c, bytes, n, lua_toboolean(L, 3), &e) != SS_OK) return ss_push_failure(L, &e);
  lua_pushboolean(L, 1);
  return 1;
}

/* conn:binding(type or nil) -> the type of channel binding that this channel has: that one, or the best | nil */
static int binding(lua_State *L)
{
  ss_binding found;
  ss_conn *c = ss_lua_check_connection(L);
  if (ss_conn_binding(c, luaL_optstring(L, 2, NULL), &found))
    lua_pushstring(L, found.type);
  else
    lua_pushnil(L);
  return 1;
}

/* conn:complaint() -> what the server said, in a challenge, of why it refuses a login | nil */
static int complaint(lua_State *L)
{
  size_t n;
  const char *text = ss_conn_complaint(ss_lua_check_connection(L), &n);
  if (n)
    lua_pushlstring(L, text, n);
  else
    lua_pushnil(L);
  return 1;
}

static void set_flag(lua_State *L, const char *key, bool value)
{
  lua_pushboolean(L, value);
  lua_setfield(L, -2, key);
}

static void push_mechanism(lua_State *L, const ss_mechanism *m)
{
  lua_newtable(L);
  lua_pushstring(L, m->name);
  lua_setfield(L, -2, "name");
  set_flag(L, "user", m->needs & SS_NEEDS_USER);
  set_flag(L, "password", m->needs & SS_NEEDS_PASSWORD);
  set_flag(L, "token", m->needs & SS_NEEDS_TOKEN);
  set_flag(L, "certificate", m->needs & SS_NEEDS_CERTIFICATE);
  set_flag(L, "binds", m->binds);
  set_flag(L, "prepares", m->prepares);
  set_flag(L, "only_named", m->only_named);
}

void ss_lua_add_login(lua_State *L)
{
  static const luaL_Reg methods[] = {{"auth", auth},           {"auth_outside", auth_outside},
                                     {"respond", respond},     {"binding", binding},
                                     {"complaint", complaint}, {NULL, NULL}};
  ss_add_methods(L, methods);
}

void ss_lua_push_mechanisms(lua_State *L)
{
  lua_newtable(L);
  for (int i = 0; ss_mechanisms[i]; i++) {
    push_mechanism(L, ss_mechanisms[i]);
    lua_rawseti(L, -2, i + 1);
  }
}
