/* digest_md5: DIGEST-MD5 (RFC 2831, historic since RFC 6331): both ends prove by MD5 that they know the password.
 *
 * Authentication alone (qop=auth), never a security layer: TLS is that. The first challenge names the realm and a nonce;
 * the second one is the server's proof, without which nothing is accepted. */
#include "base/ascii.h"
#include "base/base64.h"
#include "base/hex.h"
#include "base/random.h"
#include "base/utf8.h"
#include "base/wipe.h"
#include "sasl/mechanism.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

enum {
  MD5_BYTES = 16,
  MD5_HEX = 2 * MD5_BYTES,
  CNONCE_BYTES = 18,
  URI_BYTES = sizeof "smtp/" + SS_HOST_BYTES
};

/* Sections 2.1.1 and 2.1.2: a challenge is shorter, and a response than twice that. */
enum { CHALLENGE_BYTES = 2048, RESPONSE_BYTES = 2 * CHALLENGE_BYTES };

/* ---- what the server said --------------------------------------------------------------------------------------- */

/* Section 2.1.1, and rspauth of 2.1.3. Others are ignored. */
enum directive { REALM, NONCE, QOP, STALE, MAXBUF, CHARSET, ALGORITHM, CIPHER, RSPAUTH, DIRECTIVES };
static const char *const names[DIRECTIVES] = {"realm",   "nonce",     "qop",    "stale",  "maxbuf",
                                              "charset", "algorithm", "cipher", "rspauth"};

typedef struct said {
  const char *at, *end;       /* what is still to be read */
  ss_span values[DIRECTIVES]; /* without quotes; `bytes` is NULL where there is none */
  char text[CHALLENGE_BYTES]; /* what they point into, where they were quoted */
  size_t used;
} said;

static bool is_in(const char *set, char c)
{
  return c && strchr(set, c);
}

static void skip(said *s, const char *set)
{
  while (s->at < s->end && is_in(set, *s->at))
    s->at++;
}

static bool next_is(const said *s, char c)
{
  return s->at < s->end && *s->at == c;
}

/* Section 7.2. */
static bool is_token(char c)
{
  return c > 0x20 && c < 0x7f && !is_in("()<>@,;:\\\"/[]?={}", c);
}

static ss_span token(said *s)
{
  ss_span t = {s->at, 0};
  while (s->at < s->end && is_token(*s->at))
    s->at++;
  t.length = (size_t)(s->at - t.bytes);
  return t;
}

/* Behind the opening quote. False when the closing one is missing, or a control character is there. */
static bool quoted(said *s, ss_span *value)
{
  value->bytes = s->text + s->used;
  while (s->at < s->end && *s->at != '"') {
    if (*s->at == '\\' && ++s->at == s->end) return false;
    unsigned char c = (unsigned char)*s->at++;
    if ((c < 0x20 && c != '\t') || c == 0x7f) return false;
    s->text[s->used++] = (char)c;
  }
  value->length = (size_t)(s->text + s->used - value->bytes);
  return s->at++ < s->end;
}

static bool is_value(said *s, ss_span *value)
{
  if (next_is(s, '"')) {
    s->at++;
    return quoted(s, value);
  }
  *value = token(s);
  return value->length > 0;
}

/* Only realm may come again: of several the first counts. */
static bool keep(said *s, ss_span name, ss_span value)
{
  for (int i = 0; i < DIRECTIVES; i++) {
    if (!ss_ascii_same(name.bytes, name.length, names[i])) continue;
    if (s->values[i].bytes) return i == REALM;
    s->values[i] = value;
  }
  return true;
}

