/* sock: luaopen_smtpsec_sock. Sockets for scripts without an event loop, and the parts that drivers for event loops
 * are made of. It knows nothing of SMTP or TLS, and the engine knows nothing of it.
 *
 * A new noun is a file of its own, its binding bind_<noun>.c, and a line in `nouns`. */
#include "sock/bind.h"
#include "sock/resolve.h"

#include <math.h>
#include <unistd.h>

static void (*const nouns[])(lua_State *) = {
    ss_bind_stream, ss_bind_listen, ss_bind_dial, ss_bind_resolve, ss_bind_poll,
};

double ss_check_seconds(lua_State *L, int arg)
{
  lua_Number seconds = luaL_checknumber(L, arg);
  luaL_argcheck(L, !isnan(seconds), arg, "a number of seconds expected, not NaN");
  return seconds;
}

ss_time ss_check_deadline(lua_State *L, int arg)
{
  return ss_clock_after(ss_check_seconds(L, arg));
}

int ss_push_trouble(lua_State *L, const ss_trouble *trouble)
{
  lua_pushnil(L);
  lua_pushstring(L, ss_why_name(trouble->why));
  lua_pushstring(L, trouble->text);
  return 3;
}

/* sock.now() -> seconds on a clock that only moves forward, for measuring */
static int now(lua_State *L)
{
  lua_pushnumber(L, ss_clock_seconds(ss_clock_now()));
  return 1;
}

/* sock.hostname() -> what the machine calls itself | nil */
static int hostname(lua_State *L)
{
  char name[SS_HOST_MAX + 1] = {0};
  if (gethostname(name, sizeof name - 1) != 0) return 0;
  lua_pushstring(L, name);
  return 1;
}

/* sock.process() -> the number of this process, which one that was forked does not have */
static int process(lua_State *L)
{
  lua_pushinteger(L, (lua_Integer)getpid());
  return 1;
}

SS_EXPORT int luaopen_smtpsec_sock(lua_State *L);

int luaopen_smtpsec_sock(lua_State *L)
{
  static const luaL_Reg functions[] = {
      {"now", now}, {"hostname", hostname}, {"process", process}, {NULL, NULL}};
  lua_newtable(L);
  luaL_setfuncs(L, functions, 0);
  for (size_t i = 0; i < sizeof nouns / sizeof *nouns; i++)
    nouns[i](L);
  return 1;
}
