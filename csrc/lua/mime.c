/* mime: the encoders, the scanner, the texts and the files of message composition, as the Lua layer uses them. */
#include "base/base64.h"
#include "lua/check.h"
#include "lua/copy.h"
#include "lua/open.h"
#include "lua/scratch.h"
#include "mime/codec.h"
#include "mime/file.h"
#include "mime/scan.h"
#include "mime/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ENCODER   "smtpsec.encoder"
#define SCANNER   "smtpsec.scanner"
#define OPEN_FILE "smtpsec.file"

enum { READ_MAX = 1 << 20 };

/* core.base64(s) -> the base64 of s, on one line */
static int base64(lua_State *L)
{
  size_t n;
  const char *s = luaL_checklstring(L, 1, &n);
  luaL_argcheck(L, n <= SS_CODEC_INPUT, 1, "too long");
  char *text = ss_newuserdata(L, ss_base64_length(n) + 1);
  lua_pushlstring(L, text, ss_base64_encode(text, (const uint8_t *)s, n));
  return 1;
}

static int push_words(lua_State *L, const char *words)
{
  lua_pushnil(L);
  lua_pushstring(L, words);
  return 2;
}

/* core.encode(name, s) -> the encoding of the whole of s, at most 1 MiB, by the encoder of that name | nil, what is wrong
 * with s */
static int encode(lua_State *L)
{
  const ss_codec *codec = ss_codec_find(luaL_checkstring(L, 1));
  luaL_argcheck(L, codec, 1, "no encoder has this name");
  size_t n;
  const char *s = luaL_checklstring(L, 2, &n);
  luaL_argcheck(L, n <= SS_CODEC_INPUT, 2, "more than 1 MiB at once");
  ss_buf *out = ss_scratch(L);
  ss_status status = ss_codec_whole(codec, (const uint8_t *)s, n, out);
  if (status == SS_E_ARGUMENT) return push_words(L, "contains a NUL");
  return status == SS_OK ? ss_scratch_push(L, out) : luaL_error(L, "out of memory for an encoding");
}

static void push_encodings(lua_State *L, const ss_scan *facts)
{
  lua_pushstring(L, ss_text_encoding(facts, false));
  lua_pushstring(L, ss_text_encoding(facts, true));
}

/* core.text(s[, converted]) -> the encoding that carries the text to a server without 8BITMIME, that for one with it | nil
 * when it is no UTF-8, or holds NUL. What was converted to another charset is no UTF-8 any more. */
static int text(lua_State *L)
{
  size_t n;
  const char *s = luaL_checklstring(L, 1, &n);
  ss_scan facts = {0};
  if (lua_toboolean(L, 2))
    ss_scan_update(&facts, (const uint8_t *)s, n);
  else if (ss_text_look((const uint8_t *)s, n, &facts) != SS_OK)
    return 0;
  push_encodings(L, &facts);
  return 2;
}

typedef struct encoder {
  const ss_codec *codec; /* NULL once finished or closed */
  ss_buf *out;           /* one for all, empty between calls; the class keeps it */
  uint64_t state[];      /* codec->state_size bytes */
} encoder;

static int encoder_close(lua_State *L)
{
  encoder *e = luaL_checkudata(L, 1, ENCODER);
  e->codec = NULL;
  return 0;
}

/* core.base64_decode(s) -> bytes | nil when s is not base64, strictly (RFC 4648) */
static int base64_decode(lua_State *L)
{
  size_t n, length;
  const char *s = luaL_checklstring(L, 1, &n);
  uint8_t *bytes = ss_newuserdata(L, n + 1);
  if (ss_base64_decode_to(bytes, s, n, &length))
    lua_pushlstring(L, (const char *)bytes, length);
  else
    lua_pushnil(L);
  return 1;
}

/* core.encoder(name) -> a new encoder: "base64", "quoted-printable" or "crlf" */
static int encoder_new(lua_State *L)
{
  const ss_codec *codec = ss_codec_find(luaL_checkstring(L, 1));
  luaL_argcheck(L, codec, 1, "no encoder has this name");
  encoder *e = ss_new_object(L, sizeof *e + codec->state_size, ENCODER);
  e->out = ss_scratch(L);
  e->codec = codec;
  return 1;
}

static encoder *check_encoder(lua_State *L, int arg)
{
  encoder *e = luaL_checkudata(L, arg, ENCODER);
  luaL_argcheck(L, e->codec, arg, "the encoder is finished");
  ss_buf_clear(e->out); /* what a call that raised has left */
  return e;
}

