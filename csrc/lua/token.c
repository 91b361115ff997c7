/* token: see token.h. */
#include "lua/token.h"
#include "base/hex.h"
#include "base/random.h"
#include "lua/check.h"
#include "lua/open.h"

#include <string.h>

#define POOL "smtpsec.random"

enum { MOST_AROUND = 512 };

typedef struct pool {
  ss_random_pool *random;
} pool;

static int pool_close(lua_State *L)
{
  pool *p = luaL_checkudata(L, 1, POOL);
  ss_random_pool_free(p->random);
  p->random = NULL;
  return 0;
}

void ss_lua_new_pool(lua_State *L)
{
  pool *p = ss_new_object(L, sizeof *p, POOL);
  p->random = ss_random_pool_new();
  if (!p->random) luaL_error(L, "out of memory for random bytes");
}

void ss_lua_draw_token(lua_State *L, int index, char to[SS_TOKEN])
{
  unsigned char bytes[SS_TOKEN / 2];
  const pool *p = lua_touserdata(L, index);
  if (!p->random || !ss_random_draw(p->random, bytes, sizeof bytes))
    luaL_error(L, "the system's random generator failed");
  ss_hex(to, bytes, sizeof bytes);
}

/* core.token(before, after) -> `before` (at most 512 bytes, none when nil), 32 hexadecimal digits that are 128
 * unguessable bits, `after` (likewise) | error when the system has no randomness to give */
static int token(lua_State *L)
{
  char text[MOST_AROUND + SS_TOKEN + MOST_AROUND];
  size_t before_n, after_n;
  const char *before = luaL_optlstring(L, 1, "", &before_n), *after = luaL_optlstring(L, 2, "", &after_n);
  luaL_argcheck(L, before_n <= MOST_AROUND, 1, "too long");
  luaL_argcheck(L, after_n <= MOST_AROUND, 2, "too long");
  memcpy(text, before, before_n);
  ss_lua_draw_token(L, lua_upvalueindex(1), text + before_n);
  memcpy(text + before_n + SS_TOKEN, after, after_n);
  lua_pushlstring(L, text, before_n + SS_TOKEN + after_n);
  return 1;
}

void ss_lua_open_token(lua_State *L)
{
  static const luaL_Reg methods[] = {{NULL, NULL}};
  static const luaL_Reg functions[] = {{"token", token}, {NULL, NULL}};
  ss_register_class(L, POOL, methods, pool_close);
  ss_lua_new_pool(L);
  luaL_setfuncs(L, functions, 1);
}
