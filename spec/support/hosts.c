/* hosts: getaddrinfo(3) for specs, to be preloaded. SPEC_HOSTS holds words: "name=address,address" gives a name these
 * addresses, in this order; "name=2s" fails after two seconds. Everything else is asked of the system.
 * SPEC_LINGER is how many seconds the process stays after its main function is over. */
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef int asks(const char *, const char *, const struct addrinfo *, struct addrinfo **);

static int each(asks *real, char *values, const char *port, struct addrinfo hints, struct addrinfo **list)
{
  char *state;
  hints.ai_flags |= AI_NUMERICHOST;
  for (char *value = strtok_r(values, ",", &state); value; value = strtok_r(NULL, ",", &state)) {
    if (value[strlen(value) - 1] == 's') {
      sleep((unsigned)atoi(value));
      return EAI_AGAIN;
    }
    int failure = real(value, port, &hints, list);
    if (failure != 0) return failure;
    while (*list)
      list = &(*list)->ai_next;
  }
  return 0;
}

int getaddrinfo(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **list)
{
  asks *real = (asks *)dlsym(RTLD_NEXT, "getaddrinfo");
  const char *table = getenv("SPEC_HOSTS");
  if (!table || !host || (hints->ai_flags & AI_NUMERICHOST)) return real(host, port, hints, list);
  char words[1024], *state;
  snprintf(words, sizeof words, "%s", table);
  for (char *word = strtok_r(words, " ", &state); word; word = strtok_r(NULL, " ", &state)) {
    size_t n = strlen(host);
    if (strncmp(word, host, n) == 0 && word[n] == '=') return each(real, word + n + 1, port, *hints, list);
  }
  return real(host, port, hints, list);
}

__attribute__((destructor)) static void linger(void)
{
  const char *seconds = getenv("SPEC_LINGER");
  if (seconds) sleep((unsigned)atoi(seconds));
}
