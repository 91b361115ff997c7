/* text: small questions about text that the Lua layer asks the engine, so that there is one answer. */
#include "base/printable.h"
#include "base/random.h"
#include "base/utf8.h"
#include "base/wipe.h"
#include "lua/check.h"
#include "lua/open.h"
#include "smtp/mailbox.h"

/* core.mailbox(s) -> local part, domain, internationalized | nil, what is wrong */
static int mailbox(lua_State *L)
{
  size_t n;
  const char *s = luaL_checklstring(L, 1, &n);
  ss_mailbox box;
  const char *wrong = ss_mailbox_parse(s, n, &box);
  if (wrong) {
    lua_pushnil(L);
    lua_pushstring(L, wrong);
    return 2;
  }
  lua_pushlstring(L, s, box.local_length);
  lua_pushlstring(L, s + box.domain_start, n - box.domain_start);
  lua_pushboolean(L, box.internationalized);
  return 3;
}

/* core.domain(s) -> true | nil, what is wrong */
static int domain(lua_State *L)
{
  size_t n;
  const char *s = luaL_checklstring(L, 1, &n);
  const char *wrong = ss_domain_check(s, n);
  if (!wrong) {
    lua_pushboolean(L, 1);
    return 1;
  }
  lua_pushnil(L);
  lua_pushstring(L, wrong);
  return 2;
}

/* core.utf8_valid(s) -> true | nil, offset of the first byte that is not UTF-8 (1-based) */
static int utf8_valid(lua_State *L)
{
  size_t n;
  const char *s = luaL_checklstring(L, 1, &n);
  size_t offset = ss_utf8_valid((const uint8_t *)s, n);
  if (offset == n) {
    lua_pushboolean(L, 1);
    return 1;
  }
  lua_pushnil(L);
  lua_pushinteger(L, (lua_Integer)offset + 1);
  return 2;
}

/* core.printable(s) -> s with whatever a log or a terminal would obey escaped, cut at about 500 bytes */
static int printable(lua_State *L)
{
  size_t n;
  const char *s = luaL_checklstring(L, 1, &n);
  char text[500];
  size_t length = ss_printable(text, sizeof text, s, n);
  lua_pushlstring(L, text, length);
  return 1;
}

/* core.random(n) -> n unguessable bytes, 1 to 256 | error when the system has no randomness to give */
static int random_bytes(lua_State *L)
{
  unsigned char bytes[256];
  int n = (int)ss_check_int(L, 1, 1, (lua_Integer)sizeof bytes);
  if (!ss_random(bytes, (size_t)n)) return luaL_error(L, "the system's random generator failed");
  lua_pushlstring(L, (const char *)bytes, (size_t)n);
  ss_wipe(bytes, sizeof bytes);
  return 1;
}

void ss_lua_open_text(lua_State *L)
{
  static const luaL_Reg functions[] = {{"mailbox", mailbox},       {"domain", domain},
                                       {"utf8_valid", utf8_valid}, {"printable", printable},
                                       {"random", random_bytes},   {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
}
