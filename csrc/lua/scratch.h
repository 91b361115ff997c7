/* scratch: the buffer in which a binding builds a string before it pushes it, kept from one call to the next, so that a
 * string costs no allocation but its own. It is an upvalue of the functions that use it, one of each module's own. */
#ifndef SS_LUA_SCRATCH_H
#define SS_LUA_SCRATCH_H

#include "base/buf.h"

#include <lauxlib.h>
#include <lua.h>

/* Adds the functions to the table on top of the stack, with a scratch that they share. */
void ss_scratch_functions(lua_State *L, const luaL_Reg *functions);

/* The calling function's scratch, empty. */
ss_buf *ss_scratch(lua_State *L);

/* Pushes what is in it as a string, and empties it. Returns 1, for a binding to return. */
int ss_scratch_push(lua_State *L, ss_buf *scratch);

#endif
