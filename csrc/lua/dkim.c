/* dkim: keys, body hashes and signatures of DKIM, as the Lua layer uses them. */
#include "dkim/digest.h"
#include "dkim/signature.h"
#include "lua/check.h"
#include "lua/copy.h"
#include "lua/open.h"
#include "lua/scratch.h"

#define KEY  "smtpsec.dkim_key"
#define HASH "smtpsec.dkim_hash"

/* Most bytes of a field and of what is signed; most that are kept for the next one; most names of fields to sign. */
enum { MOST = 1 << 26, KEPT = 1 << 18, NAMES = 200 };

typedef struct signer {
  ss_dkim_key *key; /* NULL once closed */
  ss_buf field, canonical;
} signer;

static int key_close(lua_State *L)
{
  signer *s = luaL_checkudata(L, 1, KEY);
  ss_dkim_key_free(s->key);
  s->key = NULL;
  ss_buf_free(&s->field);
  ss_buf_free(&s->canonical);
  return 0;
}

/* core.dkim_key(pem, short_allowed) -> a new key, its algorithm, its bits | nil, status, words without their subject */
static int key_new(lua_State *L)
{
  ss_error e;
  size_t n;
  const char *pem = luaL_checklstring(L, 1, &n);
  bool short_allowed = lua_toboolean(L, 2);
  signer *s = ss_new_object(L, sizeof *s, KEY);
  ss_buf_init(&s->field, MOST);
  ss_buf_init(&s->canonical, MOST);
  s->key = ss_dkim_key_read(pem, n, short_allowed, &e);
  if (!s->key) return ss_push_failure(L, &e);
  lua_pushstring(L, ss_dkim_key_algorithm(s->key));
  lua_pushinteger(L, ss_dkim_key_bits(s->key));
  return 3;
}

/* Reads the names of the fields to sign, each followed by its kind (ss_dkim_pick). The table keeps the strings. */
static size_t check_names(lua_State *L, int arg, ss_dkim_name names[NAMES])
{
  luaL_checktype(L, arg, LUA_TTABLE);
  size_t count = ss_rawlen(L, arg) / 2;
  luaL_argcheck(L, count <= NAMES, arg, "too many names");
  for (size_t i = 0; i < count; i++) {
    lua_rawgeti(L, arg, (int)(2 * i + 1));
    lua_rawgeti(L, arg, (int)(2 * i + 2));
    luaL_argcheck(L, lua_type(L, -2) == LUA_TSTRING && lua_type(L, -1) == LUA_TNUMBER, arg,
                  "names and kinds expected");
    names[i].name = lua_tolstring(L, -2, &names[i].n);
    names[i].pick = (ss_dkim_pick)ss_check_int(L, lua_gettop(L), SS_DKIM_ONCE, SS_DKIM_CLOSED);
    lua_pop(L, 2);
  }
  return count;
}

static void tidy(ss_buf *b)
{
  if (b->size > KEPT)
    ss_buf_free(b);
  else
    ss_buf_clear(b);
}

/* key:sign(header, names, relaxed, tags, digest) -> the field DKIM-Signature for a header section, of which the fields
 * named are signed, and a body of this digest; `tags` is the field up to its tag h= | nil, status, words. names is
 * { name, kind, … }: kind 0 picks the next field of that name from the bottom, 1 each that is there, 2 the same and one
 * more where there is one, 3 the same and one more. */
