/* part: a tree of parts becomes the message that it is (RFC 2045, 2046). What is short and in memory is encoded there
 * and then, all of it into one string; what is not is left to be read as it is sent.
 *
 * A node is a list, because every mail has some of them and lists are read fastest: a leaf is { shape, encoding for a
 * server without 8BITMIME, encoding for one with it, body, whether its line ends have to be mended }, a multipart is
 * { shape, boundary, node, … }. lua/smtpsec/mime/part.lua and body.lua make them, and say what is in them. */
#include "lua/check.h"
#include "lua/open.h"
#include "lua/scratch.h"
#include "mime/codec.h"
#include "mime/multipart.h"
#include "mime/text.h"

#include <string.h>

/* Where what is in a leaf, and in a multipart; in a shape, what comes before the encoding of a leaf, or the boundary of a
 * multipart, and what behind. */
enum { SHAPE = 1, SEVEN = 2, EIGHT = 3, BODY = 4, MENDS = 5 };
enum { BOUNDARY = 2, FIRST = 3 };
enum { BEFORE = 1, BEHIND = 2 };

/* Where the arguments are, and behind them the list of segments, once there is one. */
enum { NODE = 1, EIGHT_BIT, HEAD, BINARY, SEGMENTS };

typedef struct writer {
  lua_State *L;
  ss_buf *to;   /* what was written behind the last segment */
  int way;      /* SEVEN or EIGHT */
  bool binary;  /* what would be base64, byte for byte, is not encoded at all (RFC 3030) */
  int segments; /* how many there are */
  bool open;    /* what was written last is no whole line */
} writer;

static void put(writer *w, const void *p, size_t n)
{
  if (ss_buf_append(w->to, p, n) != SS_OK) luaL_error(w->L, "out of memory for a message");
}

/* Writes the string on top of the stack, and drops it. */
static void put_top(writer *w)
{
  size_t n = 0;
  const char *s = lua_type(w->L, -1) == LUA_TSTRING ? lua_tolstring(w->L, -1, &n) : NULL;
  if (!s) luaL_error(w->L, "a string expected in a part");
  put(w, s, n);
  lua_pop(w->L, 1);
}

/* Makes the value on top of the stack the next segment. */
static void add_segment(writer *w)
{
  if (w->segments == 0) {
    lua_newtable(w->L);
    lua_replace(w->L, SEGMENTS);
  }
  lua_rawseti(w->L, SEGMENTS, ++w->segments);
}

/* Makes { body, encoding } one: what is read as it is sent. */
static void add_reader(writer *w, int body, int encoding)
{
  lua_createtable(w->L, 2, 0);
  lua_pushvalue(w->L, body);
  lua_rawseti(w->L, -2, 1);
  lua_pushvalue(w->L, encoding);
  lua_rawseti(w->L, -2, 2);
  add_segment(w);
}

/* Makes the first n octets that were written one. */
static void cut(writer *w, size_t n)
{
  if (n == 0) return;
  lua_pushlstring(w->L, (const char *)ss_buf_data(w->to), n);
  add_segment(w);
  ss_buf_consume(w->to, n);
}

/* Pushes the element at `at` of the node, and says whether it is a table. */
static bool element(lua_State *L, int node, int at)
{
  lua_rawgeti(L, node, at);
  return lua_istable(L, -1);
}

/* Pushes the encoding of a leaf. */
static const char *push_leaf_encoding(writer *w, int node)
{
  lua_State *L = w->L;
  lua_rawgeti(L, node, w->way);
  const char *encoding = lua_tostring(L, -1);
  if (!w->binary || !encoding || strcmp(encoding, "base64") != 0) return encoding;
  lua_rawgeti(L, node, MENDS);
  bool is_text = lua_toboolean(L, -1);
  lua_pop(L, 1);
  if (is_text) return encoding;
  lua_pushliteral(L, "binary");
  lua_replace(L, -2);
  return lua_tostring(L, -1);
}

/* Pushes the encoding of the node on top of the stack: of a leaf its own, of a multipart what its parts ask for (RFC
 * 2045 section 6.4: what holds 8-bit parts is 8-bit itself, and what holds binary ones binary). Returns it, or NULL where a
 * part cannot go this way; sets *many to whether the node is a multipart. */
static const char *push_encoding(writer *w, bool *many)
{
  lua_State *L = w->L;
  int node = lua_gettop(L);
  *many = element(L, node, FIRST);
  if (!*many) return push_leaf_encoding(w, node);
  luaL_checkstack(L, LUA_MINSTACK, "parts within parts");
  const char *whole = "7bit";
  for (int at = FIRST; whole && element(L, node, at); at++) {
    bool within;
    const char *encoding = push_encoding(w, &within);
    if (!encoding)
      whole = NULL;
    else if (strcmp(encoding, "binary") == 0 || (strcmp(encoding, "8bit") == 0 && strcmp(whole, "7bit") == 0))
      whole = *encoding == '8' ? "8bit" : "binary";
    lua_settop(L, node);
  }
  lua_settop(L, node);
  lua_pushstring(L, whole);
  return whole;
}

/* Writes one of the two strings of a shape. */
static void put_lines(writer *w, int shape, int at)
{
  lua_rawgeti(w->L, shape, at);
  put_top(w);
}

