/* gsasl_server: an SMTP server whose logins are judged by GNU SASL, and whose TLS is OpenSSL's: for SCRAM with channel
 * binding, which no mail server in Debian offers.
 *
 * Usage: gsasl_server CHAIN.pem KEY.pem USER PASSWORD. Prints its port on 127.0.0.1, and serves one connection after
 * another, with TLS from the first byte, until it is ended. The name in EHLO says what it is to be:
 *   altered.test   it sees another channel than the client does, as it would with somebody in between
 *   stripped.test  somebody in between has taken the mechanisms with channel binding out of its list
 *
 * GNU SASL only says that it refuses; what RFC 5802 has a server say of it, where it can be known, is said here. */
#include <arpa/inet.h>
#include <gsasl.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LINE = 8192 };

static const char *user, *password;

/* One connection. */
typedef struct client {
  SSL *ssl;
  char exporter[64], unique[128]; /* bindings in base64; empty: this channel has none of that type */
  bool stripped;
} client;

/* ---- lines ---------------------------------------------------------------------------------------------------- */

static bool hear(client *c, char line[LINE])
{
  for (int n = 0; n < LINE - 1 && SSL_read(c->ssl, line + n, 1) == 1; n++) {
    if (line[n] != '\n') continue;
    line[n] = '\0';
    line[strcspn(line, "\r")] = '\0';
    return true;
  }
  return false;
}

static void say(client *c, const char *before, const char *line)
{
  char all[LINE + 64];
  int n = snprintf(all, sizeof all, "%s%s\r\n", before, line);
  SSL_write(c->ssl, all, n);
}

static void say_base64(client *c, const char *text)
{
  char encoded[256];
  EVP_EncodeBlock((unsigned char *)encoded, (const unsigned char *)text, (int)strlen(text));
  say(c, "334 ", encoded);
}

/* ---- the channel ---------------------------------------------------------------------------------------------- */

static void encode(char *to, const unsigned char *bytes, size_t n)
{
  EVP_EncodeBlock((unsigned char *)to, bytes, (int)n);
}

static void look_at_channel(client *c, unsigned char altered)
{
  unsigned char bytes[64];
  if (SSL_version(c->ssl) >= TLS1_3_VERSION) {
    SSL_export_keying_material(c->ssl, bytes, 32, "EXPORTER-Channel-Binding", 24, NULL, 0, 0);
    bytes[31] ^= altered;
    encode(c->exporter, bytes, 32);
    return;
  }
  size_t n = SSL_session_reused(c->ssl) ? SSL_get_finished(c->ssl, bytes, sizeof bytes)
                                        : SSL_get_peer_finished(c->ssl, bytes, sizeof bytes);
  bytes[0] ^= altered;
  encode(c->unique, bytes, n);
}

/* ---- logins --------------------------------------------------------------------------------------------------- */

static int give(Gsasl_session *s, Gsasl_property property, const char *value, int none)
{
  return *value ? gsasl_property_set(s, property, value) : none;
}

/* What GNU SASL asks for. */
static int answer(Gsasl *g, Gsasl_session *s, Gsasl_property property)
{
  const client *c = gsasl_callback_hook_get(g);
  const char *name = gsasl_property_fast(s, GSASL_AUTHID);
  switch ((int)property) {
  case GSASL_PASSWORD:
    return name && !strcmp(name, user) ? gsasl_property_set(s, property, password) : GSASL_NO_PASSWORD;
  case GSASL_CB_TLS_EXPORTER: return give(s, property, c->exporter, GSASL_NO_CB_TLS_EXPORTER);
  case GSASL_CB_TLS_UNIQUE: return give(s, property, c->unique, GSASL_NO_CB_TLS_UNIQUE);
  case GSASL_SCRAM_ITER: return gsasl_property_set(s, property, "4096");
  default: return GSASL_NO_CALLBACK;
  }
}

