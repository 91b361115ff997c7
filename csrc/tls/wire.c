/* wire: see wire.h. */
#include "tls/wire.h"

#include <limits.h>
#include <string.h>

static int wire_read(BIO *bio, char *to, size_t n, size_t *got)
{
  ss_tls_wire *w = BIO_get_data(bio);
  size_t length = ss_buf_len(&w->in);
  BIO_clear_retry_flags(bio);
  if (n > length) n = length;
  if (n == 0) {
    if (!w->ended) BIO_set_retry_read(bio);
    return 0;
  }
  memcpy(to, ss_buf_data(&w->in), n);
  ss_buf_consume(&w->in, n);
  *got = n;
  return 1;
}

/* Takes what there is room for; OpenSSL keeps the rest and offers it again. */
static int wire_write(BIO *bio, const char *from, size_t n, size_t *written)
{
  ss_tls_wire *w = BIO_get_data(bio);
  size_t room = ss_buf_room(&w->out);
  BIO_clear_retry_flags(bio);
  if (n > room) n = room;
  if (n == 0) {
    BIO_set_retry_write(bio);
    return 0;
  }
  w->starved = ss_buf_append(&w->out, from, n) != SS_OK;
  if (w->starved) return 0;
  *written = n;
  return 1;
}

static long wire_ctrl(BIO *bio, int command, long number, void *pointer)
{
  (void)number, (void)pointer;
  const ss_tls_wire *w = BIO_get_data(bio);
  switch (command) {
  case BIO_CTRL_FLUSH: return 1;
  case BIO_CTRL_EOF: return w->ended && ss_buf_len(&w->in) == 0; /* tells OpenSSL truncation from "not yet" */
  default: return 0;
  }
}

BIO_METHOD *ss_tls_wire_method(void)
{
  BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "smtpsec wire");
  if (method && BIO_meth_set_read_ex(method, wire_read) && BIO_meth_set_write_ex(method, wire_write) &&
      BIO_meth_set_ctrl(method, wire_ctrl))
    return method;
  BIO_meth_free(method);
  return NULL;
}

BIO *ss_tls_wire_bio(const BIO_METHOD *method, ss_tls_wire *w)
{
  BIO *bio = BIO_new(method);
  if (!bio) return NULL;
  BIO_set_data(bio, w);
  BIO_set_init(bio, 1);
  return bio;
}