/* Encodes into the copy itself, where there is one with room for the worst case, otherwise into the encoder's buffer. */
static ss_status run(encoder *e, const uint8_t *p, size_t n, ss_copy *to)
{
  if (to) {
    ss_buf room = ss_copy_lend(to);
    ss_status status = e->codec->update(e->state, p, n, &room);
    ss_copy_commit(to, ss_buf_len(&room));
    if (status != SS_E_FULL) return status;
  }
  return e->codec->update(e->state, p, n, e->out);
}

/* Pushes what is in the encoder's buffer, or "" where a copy takes it. */
static int push_output(lua_State *L, encoder *e, ss_status status, ss_copy *to)
{
  if (status == SS_E_ARGUMENT) return push_words(L, "contains a NUL");
  if (status != SS_OK) return push_words(L, "out of memory");
  if (to && !ss_copy_add(to, ss_buf_data(e->out), ss_buf_len(e->out)))
    return push_words(L, "is longer than it was said to be");
  if (to) ss_buf_clear(e->out);
  return ss_scratch_push(L, e->out);
}

/* encoder:update(s[, from, n[, to]]) -> what is settled of the encoding so far, "" included, or "" where the copy `to` takes
 * it | nil, what is wrong with s. s is of at most 1 MiB; or so are the n bytes of it that begin with byte `from` (1-based),
 * or as many as there are. */
static int encoder_update(lua_State *L)
{
  encoder *e = check_encoder(L, 1);
  size_t n;
  const char *s = luaL_checklstring(L, 2, &n);
  if (!lua_isnoneornil(L, 3)) {
    size_t skip = (size_t)ss_check_int(L, 3, 1, (lua_Integer)n + 1) - 1;
    size_t most = (size_t)ss_check_int(L, 4, 0, SS_CODEC_INPUT);
    s += skip;
    n = n - skip < most ? n - skip : most;
  }
  luaL_argcheck(L, n <= SS_CODEC_INPUT, 2, "more than 1 MiB at once");
  ss_copy *to = ss_opt_copy(L, 5);
  return push_output(L, e, run(e, (const uint8_t *)s, n, to), to);
}

/* encoder:finish([to]) -> the rest of the encoding, as update returns it. The encoder is closed. */
static int encoder_finish(lua_State *L)
{
  encoder *e = check_encoder(L, 1);
  ss_copy *to = ss_opt_copy(L, 2);
  int results = push_output(L, e, e->codec->finish(e->state, e->out), to);
  e->codec = NULL;
  return results;
}

static int scanner_close(lua_State *L)
{
  luaL_checkudata(L, 1, SCANNER);
  return 0;
}

/* core.scanner() -> a new scanner */
static int scanner_new(lua_State *L)
{
  ss_new_object(L, sizeof(ss_scan), SCANNER);
  return 1;
}

/* scanner:update(s) -> the scanner */
static int scanner_update(lua_State *L)
{
  ss_scan *scan = luaL_checkudata(L, 1, SCANNER);
  size_t n;
  const char *s = luaL_checklstring(L, 2, &n);
  ss_scan_update(scan, (const uint8_t *)s, n);
  lua_settop(L, 1);
  return 1;
}

/* scanner:facts() -> { size=, canonical=, longest=, escapes=, eight_bit=, nul=, fragile=, open= }, see mime/scan.h */
static int scanner_facts(lua_State *L)
{
  const ss_scan *scan = luaL_checkudata(L, 1, SCANNER);
  const struct {
    const char *name;
    uint64_t value;
  } counts[] = {{"size", scan->size},
                {"canonical", scan->canonical},
                {"longest", scan->longest},
                {"escapes", scan->escapes}};
  const struct {
    const char *name;
    bool value;
  } flags[] = {{"eight_bit", scan->eight_bit},
               {"nul", scan->nul},
               {"fragile", ss_scan_fragile(scan)},
               {"open", scan->open}};
  lua_newtable(L);
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
    lua_pushinteger(L, (lua_Integer)counts[i].value);
    lua_setfield(L, -2, counts[i].name);
  }
  for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
    lua_pushboolean(L, flags[i].value);
    lua_setfield(L, -2, flags[i].name);
  }
  return 1;
}

