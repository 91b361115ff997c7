/* bare: the limit. A blocking client of a hundred lines that does nothing but what must be done: MAIL, RCPT and BDAT LAST
 * with its octets in one write over one warm TLS connection, `window` mails in flight. It parses of a reply what ends
 * it, trusts its own CA, and is no library.
 *
 *   bare port= ca= message= mails= warm= recipients= window= */
#include "common.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER = 1 << 20 };

static SSL *ssl;
static int fd;
static char in[65536];
static size_t in_begin, in_end;

static void dial(void)
{
  struct sockaddr_in to = {.sin_family = AF_INET,
                           .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                           .sin_port = htons((unsigned short)number("port", 0))};
  fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0) fail("connect");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
  SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
  if (SSL_CTX_load_verify_file(tls, setting("ca", "")) != 1) fail("ca=FILE");
  SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
  SSL_CTX_set_read_ahead(tls, 1);
  ssl = SSL_new(tls);
  SSL_set1_host(ssl, "localhost");
  SSL_set_fd(ssl, fd);
  if (SSL_connect(ssl) != 1) fail("TLS");
}

static void fill(void)
{
  setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &(int){1}, sizeof(int));
  if (in_begin > 0) memmove(in, in + in_begin, in_end - in_begin);
  in_end -= in_begin;
  in_begin = 0;
  int n = SSL_read(ssl, in + in_end, (int)(sizeof in - in_end));
  if (n <= 0) fail("the server left");
  in_end += (size_t)n;
}

/* The next line of a reply that is its last; it must be of the class. */
static void expect(char class)
{
  for (;;) {
    char *line = in + in_begin, *end;
    while (!(end = memchr(line, '\n', in_end - in_begin))) {
      fill();
      line = in;
    }
    in_begin += (size_t)(end - line) + 1;
    if (line[3] == '-') continue;
    if (*line != class) fail(line);
    return;
  }
}

static void put(const char *text, size_t n)
{
  if (SSL_write(ssl, text, (int)n) <= 0) fail("write");
}

/* Everything that one mail says. */
static size_t make_mail(char *to, long recipients, const char *message, size_t size)
{
  size_t n = (size_t)sprintf(to, "MAIL FROM:<bench@client.test> SIZE=%zu\r\n", size);
  for (long i = 1; i <= recipients; i++)
    n += (size_t)sprintf(to + n, "RCPT TO:<user%ld@sink.test>\r\n", i);
  n += (size_t)sprintf(to + n, "BDAT %zu LAST\r\n", size);
  memcpy(to + n, message, size);
  return n + size;
}

/* Keeps up to `window` mails in flight: a flight is written when half of the one before is answered. */
static void send_mails(long mails, long window, long recipients, const char *mail, size_t size, char *flight)
{
  long sent = 0, answered = 0, low = window / 2;
  while (answered < mails) {
    if (sent < mails && sent - answered <= low) {
      size_t n = 0;
      while (sent < mails && sent - answered < window && n + size <= BUFFER) {
        memcpy(flight + n, mail, size);
        n += size;
        sent++;
      }
      put(flight, n);
    }
    for (long i = 0; i < recipients + 2; i++)
      expect('2');
    answered++;
  }
}

int main(int argc, char **argv)
{
  (void)argc;
  bench_arguments = argv;
  static char mail[65536], flight[BUFFER];
  long mails = number("mails", 1000), recipients = number("recipients", 1), window = number("window", 1);
  size_t size;
  char *message = ready_message(&size);
  size = make_mail(mail, recipients, message, size);
  dial();
  expect('2');
  put("EHLO client.test\r\n", 18);
  expect('2');
  send_mails(number("warm", 20), window, recipients, mail, size, flight);
  double cpu_before = cpu(), wall_before = wall();
  send_mails(mails, window, recipients, mail, size, flight);
  tell(mails, cpu_before, wall_before);
  put("QUIT\r\n", 6);
  expect('2');
  return 0;
}
