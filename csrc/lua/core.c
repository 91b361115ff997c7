/* core: luaopen_smtpsec_core, which opens each noun's bindings into one table.
 *
 * A new noun is a new file beside this one and a line in `nouns`. */
#include "lua/check.h"
#include "lua/open.h"
#include "tls/version.h"

static void (*const nouns[])(lua_State *) = {
    ss_lua_open_access,     ss_lua_open_text,    ss_lua_open_token, ss_lua_open_mime,  ss_lua_open_header,
    ss_lua_open_part,       ss_lua_open_plain,   ss_lua_open_dkim,  ss_lua_open_smime, ss_lua_open_tls,
    ss_lua_open_connection, ss_lua_open_charset, ss_lua_open_copy,
};

SS_EXPORT int luaopen_smtpsec_core(lua_State *L);

int luaopen_smtpsec_core(lua_State *L)
{
  const char *other = ss_openssl_mismatch();
  if (other)
    return luaL_error(L,
                      "smtpsec.core was built for OpenSSL %d, but this process runs \"%s\": rebuild smtpsec "
                      "against the OpenSSL of the program that loads it",
                      ss_openssl_built(), other);
  lua_newtable(L);
  for (size_t i = 0; i < sizeof nouns / sizeof *nouns; i++)
    nouns[i](L);
  lua_pushstring(L, ss_openssl_running());
  lua_setfield(L, -2, "openssl");
  return 1;
}
