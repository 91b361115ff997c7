/* check: what every binding function does first and last, the same on Lua 5.4 and LuaJIT.
 *
 * A Lua error jumps over C cleanup, so a binding checks all its arguments before it acquires anything, and what it
 * acquires lives in a userdata that already exists (ss_new_object). The numeric checks exist because the two Luas
 * differ: 1.5 where an integer is due is an error on one and silently 1 on the other. No protocol in here. */
#ifndef SS_LUA_CHECK_H
#define SS_LUA_CHECK_H

#include "base/status.h"

#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

/* The only symbols that a module shows. */
#define SS_EXPORT __attribute__((visibility("default")))

/* LuaJIT's API is that of Lua 5.1 with some of 5.2: the little that differs is named here, once. */
#if LUA_VERSION_NUM < 502
#define ss_rawlen(L, i)      lua_objlen((L), (i))
#define ss_newuserdata(L, n) lua_newuserdata((L), (n))
#else
#define ss_rawlen(L, i)      lua_rawlen((L), (i))
#define ss_newuserdata(L, n) lua_newuserdatauv((L), (n), 0)
#endif

/* The whole number at `arg`, or an argument error when it is no number, has a fraction or lies outside [lo, hi].
 * Bounds must be exact as doubles (below 2^53). */
lua_Integer ss_check_int(lua_State *L, int arg, lua_Integer lo, lua_Integer hi);

/* Fields of the options table at index `table`. A field that is nil gives NULL, false or `otherwise`; one of another
 * type is an error that names it. A string is owned by the table: it lives as long as the table holds it. */
const char *ss_opt_field_string(lua_State *L, int table, const char *key, size_t *length);
bool ss_opt_field_bool(lua_State *L, int table, const char *key);
lua_Integer ss_opt_field_int(lua_State *L, int table, const char *key, lua_Integer lo, lua_Integer hi,
                             lua_Integer otherwise);

/* As above, but an embedded NUL is an error too: for what C takes as a string (paths, names). */
const char *ss_opt_field_text(lua_State *L, int table, const char *key);

/* The index of the string field `key` among `names` (ended by NULL), `otherwise` where it is nil. */
int ss_opt_field_choice(lua_State *L, int table, const char *key, const char *const names[], int otherwise);

/* Pushes nil, the status's name, the text, and the reason or nil. Returns 4, for a binding to return. */
int ss_push_failure(lua_State *L, const ss_error *e);

/* Pushes a userdata of `size` zeroed bytes that has its metatable: whatever is put into it from here on is released
 * by that metatable's __gc, even when the next line raises. */
void *ss_new_object(lua_State *L, size_t size, const char *metatable);

/* Adds methods to the table on top of the stack, which is __index of the metatable below it. */
void ss_add_methods(lua_State *L, const luaL_Reg *methods);

/* The object at 1 of such a method; an error where there is something else. luaL_checkudata asks the registry by name, and
 * this is asked at every call. */
void *ss_check_self(lua_State *L, const char *metatable);

/* Makes the metatable `name`: methods under __index, `close` as method close, __gc and __close. Leaves the stack as it
 * was. `close` must be idempotent and must only release. */
void ss_register_class(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction close);

#endif
