/* curl: libcurl. The ready message over one kept connection; or a connection a mail, resuming TLS; or composed by its
 * mime API with a file attached.
 *
 *   curl port= ca= message= mails= warm= recipients= mode=warm|cold|mime [user=] [scheme=smtps|smtp] [file=] */
#include "../common.h"

#include <curl/curl.h>
#include <stdbool.h>

typedef struct {
  const char *text;
  size_t size, done;
} source;

static size_t give(char *to, size_t size, size_t n, void *of)
{
  source *s = of;
  size_t most = s->size - s->done;
  if (most > size * n) most = size * n;
  memcpy(to, s->text + s->done, most);
  s->done += most;
  return most;
}

static struct curl_slist *recipients(void)
{
  struct curl_slist *list = NULL;
  for (long i = 1; i <= number("recipients", 1); i++) {
    char address[64];
    snprintf(address, sizeof address, "<user%ld@sink.test>", i);
    list = curl_slist_append(list, address);
  }
  return list;
}

static CURL *prepare(source *s)
{
  CURL *curl = curl_easy_init();
  char url[64];
  const char *scheme = setting("scheme", "smtps");
  snprintf(url, sizeof url, "%s://localhost:%ld/client.test", scheme, number("port", 0));
  curl_easy_setopt(curl, CURLOPT_URL, url);
  curl_easy_setopt(curl, CURLOPT_USE_SSL, (long)CURLUSESSL_ALL);
  curl_easy_setopt(curl, CURLOPT_IPRESOLVE, (long)CURL_IPRESOLVE_V4);
  curl_easy_setopt(curl, CURLOPT_CAINFO, setting("ca", ""));
  curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
  if (setting("user", NULL)) {
    curl_easy_setopt(curl, CURLOPT_USERNAME, setting("user", ""));
    curl_easy_setopt(curl, CURLOPT_PASSWORD, "secret");
    curl_easy_setopt(curl, CURLOPT_LOGIN_OPTIONS, "AUTH=PLAIN");
  }
  curl_easy_setopt(curl, CURLOPT_MAIL_FROM, "<bench@client.test>");
  curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, recipients());
  curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
  curl_easy_setopt(curl, CURLOPT_READFUNCTION, give);
  curl_easy_setopt(curl, CURLOPT_READDATA, s);
  curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)s->size);
  if (strcmp(setting("mode", "warm"), "cold") == 0) curl_easy_setopt(curl, CURLOPT_FORBID_REUSE, 1L);
  return curl;
}

/* multipart/mixed of a text and a file in base64, with the header that the ready message has. */
static void compose(CURL *curl)
{
  struct curl_slist *header = NULL;
  header = curl_slist_append(header, "From: <bench@client.test>");
  header = curl_slist_append(header, "To: <user1@sink.test>");
  header = curl_slist_append(header, "Subject: bench");
  header = curl_slist_append(header, "Date: Sun, 01 Nov 2026 00:00:00 +0000");
  header = curl_slist_append(header, "Message-ID: <mime@client.test>");
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, header);
  curl_mime *mime = curl_mime_init(curl);
  curl_mimepart *part = curl_mime_addpart(mime);
  curl_mime_data(part, "Here is the file.\r\n", CURL_ZERO_TERMINATED);
  part = curl_mime_addpart(mime);
  curl_mime_filedata(part, setting("file", ""));
  curl_mime_encoder(part, "base64");
  curl_easy_setopt(curl, CURLOPT_MIMEPOST, mime);
}

static void send_mails(CURL *curl, source *s, long mails)
{
  for (long i = 0; i < mails; i++) {
    s->done = 0;
    CURLcode code = curl_easy_perform(curl);
    if (code != CURLE_OK) fail(curl_easy_strerror(code));
  }
}

int main(int argc, char **argv)
{
  (void)argc;
  bench_arguments = argv;
  curl_global_init(CURL_GLOBAL_ALL);
  source s = {0};
  s.text = ready_message(&s.size);
  CURL *curl = prepare(&s);
  send_mails(curl, &s, number("warm", 20));
  if (strcmp(setting("mode", "warm"), "mime") == 0) compose(curl);
  long mails = number("mails", 1000);
  double cpu_before = cpu(), wall_before = wall();
  send_mails(curl, &s, mails);
  tell(mails, cpu_before, wall_before);
  curl_easy_cleanup(curl);
  return 0;
}
