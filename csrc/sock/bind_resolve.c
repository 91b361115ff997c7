/* bind_resolve: sock.resolve, for an event loop that connects by itself but cannot look names up without blocking. */
#include "sock/bind.h"
#include "sock/resolve.h"

#include <string.h>

typedef struct holder {
  ss_resolution *resolution; /* owned; NULL when closed */
} holder;

static holder *self(lua_State *L)
{
  return luaL_checkudata(L, 1, SS_RESOLUTION_CLASS);
}

/* sock.resolve(host) -> resolution | nil, "dns", text */
static int resolve(lua_State *L)
{
  size_t n;
  const char *host = luaL_checklstring(L, 1, &n);
  luaL_argcheck(L, strlen(host) == n, 1, "contains a NUL");
  ss_trouble trouble;
  holder *h = ss_new_object(L, sizeof *h, SS_RESOLUTION_CLASS);
  h->resolution = ss_resolution_start(host, 0, &trouble);
  return h->resolution ? 1 : ss_push_trouble(L, &trouble);
}

/* resolution:step() -> a list of numeric addresses in the order to try them | nil, "again" | "dns", text. Never
 * waits. */
static int resolution_step(lua_State *L)
{
  const holder *h = self(L);
  luaL_argcheck(L, h->resolution, 1, "this resolution was closed");
  ss_addresses found;
  ss_trouble trouble;
  ss_why why = ss_resolution_step(h->resolution, &found, &trouble);
  if (why == SS_WHY_AGAIN) ss_trouble_set(&trouble, why, "not resolved yet");
  if (why != SS_WHY_NONE) return ss_push_trouble(L, &trouble);
  lua_newtable(L);
  for (size_t i = 0; i < found.count; i++) {
    char text[SS_ADDRESS_TEXT];
    ss_address_text(&found.at[i], text);
    lua_pushstring(L, text);
    lua_rawseti(L, -2, (int)i + 1);
  }
  return 1;
}

static int resolution_close(lua_State *L)
{
  holder *h = self(L);
  ss_resolution_drop(h->resolution);
  h->resolution = NULL;
  return 0;
}

void ss_bind_resolve(lua_State *L)
{
  static const luaL_Reg functions[] = {{"resolve", resolve}, {NULL, NULL}};
  static const luaL_Reg methods[] = {{"step", resolution_step}, {NULL, NULL}};
  ss_register_class(L, SS_RESOLUTION_CLASS, methods, resolution_close);
  luaL_setfuncs(L, functions, 0);
}
