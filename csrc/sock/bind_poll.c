/* bind_poll: waiting for several sockets: sock.poll, for a script without an event loop, and sock.watch, for an event
 * loop that waits for one descriptor. */
#include "sock/bind.h"
#include "sock/poll.h"
#include "sock/watch.h"

#include <errno.h>
#include <string.h>

enum { ENTRIES_MAX = 1 << 16 };

/* The events that the mode at the top of the stack stands for; pops it. */
static short pop_mode(lua_State *L, int entry)
{
  const char *mode = lua_tostring(L, -1);
  bool reads = mode && strchr(mode, 'r'), writes = mode && strchr(mode, 'w');
  if (!reads && !writes) luaL_error(L, "entry %d: \"r\", \"w\" or \"rw\" expected", entry);
  lua_pop(L, 1);
  return (short)((reads ? POLLIN : 0) | (writes ? POLLOUT : 0));
}

/* The descriptor of the stream, the listener or the number at the top of the stack; pops it. */
static int pop_descriptor(lua_State *L, int entry)
{
  int fd = ss_stream_descriptor(L, -1);
  if (fd < 0) fd = ss_listener_descriptor(L, -1);
  if (fd < 0 && lua_type(L, -1) == LUA_TNUMBER) fd = (int)ss_check_int(L, -1, 0, 1 << 30);
  if (fd < 0) luaL_error(L, "entry %d: an open socket expected", entry);
  lua_pop(L, 1);
  return fd;
}

/* The list at 1, whose entries are { socket, mode }, as poll(2) takes it: pushed as a userdata, so that it is collected
 * whatever happens. */
static struct pollfd *push_entries(lua_State *L, int *length)
{
  luaL_checktype(L, 1, LUA_TTABLE);
  size_t n = ss_rawlen(L, 1);
  luaL_argcheck(L, n <= ENTRIES_MAX, 1, "too many entries");
  int count = *length = (int)n;
  struct pollfd *fds = ss_newuserdata(L, (n + 1) * sizeof *fds);
  for (int i = 0; i < count; i++) {
    lua_rawgeti(L, 1, i + 1);
    if (!lua_istable(L, -1)) luaL_error(L, "entry %d: { socket, mode } expected", i + 1);
    lua_rawgeti(L, -1, 1);
    fds[i].fd = pop_descriptor(L, i + 1);
    lua_rawgeti(L, -1, 2);
    fds[i].events = pop_mode(L, i + 1);
    lua_pop(L, 1);
  }
  return fds;
}

/* What of the asked is ready. A broken socket is ready for all: the next call on it says what happened. */
static const char *readiness(const struct pollfd *p)
{
  static const char *const modes[] = {NULL, "r", "w", "rw"};
  bool broken = (p->revents & (POLLERR | POLLHUP | POLLNVAL)) != 0;
  bool reads = (p->events & POLLIN) && (broken || (p->revents & POLLIN));
  bool writes = (p->events & POLLOUT) && (broken || (p->revents & POLLOUT));
  return modes[(reads ? 1 : 0) | (writes ? 2 : 0)];
}

/* Pushes the list of { socket, mode } of those that are ready, in the order of the list at 1. */
static void push_ready(lua_State *L, const struct pollfd *fds, int count)
{
  int ready = 0;
  lua_newtable(L);
  for (int i = 0; i < count; i++) {
    const char *mode = readiness(&fds[i]);
    if (!mode) continue;
    lua_newtable(L);
    lua_rawgeti(L, 1, i + 1);
    lua_rawgeti(L, -1, 1);
    lua_rawseti(L, -3, 1);
    lua_pop(L, 1);
    lua_pushstring(L, mode);
    lua_rawseti(L, -2, 2);
    lua_rawseti(L, -2, ++ready);
  }
}

static int failed(lua_State *L)
{
  ss_trouble trouble;
  ss_trouble_set(&trouble, SS_WHY_ERROR, "%s", strerror(errno));
  return ss_push_trouble(L, &trouble);
}

/* sock.poll(list of { socket, "r" | "w" | "rw" }, seconds) -> the list of those that are ready, empty when time was up
 * | nil, "error", text */
static int poll_list(lua_State *L)
{
  ss_time deadline = ss_check_deadline(L, 2);
  int count;
  struct pollfd *fds = push_entries(L, &count);
  if (ss_poll(fds, (nfds_t)count, deadline) < 0) return failed(L);
  push_ready(L, fds, count);
  return 1;
}

/* sock.watch(list as of sock.poll) -> watch | nil, "error", text */
static int watch_list(lua_State *L)
{
  int count;
  struct pollfd *fds = push_entries(L, &count);
  ss_watch *w = ss_new_object(L, sizeof *w, SS_WATCH_CLASS);
  return ss_watch_open(w, fds, (size_t)count) ? 1 : failed(L);
}

/* watch:fd() -> a descriptor that is readable while one of the list is ready; nil when closed */
static int watch_fd(lua_State *L)
{
  const ss_watch *w = luaL_checkudata(L, 1, SS_WATCH_CLASS);
  if (!w->open) return 0;
  lua_pushinteger(L, w->fd);
  return 1;
}

static int watch_close(lua_State *L)
{
  ss_watch_close(luaL_checkudata(L, 1, SS_WATCH_CLASS));
  return 0;
}

void ss_bind_poll(lua_State *L)
{
  static const luaL_Reg functions[] = {{"poll", poll_list}, {"watch", watch_list}, {NULL, NULL}};
  static const luaL_Reg methods[] = {{"fd", watch_fd}, {NULL, NULL}};
  ss_register_class(L, SS_WATCH_CLASS, methods, watch_close);
  luaL_setfuncs(L, functions, 0);
}
