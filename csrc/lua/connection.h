/* connection: what the three files with a connection's methods share. */
#ifndef SS_LUA_CONNECTION_H
#define SS_LUA_CONNECTION_H

#include "smtpsec.h"

#include <lua.h>

/* The connection at 1, which its userdata owns; an error when there is something else, or it is closed. */
ss_conn *ss_lua_check_connection(lua_State *L);

/* What a command came to: its tag, or a failure. Returns the number of values pushed. */
int ss_lua_push_tag(lua_State *L, int64_t tag, const ss_error *e);

/* Adds the methods of command.c and login.c: ss_add_methods (check.h). */
void ss_lua_add_commands(lua_State *L);
void ss_lua_add_login(lua_State *L);

/* Pushes the list of mechanisms, strongest first: { name, user, password, token, certificate (what it needs), binds, prepares,
 * only_named }. */
void ss_lua_push_mechanisms(lua_State *L);

#endif
