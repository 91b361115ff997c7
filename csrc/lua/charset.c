/* charset: charsets other than UTF-8 (mime/charset.h). lua/smtpsec/mime/charset.lua says in words what one does not have. */
#include "lua/charset.h"
#include "base/utf8.h"
#include "lua/check.h"
#include "lua/open.h"

#define CHARSET "smtpsec.charset"

typedef struct charset {
  ss_charset to;
  ss_buf out;
} charset;

/* A text as long as one that is given, and some shifts in it; there may be a gigabyte of each. */
enum { MOST = 1 << 30 };

const ss_charset *ss_lua_opt_charset(lua_State *L, int arg)
{
  if (lua_isnoneornil(L, arg)) return NULL;
  const charset *c = luaL_checkudata(L, arg, CHARSET);
  luaL_argcheck(L, c->to.open, arg, "the charset is closed");
  return &c->to;
}

static int charset_close(lua_State *L)
{
  charset *c = luaL_checkudata(L, 1, CHARSET);
  ss_charset_close(&c->to);
  ss_buf_free(&c->out);
  return 0;
}

/* core.charset(name) -> a charset | nil, what is wrong with the name */
static int charset_new(lua_State *L)
{
  size_t n;
  const char *name = luaL_checklstring(L, 1, &n);
  charset *c = ss_new_object(L, sizeof *c, CHARSET);
  ss_buf_init(&c->out, MOST);
  const char *wrong = ss_charset_open(&c->to, name, n);
  if (!wrong) return 1;
  lua_pushnil(L);
  lua_pushstring(L, wrong);
  return 2;
}

static int push_bad(lua_State *L, const char *s, size_t n, size_t bad)
{
  uint32_t code = 0;
  size_t length = ss_utf8_decode((const uint8_t *)s + bad, n - bad, &code);
  lua_pushnil(L);
  lua_pushinteger(L, (lua_Integer)bad + 1);
  lua_pushinteger(L, (lua_Integer)code);
  lua_pushlstring(L, s + bad, length);
  return 4;
}

/* charset:convert(s) -> s, which is UTF-8, in the charset | nil, where the first character is that it does not have
 * (1-based), its code point, and itself */
static int charset_convert(lua_State *L)
{
  charset *c = luaL_checkudata(L, 1, CHARSET);
  size_t n, bad = 0;
  const char *s = luaL_checklstring(L, 2, &n);
  luaL_argcheck(L, c->to.open, 1, "the charset is closed");
  luaL_argcheck(L, ss_utf8_valid((const uint8_t *)s, n) == n, 2, "not UTF-8");
  ss_status status = ss_charset_convert(&c->to, (const uint8_t *)s, n, &c->out, &bad);
  if (status == SS_OK) lua_pushlstring(L, (const char *)ss_buf_data(&c->out), ss_buf_len(&c->out));
  ss_buf_free(&c->out);
  if (status == SS_OK) return 1;
  return status == SS_E_ARGUMENT ? push_bad(L, s, n, bad) : luaL_error(L, "out of memory for a charset");
}

void ss_lua_open_charset(lua_State *L)
{
  static const luaL_Reg functions[] = {{"charset", charset_new}, {NULL, NULL}};
  static const luaL_Reg methods[] = {{"convert", charset_convert}, {NULL, NULL}};
  ss_register_class(L, CHARSET, methods, charset_close);
  luaL_setfuncs(L, functions, 0);
}
