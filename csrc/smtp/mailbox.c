/* mailbox: see mailbox.h. */
#include "smtp/mailbox.h"
#include "base/ascii.h"
#include "base/utf8.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>

/* RFC 5321 section 4.5.3.1; labels by RFC 1035 section 2.3.4. */
enum { MAX_LOCAL = 64, MAX_DOMAIN = 255, MAX_LABEL = 63 };

static bool is_alnum(unsigned char c)
{
  return ss_ascii_digit(c) || ss_ascii_letter(c);
}

static bool is_atext(unsigned char c)
{
  return is_alnum(c) || c >= 0x80 || (c && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/* C1 controls are controls too, though UTF-8 spells them in two bytes. */
static const char *controls(const char *s, size_t n)
{
  for (size_t i = 0; i < n; i++) {
    unsigned char c = (unsigned char)s[i];
    if (c < 0x20 || c == 0x7F) return "contains a control character";
    if (c == 0xC2 && i + 1 < n && (unsigned char)s[i + 1] < 0xA0) return "contains a control character";
  }
  return ss_utf8_valid((const uint8_t *)s, n) == n ? NULL : "is not valid UTF-8";
}

/* Length of the quoted string at s, closing quote included; 0 when it never closes. */
static size_t quoted(const char *s, size_t n)
{
  for (size_t i = 1; i < n; i++) {
    if (s[i] == '"') return i + 1;
    if (s[i] == '\\') i++;
  }
  return 0;
}

static size_t dot_string(const char *s, size_t n)
{
  size_t i = 0;
  while (i < n && (is_atext((unsigned char)s[i]) || s[i] == '.'))
    i++;
  return i;
}

/* Whether there is what is written as an encoded word. None may stand in an address (RFC 2047 section 5), but many readers
 * decode it there, and show another address. */
static bool holds_word(const char *s, size_t n)
{
  const char *end = s + n, *at = memmem(s, n, "=?", 2);
  for (at = at ? at + 2 : end; end - at > 3; at++)
    if (at[0] == '?' && memchr("BbQq", at[1], 4) && at[2] == '?')
      return memmem(at + 3, (size_t)(end - at) - 3, "?=", 2) != NULL;
  return false;
}

static const char *check_local(const char *s, size_t n)
{
  if (n == 0) return "has nothing before the @";
  if (n > MAX_LOCAL) return "has more than 64 octets before the @ (RFC 5321, 4.5.3.1.1)";
  if (holds_word(s, n)) return "has an encoded word before the @, which readers would decode (RFC 2047)";
  if (s[0] == '"') return NULL;
  if (s[0] == '.' || s[n - 1] == '.') return "has a dot at an end of the part before the @";
  for (size_t i = 1; i < n; i++)
    if (s[i] == '.' && s[i - 1] == '.') return "has two dots in a row before the @";
  return NULL;
}

static const char *check_literal(const char *s, size_t n)
{
  char text[INET6_ADDRSTRLEN];
  unsigned char address[16];
  if (n < 3 || s[n - 1] != ']') return "has an address literal without its closing bracket";
  bool six = n > 7 && strncmp(s, "[IPv6:", 6) == 0;
  size_t skip = six ? 6 : 1, length = n - skip - 1;
  if (length < sizeof text && !memchr(s + skip, '\0', length)) {
    memcpy(text, s + skip, length);
    text[length] = '\0';
    if (inet_pton(six ? AF_INET6 : AF_INET, text, address) == 1) return NULL;
  }
  return "has an address literal that is neither [192.0.2.1] nor [IPv6:2001:db8::1]";
}

const char *ss_domain_check(const char *s, size_t n)
{
  if (n == 0) return "has an empty domain";
  if (n > MAX_DOMAIN) return "has a domain of more than 255 octets (RFC 5321, 4.5.3.1.2)";
  if (s[0] == '[') return check_literal(s, n);
  size_t label = 0;
  for (size_t i = 0; i <= n; i++) {
    if (i < n && s[i] != '.') {
      if ((unsigned char)s[i] >= 0x80)
        return "has a domain that is not ASCII: write its A-label form (xn--…)";
      if (!is_alnum((unsigned char)s[i]) && s[i] != '-')
        return "has a domain with a character other than letters, digits, hyphens and dots";
      label++;
      continue;
    }
    if (label == 0) return "has a domain with an empty label";
    if (label > MAX_LABEL) return "has a domain with a label of more than 63 octets";
    if (s[i - 1] == '-' || s[i - label] == '-') return "has a domain label that begins or ends with a hyphen";
    label = 0;
  }
  return NULL;
}

/* Whether a label is not ASCII, or an A-label (RFC 5890 section 2.3.2.1). */
static bool has_idn(const char *s, size_t n)
{
  for (size_t i = 0; i < n; i++) {
    if ((unsigned char)s[i] >= 0x80) return true;
    if (n - i >= 4 && (i == 0 || s[i - 1] == '.') && ss_ascii_same(s + i, 4, "xn--")) return true;
  }
  return false;
}

/* Finds the two parts of it, and judges the first. */
static const char *divide(const char *s, size_t n, ss_mailbox *box)
{
  const char *wrong = controls(s, n);
  if (wrong) return wrong;
  if (n == 0) return "is empty";
  size_t local = s[0] == '"' ? quoted(s, n) : dot_string(s, n);
  if (local == 0 && s[0] == '"') return "has a quoted part that never closes";
  if (local == n) return "has no @";
  if (s[local] != '@') return "has a character before the @ that only a quoted part may hold";
  if ((wrong = check_local(s, local))) return wrong;
  *box = (ss_mailbox){.local_length = local, .domain_start = local + 1};
  for (size_t i = 0; i < local; i++)
    if ((unsigned char)s[i] >= 0x80) box->internationalized = true;
  return NULL;
}

static const char *check_domain(const char *s, size_t n, const ss_mailbox *box)
{
  const char *wrong = ss_domain_check(s + box->domain_start, n - box->domain_start);
  if (wrong) return wrong;
  return n > SS_MAILBOX_LONGEST ? "is longer than 254 octets (RFC 5321, 4.5.3.1.3)" : NULL;
}

const char *ss_mailbox_parse(const char *s, size_t n, ss_mailbox *box)
{
  const char *wrong = divide(s, n, box);
  return wrong ? wrong : check_domain(s, n, box);
}

const char *ss_mailbox_read(const char *s, size_t n, ss_mailbox *box)
{
  const char *wrong = divide(s, n, box);
  if (wrong) return wrong;
  box->idn = has_idn(s + box->domain_start, n - box->domain_start);
  return box->idn ? NULL : check_domain(s, n, box);
}
