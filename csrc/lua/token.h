/* token: strings that nobody can guess, drawn from a pool that a module's functions have as an upvalue. */
#ifndef SS_LUA_TOKEN_H
#define SS_LUA_TOKEN_H

#include <lua.h>

/* Hexadecimal digits of a token, for 128 bits. */
enum { SS_TOKEN = 32 };

/* Pushes a new pool. (ss_lua_open_token comes before.) */
void ss_lua_new_pool(lua_State *L);

/* Writes the digits of a new token; an error where the system has no randomness to give. */
void ss_lua_draw_token(lua_State *L, int pool, char to[SS_TOKEN]);

#endif
