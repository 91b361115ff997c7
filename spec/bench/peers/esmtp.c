/* esmtp: libESMTP. All messages belong to one session, which sends them over one connection. It does TLS by
 * STARTTLS, and 1.2 here: with 1.3 it takes a late session ticket for the end of the connection, now and then.
 *
 *   esmtp port= ca= message= mails= warm= recipients= */
#include "../common.h"

#include <openssl/ssl.h>
#include <libesmtp.h>

static long done, warm;
static double cpu_before, wall_before;

static void on_event(smtp_session_t session, int event, void *of, ...)
{
  (void)session, (void)of;
  if (event == SMTP_EV_MESSAGESENT && ++done == warm) {
    cpu_before = cpu();
    wall_before = wall();
  }
}

static void add_message(smtp_session_t session, char *text)
{
  smtp_message_t message = smtp_add_message(session);
  smtp_set_reverse_path(message, "bench@client.test");
  smtp_set_message_str(message, text);
  for (long i = 1; i <= number("recipients", 1); i++) {
    char address[64];
    snprintf(address, sizeof address, "user%ld@sink.test", i);
    smtp_add_recipient(message, address);
  }
}

int main(int argc, char **argv)
{
  (void)argc;
  bench_arguments = argv;
  size_t size;
  char *text = ready_message(&size), server[64];
  long mails = number("mails", 1000);
  warm = number("warm", 20);
  SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
  if (SSL_CTX_load_verify_file(tls, setting("ca", "")) != 1) fail("ca=FILE");
  SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
  SSL_CTX_set_max_proto_version(tls, TLS1_2_VERSION);
  smtp_session_t session = smtp_create_session();
  snprintf(server, sizeof server, "localhost:%ld", number("port", 0));
  smtp_set_server(session, server);
  smtp_set_hostname(session, "client.test");
  smtp_starttls_set_ctx(session, tls);
  smtp_starttls_enable(session, Starttls_REQUIRED);
  smtp_set_eventcb(session, on_event, NULL);
  for (long i = 0; i < warm + mails; i++)
    add_message(session, text);
  if (!smtp_start_session(session)) {
    char why[256];
    fail(smtp_strerror(smtp_errno(), why, sizeof why));
  }
  if (done != warm + mails) fail("not all were sent");
  tell(mails, cpu_before, wall_before);
  return 0;
}
