/* charset: a charset that Lua holds, as the bindings that write in it take it. */
#ifndef SS_LUA_CHARSET_H
#define SS_LUA_CHARSET_H

#include "mime/charset.h"

#include <lua.h>

/* The charset at `arg`, or NULL where there is none. */
const ss_charset *ss_lua_opt_charset(lua_State *L, int arg);

#endif
