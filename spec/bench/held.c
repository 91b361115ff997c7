/* held: runs a client, and tells when its server waited for an acknowledgement and for nothing else. A thousand times a
 * second it looks whether the client sleeps, has read all there is, and the server's end of a connection has bytes that
 * are not acknowledged (proc(5), sock_diag(7); a connection within 127.0.0.1). For each span of time in which that was
 * so, `out` gets a line: when it began and when it was last seen, in seconds of CLOCK_MONOTONIC. Where the machine did not
 * let this program look for longer than PATIENCE, a span is over: nobody knows what was then. Prints seen=, the share of
 * the time that was looked at.
 *
 *   held port= out= -- command… */
#include "common.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EVERY = 1 };

static const double PATIENCE = 0.005;

static bool sleeps(pid_t client)
{
  char path[64], state = 0;
  snprintf(path, sizeof path, "/proc/%d/stat", (int)client);
  FILE *f = fopen(path, "r");
  bool known = f && fscanf(f, "%*d (%*[^)]) %c", &state) == 1;
  if (f) fclose(f);
  return known && state == 'S';
}

/* The port of the one who is connected to `port`; 0: nobody. The kernel goes through all its connections for this. */
static unsigned find_peer(unsigned port)
{
  char line[512];
  unsigned local, remote, state, peer = 0;
  FILE *f = fopen("/proc/net/tcp", "r");
  if (!f) fail("/proc/net/tcp");
  while (!peer && fgets(line, sizeof line, f))
    if (sscanf(line, " %*d: %*x:%x %*x:%x %x", &local, &remote, &state) == 3 && local == port &&
        state == TCP_ESTABLISHED)
      peer = remote;
  fclose(f);
  return peer;
}

/* What the kernel knows of one end of a connection (sock_diag(7)): bytes not acknowledged, bytes not read. False where
 * there is no such connection. */
static bool ask(int netlink, unsigned local, unsigned remote, unsigned *unacknowledged, unsigned *unread)
{
  struct {
    struct nlmsghdr head;
    struct inet_diag_req_v2 body;
  } question = {
      .head = {.nlmsg_len = sizeof question, .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST},
      .body = {.sdiag_family = AF_INET,
               .sdiag_protocol = IPPROTO_TCP,
               .idiag_states = 1 << TCP_ESTABLISHED,
               .id = {.idiag_sport = htons((uint16_t)local),
                      .idiag_dport = htons((uint16_t)remote),
                      .idiag_src = {htonl(INADDR_LOOPBACK)},
                      .idiag_dst = {htonl(INADDR_LOOPBACK)},
                      .idiag_cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE}}}};
  union {
    struct nlmsghdr head;
    char bytes[4096];
  } answer;
  if (send(netlink, &question, sizeof question, 0) < 0) fail("asking the kernel");
  if (recv(netlink, &answer, sizeof answer, 0) < (ssize_t)NLMSG_LENGTH(sizeof(struct inet_diag_msg)) ||
      answer.head.nlmsg_type != SOCK_DIAG_BY_FAMILY)
    return false;
  const struct inet_diag_msg *said = NLMSG_DATA(&answer.head);
  *unacknowledged = said->idiag_wqueue;
  *unread = said->idiag_rqueue;
  return true;
}

static bool is_unacknowledged(int netlink, unsigned port)
{
  static unsigned peer;
  unsigned servers, clients, unread, unused;
  if (!peer) peer = find_peer(port);
  if (peer && ask(netlink, port, peer, &servers, &unused) && ask(netlink, peer, port, &clients, &unread))
    return servers > 0 && unread == 0;
  peer = 0;
  return false;
}

static pid_t start(char **argv)
{
  while (*argv && strcmp(*argv, "--") != 0)
    argv++;
  if (!*argv || !argv[1]) fail("no command");
  pid_t client = fork();
  if (client < 0) fail("fork");
  if (client > 0) return client;
  execvp(argv[1], argv + 1);
  _exit(127);
}

int main(int argc, char **argv)
{
  (void)argc;
  bench_arguments = argv;
  unsigned port = (unsigned)number("port", 0);
  FILE *out = fopen(setting("out", ""), "w");
  if (!out) fail("out=FILE");
  int netlink = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  if (netlink < 0) fail("sock_diag");
  pid_t client = start(argv);
  int status;
  double began = wall(), last = began, since = 0, seen = 0;
  while (waitpid(client, &status, WNOHANG) == 0) {
    bool held = is_unacknowledged(netlink, port) && sleeps(client);
    double now = wall();
    bool gap = now - last > PATIENCE;
    if (since != 0 && (gap || !held)) {
      fprintf(out, "%.6f %.6f\n", since, gap ? last : now);
      since = 0;
    }
    if (held && since == 0) since = now;
    if (!gap) seen += now - last;
    last = now;
    poll(NULL, 0, EVERY);
  }
  fclose(out);
  printf("seen=%.3f\n", seen / (wall() - began));
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