static void put_encoding(writer *w, const char *encoding)
{
  ss_status status = ss_multipart_encoding(w->to, encoding);
  if (status == SS_E_ARGUMENT) luaL_error(w->L, "no encoding is called %s", encoding);
  if (status != SS_OK) luaL_error(w->L, "out of memory for a message");
}

/* Writes a body that is a string. */
static void put_body(writer *w, int body, const char *encoding, bool mends)
{
  size_t n;
  const uint8_t *s = (const uint8_t *)luaL_checklstring(w->L, body, &n);
  const ss_codec *codec = ss_codec_find(encoding);
  ss_status status;
  if (mends)
    status = ss_text_write(s, n, encoding, w->to);
  else
    status = codec ? ss_codec_whole(codec, s, n, w->to) : ss_buf_append(w->to, s, n);
  if (status != SS_OK) luaL_error(w->L, "a body cannot be encoded");
}

static bool is_open(const ss_buf *b)
{
  return ss_buf_data(b)[ss_buf_len(b) - 1] != '\n';
}

static void write_leaf(writer *w, int node, int encoding, int shape)
{
  lua_State *L = w->L;
  size_t before = ss_buf_len(w->to);
  const char *name = lua_tostring(L, encoding);
  put_lines(w, shape, BEFORE);
  put_encoding(w, name);
  put_lines(w, shape, BEHIND);
  size_t start = ss_buf_len(w->to);
  if (element(L, node, BODY)) {
    w->open = strcmp(name, "base64") == 0 || ss_opt_field_bool(L, shape + 1, "open");
    cut(w, start);
    add_reader(w, shape + 1, encoding);
    return;
  }
  lua_rawgeti(L, node, MENDS);
  put_body(w, shape + 1, name, lua_toboolean(L, -1));
  w->open = is_open(w->to);
  size_t length = ss_buf_len(w->to) - start;
  if (before + length <= SS_MULTIPART_WHOLE) return;
  cut(w, start);
  cut(w, length);
}

static void put_delimiter(writer *w, const char *boundary, size_t n, bool last)
{
  if (ss_multipart_delimiter(w->to, boundary, n, last) != SS_OK)
    luaL_error(w->L, "out of memory for a message");
}

static const char *write_node(writer *w);

static void write_multipart(writer *w, int node, int encoding, int shape)
{
  lua_State *L = w->L;
  size_t n;
  put_lines(w, shape, BEFORE);
  lua_rawgeti(L, node, BOUNDARY);
  const char *boundary = luaL_checklstring(L, -1, &n);
  put(w, boundary, n);
  put_lines(w, shape, BEHIND);
  put_encoding(w, lua_tostring(L, encoding));
  int top = lua_gettop(L);
  for (int at = FIRST; element(L, node, at); at++) {
    put_delimiter(w, boundary, n, false);
    write_node(w);
    lua_settop(L, top);
  }
  put_delimiter(w, boundary, n, true);
  w->open = true;
}

/* Writes the node on top of the stack. Returns its encoding, or NULL where a part cannot go this way. */
static const char *write_node(writer *w)
{
  lua_State *L = w->L;
  bool many;
  int node = lua_gettop(L);
  const char *name = push_encoding(w, &many);
  int encoding = lua_gettop(L), shape = encoding + 1;
  lua_rawgeti(L, node, SHAPE);
  luaL_checktype(L, shape, LUA_TTABLE);
  if (name) (many ? write_multipart : write_leaf)(w, node, encoding, shape);
  return name;
}

/* core.render(node, eight_bit, head[, binary]) -> the message behind these header fields for a server that takes 8 bits, or
 * does not, and `binary` bodies, as one string where all of it is in memory and short, otherwise nil; nil, or a list of
 * strings, and of { body, encoding } for what is read as it is sent; whether there are 8 bits in its bodies; whether some are binary
 * | nothing where a part cannot go this way */
static int render(lua_State *L)
{
  size_t n;
  luaL_checktype(L, NODE, LUA_TTABLE);
  writer w = {.L = L, .way = lua_toboolean(L, EIGHT_BIT) ? EIGHT : SEVEN, .binary = lua_toboolean(L, BINARY)};
  const char *head = luaL_checklstring(L, HEAD, &n);
  lua_settop(L, SEGMENTS);
  w.to = ss_scratch(L);
  put(&w, head, n);
  lua_pushvalue(L, NODE);
  const char *encoding = write_node(&w);
  if (!encoding) return 0;
  if (w.open) put(&w, "\r\n", 2);
  if (w.segments) {
    cut(&w, ss_buf_len(w.to));
    lua_pushnil(L);
  } else {
    ss_scratch_push(L, w.to);
  }
  lua_pushvalue(L, SEGMENTS);
  lua_pushboolean(L, strcmp(encoding, "8bit") == 0);
  lua_pushboolean(L, strcmp(encoding, "binary") == 0);
  return 4;
}

void ss_lua_open_part(lua_State *L)
{
  static const luaL_Reg functions[] = {{"render", render}, {NULL, NULL}};
  ss_scratch_functions(L, functions);
  lua_pushinteger(L, SS_MULTIPART_WHOLE);
  lua_setfield(L, -2, "message_whole");
}
