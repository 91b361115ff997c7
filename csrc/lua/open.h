/* open: what core.c opens. Each adds its functions to the module table on top of the stack and leaves the stack as it
 * was. */
#ifndef SS_LUA_OPEN_H
#define SS_LUA_OPEN_H

#include <lua.h>

void ss_lua_open_access(lua_State *L);
void ss_lua_open_text(lua_State *L);
void ss_lua_open_token(lua_State *L);
void ss_lua_open_mime(lua_State *L);
void ss_lua_open_copy(lua_State *L);
void ss_lua_open_charset(lua_State *L);
void ss_lua_open_header(lua_State *L);
void ss_lua_open_part(lua_State *L);
void ss_lua_open_plain(lua_State *L);
void ss_lua_open_dkim(lua_State *L);
void ss_lua_open_smime(lua_State *L);
void ss_lua_open_tls(lua_State *L);
void ss_lua_open_connection(lua_State *L);

#endif
