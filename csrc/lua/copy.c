/* copy: see copy.h. */
#include "lua/copy.h"
#include "lua/check.h"
#include "lua/open.h"

#include <stdlib.h>
#include <string.h>

#define COPY "smtpsec.copy"

/* Most bytes of one. */
enum { MOST = 1 << 30 };

ss_copy *ss_check_copy(lua_State *L, int arg)
{
  ss_copy *c = luaL_checkudata(L, arg, COPY);
  luaL_argcheck(L, c->bytes, arg, "the copy is closed");
  return c;
}

ss_copy *ss_opt_copy(lua_State *L, int arg)
{
  return lua_isnoneornil(L, arg) ? NULL : ss_check_copy(L, arg);
}

bool ss_copy_add(ss_copy *c, const void *p, size_t n)
{
  if (n > c->most - c->n) return false;
  if (n) memcpy(c->bytes + c->n, p, n);
  c->n += n;
  return true;
}

ss_buf ss_copy_lend(ss_copy *c)
{
  return (ss_buf){.base = c->bytes + c->n, .size = c->most - c->n, .cap = c->most - c->n};
}

void ss_copy_commit(ss_copy *c, size_t n)
{
  c->n += n;
}

static int copy_close(lua_State *L)
{
  ss_copy *c = luaL_checkudata(L, 1, COPY);
  free(c->bytes);
  *c = (ss_copy){0};
  return 0;
}

/* core.copy(most) -> an empty copy with room for this many bytes, or nil: no memory. All of it is asked for at once, since
 * the allocator gives back to the system what is freed in small pieces, and has to fetch it again. */
static int copy_new(lua_State *L)
{
  size_t most = (size_t)ss_check_int(L, 1, 1, MOST);
  ss_copy *c = ss_new_object(L, sizeof *c, COPY);
  c->bytes = malloc(most);
  if (!c->bytes) return 0;
  c->most = most;
  return 1;
}

/* copy:add(s) -> whether there was room for it */
static int copy_add(lua_State *L)
{
  size_t n;
  ss_copy *c = ss_check_copy(L, 1);
  const char *s = luaL_checklstring(L, 2, &n);
  lua_pushboolean(L, ss_copy_add(c, s, n));
  return 1;
}

/* copy:piece(from, most) -> up to this many bytes, the first of them at `from` (1-based) | nil where there are none */
static int copy_piece(lua_State *L)
{
  ss_copy *c = ss_check_copy(L, 1);
  size_t from = (size_t)ss_check_int(L, 2, 1, MOST) - 1;
  size_t most = (size_t)ss_check_int(L, 3, 1, MOST);
  if (from >= c->n) return 0;
  lua_pushlstring(L, (const char *)c->bytes + from, most < c->n - from ? most : c->n - from);
  return 1;
}

/* copy:octets() -> how many are in it; 0 once it is closed */
static int copy_octets(lua_State *L)
{
  const ss_copy *c = luaL_checkudata(L, 1, COPY);
  lua_pushinteger(L, (lua_Integer)c->n);
  return 1;
}

void ss_lua_open_copy(lua_State *L)
{
  static const luaL_Reg functions[] = {{"copy", copy_new}, {NULL, NULL}};
  static const luaL_Reg methods[] = {
      {"add", copy_add}, {"piece", copy_piece}, {"octets", copy_octets}, {NULL, NULL}};
  ss_register_class(L, COPY, methods, copy_close);
  luaL_setfuncs(L, functions, 0);
}
