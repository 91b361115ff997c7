/* text: text that is in memory as a whole. Of a header's: whether it may stand there. Of a body: whether it may be
 * sent, what it is made of, which transfer encoding carries it (RFC 2045 section 6), and how it looks in that. */
#ifndef SS_TEXT_H
#define SS_TEXT_H

#include "base/buf.h"
#include "mime/scan.h"

/* Octets in a line of a message, its end not counted (RFC 5322 section 2.1.1); most of a text that is short. */
enum { SS_TEXT_LONGEST_LINE = 998, SS_TEXT_SHORT = 32768 };

/* What makes text unfit for a header, a name, a file name or a parameter. */
typedef enum ss_text_fault {
  SS_TEXT_SOUND,
  SS_TEXT_NOT_UTF8,
  SS_TEXT_CONTROL, /* below a blank, or DEL */
  SS_TEXT_C1       /* U+0080 to U+009F, which UTF-8 spells in two bytes */
} ss_text_fault;

/* The first of these faults that the text has anywhere, and where it has it first. */
ss_text_fault ss_text_find_fault(const uint8_t *p, size_t n, size_t *at);

/* Looks at a text, of which `facts` then tells everything: SS_OK; SS_E_ARGUMENT when it is no UTF-8 or holds a NUL. */
ss_status ss_text_look(const uint8_t *p, size_t n, ss_scan *facts);

/* Appends a text of at most half of SS_CODEC_INPUT octets, its line ends mended, in the encoding of that name. SS_OK;
 * SS_E_ARGUMENT when it holds a NUL, SS_E_FULL or SS_E_MEMORY: what was appended then is of no use. */
ss_status ss_text_write(const uint8_t *p, size_t n, const char *encoding, ss_buf *to);

/* The name of the plainest encoding in which such a text arrives unaltered, through a server that takes 8-bit bodies or
 * one that does not. */
const char *ss_text_encoding(const ss_scan *facts, bool eight_bit);

#endif
