/* common: what the bench's C clients share: the clock of CPU time, the ready message, and how results are told. Every
 * client takes settings as key=value arguments and prints its results as key=value. */
#ifndef BENCH_COMMON_H
#define BENCH_COMMON_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static char **bench_arguments;

static inline const char *setting(const char *key, const char *otherwise)
{
  size_t n = strlen(key);
  for (char **at = bench_arguments + 1; *at; at++)
    if (strncmp(*at, key, n) == 0 && (*at)[n] == '=') return *at + n + 1;
  return otherwise;
}

static inline long number(const char *key, long otherwise)
{
  const char *text = setting(key, NULL);
  return text ? strtol(text, NULL, 10) : otherwise;
}

static inline void fail(const char *why)
{
  fprintf(stderr, "failed: %s\n", why);
  exit(1);
}

/* Seconds of CPU, this process's, user and system. */
static inline double cpu(void)
{
  struct rusage r;
  getrusage(RUSAGE_SELF, &r);
  return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
         (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

static inline double wall(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The file named by the setting `message`: a whole message, its lines ended by CRLF. */
static inline char *ready_message(size_t *size)
{
  FILE *f = fopen(setting("message", ""), "rb");
  if (!f) fail("message=FILE");
  fseek(f, 0, SEEK_END);
  *size = (size_t)ftell(f);
  rewind(f);
  char *text = malloc(*size + 1);
  if (!text || fread(text, 1, *size, f) != *size) fail("reading the message");
  text[*size] = '\0';
  fclose(f);
  return text;
}

/* What was used since the values given. */
static inline void tell(long mails, double cpu_before, double wall_before)
{
  printf("mails=%ld cpu=%.6f wall=%.6f\n", mails, cpu() - cpu_before, wall() - wall_before);
}

#endif