/* A list of directives. NULL, or what is wrong with it. */
static const char *read_list(said *s, const uint8_t *text, size_t n)
{
  if (n >= CHALLENGE_BYTES) return "is too long";
  s->at = (const char *)text;
  s->end = s->at + n;
  for (skip(s, ", \t\r\n"); s->at < s->end; skip(s, ", \t\r\n")) {
    ss_span name = token(s), value;
    skip(s, " \t\r\n");
    if (!name.length || !next_is(s, '=')) return "is malformed";
    s->at++;
    skip(s, " \t\r\n");
    if (!is_value(s, &value)) return "is malformed";
    skip(s, " \t\r\n");
    if (s->at < s->end && *s->at != ',') return "is malformed";
    if (!keep(s, name, value)) return "says something twice";
  }
  return NULL;
}

static bool value_is(const said *s, enum directive d, const char *word)
{
  return ss_ascii_same(s->values[d].bytes, s->values[d].length, word);
}

/* qop lists what the server has; left out, it is "auth". */
static bool offers_auth(const said *s)
{
  said list = {.at = s->values[QOP].bytes};
  if (!list.at) return true;
  list.end = list.at + s->values[QOP].length;
  for (skip(&list, ", \t"); list.at < list.end; skip(&list, ", \t")) {
    ss_span word = token(&list);
    if (ss_ascii_same(word.bytes, word.length, "auth")) return true;
    if (!word.length) return false;
  }
  return false;
}

static const char *read_challenge(said *s, const uint8_t *text, size_t n)
{
  const char *wrong = read_list(s, text, n);
  if (wrong) return wrong;
  if (!s->values[NONCE].length) return "has no nonce";
  if (!value_is(s, ALGORITHM, "md5-sess")) return "is not for md5-sess";
  if (s->values[CHARSET].bytes && !value_is(s, CHARSET, "utf-8")) return "is in an unknown charset";
  if (value_is(s, STALE, "true")) return "calls a nonce stale that it never gave";
  return offers_auth(s) ? NULL : "does not offer qop=auth";
}

/* ---- the digest ------------------------------------------------------------------------------------------------- */

/* All that the two ends put into it. */
typedef struct ingredients {
  ss_span user, realm, password, nonce, cnonce, uri;
  bool utf8; /* the server takes it; else all is ISO 8859-1 */
} ingredients;

static bool is_latin(ss_span s)
{
  uint32_t code = 0;
  size_t length;
  for (size_t i = 0; i < s.length; i += length) {
    length = ss_utf8_decode((const uint8_t *)s.bytes + i, s.length - i, &code);
    if (!length || code > 0xff) return false;
  }
  return true;
}

/* The character at s.bytes[*at], as a byte of ISO 8859-1; moves behind it. */
static unsigned char next_latin(ss_span s, size_t *at)
{
  uint32_t code = 0;
  *at += ss_utf8_decode((const uint8_t *)s.bytes + *at, s.length - *at, &code);
  return (unsigned char)code;
}

/* The functions below give false where OpenSSL does. */
static bool add(EVP_MD_CTX *md5, ss_span s)
{
  return EVP_DigestUpdate(md5, s.bytes, s.length) == 1;
}

static bool add_text(EVP_MD_CTX *md5, const char *text)
{
  return EVP_DigestUpdate(md5, text, strlen(text)) == 1;
}

/* Section 2.1.2.1: what fits ISO 8859-1 is hashed as such, so that servers may keep hashes that HTTP can use, too. */
static bool add_latin(EVP_MD_CTX *md5, ss_span s)
{
  if (!is_latin(s)) return add(md5, s);
  bool added = true;
  for (size_t at = 0; added && at < s.length;) {
    unsigned char c = next_latin(s, &at);
    added = EVP_DigestUpdate(md5, &c, 1) == 1;
    ss_wipe(&c, 1);
  }
  return added;
}

static bool finish_hex(EVP_MD_CTX *md5, char hex[MD5_HEX])
{
  unsigned char digest[MD5_BYTES];
  if (EVP_DigestFinal_ex(md5, digest, NULL) != 1) return false;
  ss_hex(hex, digest, MD5_BYTES);
  ss_wipe(digest, sizeof digest);
  return true;
}

static bool restart(EVP_MD_CTX *md5)
{
  return EVP_DigestInit_ex(md5, EVP_md5(), NULL) == 1;
}

