/* tls: the TLS objects that scripts hold, for the bindings that take or give them (tls.c, conn.c). */
#ifndef SS_LUA_TLS_H
#define SS_LUA_TLS_H

#include "tls/tls.h"

#include <lua.h>

/* The context at `arg`, owned by the script: take a reference to keep it. An argument error when it is none, or
 * closed. */
ss_tls_context *ss_lua_check_context(lua_State *L, int arg);

/* Fills *peer from the table at `arg`: server_name, port, verify = "pkix" | "pin" | "none" (PKIX, but optional),
 * optional, pins = { base64, … }. Its strings are owned by the table, its pins by a value that is pushed: keep both on
 * the stack while *peer is used. An error when a field is of the wrong type or a pin is none. */
void ss_lua_check_peer(lua_State *L, int arg, ss_tls_peer *peer);

/* The session at `arg`, owned by the script; NULL when there is something else. */
ss_tls_session *ss_lua_test_session(lua_State *L, int arg);

/* Pushes the newest session of `t`, or nil when it has none to give. */
void ss_lua_push_session(lua_State *L, ss_tls *t);

/* Pushes a table of what is known of `t`: a receipt's `tls` without the fields that belong to the policy. */
void ss_lua_push_facts(lua_State *L, ss_tls *t);

#endif
