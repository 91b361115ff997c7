/* bind_listen: sock.listen and the methods of a listener. */
#include "sock/bind.h"
#include "sock/listen.h"
#include "sock/stream.h"

enum { BACKLOG = 128, BACKLOG_MAX = 4096 };

static ss_listener *self(lua_State *L)
{
  return luaL_checkudata(L, 1, SS_LISTENER_CLASS);
}

int ss_listener_descriptor(lua_State *L, int index)
{
  const ss_listener *l = luaL_testudata(L, index, SS_LISTENER_CLASS);
  return l && l->open ? l->fd : -1;
}

/* sock.listen{ host = "127.0.0.1", port = 0 | path =, backlog = 128 } -> listener | nil, text */
static int listen_at(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TTABLE);
  const char *path = ss_opt_field_text(L, 1, "path");
  const char *host = ss_opt_field_text(L, 1, "host");
  int port = (int)ss_opt_field_int(L, 1, "port", 0, 65535, 0);
  int backlog = (int)ss_opt_field_int(L, 1, "backlog", 0, BACKLOG_MAX, BACKLOG);
  ss_trouble trouble;
  ss_listener *l = ss_new_object(L, sizeof *l, SS_LISTENER_CLASS);
  ss_why why = path ? ss_listener_path(l, path, backlog, &trouble)
                    : ss_listener_host(l, host ? host : "127.0.0.1", port, backlog, &trouble);
  if (why == SS_WHY_NONE) return 1;
  lua_pushnil(L);
  lua_pushstring(L, trouble.text);
  return 2;
}

/* listener:accept(seconds) -> stream | nil, "timeout" | "closed" | "error", text */
static int listener_accept(lua_State *L)
{
  ss_listener *l = self(L);
  ss_time deadline = ss_check_deadline(L, 2);
  int fd;
  ss_trouble trouble;
  ss_stream *s = ss_new_object(L, sizeof *s, SS_STREAM_CLASS);
  if (ss_listener_accept(l, deadline, &fd, &trouble) != SS_WHY_NONE) return ss_push_trouble(L, &trouble);
  ss_stream_open(s, fd);
  return 1;
}

/* listener:port() -> the port; nil for a unix socket */
static int listener_port(lua_State *L)
{
  const ss_listener *l = self(L);
  int port = ss_address_port(&l->at);
  if (port == 0) return 0;
  lua_pushinteger(L, port);
  return 1;
}

/* listener:fd() -> the descriptor, for an event loop to wait for; nil when closed */
static int listener_fd(lua_State *L)
{
  const ss_listener *l = self(L);
  if (!l->open) return 0;
  lua_pushinteger(L, l->fd);
  return 1;
}

/* listener:remove(): removes the path of its unix socket; then listener:close() */
static int listener_remove(lua_State *L)
{
  ss_listener_remove(self(L));
  return 0;
}

static int listener_close(lua_State *L)
{
  ss_listener_close(self(L));
  return 0;
}

void ss_bind_listen(lua_State *L)
{
  static const luaL_Reg functions[] = {{"listen", listen_at}, {NULL, NULL}};
  static const luaL_Reg methods[] = {{"accept", listener_accept},
                                     {"port", listener_port},
                                     {"fd", listener_fd},
                                     {"remove", listener_remove},
                                     {NULL, NULL}};
  ss_register_class(L, SS_LISTENER_CLASS, methods, listener_close);
  luaL_setfuncs(L, functions, 0);
}
