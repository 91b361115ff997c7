/* access: who may touch a file, for those that hold secrets. What is thought of it is decided in Lua. */
#include "lua/check.h"
#include "lua/open.h"

#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* core.file_access(path) -> permission bits, its owner's id, ours | nil, true where it is a pipe | nil where it is no
 * regular file, or cannot be looked at: what is wrong then is told by opening it */
static int file_access(lua_State *L)
{
  size_t length;
  struct stat about;
  const char *path = luaL_checklstring(L, 1, &length);
  bool seen = strlen(path) == length && stat(path, &about) == 0;
  if (!seen || !S_ISREG(about.st_mode)) {
    lua_pushnil(L);
    if (!seen || !S_ISFIFO(about.st_mode)) return 1;
    lua_pushboolean(L, true);
    return 2;
  }
  lua_pushinteger(L, (lua_Integer)(about.st_mode & 0777));
  lua_pushinteger(L, (lua_Integer)about.st_uid);
  lua_pushinteger(L, (lua_Integer)geteuid());
  return 3;
}

void ss_lua_open_access(lua_State *L)
{
  static const luaL_Reg functions[] = {{"file_access", file_access}, {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
}
