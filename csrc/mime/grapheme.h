/* grapheme: what a reader sees as one character (Unicode Standard Annex 29), so that none is torn between two encoded
 * words: a letter with its marks, a flag, a family of emoji, a syllable of jamo.
 *
 * What is joined here may be more than the annex joins, never less of what is in use: to keep two apart that could be
 * parted costs nothing. */
#ifndef SS_GRAPHEME_H
#define SS_GRAPHEME_H

#include <stddef.h>
#include <stdint.h>

/* How far into a text is looked: more than an encoded word holds. */
enum { SS_GRAPHEME_SEEN = 128 };

/* The octets of the grapheme that the text begins with, which is valid UTF-8 and not empty: whole characters. Of what is
 * longer than SS_GRAPHEME_SEEN, no more than that is told. */
size_t ss_grapheme_length(const uint8_t *p, size_t n);

#endif
