/* bind: what the binding files of smtpsec.sock share: the classes that they make, and the few arguments and results
 * that all of them have. Each file adds its functions to the module table on top of the stack and leaves the stack as
 * it was. */
#ifndef SS_SOCK_BIND_H
#define SS_SOCK_BIND_H

#include "lua/check.h"
#include "sock/clock.h"
#include "sock/trouble.h"

#define SS_STREAM_CLASS     "smtpsec.sock.stream"
#define SS_LISTENER_CLASS   "smtpsec.sock.listener"
#define SS_DIAL_CLASS       "smtpsec.sock.dial"
#define SS_RESOLUTION_CLASS "smtpsec.sock.resolution"
#define SS_WATCH_CLASS      "smtpsec.sock.watch"

void ss_bind_stream(lua_State *L);
void ss_bind_listen(lua_State *L);
void ss_bind_dial(lua_State *L);
void ss_bind_resolve(lua_State *L);
void ss_bind_poll(lua_State *L);

/* The seconds at `arg`, and the deadline that lies so far ahead. What is left of a longer step may well be less than
 * nothing: that is no mistake, but no time at all. An argument error where it is not a number. */
double ss_check_seconds(lua_State *L, int arg);
ss_time ss_check_deadline(lua_State *L, int arg);

/* Pushes nil, the reason's name and the sentence. Returns 3, for a binding to return. */
int ss_push_trouble(lua_State *L, const ss_trouble *trouble);

/* The descriptor that sock.poll waits for on behalf of the object at `index`; -1 when it is closed, or when there is
 * none of that class there. */
int ss_stream_descriptor(lua_State *L, int index);
int ss_listener_descriptor(lua_State *L, int index);

#endif