static int key_sign(lua_State *L)
{
  ss_error e;
  size_t digest_n;
  ss_dkim_name names[NAMES];
  ss_dkim_work work = {.names = names};
  signer *s = luaL_checkudata(L, 1, KEY);
  luaL_argcheck(L, s->key, 1, "the key is closed");
  work.key = s->key;
  work.header = (const uint8_t *)luaL_checklstring(L, 2, &work.header_n);
  work.relaxed = lua_toboolean(L, 4);
  work.tags = luaL_checklstring(L, 5, &work.tags_n);
  work.digest = (const uint8_t *)luaL_checklstring(L, 6, &digest_n);
  luaL_argcheck(L, digest_n == SS_DKIM_DIGEST, 6, "no digest");
  work.count = check_names(L, 3, names);
  ss_buf_clear(&s->field); /* what a call that raised has left */
  ss_buf_clear(&s->canonical);
  ss_status status = ss_dkim_signature(&work, &s->field, &s->canonical, &e);
  if (status == SS_OK) lua_pushlstring(L, (const char *)ss_buf_data(&s->field), ss_buf_len(&s->field));
  tidy(&s->field);
  tidy(&s->canonical);
  return status == SS_OK ? 1 : ss_push_failure(L, &e);
}

/* core.dkim_field(field, relaxed) -> its canonical form */
static int field(lua_State *L)
{
  size_t n;
  const uint8_t *p = (const uint8_t *)luaL_checklstring(L, 1, &n);
  ss_buf *to = ss_scratch(L);
  if (ss_dkim_field(p, n, lua_toboolean(L, 2), to) != SS_OK)
    return luaL_error(L, "out of memory for a field");
  return ss_scratch_push(L, to);
}

static int hash_close(lua_State *L)
{
  ss_dkim_hash_close(luaL_checkudata(L, 1, HASH));
  return 0;
}

/* core.dkim_hash(relaxed) -> a new hash of a body */
static int hash_new(lua_State *L)
{
  bool relaxed = lua_toboolean(L, 1);
  ss_dkim_hash *h = ss_new_object(L, sizeof *h, HASH);
  if (ss_dkim_hash_begin(h, relaxed) != SS_OK) return luaL_error(L, "out of memory for a hash");
  return 1;
}

static ss_dkim_hash *check_hash(lua_State *L)
{
  ss_dkim_hash *h = luaL_checkudata(L, 1, HASH);
  luaL_argcheck(L, h->context, 1, "the hash is finished");
  return h;
}

/* The bytes of a string, or of a copy. */
static const uint8_t *check_bytes(lua_State *L, int arg, size_t *n)
{
  if (lua_type(L, arg) != LUA_TUSERDATA) return (const uint8_t *)luaL_checklstring(L, arg, n);
  const ss_copy *c = ss_check_copy(L, arg);
  *n = c->n;
  return c->bytes;
}

/* hash:update(s[, from]) -> the hash, which has taken s, a string or a copy (copy.h), from this byte on */
static int hash_update(lua_State *L)
{
  size_t n;
  ss_dkim_hash *h = check_hash(L);
  const uint8_t *p = check_bytes(L, 2, &n);
  size_t from = lua_isnoneornil(L, 3) ? 0 : (size_t)ss_check_int(L, 3, 1, (lua_Integer)n + 1) - 1;
  ss_dkim_hash_update(h, p + from, n - from);
  lua_settop(L, 1);
  return 1;
}

/* hash:finish() -> the digest, 32 bytes. The hash is closed. */
static int hash_finish(lua_State *L)
{
  uint8_t digest[SS_DKIM_DIGEST];
  if (ss_dkim_hash_finish(check_hash(L), digest) != SS_OK) return luaL_error(L, "OpenSSL does not hash");
  lua_pushlstring(L, (const char *)digest, sizeof digest);
  return 1;
}

void ss_lua_open_dkim(lua_State *L)
{
  static const luaL_Reg functions[] = {
      {"dkim_key", key_new}, {"dkim_field", field}, {"dkim_hash", hash_new}, {NULL, NULL}};
  static const luaL_Reg key_methods[] = {{"sign", key_sign}, {NULL, NULL}};
  static const luaL_Reg hash_methods[] = {{"update", hash_update}, {"finish", hash_finish}, {NULL, NULL}};
  ss_register_class(L, KEY, key_methods, key_close);
  ss_register_class(L, HASH, hash_methods, hash_close);
  ss_scratch_functions(L, functions);
}
