/* copy: memory for a message that is read twice, written without a Lua string in between: encoders and files write into
 * it, hashes read it, and its pieces become strings when they are sent. */
#ifndef SS_LUA_COPY_H
#define SS_LUA_COPY_H

#include "base/buf.h"

#include <lua.h>

typedef struct ss_copy {
  uint8_t *bytes; /* NULL once closed */
  size_t n, most;
} ss_copy;

/* The copy at `arg`; an argument error where there is none, or a closed one. */
ss_copy *ss_check_copy(lua_State *L, int arg);

/* The same, or NULL where nothing is given. */
ss_copy *ss_opt_copy(lua_State *L, int arg);

/* Appends all of n bytes, or none of them: false where there is no room for them. */
bool ss_copy_add(ss_copy *c, const void *p, size_t n);

/* Lends what is free of it as a buffer, which is full where that ends and is not to be freed. What was written there is
 * in the copy once ss_copy_commit says how much it is. */
ss_buf ss_copy_lend(ss_copy *c);
void ss_copy_commit(ss_copy *c, size_t n);

#endif
