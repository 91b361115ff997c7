/* address: where a socket connects to or listens on, as the system's calls take it, and its text.
 *
 * Names are not looked up here (resolve does that); sockets are not made here. */
#ifndef SS_SOCK_ADDRESS_H
#define SS_SOCK_ADDRESS_H

#include <netdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

typedef struct ss_address {
  struct sockaddr_storage sa;
  socklen_t length;
} ss_address;

/* A host with more addresses than this is as well served by the first ones. */
enum { SS_ADDRESSES_MAX = 16, SS_ADDRESS_PATH = 107, SS_ADDRESS_TEXT = 112 };

typedef struct ss_addresses {
  ss_address at[SS_ADDRESSES_MAX];
  size_t count;
} ss_addresses;

/* The unix socket at `path`; false when the path is empty or has more than SS_ADDRESS_PATH bytes. */
bool ss_address_unix(ss_address *a, const char *path);

/* Copies the list, in its order, as far as it fits. */
void ss_addresses_copy(ss_addresses *to, const struct addrinfo *list);

/* RFC 8305 section 4: families take turns, beginning with that of the first address; within a family the order, which
 * is the system's preference (RFC 6724), stays. */
void ss_addresses_interleave(ss_addresses *a);

/* Writes the numeric address ("192.0.2.1", "2001:db8::1") or the path of a unix socket, empty where it has none. */
void ss_address_text(const ss_address *a, char text[SS_ADDRESS_TEXT]);

/* The port in host order, 0 for a unix socket. */
int ss_address_port(const ss_address *a);

#endif
