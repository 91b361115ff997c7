/* bind_stream: the methods of a connected socket. */
#include "sock/bind.h"
#include "sock/stream.h"

/* One read gives at most this much: a TLS record and a bit. */
enum { READ_MAX = 17 * 1024 };

static ss_stream *self(lua_State *L)
{
  return ss_check_self(L, SS_STREAM_CLASS);
}

int ss_stream_descriptor(lua_State *L, int index)
{
  const ss_stream *s = luaL_testudata(L, index, SS_STREAM_CLASS);
  return s && s->open ? s->fd : -1;
}

/* stream:read(max, seconds) -> bytes, 1 to max | nil, "closed" | "timeout" | "error", text */
static int stream_read(lua_State *L)
{
  ss_stream *s = self(L);
  size_t max = (size_t)ss_check_int(L, 2, 1, 1 << 30);
  ss_time deadline = ss_check_deadline(L, 3);
  char bytes[READ_MAX];
  size_t got;
  ss_trouble trouble;
  ss_why why = ss_stream_read(s, bytes, max < READ_MAX ? max : READ_MAX, deadline, &got, &trouble);
  if (why != SS_WHY_NONE) return ss_push_trouble(L, &trouble);
  lua_pushlstring(L, bytes, got);
  return 1;
}

/* stream:write(bytes, seconds[, from]) -> how many | nil, "closed" | "timeout" | "error", text, how many were taken.
 * `from` is the index of the first byte to write, for one who goes on with a part that was not taken. */
static int stream_write(lua_State *L)
{
  ss_stream *s = self(L);
  size_t n;
  const char *bytes = luaL_checklstring(L, 2, &n);
  ss_time deadline = ss_check_deadline(L, 3);
  size_t skip = lua_isnoneornil(L, 4) ? 0 : (size_t)ss_check_int(L, 4, 1, (lua_Integer)n + 1) - 1;
  size_t taken;
  ss_trouble trouble;
  ss_why why = ss_stream_write(s, bytes + skip, n - skip, deadline, &taken, &trouble);
  int results = why == SS_WHY_NONE ? 0 : ss_push_trouble(L, &trouble);
  lua_pushinteger(L, (lua_Integer)taken);
  return results + 1;
}

/* stream:alive() -> boolean: open at both ends, and nothing to read */
static int stream_alive(lua_State *L)
{
  lua_pushboolean(L, ss_stream_alive(self(L)));
  return 1;
}

static int push_address(lua_State *L, const ss_address *a)
{
  char text[SS_ADDRESS_TEXT];
  ss_address_text(a, text);
  lua_pushstring(L, text);
  if (ss_address_port(a) == 0) return 1;
  lua_pushinteger(L, ss_address_port(a));
  return 2;
}

/* stream:peer() -> address, port | path | nil */
static int stream_peer(lua_State *L)
{
  ss_address peer;
  return ss_stream_peer(self(L), &peer) ? push_address(L, &peer) : 0;
}

/* stream:name() -> our own address, port | path | nil */
static int stream_name(lua_State *L)
{
  ss_address name;
  return ss_stream_name(self(L), &name) ? push_address(L, &name) : 0;
}

/* stream:fd() -> the descriptor, for an event loop to wait for; nil when closed */
static int stream_fd(lua_State *L)
{
  const ss_stream *s = self(L);
  if (!s->open) return 0;
  lua_pushinteger(L, s->fd);
  return 1;
}

/* stream:reset(): closes it with a TCP reset, for tests */
static int stream_reset(lua_State *L)
{
  ss_stream_reset(self(L));
  return 0;
}

static int stream_close(lua_State *L)
{
  ss_stream_close(self(L));
  return 0;
}

void ss_bind_stream(lua_State *L)
{
  static const luaL_Reg methods[] = {
      {"read", stream_read}, {"write", stream_write}, {"alive", stream_alive}, {"peer", stream_peer},
      {"name", stream_name}, {"fd", stream_fd},       {"reset", stream_reset}, {NULL, NULL}};
  ss_register_class(L, SS_STREAM_CLASS, methods, stream_close);
}
