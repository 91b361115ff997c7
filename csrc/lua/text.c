/* text: small questions about text that the Lua layer asks the engine, so that there is one answer. */
#include "base/printable.h"
#include "base/random.h"
#include "base/utf8.h"
#include "base/wipe.h"
#include "lua/check.h"
#include "lua/open.h"
#include "mime/text.h"
#include "smtp/mailbox.h"
#include "smtp/queue_id.h"

#include <string.h>

/* core.mailbox(s[, idn]) -> local part, domain, internationalized, false | nil, what is wrong. With `idn`, a domain that is
 * not ASCII, or has A-labels, is not judged: true is then what comes fourth (ss_mailbox_read) */
static int mailbox(lua_State *L)
{
  size_t n;
  const char *s = luaL_checklstring(L, 1, &n);
  ss_mailbox box;
  const char *wrong = (lua_toboolean(L, 2) ? ss_mailbox_read : ss_mailbox_parse)(s, n, &box);
  if (wrong) {
    lua_pushnil(L);
    lua_pushstring(L, wrong);
    return 2;
  }
  lua_pushlstring(L, s, box.local_length);
  lua_pushlstring(L, s + box.domain_start, n - box.domain_start);
  lua_pushboolean(L, box.internationalized);
  lua_pushboolean(L, box.idn);
  return 4;
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

/* core.line_fault(s) -> nil when s may stand in a header | "utf8", "control" or "c1", where (1-based), and the byte
 * there (of "c1": the byte behind it) */
static int line_fault(lua_State *L)
{
  static const char *const names[] = {
      [SS_TEXT_NOT_UTF8] = "utf8", [SS_TEXT_CONTROL] = "control", [SS_TEXT_C1] = "c1"};
  size_t n, at;
  const char *s = luaL_checklstring(L, 1, &n);
  ss_text_fault fault = ss_text_find_fault((const uint8_t *)s, n, &at);
  if (fault == SS_TEXT_SOUND) return 0;
  lua_pushstring(L, names[fault]);
  lua_pushinteger(L, (lua_Integer)at + 1);
  lua_pushinteger(L, (unsigned char)s[at + (fault == SS_TEXT_C1)]);
  return 3;
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

/* Whether the table at `index` is a list of strings and nothing else. */
static bool is_list_of_strings(lua_State *L, int index)
{
  size_t count = 0;
  for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1), count++)
    if (lua_type(L, -1) != LUA_TSTRING || lua_type(L, -2) != LUA_TNUMBER) {
      lua_pop(L, 2);
      return false;
    }
  return count == ss_rawlen(L, index);
}

/* core.all_strings(t, known) -> whether every key of the table t is one of those in `known`, and every value a string, or
 * where `known` says "list" a list of strings */
static int all_strings(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checktype(L, 2, LUA_TTABLE);
  bool all = true;
  lua_settop(L, 2);
  lua_pushnil(L);
  while (all && lua_next(L, 1)) {
    lua_pushvalue(L, 3);
    lua_rawget(L, 2);
    all = lua_type(L, 4) == LUA_TSTRING
              ? lua_toboolean(L, 5)
              : lua_type(L, 5) == LUA_TSTRING && lua_istable(L, 4) && is_list_of_strings(L, 4);
    lua_settop(L, 3);
  }
  lua_pushboolean(L, all);
  return 1;
}

/* core.queue_id(s) -> the name of a mail in the words of a server's reply | nil */
static int queue_id(lua_State *L)
{
  size_t n, length;
  const char *s = luaL_checklstring(L, 1, &n), *name = ss_queue_id(s, n, &length);
  if (!name) return 0;
  lua_pushlstring(L, name, length);
  return 1;
}

void ss_lua_open_text(lua_State *L)
{
  static const luaL_Reg functions[] = {
      {"mailbox", mailbox},         {"domain", domain},       {"utf8_valid", utf8_valid},
      {"printable", printable},     {"random", random_bytes}, {"line_fault", line_fault},
      {"all_strings", all_strings}, {"queue_id", queue_id},   {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
}
