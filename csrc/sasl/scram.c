/* scram: see scram.h. Section numbers are those of RFC 5802. */
#include "sasl/scram.h"
#include "base/ascii.h"
#include "base/base64.h"
#include "base/printable.h"
#include "base/random.h"
#include "base/utf8.h"
#include "base/wipe.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

enum {
  LEAST_ITERATIONS = 4096, /* RFC 7677 section 4; fewer make a stolen exchange cheap to guess from */
  ITERATION_DIGITS = 10,
  NAME_BYTES = 8192, /* of a user name that is escaped: three messages must fit the response */
  SALT_BYTES = 1024,
  GS2_BYTES = 64,
  CHANNEL_BYTES = GS2_BYTES + SS_BINDING_BYTES,
  WORD_BYTES = 80 /* of the server, in an error */
};

_Static_assert(sizeof(ss_scram) <= SS_MECHANISM_STATE, "the state has no room for SCRAM's");

/* ---- the server's grammar (section 7) ------------------------------------------------------------------------- */

/* Takes "x=value" from the front of *text, up to a comma or the end. */
static bool take_any(ss_span *text, char *name, ss_span *value)
{
  if (text->length < 3 || !ss_ascii_letter((unsigned char)text->bytes[0]) || text->bytes[1] != '=')
    return false;
  const char *comma = memchr(text->bytes, ',', text->length);
  size_t n = comma ? (size_t)(comma - text->bytes) : text->length;
  *name = text->bytes[0];
  *value = (ss_span){text->bytes + 2, n - 2};
  *text = (ss_span){text->bytes + n, text->length - n};
  return n > 2;
}

static bool take(ss_span *text, char name, ss_span *value)
{
  char found;
  return take_any(text, &found, value) && found == name;
}

static bool take_comma(ss_span *text)
{
  if (text->length == 0 || text->bytes[0] != ',') return false;
  *text = (ss_span){text->bytes + 1, text->length - 1};
  return true;
}

/* What a message may end in: extensions, which are ignored. Section 5.1 has "m" refused wherever it stands, and its
 * other attributes have their places. NULL, or what is wrong. */
static const char *skip_extensions(ss_span text)
{
  char name;
  ss_span value;
  while (text.length) {
    if (!take_comma(&text) || !take_any(&text, &name, &value)) return "ends in what is no extension";
    if (name == 'm') return "demands an extension that nobody knows (m=)";
    if (strchr("aceinprsv", name)) return "has an attribute twice, or out of its place";
  }
  return NULL;
}

static bool begins_with(ss_span text, const char *with)
{
  return text.length >= strlen(with) && memcmp(text.bytes, with, strlen(with)) == 0;
}

/* Attributes hold UTF-8 without NUL. */
static bool is_text(ss_span text)
{
  return ss_utf8_valid((const uint8_t *)text.bytes, text.length) == text.length &&
         !memchr(text.bytes, '\0', text.length);
}

typedef struct server_first {
  ss_span nonce, salt, iterations;
} server_first;

/* NULL, or what is wrong. */
static const char *parse_first(ss_span text, server_first *to)
{
  if (!is_text(text)) return "is not UTF-8";
  if (begins_with(text, "m=")) return "demands an extension that nobody knows (m=)";
  if (!take(&text, 'r', &to->nonce)) return "does not begin with a nonce (r=)";
  if (!take_comma(&text) || !take(&text, 's', &to->salt)) return "has no salt behind the nonce (s=)";
  if (!take_comma(&text) || !take(&text, 'i', &to->iterations))
    return "has no iteration count behind the salt (i=)";
  return skip_extensions(text);
}

/* The server's nonce is ours and more, all printable ASCII. */
static bool extends(ss_span nonce, const char *ours)
{
  if (nonce.length <= strlen(ours) || !begins_with(nonce, ours)) return false;
  for (size_t i = 0; i < nonce.length; i++)
    if (nonce.bytes[i] < 0x21 || nonce.bytes[i] > 0x7e) return false;
  return true;
}