/* HEX(H(A1)). */
static bool hash_secret(EVP_MD_CTX *md5, const ingredients *in, char hex[MD5_HEX])
{
  unsigned char inner[MD5_BYTES];
  bool done = restart(md5) && add_latin(md5, in->user) && add_text(md5, ":") &&
              (in->utf8 ? add_latin(md5, in->realm) : add(md5, in->realm)) && add_text(md5, ":") &&
              add_latin(md5, in->password) && EVP_DigestFinal_ex(md5, inner, NULL) == 1;
  done = done && restart(md5) && EVP_DigestUpdate(md5, inner, sizeof inner) == 1 && add_text(md5, ":") &&
         add(md5, in->nonce) && add_text(md5, ":") && add(md5, in->cnonce) && finish_hex(md5, hex);
  ss_wipe(inner, sizeof inner);
  return done;
}

/* The response-value: that of the client with "AUTHENTICATE:", that of the server with ":". */
static bool prove(EVP_MD_CTX *md5, const ingredients *in, const char *a2, char proof[MD5_HEX])
{
  char secret[MD5_HEX], what[MD5_HEX];
  bool done = hash_secret(md5, in, secret) && restart(md5) && add_text(md5, a2) && add(md5, in->uri) &&
              finish_hex(md5, what);
  done = done && restart(md5) && add(md5, (ss_span){secret, MD5_HEX}) && add_text(md5, ":") &&
         add(md5, in->nonce) && add_text(md5, ":00000001:") && add(md5, in->cnonce) &&
         add_text(md5, ":auth:") && add(md5, (ss_span){what, MD5_HEX}) && finish_hex(md5, proof);
  ss_wipe(secret, sizeof secret);
  return done;
}

/* OpenSSL has no MD5 under FIPS rules; its errors are not left in the queue, which is the process's. */
static ss_status prove_both(const ingredients *in, char ours[MD5_HEX], char theirs[MD5_HEX], ss_error *e)
{
  EVP_MD_CTX *md5 = EVP_MD_CTX_new();
  if (!md5) return SS_E_MEMORY;
  bool done = prove(md5, in, "AUTHENTICATE:", ours) && prove(md5, in, ":", theirs);
  EVP_MD_CTX_free(md5);
  if (done) return SS_OK;
  ERR_clear_error();
  return ss_fail(e, SS_E_AUTH, "OpenSSL does not compute MD5 here");
}

/* ---- what is said ----------------------------------------------------------------------------------------------- */

static ss_status put_byte(ss_exchange *x, char c)
{
  bool special = c == '"' || c == '\\' || (unsigned char)c < 0x20 || c == 0x7f;
  ss_status status = special ? ss_put_text(x, "\\") : SS_OK;
  return status == SS_OK ? ss_put(x, (ss_span){&c, 1}) : status;
}

/* name="value" and a comma. */
static ss_status put_quoted(ss_exchange *x, const char *name, ss_span value)
{
  ss_status status = ss_put_text(x, name);
  if (status == SS_OK) status = ss_put_text(x, "=\"");
  for (size_t i = 0; i < value.length && status == SS_OK; i++)
    status = put_byte(x, value.bytes[i]);
  return status == SS_OK ? ss_put_text(x, "\",") : status;
}

static ss_status put_user(ss_exchange *x, const ingredients *in)
{
  if (in->utf8) return put_quoted(x, "charset=utf-8,username", in->user);
  ss_status status = ss_put_text(x, "username=\"");
  for (size_t at = 0; at < in->user.length && status == SS_OK;)
    status = put_byte(x, (char)next_latin(in->user, &at));
  return status == SS_OK ? ss_put_text(x, "\",") : status;
}

