/* control: what a test tells the sink, a line each, and asks of it. Every answer ends with the line "ok", or is one
 * line "error: why". The list of commands is at the end. */
#include "sink.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void say(conn *c, const char *format, ...)
{
  char line[512];
  va_list args;
  va_start(args, format);
  int n = vsnprintf(line, sizeof line, format, args);
  va_end(args);
  bytes_add(&c->replies, line, (size_t)n);
  bytes_add(&c->replies, "\n", 1);
}

/* The place of a word in a list; -1 when it is not there. */
static int choice(const char *word, const char *const *list)
{
  for (int i = 0; list[i]; i++)
    if (strcasecmp(word, list[i]) == 0) return i;
  return -1;
}

static bool set_switch(const char *args, bool *to)
{
  *to = strcmp(args, "on") == 0;
  return *to || strcmp(args, "off") == 0;
}

static bool run_stats(conn *c, char *args)
{
  (void)args;
#define X(name) say(c, #name "=%llu", (unsigned long long)the_sink.counts.name);
  SINK_COUNTS(X)
#undef X
  return true;
}

static bool run_reset(conn *c, char *args)
{
  (void)c, (void)args;
  the_sink.counts = (counts){0};
  the_sink.commits = 0;
  return true;
}

static bool run_defaults(conn *c, char *args)
{
  (void)c, (void)args;
  sink_defaults(&the_sink.settings);
  return true;
}

static bool run_hold(conn *c, char *args)
{
  (void)c;
  the_sink.settings.hold_ms = *args ? atoi(args) : 3;
  return true;
}

static bool run_offer(conn *c, char *args)
{
  static const char *const names[] = {"PIPELINING", "CHUNKING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES",
                                      "SIZE",       "DSN",      "AUTH",     "STARTTLS", NULL};
  (void)c;
  for (char *word = strtok(args, " "); word; word = strtok(NULL, " ")) {
    int i = choice(word + (*word == '+' || *word == '-'), names);
    if (i < 0) return false;
    if (*word == '-')
      the_sink.settings.offer &= ~(1U << i);
    else
      the_sink.settings.offer |= 1U << i;
  }
  return true;
}

/* "LIMITS RCPTMAX=10 MAILMAX=5" is kept to, too: RFC 9422. */
static unsigned limit(const char *line, const char *name)
{
  const char *at = strncasecmp(line, "LIMITS ", 7) == 0 ? strstr(line, name) : NULL;
  return at ? (unsigned)strtoul(at + strlen(name), NULL, 10) : 0;
}

static bool run_extra(conn *c, char *args)
{
  (void)c;
  settings *s = &the_sink.settings;
  size_t have = strlen(s->extra);
  if (!*args) {
    s->extra[0] = '\0';
    s->rcpt_max = s->mail_max = 0;
    return true;
  }
  if (have + strlen(args) + 2 > sizeof s->extra) return false;
  snprintf(s->extra + have, sizeof s->extra - have, "%s\n", args);
  if (limit(args, "RCPTMAX=")) s->rcpt_max = limit(args, "RCPTMAX=");
  if (limit(args, "MAILMAX=")) s->mail_max = limit(args, "MAILMAX=");
  return true;
}

static bool run_size(conn *c, char *args)
{
  (void)c;
  the_sink.settings.size_max = strtoull(args, NULL, 10);
  return true;
}

static bool run_commits(conn *c, char *args)
{
  if (*args) return set_switch(args, &the_sink.settings.journal);
  for (size_t i = 0; i < the_sink.commits; i++) {
    const commit *one = &the_sink.journal[i];
    say(c, "conn=%llu id=%s recipients=%u bytes=%llu crc=%08x", (unsigned long long)one->conn, one->id,
        one->recipients, (unsigned long long)one->bytes, one->crc);
  }
  return true;
}

static bool run_crc(conn *c, char *args)
{
  (void)c;
  return set_switch(args, &the_sink.settings.crc);
}

static bool run_lenient(conn *c, char *args)
{
  (void)c;
  return set_switch(args, &the_sink.settings.lenient);
}

static bool run_cut(conn *c, char *args)
{
  static const char *const hows[] = {"", "fin", "rst", "stall", NULL};
  char side[4], how[8];
  unsigned long long at;
  (void)c;
  the_sink.settings.cut = (cut){0};
  if (strcmp(args, "off") == 0) return true;
  if (sscanf(args, "%3s %llu %7s", side, &at, how) != 3) return false;
  int i = choice(how, hows);
  if (i < 1 || (strcmp(side, "in") != 0 && strcmp(side, "out") != 0)) return false;
  the_sink.settings.cut = (cut){.how = (cut_how)i, .out = side[0] == 'o', .at = at};
  return true;
}

static bool run_broken(conn *c, char *args)
{
  static const char *const names[] = {"nothing",      "pipelining",     "chunking",
                                      "chunking-raw", "chunking-close", NULL};
  (void)c;
  int i = choice(args, names);
  if (i >= 0) the_sink.settings.broken = (broken)i;
  return i >= 0;
}

static bool run_tls(conn *c, char *args)
{
  (void)c;
  bool old = strcmp(args, "1.2") == 0;
  SSL_CTX_set_max_proto_version(the_sink.tls, old ? TLS1_2_VERSION : 0);
  return old || strcmp(args, "1.3") == 0;
}

static bool run_stop(conn *c, char *args)
{
  (void)c, (void)args;
  the_sink.stopped = true;
  return true;
}

static const struct {
  const char *name;
  bool (*run)(conn *c, char *args);
} commands[] = {
    {"stats", run_stats},       /* what was counted, key=value */
    {"reset", run_reset},       /* counts and the journal begin anew */
    {"defaults", run_defaults}, /* the settings below are as they were at first */
    {"hold", run_hold},         /* [ms]: hold replies until the client is silent for so long (3); 0: do not */
    {"offer", run_offer},       /* +KEYWORD -KEYWORD… of EHLO */
    {"extra", run_extra},       /* one more line of the EHLO reply; without a line: no more of them */
    {"size", run_size},         /* octets of the biggest message; 0: any */
    {"commits", run_commits},   /* on | off: keep the journal; without a word: print it */
    {"crc", run_crc},           /* on | off: work out the CRC-32 of messages for the journal */
    {"lenient", run_lenient},   /* on | off: a refused DATA or BDAT LAST ends the transaction */
    {"cut", run_cut},           /* in|out BYTES fin|rst|stall: the next connection; off */
    {"broken", run_broken},     /* nothing | pipelining | chunking | chunking-raw | chunking-close */
    {"tls", run_tls},           /* 1.2 | 1.3: the highest version */
    {"stop", run_stop},         /* the sink ends */
};

static void run(conn *c, char *line)
{
  size_t n = strcspn(line, " ");
  char *args = line + n + strspn(line + n, " ");
  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
    if (strlen(commands[i].name) == n && strncmp(commands[i].name, line, n) == 0) {
      say(c, commands[i].run(c, args) ? "ok" : "error: see control.c for what %s takes", commands[i].name);
      return;
    }
  }
  say(c, "error: no such command");
}

void control_input(conn *c)
{
  for (;;) {
    char *at = bytes_at(&c->input), *lf;
    size_t n = bytes_count(&c->input);
    if (n == 0 || !(lf = memchr(at, '\n', n))) return;
    *lf = '\0';
    if (lf > at && lf[-1] == '\r') lf[-1] = '\0';
    run(c, at);
    bytes_drop(&c->input, (size_t)(lf - at) + 1);
  }
}
