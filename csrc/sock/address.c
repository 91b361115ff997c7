/* address: see address.h. */
#include "sock/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

_Static_assert(SS_ADDRESS_PATH < sizeof((struct sockaddr_un *)0)->sun_path, "a path and its NUL fit");

bool ss_address_unix(ss_address *a, const char *path)
{
  struct sockaddr_un un = {.sun_family = AF_UNIX};
  size_t n = strlen(path);
  if (n == 0 || n > SS_ADDRESS_PATH) return false;
  memcpy(un.sun_path, path, n + 1);
  memcpy(&a->sa, &un, sizeof un);
  a->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + 1);
  return true;
}

void ss_addresses_copy(ss_addresses *to, const struct addrinfo *list)
{
  to->count = 0;
  for (const struct addrinfo *i = list; i && to->count < SS_ADDRESSES_MAX; i = i->ai_next) {
    if (i->ai_addrlen > sizeof to->at[0].sa) continue;
    ss_address *a = &to->at[to->count++];
    memcpy(&a->sa, i->ai_addr, i->ai_addrlen);
    a->length = i->ai_addrlen;
  }
}

/* The first address from `i` on that is, or is not, of the family; `count` when there is none. */
static size_t find(const ss_addresses *a, size_t i, sa_family_t family, bool same)
{
  while (i < a->count && (a->at[i].sa.ss_family == family) != same)
    i++;
  return i;
}

void ss_addresses_interleave(ss_addresses *a)
{
  if (a->count == 0) return;
  ss_addresses from = *a;
  sa_family_t first = from.at[0].sa.ss_family;
  size_t turn[2] = {find(&from, 0, first, true), find(&from, 0, first, false)};
  bool same = true;
  for (size_t i = 0; i < a->count; i++) {
    if (turn[same ? 0 : 1] == from.count) same = !same;
    size_t *next = &turn[same ? 0 : 1];
    a->at[i] = from.at[*next];
    *next = find(&from, *next + 1, first, same);
    same = !same;
  }
}

void ss_address_text(const ss_address *a, char text[SS_ADDRESS_TEXT])
{
  text[0] = '\0';
  if (a->sa.ss_family != AF_UNIX) {
    getnameinfo((const struct sockaddr *)&a->sa, a->length, text, SS_ADDRESS_TEXT, NULL, 0, NI_NUMERICHOST);
  } else if (a->length > offsetof(struct sockaddr_un, sun_path)) {
    const struct sockaddr_un *un = (const struct sockaddr_un *)&a->sa;
    memcpy(text, un->sun_path, sizeof un->sun_path);
    text[sizeof un->sun_path] = '\0';
  }
}

int ss_address_port(const ss_address *a)
{
  switch (a->sa.ss_family) {
  case AF_INET: return ntohs(((const struct sockaddr_in *)&a->sa)->sin_port);
  case AF_INET6: return ntohs(((const struct sockaddr_in6 *)&a->sa)->sin6_port);
  default: return 0;
  }
}
