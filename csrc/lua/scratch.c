/* scratch: see scratch.h. */
#include "lua/scratch.h"
#include "lua/check.h"

#define SCRATCH "smtpsec.scratch"

/* Most bytes of a string that is built here; most that are kept for the next one. */
enum { MOST = 1 << 30, KEPT = 1 << 18 };

static int scratch_close(lua_State *L)
{
  ss_buf_free(luaL_checkudata(L, 1, SCRATCH));
  return 0;
}

void ss_scratch_functions(lua_State *L, const luaL_Reg *functions)
{
  static const luaL_Reg methods[] = {{NULL, NULL}};
  ss_register_class(L, SCRATCH, methods, scratch_close);
  ss_buf_init(ss_new_object(L, sizeof(ss_buf), SCRATCH), MOST);
  luaL_setfuncs(L, functions, 1);
}

ss_buf *ss_scratch(lua_State *L)
{
  ss_buf *scratch = lua_touserdata(L, lua_upvalueindex(1));
  ss_buf_clear(scratch); /* what a call that raised has left */
  return scratch;
}

int ss_scratch_push(lua_State *L, ss_buf *scratch)
{
  lua_pushlstring(L, (const char *)ss_buf_data(scratch), ss_buf_len(scratch));
  if (scratch->size > KEPT)
    ss_buf_free(scratch);
  else
    ss_buf_clear(scratch);
  return 1;
}
