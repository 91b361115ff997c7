/* resolve: see resolve.h. */
#include "sock/resolve.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct ss_resolution {
  atomic_int holders;
  atomic_bool done; /* set once, after all that follows was written */
  ss_addresses found;
  int failure;        /* of getaddrinfo, 0 for none */
  int system_failure; /* errno, where failure is EAI_SYSTEM */
  int asker, thread;  /* the ends of a pipe, one each; a byte from the thread is the signal */
  char host[SS_HOST_MAX + 1];
  char port[8];
};

static atomic_int under_way;

static void release(ss_resolution *r)
{
  if (atomic_fetch_sub(&r->holders, 1) == 1) free(r);
}

/* Asks the system and notes its answer. Blocks unless flags has AI_NUMERICHOST. */
static void ask(ss_resolution *r, int flags)
{
  struct addrinfo *list = NULL;
  const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV};
  r->failure = getaddrinfo(r->host, r->port, &hints, &list);
  r->system_failure = errno;
  if (r->failure != 0) return;
  ss_addresses_copy(&r->found, list);
  ss_addresses_interleave(&r->found);
  freeaddrinfo(list);
}

/* Closing its end would not do: a process that was forked meanwhile has that end too. Where nobody listens any more, the
 * signal that comes of it is the thread's, which takes none. */
static void tell(const ss_resolution *r)
{
  ssize_t told;
  do
    told = write(r->thread, "", 1);
  while (told < 0 && errno == EINTR);
}

static void *look_up(void *argument)
{
  ss_resolution *r = argument;
  ask(r, 0);
  atomic_store(&r->done, true);
  tell(r);
  close(r->thread);
  release(r);
  atomic_fetch_sub(&under_way, 1);
  return NULL;
}

/* A thread that outlives its asker may still run this module's code when lua_close unloads the module. One more
 * reference, never given back, keeps it where it is. (A module linked into the program itself cannot go, and has no
 * reference to take.) */
static void stay_loaded(void)
{
  static const char here;
  static atomic_bool stays;
  Dl_info module;
  if (!atomic_exchange(&stays, true) && dladdr(&here, &module) != 0)
    (void)dlopen(module.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
}

/* The thread takes no signals: they belong to the program that we are a guest in. Returns 0 or an errno. */
static int start_thread(ss_resolution *r)
{
  pthread_t thread;
  pthread_attr_t detached;
  sigset_t all, before;
  int error = pthread_attr_init(&detached);
  if (error != 0) return error;
  pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  error = pthread_create(&thread, &detached, look_up, r);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&detached);
  return error;
}

/* Gives the look-up to a thread. Returns 0 or an errno; then nothing was begun. */
static int look_up_elsewhere(ss_resolution *r)
{
  int ends[2];
  stay_loaded();
  if (pipe2(ends, O_CLOEXEC) != 0) return errno;
  r->asker = ends[0];
  r->thread = ends[1];
  atomic_store(&r->holders, 2);
  int error = start_thread(r);
  if (error != 0) {
    close(ends[0]);
    close(ends[1]);
    r->asker = -1;
    atomic_store(&r->holders, 1);
  }
  return error;
}

/* Resolves at once what is written in numbers, else begins. Returns 0 or an errno. */
static int begin(ss_resolution *r)
{
  ask(r, AI_NUMERICHOST);
  if (r->failure != EAI_NONAME) {
    atomic_store(&r->done, true);
    return 0;
  }
  if (atomic_fetch_add(&under_way, 1) >= SS_RESOLUTIONS_MAX) {
    atomic_fetch_sub(&under_way, 1);
    return EAGAIN;
  }
  int error = look_up_elsewhere(r);
  if (error != 0) atomic_fetch_sub(&under_way, 1);
  return error;
}

ss_resolution *ss_resolution_start(const char *host, int port, ss_trouble *trouble)
{
  if (host[0] == '\0' || strlen(host) > SS_HOST_MAX) {
    ss_trouble_set(trouble, SS_WHY_DNS, "a host name has 1 to %d bytes, not %zu", SS_HOST_MAX, strlen(host));
    return NULL;
  }
  ss_resolution *r = calloc(1, sizeof *r);
  int error = ENOMEM;
  if (r) {
    atomic_init(&r->holders, 1);
    r->asker = -1;
    strcpy(r->host, host);
    snprintf(r->port, sizeof r->port, "%d", port);
    error = begin(r);
  }
  if (error == 0) return r;
  ss_trouble_set(trouble, SS_WHY_DNS, "%s: the look-up could not be started: %s", host, strerror(error));
  free(r);
  return NULL;
}

ss_why ss_resolution_step(const ss_resolution *r, ss_addresses *found, ss_trouble *trouble)
{
  if (!atomic_load(&r->done)) return SS_WHY_AGAIN;
  if (r->failure != 0)
    return ss_trouble_set(trouble, SS_WHY_DNS, "%s: %s", r->host,
                          r->failure == EAI_SYSTEM ? strerror(r->system_failure) : gai_strerror(r->failure));
  if (r->found.count == 0) return ss_trouble_set(trouble, SS_WHY_DNS, "%s has no address", r->host);
  *found = r->found;
  return SS_WHY_NONE;
}

int ss_resolution_fd(const ss_resolution *r)
{
  return r->asker;
}

void ss_resolution_drop(ss_resolution *r)
{
  if (!r) return;
  if (r->asker >= 0) close(r->asker);
  release(r);
}
