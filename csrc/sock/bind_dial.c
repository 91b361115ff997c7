/* bind_dial: sock.connect, which waits, and sock.dial, which an event loop drives. */
#include "sock/bind.h"
#include "sock/dial.h"
#include "sock/stream.h"

static ss_dial *self(lua_State *L)
{
  return luaL_checkudata(L, 1, SS_DIAL_CLASS);
}

/* Pushes a dial that has begun to go where the table at 1 says: { host =, port = } or { path = }, and timeout =, the
 * seconds for the whole of it. NULL with the trouble where it could not begin. */
static ss_dial *begin(lua_State *L, ss_trouble *trouble)
{
  luaL_checktype(L, 1, LUA_TTABLE);
  const char *path = ss_opt_field_text(L, 1, "path");
  const char *host = ss_opt_field_text(L, 1, "host");
  int port = (int)ss_opt_field_int(L, 1, "port", 1, 65535, 0);
  lua_getfield(L, 1, "timeout");
  if (lua_type(L, -1) != LUA_TNUMBER) luaL_error(L, "timeout: a number of seconds expected");
  double seconds = ss_check_seconds(L, -1);
  lua_pop(L, 1);
  if (!path && (!host || port == 0)) luaL_error(L, "host and port, or path, expected");
  ss_dial *d = ss_new_object(L, sizeof *d, SS_DIAL_CLASS);
  ss_why why = path ? ss_dial_path(d, path, seconds, trouble) : ss_dial_host(d, host, port, seconds, trouble);
  return why == SS_WHY_NONE ? d : NULL;
}

/* Pushes the results of a step or a run that ended in `why`: the stream at the top of the stack, now open, or the
 * trouble. */
static int finish(lua_State *L, ss_why why, ss_stream *s, int fd, const ss_trouble *trouble)
{
  if (why != SS_WHY_NONE) return ss_push_trouble(L, trouble);
  ss_stream_open(s, fd);
  return 1;
}

/* sock.connect{ host =, port = | path =, timeout = } -> stream | nil, "dns" | "connect" | "timeout", text */
static int connect_to(lua_State *L)
{
  ss_trouble trouble;
  ss_dial *d = begin(L, &trouble);
  if (!d) return ss_push_trouble(L, &trouble);
  ss_stream *s = ss_new_object(L, sizeof *s, SS_STREAM_CLASS);
  int fd;
  ss_why why = ss_dial_run(d, &fd, &trouble);
  return finish(L, why, s, fd, &trouble);
}

/* sock.dial{ as sock.connect } -> dial | nil, "dns" | "connect", text */
static int dial_to(lua_State *L)
{
  ss_trouble trouble;
  return begin(L, &trouble) ? 1 : ss_push_trouble(L, &trouble);
}

/* dial:step() -> stream | nil, "again" | nil, "dns" | "connect" | "timeout", text. Never waits. */
static int dial_step(lua_State *L)
{
  ss_dial *d = self(L);
  luaL_argcheck(L, !ss_dial_closed(d), 1, "this dial has ended");
  ss_stream *s = ss_new_object(L, sizeof *s, SS_STREAM_CLASS);
  ss_trouble trouble;
  int fd;
  ss_why why = ss_dial_step(d, &fd, &trouble);
  if (why == SS_WHY_AGAIN) ss_trouble_set(&trouble, why, "not connected yet");
  return finish(L, why, s, fd, &trouble);
}

/* dial:waits() -> a list of { descriptor, "r" | "w" }, seconds: step again when one of them is ready or the seconds are
 * over */
static int dial_waits(lua_State *L)
{
  const ss_dial *d = self(L);
  struct pollfd fds[SS_DIAL_WAITS];
  ss_time until;
  size_t count = ss_dial_waits(d, fds, &until);
  lua_newtable(L);
  for (size_t i = 0; i < count; i++) {
    lua_newtable(L);
    lua_pushinteger(L, fds[i].fd);
    lua_rawseti(L, -2, 1);
    lua_pushstring(L, fds[i].events == POLLIN ? "r" : "w");
    lua_rawseti(L, -2, 2);
    lua_rawseti(L, -2, (int)i + 1);
  }
  lua_pushnumber(L, ss_clock_left(until) / 1000.0);
  return 2;
}

static int dial_close(lua_State *L)
{
  ss_dial_close(self(L));
  return 0;
}

void ss_bind_dial(lua_State *L)
{
  static const luaL_Reg functions[] = {{"connect", connect_to}, {"dial", dial_to}, {NULL, NULL}};
  static const luaL_Reg methods[] = {{"step", dial_step}, {"waits", dial_waits}, {NULL, NULL}};
  ss_register_class(L, SS_DIAL_CLASS, methods, dial_close);
  luaL_setfuncs(L, functions, 0);
}
