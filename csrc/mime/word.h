/* word: encoded words, RFC 2047: text that a header cannot hold as it is.
 *
 * A word is at most 75 characters and holds whole characters only (section 5: each word must decode on its own),
 * and whole graphemes where they are not longer than a word: some readers show each word by itself.
 * The set of characters that the Q encoding leaves alone is the narrow one that is right in phrases too (section 5 (3)),
 * so that one encoder serves subjects and names. */
#ifndef SS_WORD_H
#define SS_WORD_H

#include "mime/charset.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longest encoded word, and the shortest room in which any single character still fits. */
enum {
  SS_WORD_FRAME = 12 /* "=?UTF-8?B?" and "?=" */,
  SS_WORD_LONGEST = 75,
  SS_WORD_SHORTEST = SS_WORD_FRAME + 12
};

typedef struct ss_word {
  size_t takes;  /* bytes of the text that are in it */
  size_t length; /* characters of the word */
  char text[SS_WORD_LONGEST];
} ss_word;

/* Whether text must be encoded to arrive as it was typed: it is not ASCII, or a reader could take a part of it for an
 * encoded word. */
bool ss_word_needed(const uint8_t *p, size_t n);

/* The encoding that makes the text shorter: 'B' or 'Q'; 'B' too where a grapheme in Q is longer than a word. */
char ss_word_shorter(const uint8_t *p, size_t n);

/* Encodes as many graphemes of the text, which is valid UTF-8 and not empty, as one word of at most `room` characters
 * holds; where there is no room for the first of them, as many of its characters if `torn`, else none. room is
 * SS_WORD_SHORTEST or more, and more than SS_WORD_LONGEST is not used. Returns whether the word holds something. */
bool ss_word_encode(ss_word *word, const uint8_t *p, size_t n, char encoding, size_t room, bool torn);

/* The same in another charset, by the B encoding: nothing is taken where the charset does not have the first character. */
void ss_word_encode_in(ss_word *word, const ss_charset *c, const uint8_t *p, size_t n, size_t room);

/* The shortest room in which any single character fits, in that charset. */
size_t ss_word_shortest_in(const ss_charset *c);

#endif
