/* idna: luaopen_smtpsec_idna. Names of hosts and of mail domains as the network knows them, in ASCII (A-labels: RFC 5890),
 * by libidn2: mapped by UTS 46, not transitional, then held to IDNA 2008. It stands in a module of its own, so that only
 * those who write such a name load that library.
 *
 * What comes out still has to pass the engine's grammar of domains (smtp/mailbox.h): STD3 rules are left to that, because
 * the library drops what they forbid, and what it drops would be another domain. Whether a name looks like another one is
 * not judged. */
#include "base/utf8.h"
#include "lua/check.h"

#include <idn2.h>
#include <string.h>

/* Octets: of any domain as it is written (its labels are at most 63 characters once they are ASCII), and of one in ASCII. */
enum { LONGEST = 1020, LONGEST_ASCII = 255 };

#define STRANGE                                                                                                \
  "has a domain with a character that no domain may have, or with a label after xn-- that no name is written " \
  "as (UTS 46)"

static const struct {
  int code;
  const char *text;
} faults[] = {
    {IDN2_TOO_BIG_DOMAIN, "has a domain of more than 255 octets as A-labels (RFC 5321, 4.5.3.1.2)"},
    {IDN2_TOO_BIG_LABEL, "has a domain with a label of more than 63 octets as an A-label (RFC 1034)"},
    {IDN2_PUNYCODE_BIG_OUTPUT, "has a domain with a label of more than 63 octets as an A-label (RFC 1034)"},
    {IDN2_PUNYCODE_BAD_INPUT, "has a domain with a label after xn-- that is no Punycode (RFC 3492)"},
    {IDN2_PUNYCODE_OVERFLOW, "has a domain with a label after xn-- that is no Punycode (RFC 3492)"},
    {IDN2_ALABEL_ROUNDTRIP_FAILED, STRANGE},
    {IDN2_INVALID_NONTRANSITIONAL, STRANGE},
    {IDN2_INVALID_ALABEL, STRANGE},
    {IDN2_NOT_NFC, STRANGE},
    {IDN2_2HYPHEN, "has a domain label with hyphens in its third and fourth place (RFC 5891, 4.2.3.1)"},
    {IDN2_HYPHEN_STARTEND, "has a domain label that begins or ends with a hyphen"},
    {IDN2_LEADING_COMBINING, "has a domain label that begins with a combining mark (RFC 5891, 4.2.3.2)"},
    {IDN2_CONTEXTJ, "has a domain with a joiner where none may stand (RFC 5892, A.1)"},
    {IDN2_CONTEXTJ_NO_RULE, "has a domain with a joiner where none may stand (RFC 5892, A.1)"},
    {IDN2_CONTEXTO, "has a domain with a character that may not stand beside its neighbours (RFC 5892, A)"},
    {IDN2_CONTEXTO_NO_RULE,
     "has a domain with a character that may not stand beside its neighbours (RFC 5892, A)"},
    {IDN2_BIDI, "has a domain that mixes writing from the left and from the right (RFC 5893)"},
    {IDN2_UNASSIGNED, "has a domain with a character that Unicode did not know when libidn2 was made"},
    {IDN2_DISALLOWED, "has a domain with a character that no domain may have (RFC 5892)"},
    {IDN2_DOT_IN_LABEL, "has a domain with a character that no domain may have (RFC 5892)"},
    {IDN2_MALLOC, "has a domain for whose A-labels there is no memory"},
};

static const char *fault_of(int code)
{
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
    if (faults[i].code == code) return faults[i].text;
  return "has a domain that cannot be written as A-labels (UTS 46)";
}

static int refuse(lua_State *L, const char *why)
{
  lua_pushnil(L);
  lua_pushstring(L, why);
  return 2;
}

static bool is_ascii(const char *s, size_t n)
{
  for (size_t i = 0; i < n; i++)
    if ((unsigned char)s[i] >= 0x80) return false;
  return true;
}

/* Which characters there are, and which of them a domain may have, is more with each Unicode. A label that is ASCII
 * already is looked up as it is, so that is the DNS's question: only its Punycode is judged. */
static bool is_nobodys_fault(int code, bool ascii)
{
  return ascii && (code == IDN2_UNASSIGNED || code == IDN2_DISALLOWED);
}

/* idna.to_ascii(domain) -> the domain in A-labels | nil, what is wrong with it ("has a domain …") */
static int to_ascii(lua_State *L)
{
  size_t n;
  const char *s = luaL_checklstring(L, 1, &n);
  if (n > LONGEST) return refuse(L, fault_of(IDN2_TOO_BIG_DOMAIN));
  if (memchr(s, '\0', n)) return refuse(L, "has a domain with a NUL");
  if (ss_utf8_valid((const uint8_t *)s, n) != n) return refuse(L, "has a domain that is not valid UTF-8");
  uint8_t *made = NULL;
  int code = idn2_lookup_u8((const uint8_t *)s, &made, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
  if (is_nobodys_fault(code, is_ascii(s, n))) {
    lua_settop(L, 1);
    return 1;
  }
  if (code != IDN2_OK) return refuse(L, fault_of(code));
  char ascii[LONGEST_ASCII + 1];
  size_t length = strlen((const char *)made);
  if (length <= LONGEST_ASCII) memcpy(ascii, made, length);
  idn2_free(made); /* before anything is pushed, which may raise */
  if (length > LONGEST_ASCII) return refuse(L, fault_of(IDN2_TOO_BIG_DOMAIN));
  lua_pushlstring(L, ascii, length);
  return 1;
}

SS_EXPORT int luaopen_smtpsec_idna(lua_State *L);

int luaopen_smtpsec_idna(lua_State *L)
{
  static const luaL_Reg functions[] = {{"to_ascii", to_ascii}, {NULL, NULL}};
  lua_newtable(L);
  luaL_setfuncs(L, functions, 0);
  return 1;
}