/* scanner:encodings() -> the encoding that carries the text seen to a server without 8BITMIME, that for one with it */
static int scanner_encodings(lua_State *L)
{
  push_encodings(L, luaL_checkudata(L, 1, SCANNER));
  return 2;
}

typedef struct file {
  ss_file file;
  ss_buf in;
} file;

static int file_close(lua_State *L)
{
  file *f = luaL_checkudata(L, 1, OPEN_FILE);
  ss_file_close(&f->file);
  ss_buf_free(&f->in);
  return 0;
}

/* core.file(path) -> the regular file at path, opened for reading | nil, why not */
static int file_open(lua_State *L)
{
  size_t n;
  const char *path = luaL_checklstring(L, 1, &n);
  ss_error e;
  if (strlen(path) != n) return push_words(L, "contains a NUL");
  file *f = ss_new_object(L, sizeof *f, OPEN_FILE);
  ss_buf_init(&f->in, READ_MAX);
  return ss_file_open(&f->file, path, &e) == SS_OK ? 1 : push_words(L, e.text);
}

/* file:read(n[, encoder[, to]]) -> up to n bytes (1 to 1 MiB), encoded where an encoder is given, or "" where the copy `to`
 * takes what was encoded; and how many they are: 0 at the end only | nil, why not */
static int file_read(lua_State *L)
{
  file *f = luaL_checkudata(L, 1, OPEN_FILE);
  size_t got, n = (size_t)ss_check_int(L, 2, 1, READ_MAX);
  encoder *through = lua_isnoneornil(L, 3) ? NULL : check_encoder(L, 3);
  ss_copy *to = ss_opt_copy(L, 4);
  ss_error e;
  uint8_t *room = ss_buf_reserve(&f->in, n);
  if (!room) return push_words(L, "out of memory");
  if (ss_file_read(&f->file, room, n, &got, &e) != SS_OK) return push_words(L, e.text);
  if (!through)
    lua_pushlstring(L, (const char *)room, got);
  else if (push_output(L, through, run(through, room, got, to), to) != 1)
    return 2;
  lua_pushinteger(L, (lua_Integer)got);
  return 2;
}

/* file:identity() -> text that is the same as long as the file is, its size in bytes | nil, why not */
static int file_identity(lua_State *L)
{
  file *f = luaL_checkudata(L, 1, OPEN_FILE);
  ss_file_identity is;
  ss_error e;
  char text[128];
  if (ss_file_identify(&f->file, &is, &e) != SS_OK) return push_words(L, e.text);
  snprintf(text, sizeof text, "%" PRIx64 ":%" PRIx64 ":%" PRIu64 ":%" PRId64 ".%09" PRId64, is.device,
           is.inode, is.size, is.seconds, is.nanoseconds);
  lua_pushstring(L, text);
  lua_pushinteger(L, (lua_Integer)is.size);
  return 2;
}

/* Encoders outlive calls, and the function that made them perhaps: their class keeps the scratch that they write to. */
static void keep_scratch(lua_State *L)
{
  luaL_getmetatable(L, ENCODER);
  lua_getfield(L, -2, "encoder");
  lua_getupvalue(L, -1, 1);
  lua_setfield(L, -3, "scratch");
  lua_pop(L, 2);
}

void ss_lua_open_mime(lua_State *L)
{
  static const luaL_Reg functions[] = {{"base64", base64},       {"base64_decode", base64_decode},
                                       {"encoder", encoder_new}, {"scanner", scanner_new},
                                       {"encode", encode},       {"text", text},
                                       {"file", file_open},      {NULL, NULL}};
  static const luaL_Reg encoder_methods[] = {
      {"update", encoder_update}, {"finish", encoder_finish}, {NULL, NULL}};
  static const luaL_Reg scanner_methods[] = {
      {"update", scanner_update}, {"facts", scanner_facts}, {"encodings", scanner_encodings}, {NULL, NULL}};
  static const luaL_Reg file_methods[] = {{"read", file_read}, {"identity", file_identity}, {NULL, NULL}};
  ss_register_class(L, ENCODER, encoder_methods, encoder_close);
  ss_register_class(L, SCANNER, scanner_methods, scanner_close);
  ss_register_class(L, OPEN_FILE, file_methods, file_close);
  ss_scratch_functions(L, functions);
  keep_scratch(L);
  lua_pushinteger(L, SS_TEXT_SHORT);
  lua_setfield(L, -2, "text_short");
}