/* A decimal without sign or leading zeros, within bounds. */
static bool parse_iterations(ss_span s, unsigned most, int *count)
{
  uint64_t n = 0;
  if (s.length > ITERATION_DIGITS || s.bytes[0] == '0') return false;
  for (size_t i = 0; i < s.length; i++) {
    if (!ss_ascii_digit((unsigned char)s.bytes[i])) return false;
    n = n * 10 + (uint64_t)(s.bytes[i] - '0');
  }
  *count = (int)n;
  return n >= LEAST_ITERATIONS && n <= most && n <= INT_MAX;
}

static ss_status wrong_iterations(const ss_exchange *x, ss_span asked, ss_error *e)
{
  char shown[WORD_BYTES];
  ss_printable(shown, sizeof shown, asked.bytes, asked.length);
  return ss_fail(e, SS_E_AUTH,
                 "the server asks for an iteration count of %s, and %s takes from %d to %u here "
                 "(fewer are guessed too fast, more may only keep this machine busy)",
                 shown, x->mechanism->name, LEAST_ITERATIONS, x->who.iterations);
}

/* ---- what the server says instead (section 7, server-error-value) ---------------------------------------------- */

static const struct {
  const char *word, *means;
} refusals[] = {
    {"invalid-encoding", "it cannot read what it was sent"},
    {"extensions-not-supported", "it knows of no extensions"},
    {"invalid-proof", "the password is wrong"},
    {"channel-bindings-dont-match",
     "it sees another TLS channel than this end does: somebody stands in between"},
    {"server-does-support-channel-binding",
     "somebody took the mechanisms with channel binding out of the server's list"},
    {"channel-binding-not-supported", "it does not bind to channels"},
    {"unsupported-channel-binding-type", "it does not know this type of channel binding"},
    {"unknown-user", "it does not know the user"},
    {"invalid-username-encoding", "it cannot read the user name"},
    {"no-resources", "it has no resources left for this"},
    {"other-error", "it gives no reason"},
};

static const char *meaning_of(ss_span word)
{
  for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
    if (word.length == strlen(refusals[i].word) && begins_with(word, refusals[i].word))
      return refusals[i].means;
  return NULL;
}

/* Whether the message is a server-error: `e` and the complaint say so then. */
static bool refuses(ss_exchange *x, ss_span text, ss_error *e)
{
  char shown[WORD_BYTES];
  ss_span word;
  if (!begins_with(text, "e=") || !take(&text, 'e', &word)) return false;
  const char *meaning = meaning_of(word);
  ss_printable(shown, sizeof shown, word.bytes, word.length);
  ss_buf_append(x->complaint, word.bytes,
                word.length); /* a copy for the caller, where there is room for it */
  ss_fail(e, SS_E_AUTH, "the server refuses the login by %s%s%s (%s)", x->mechanism->name,
          meaning ? ": " : "", meaning ? meaning : "", shown);
  return true;
}

/* ---- the client's messages ------------------------------------------------------------------------------------ */

/* Section 6: "y" says that we could bind the channel and that the server, as we were told, cannot. One that can knows
 * then that somebody took its offer away. */
static ss_span gs2_header(const ss_exchange *x, char to[GS2_BYTES])
{
  int n = x->mechanism->binds
              ? snprintf(to, GS2_BYTES, "p=%s,,", x->binding->type)
              : snprintf(to, GS2_BYTES, "%c,,", x->binding && !x->binding_offered ? 'y' : 'n');
  return (ss_span){to, (size_t)n};
}

static ss_status put_name(ss_exchange *x, ss_span name)
{
  ss_status status = SS_OK;
  for (const char *p = name.bytes; status == SS_OK && p < name.bytes + name.length; p++)
    status = ss_put(x, *p == '=' ? (ss_span){"=3D", 3} : *p == ',' ? (ss_span){"=2C", 3} : (ss_span){p, 1});
  return status;
}

static ss_status put_first_bare(ss_exchange *x)
{
  const ss_scram *s = x->state;
  ss_status status = ss_put_text(x, "n=");
  if (status == SS_OK) status = put_name(x, x->who.user);
  if (status == SS_OK) status = ss_put_text(x, ",r=");
  return status == SS_OK ? ss_put_text(x, s->nonce) : status;
}