/* Whether a client's first message says that it could bind the channel and was not offered to. */
static bool says_unoffered(const char *initial)
{
  unsigned char text[LINE];
  return strlen(initial) > 4 && strlen(initial) < LINE &&
         EVP_DecodeBlock(text, (const unsigned char *)initial, 4) == 3 && text[0] == 'y';
}

/* Steps until GNU SASL has an opinion. */
static int exchange(client *c, Gsasl_session *s, const char *initial)
{
  char line[LINE], *out;
  int result = gsasl_step64(s, initial, &out);
  while (result == GSASL_NEEDS_MORE || (result == GSASL_OK && *out)) {
    say(c, "334 ", out);
    gsasl_free(out);
    out = NULL;
    if (!hear(c, line)) return GSASL_AUTHENTICATION_ERROR;
    if (result == GSASL_OK) return *line ? GSASL_AUTHENTICATION_ERROR : GSASL_OK;
    result = gsasl_step64(s, line, &out);
  }
  return result;
}

static void log_in(client *c, Gsasl *g, char *arguments)
{
  Gsasl_session *s;
  char line[LINE];
  char *initial = strchr(arguments, ' ');
  if (initial) *initial++ = '\0';
  if (!initial || gsasl_server_start(g, arguments, &s) != GSASL_OK) {
    say(c, "504 5.5.4 ", "unknown mechanism");
    return;
  }
  int result = exchange(c, s, initial);
  gsasl_finish(s);
  if (result != GSASL_OK && says_unoffered(initial)) {
    say_base64(c, "e=server-does-support-channel-binding");
    hear(c, line);
  }
  say(c, result == GSASL_OK ? "235 2.7.0 " : "535 5.7.8 ", gsasl_strerror(result));
}

/* ---- the session ---------------------------------------------------------------------------------------------- */

static void greet(client *c, const char *name)
{
  c->stripped = strcmp(name, "stripped.test") == 0;
  look_at_channel(c, strcmp(name, "altered.test") == 0);
  say(c, "250-", "mail.test");
  say(c, "250 AUTH SCRAM-SHA-256 SCRAM-SHA-1", c->stripped ? "" : " SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS");
}

static void serve(client *c, Gsasl *g)
{
  char line[LINE];
  say(c, "220 ", "mail.test");
  while (hear(c, line)) {
    if (!strncmp(line, "EHLO ", 5))
      greet(c, line + 5);
    else if (!strncmp(line, "AUTH ", 5))
      log_in(c, g, line + 5);
    else
      say(c, "250 ", "ok");
  }
}

static void meet(SSL_CTX *context, Gsasl *g, int descriptor)
{
  client c = {.ssl = SSL_new(context)};
  gsasl_callback_hook_set(g, &c);
  if (c.ssl && SSL_set_fd(c.ssl, descriptor) && SSL_accept(c.ssl) == 1) {
    serve(&c, g);
    SSL_shutdown(c.ssl);
  }
  SSL_free(c.ssl);
  close(descriptor);
}

static int listen_anywhere(void)
{
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t n = sizeof address;
  int descriptor = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(descriptor, (void *)&address, n) || listen(descriptor, 16)) return -1;
  getsockname(descriptor, (void *)&address, &n);
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);
  return descriptor;
}

int main(int argc, char **argv)
{
  Gsasl *g;
  SSL_CTX *context = SSL_CTX_new(TLS_server_method());
  if (argc != 5 || !context || gsasl_init(&g) != GSASL_OK) return 2;
  if (SSL_CTX_use_certificate_chain_file(context, argv[1]) != 1 ||
      SSL_CTX_use_PrivateKey_file(context, argv[2], SSL_FILETYPE_PEM) != 1)
    return 2;
  user = argv[3];
  password = argv[4];
  signal(SIGPIPE, SIG_IGN);
  gsasl_callback_set(g, answer);
  int listener = listen_anywhere(), descriptor;
  while (listener >= 0 && (descriptor = accept(listener, NULL, NULL)) >= 0)
    meet(context, g, descriptor);
  return 1;
}
