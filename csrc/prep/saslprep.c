/* saslprep: luaopen_smtpsec_saslprep. User names and passwords as both ends must write them to compute the same
 * (SASLprep: RFC 4013), by GNU libidn. It stands in a module of its own, so that only those who have a name or password
 * that is not ASCII load that library.
 *
 * Code points that Unicode 3.2 did not assign are let through: RFC 8265, which replaces RFC 4013, has no such limit, and
 * passwords have emoji in them. The copies that libidn makes for itself cannot be wiped, nor can Lua's. */
#include "base/utf8.h"
#include "base/wipe.h"
#include "lua/check.h"

#include <stringprep.h>
#include <string.h>

enum {
  LONGEST = 9216, /* as long as a SASL mechanism takes it */
  EXPANSION = 11  /* of U+FDFA, the longest there is, by normalization (UAX 15) */
};

static const struct {
  int code;
  const char *text;
} faults[] = {
    {STRINGPREP_CONTAINS_PROHIBITED, "it has a character that may not be in it (RFC 4013, 2.3)"},
    {STRINGPREP_BIDI_BOTH_L_AND_RAL, "it mixes writing from the left and from the right (RFC 4013, 2.4)"},
    {STRINGPREP_BIDI_LEADTRAIL_NOT_RAL,
     "it is written from the right, but does not begin and end so (RFC 4013, 2.4)"},
    {STRINGPREP_MALLOC_ERROR, "it cannot be prepared: no memory"},
};

static int refuse(lua_State *L, const char *why)
{
  lua_pushnil(L);
  lua_pushstring(L, why);
  return 2;
}

static const char *fault_of(int code)
{
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
    if (faults[i].code == code) return faults[i].text;
  return "it cannot be prepared (RFC 4013)";
}

/* Prepares the text in its place, which has this much room, and pushes what became of it. */
static int prepare_in(lua_State *L, char *text, size_t room)
{
  int code = stringprep(text, room, 0, stringprep_saslprep);
  if (code != STRINGPREP_OK) return refuse(L, fault_of(code));
  if (!*text) return refuse(L, "it has nothing in it that counts (RFC 4013, 2.1)");
  lua_pushstring(L, text);
  return 1;
}

/* saslprep.prepare(text) -> text | nil, what is wrong with it, in words that do not show it */
static int prepare(lua_State *L)
{
  size_t n;
  const char *s = luaL_checklstring(L, 1, &n);
  if (n > LONGEST) return refuse(L, "it is too long");
  if (ss_utf8_valid((const uint8_t *)s, n) != n) return refuse(L, "it is not valid UTF-8");
  if (memchr(s, '\0', n)) return refuse(L, "it contains a NUL");
  size_t room = n * EXPANSION + 1;
  char *copy = ss_newuserdata(L, room);
  memcpy(copy, s, n);
  copy[n] = '\0';
  int results = prepare_in(L, copy, room);
  ss_wipe(copy, room);
  return results;
}

SS_EXPORT int luaopen_smtpsec_saslprep(lua_State *L);

int luaopen_smtpsec_saslprep(lua_State *L)
{
  static const luaL_Reg functions[] = {{"prepare", prepare}, {NULL, NULL}};
  lua_newtable(L);
  luaL_setfuncs(L, functions, 0);
  return 1;
}