/* The header again, with the channel's own bytes: this is what the proof covers. */
static ss_status put_channel(ss_exchange *x)
{
  char header[GS2_BYTES], text[(CHANNEL_BYTES + 2) / 3 * 4];
  uint8_t channel[CHANNEL_BYTES];
  ss_span gs2 = gs2_header(x, header);
  size_t n = gs2.length, bound = x->mechanism->binds ? x->binding->length : 0;
  memcpy(channel, gs2.bytes, n);
  if (bound) memcpy(channel + n, x->binding->bytes, bound);
  ss_status status = ss_put_text(x, "c=");
  if (status == SS_OK) status = ss_put(x, (ss_span){text, ss_base64_encode(text, channel, n + bound)});
  ss_wipe(channel, sizeof channel);
  ss_wipe(text, sizeof text);
  return status;
}

static ss_status put_final_without_proof(ss_exchange *x, ss_span nonce)
{
  ss_status status = put_channel(x);
  if (status == SS_OK) status = ss_put_text(x, ",r=");
  return status == SS_OK ? ss_put(x, nonce) : status;
}

/* ---- the keys (section 3) ------------------------------------------------------------------------------------- */

typedef struct keys {
  unsigned char salted[EVP_MAX_MD_SIZE], client[EVP_MAX_MD_SIZE], stored[EVP_MAX_MD_SIZE],
      server[EVP_MAX_MD_SIZE], proof[EVP_MAX_MD_SIZE];
} keys;

static bool hmac(unsigned char *to, const EVP_MD *hash, const unsigned char *key, ss_span text)
{
  unsigned length;
  return HMAC(hash, key, EVP_MD_get_size(hash), (const unsigned char *)text.bytes, text.length, to, &length);
}

static bool derive(keys *k, const EVP_MD *hash, ss_span password, const uint8_t *salt, size_t salt_length,
                   int iterations)
{
  size_t size = (size_t)EVP_MD_get_size(hash);
  return PKCS5_PBKDF2_HMAC(password.bytes, (int)password.length, salt, (int)salt_length, iterations, hash,
                           (int)size, k->salted) == 1 &&
         hmac(k->client, hash, k->salted, (ss_span){"Client Key", 10}) &&
         EVP_Digest(k->client, size, k->stored, NULL, hash, NULL) == 1 &&
         hmac(k->server, hash, k->salted, (ss_span){"Server Key", 10});
}

/* Our proof, and the signature that the server must show, for the three messages of the exchange. */
static bool sign(keys *k, const EVP_MD *hash, ss_span messages, unsigned char *signature)
{
  if (!hmac(k->proof, hash, k->stored, messages) || !hmac(signature, hash, k->server, messages)) return false;
  for (int i = 0; i < EVP_MD_get_size(hash); i++)
    k->proof[i] ^= k->client[i];
  return true;
}

static ss_status put_proof(ss_exchange *x, const EVP_MD *hash, const keys *k)
{
  char text[SS_SCRAM_SIGNATURE];
  size_t n = ss_base64_encode(text, k->proof, (size_t)EVP_MD_get_size(hash));
  ss_status status = ss_put_text(x, ",p=");
  return status == SS_OK ? ss_put(x, (ss_span){text, n}) : status;
}

/* ---- the steps ------------------------------------------------------------------------------------------------ */

static ss_status say_first(ss_exchange *x, ss_error *e)
{
  ss_scram *s = x->state;
  char header[GS2_BYTES];
  uint8_t random[SS_SCRAM_RANDOM];
  if (!ss_random(random, sizeof random))
    return ss_fail(e, SS_E_INTERNAL, "the system gives no random bytes for a nonce");
  s->nonce[ss_base64_encode(s->nonce, random, sizeof random)] = '\0';
  ss_status status = ss_put(x, gs2_header(x, header));
  if (status == SS_OK) status = put_first_bare(x);
  if (status == SS_E_FULL || (status == SS_OK && ss_buf_len(x->response) > NAME_BYTES))
    return ss_fail(e, SS_E_ARGUMENT, "the user name is too long for %s", x->mechanism->name);
  return status;
}