static ss_status put_response(ss_exchange *x, const ingredients *in, const char ours[MD5_HEX])
{
  ss_status status = put_user(x, in);
  if (status == SS_OK) status = put_quoted(x, "realm", in->realm);
  if (status == SS_OK) status = put_quoted(x, "nonce", in->nonce);
  if (status == SS_OK) status = put_quoted(x, "nc=00000001,cnonce", in->cnonce);
  if (status == SS_OK) status = put_quoted(x, "digest-uri", in->uri);
  if (status == SS_OK) status = ss_put_text(x, "response=");
  if (status == SS_OK) status = ss_put(x, (ss_span){ours, MD5_HEX});
  if (status == SS_OK) status = ss_put_text(x, ",qop=auth");
  return status;
}

/* ---- the exchange ----------------------------------------------------------------------------------------------- */

typedef struct state {
  char proof[MD5_HEX]; /* what the server has to say */
} state;

static ss_status make_cnonce(char cnonce[], ss_error *e)
{
  uint8_t bytes[CNONCE_BYTES];
  if (!ss_random(bytes, sizeof bytes))
    return ss_fail(e, SS_E_INTERNAL, "the system gives no random bytes for a nonce");
  ss_base64_encode(cnonce, bytes, sizeof bytes);
  return SS_OK;
}

static ss_status respond(ss_exchange *x, const ingredients *in, ss_error *e)
{
  state *own = x->state;
  char ours[MD5_HEX];
  if (!in->utf8 && !(is_latin(in->user) && is_latin(in->password)))
    return ss_fail(e, SS_E_AUTH, "the server's DIGEST-MD5 takes no user name or password beyond ISO 8859-1");
  ss_status status = prove_both(in, ours, own->proof, e);
  if (status == SS_OK) status = put_response(x, in, ours);
  if (status == SS_OK && ss_buf_len(x->response) >= RESPONSE_BYTES)
    return ss_fail(e, SS_E_AUTH, "the user name is too long for DIGEST-MD5");
  return status;
}

static ss_status on_challenge(ss_exchange *x, const uint8_t *challenge, size_t n, ss_error *e)
{
  const ss_span host = x->who.host;
  char cnonce[CNONCE_BYTES / 3 * 4], uri[URI_BYTES];
  said s = {0};
  const char *wrong = read_challenge(&s, challenge, n);
  if (wrong) return ss_fail(e, SS_E_AUTH, "the server's challenge for DIGEST-MD5 %s", wrong);
  int length = snprintf(uri, sizeof uri, "smtp/%.*s", (int)host.length, host.bytes);
  ss_status status = make_cnonce(cnonce, e);
  ingredients in = {.user = x->who.user,
                    .realm = s.values[REALM].bytes ? s.values[REALM] : host,
                    .password = x->who.password,
                    .nonce = s.values[NONCE],
                    .cnonce = {cnonce, sizeof cnonce},
                    .uri = {uri, (size_t)length},
                    .utf8 = s.values[CHARSET].bytes};
  return status == SS_OK ? respond(x, &in, e) : status;
}

static ss_status on_proof(ss_exchange *x, const uint8_t *challenge, size_t n, ss_error *e)
{
  const state *own = x->state;
  said s = {0};
  const char *wrong = read_list(&s, challenge, n);
  const ss_span *proof = &s.values[RSPAUTH];
  if (wrong || proof->length != MD5_HEX || CRYPTO_memcmp(proof->bytes, own->proof, MD5_HEX))
    return ss_fail(e, SS_E_AUTH,
                   "the server did not prove that it knows the password (DIGEST-MD5's rspauth)");
  x->done = true;
  return SS_OK;
}

static ss_status step(ss_exchange *x, const uint8_t *challenge, size_t n, ss_error *e)
{
  return x->round == 1 ? on_challenge(x, challenge, n, e) : on_proof(x, challenge, n, e);
}

extern const ss_mechanism ss_mechanism_digest_md5;
const ss_mechanism ss_mechanism_digest_md5 = {.name = "DIGEST-MD5",
                                              .needs = SS_NEEDS_USER | SS_NEEDS_PASSWORD | SS_NEEDS_HOST,
                                              .client_first = false,
                                              .prepares = true,
                                              .only_named = true,
                                              .challenges = 2,
                                              .step = step};
