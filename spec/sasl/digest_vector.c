/* digest_vector: the vectors of RFC 2831 section 4 on csrc/sasl/digest_md5.c, of which this is a part for that: they are
 * those of other services than SMTP, with a cnonce that no generator gives. Then a whole exchange, with random bytes that
 * are known. It says what OpenSSL refuses, where it does, and exits with 0 when all is as it should be. */
#include "sasl/digest_md5.c"

#include <stdio.h>

bool ss_random(void *p, size_t n)
{
  memset(p, 0, n);
  return true;
}

static ss_span span(const char *text)
{
  return (ss_span){text, strlen(text)};
}

static bool vector(const char *nonce, const char *cnonce, const char *uri, const char *client,
                   const char *server)
{
  ss_error e;
  char ours[MD5_HEX], theirs[MD5_HEX];
  const ingredients in = {
      span("chris"), span("elwood.innosoft.com"), span("secret"), span(nonce), span(cnonce), span(uri), true};
  if (prove_both(&in, ours, theirs, &e) == SS_OK)
    return memcmp(ours, client, MD5_HEX) == 0 && memcmp(theirs, server, MD5_HEX) == 0;
  puts(e.text);
  return false;
}

static bool exchange(void)
{
  static const char challenge[] =
      "realm=\"elwood.innosoft.com\",nonce=\"OA6MG9tEQGm2hh\",qop=\"auth\",algorithm=md5-sess,charset=utf-8";
  static const char head[] = "charset=utf-8,username=\"chris\",realm=\"elwood.innosoft.com\","
                             "nonce=\"OA6MG9tEQGm2hh\",nc=00000001,cnonce=\"AAAAAAAAAAAAAAAAAAAAAAAA\","
                             "digest-uri=\"smtp/elwood.innosoft.com\",response=";
  ss_error e;
  state own;
  char proof[sizeof "rspauth=" + MD5_HEX];
  ss_buf response;
  ss_buf_init(&response, CHALLENGE_BYTES);
  ss_exchange x = {
      .who = {.user = span("chris"), .password = span("secret"), .host = span("elwood.innosoft.com")},
      .round = 1,
      .state = &own,
      .response = &response};
  bool good = step(&x, (const uint8_t *)challenge, strlen(challenge), &e) == SS_OK && !x.done &&
              memcmp(ss_buf_data(&response), head, strlen(head)) == 0;
  x.round = 2;
  snprintf(proof, sizeof proof, "rspauth=%.32s", own.proof);
  good = good && step(&x, (const uint8_t *)proof, strlen(proof), &e) == SS_OK && x.done;
  ss_buf_free(&response);
  return good;
}

int main(void)
{
  bool good = vector("OA6MG9tEQGm2hh", "OA6MHXh6VqTrRk", "imap/elwood.innosoft.com",
                     "d388dad90d4bbd760a152321f2143af7", "ea40f60335c427b5527b84dbabcdfffd") &&
              vector("OA9BSXrbuRhWay", "OA9BSuZWMSpW8m", "acap/elwood.innosoft.com",
                     "6084c6db3fede7352c551284490fd0fc", "2f0b3d7c3c2e486600ef710726aa2eae");
  return good && exchange() ? 0 : 1;
}