/* Puts the three messages into the response, signs them, and leaves there what is ours to say. */
static ss_status put_final(ss_exchange *x, const EVP_MD *hash, keys *k, ss_span first, ss_span nonce,
                           ss_error *e)
{
  ss_scram *s = x->state;
  ss_status status = put_first_bare(x);
  if (status == SS_OK) status = ss_put_text(x, ",");
  if (status == SS_OK) status = ss_put(x, first);
  if (status == SS_OK) status = ss_put_text(x, ",");
  size_t said = ss_buf_len(x->response);
  if (status == SS_OK) status = put_final_without_proof(x, nonce);
  if (status != SS_OK) return status;
  ss_span messages = {(const char *)ss_buf_data(x->response), ss_buf_len(x->response)};
  if (!sign(k, hash, messages, s->signature))
    return ss_fail(e, SS_E_AUTH, "OpenSSL does not compute the signatures of %s here", x->mechanism->name);
  ss_buf_consume(x->response, said);
  return put_proof(x, hash, k);
}

static ss_status prove(ss_exchange *x, const EVP_MD *hash, ss_span text, ss_error *e)
{
  const ss_scram *s = x->state;
  server_first first;
  keys k;
  uint8_t salt[SALT_BYTES];
  size_t salt_length;
  int iterations;
  const char *wrong = parse_first(text, &first);
  if (wrong) return ss_fail(e, SS_E_AUTH, "the server's first message of %s %s", x->mechanism->name, wrong);
  if (!extends(first.nonce, s->nonce))
    return ss_fail(e, SS_E_AUTH, "the server's nonce is not an extension of ours: this is another exchange");
  if (first.salt.length > ss_base64_length(SALT_BYTES - 2))
    return ss_fail(e, SS_E_AUTH, "the server's salt is longer than %d bytes", SALT_BYTES - 2);
  if (!ss_base64_decode_to(salt, first.salt.bytes, first.salt.length, &salt_length))
    return ss_fail(e, SS_E_AUTH, "the server's salt is not base64");
  if (!parse_iterations(first.iterations, x->who.iterations, &iterations))
    return wrong_iterations(x, first.iterations, e);
  ss_status status = SS_E_AUTH;
  if (derive(&k, hash, x->who.password, salt, salt_length, iterations))
    status = put_final(x, hash, &k, text, first.nonce, e);
  else
    ss_fail(e, SS_E_AUTH, "OpenSSL does not compute the keys of %s here", x->mechanism->name);
  ss_wipe(&k, sizeof k);
  ERR_clear_error();
  return status;
}

/* Whether this is base64 of just these bytes; how many of them are right takes no part in how long it takes. */
static bool is_signature(ss_span text, const unsigned char *expected, size_t size)
{
  uint8_t shown[EVP_MAX_MD_SIZE + 2];
  size_t n;
  return text.length == ss_base64_length(size) && ss_base64_decode_to(shown, text.bytes, text.length, &n) &&
         n == size && CRYPTO_memcmp(shown, expected, size) == 0;
}

static ss_status judge(ss_exchange *x, const EVP_MD *hash, ss_span text, ss_error *e)
{
  const ss_scram *s = x->state;
  ss_span signature;
  if (!is_text(text) || !take(&text, 'v', &signature))
    return ss_fail(e, SS_E_AUTH, "the server's last message of %s has no signature (v=)", x->mechanism->name);
  const char *wrong = skip_extensions(text);
  if (wrong) return ss_fail(e, SS_E_AUTH, "the server's last message of %s %s", x->mechanism->name, wrong);
  if (!is_signature(signature, s->signature, (size_t)EVP_MD_get_size(hash)))
    return ss_fail(e, SS_E_AUTH,
                   "the server's signature is wrong: it does not know the password, or is not the server");
  x->done = true;
  return SS_OK;
}

ss_status ss_scram_step(ss_exchange *x, const EVP_MD *hash, const uint8_t *challenge, size_t n, ss_error *e)
{
  ss_span text = {(const char *)challenge, n};
  if (x->round == 0) return say_first(x, e);
  if (refuses(x, text, e)) return SS_E_AUTH;
  return x->round == 1 ? prove(x, hash, text, e) : judge(x, hash, text, e);
}
