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

static bool is_record(lua_State *L, int at, int known);

/* Whether the value at `at` is a table to which a metatable adds nothing. */
static bool is_bare(lua_State *L, int at)
{
  if (!lua_istable(L, at)) return false;
  bool bare = !lua_getmetatable(L, at);
  if (!bare) lua_pop(L, 1);
  return bare;
}

/* Whether it is a list and nothing else: of strings, or where there is something at `known`, of records. */
static bool is_list(lua_State *L, int at, int known)
{
  size_t count = 0;
  if (!is_bare(L, at)) return false;
  for (lua_pushnil(L); lua_next(L, at); lua_pop(L, 1), count++) {
    bool sound = known ? is_record(L, lua_gettop(L), known) : lua_type(L, -1) == LUA_TSTRING;
    if (!sound || lua_type(L, -2) != LUA_TNUMBER) return false;
  }
  return count == ss_rawlen(L, at);
}

/* Whether it is what the value at `known` says. */
static bool is_known(lua_State *L, int at, int known)
{
  bool is_string = lua_type(L, at) == LUA_TSTRING;
  switch (lua_type(L, known)) {
  case LUA_TBOOLEAN: return is_string;
  case LUA_TSTRING: return is_string || is_list(L, at, 0);
  case LUA_TTABLE: return is_list(L, at, known);
  default: return false;
  }
}

static bool is_record(lua_State *L, int at, int known)
{
  if (!is_bare(L, at)) return false;
  luaL_checkstack(L, LUA_MINSTACK, "tables in tables");
  lua_pushnil(L);
  while (lua_next(L, at)) {
    int value = lua_gettop(L);
    lua_pushvalue(L, value - 1);
    lua_rawget(L, known);
    if (!is_known(L, value, value + 1)) return false;
    lua_settop(L, value - 1);
  }
  return true;
}

/* core.all_strings(t, known) -> whether every key of the table t is one of those in `known`, and every value what that says
 * there: true, a string; "list", a string or a list of strings; a table, a list of tables that are as this one says. False
 * too where something may come from a metatable. */
static int all_strings(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  bool all = is_record(L, 1, 2);
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
