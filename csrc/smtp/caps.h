/* caps: what the server offered in its last EHLO (RFC 5321 section 4.1.1.1), and nothing older.
 *
 * Keywords are compared whole and without regard to case; the first line, which is the server's name and free text, is
 * never searched. Rules about when an extension may be used live in the verb and parameter tables. */
#ifndef SS_CAPS_H
#define SS_CAPS_H

#include "base/buf.h"

typedef struct ss_caps {
  ss_buf text;               /* the EHLO reply's lines, '\n' between them */
  bool known;                /* an EHLO or HELO was answered on this connection as it is now */
  bool pipelining, chunking; /* asked for at every command, so they are looked up once */
  bool without_pipelining, without_chunking; /* whatever the server says: it was found to break on them */
} ss_caps;

/* One keyword with its parameters; both point into the ss_caps they came from. */
typedef struct ss_keyword {
  const char *name, *params;
  size_t name_length, params_length;
} ss_keyword;

typedef struct ss_word {
  const char *text;
  size_t length;
} ss_word;

void ss_caps_init(ss_caps *c);
void ss_caps_free(ss_caps *c);

/* Forgets everything that the server said, as after STARTTLS (RFC 3207 section 4.2). */
void ss_caps_forget(ss_caps *c);

/* Takes the text of a positive EHLO reply, or of a HELO reply (`extended` false: then nothing is offered). SS_OK or
 * SS_E_MEMORY. */
ss_status ss_caps_learn(ss_caps *c, const char *text, size_t n, bool extended);

/* The server's name as it gave it: the first word of the reply. *n is 0 when there is none. */
const char *ss_caps_server(const ss_caps *c, size_t *n);

/* Walks the keywords: *position starts at 0. False at the end. Lines that are no keyword are passed over. */
bool ss_caps_next(const ss_caps *c, size_t *position, ss_keyword *k);

/* Finds a keyword; k may be NULL. */
bool ss_caps_find(const ss_caps *c, const char *name, ss_keyword *k);

/* Whether a keyword is offered with `word` among its parameters (AUTH PLAIN). */
bool ss_caps_offers(const ss_caps *c, const char *name, const char *word);

/* Walks the parameters of a keyword: *position starts at 0. False at the end. */
bool ss_caps_next_param(const ss_keyword *k, size_t *position, ss_word *word);

/* The number that n bytes begin with, saturating; 0 when they begin with none. */
uint64_t ss_caps_number(const char *p, size_t n);

/* A limit that LIMITS declares (RFC 9422): "RCPTMAX", "MAILMAX", "RCPTDOMAINMAX"; 1 to 999999. False when there is none
 * that is well-formed: the others are to be ignored. */
bool ss_caps_limit(const ss_caps *c, const char *name, unsigned *value);

#endif
