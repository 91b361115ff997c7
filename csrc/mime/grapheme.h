/* grapheme: what a reader sees as one character (Unicode Standard Annex 29), so that none is torn between two encoded
 * words: a letter with its marks, a flag, a family of emoji, a syllable of jamo.
 *
 * What is joined here may be more than the annex joins, never less of what is in use: to keep two apart that could be
 * parted costs nothing. */
#ifndef SS_GRAPHEME_H
#define SS_GRAPHEME_H

#include <stddef.h>
#include <stdint.h>

/* The octets of the grapheme that the text begins with, which is valid UTF-8 and not empty: at least a character. It is
 * not looked at beyond `most` octets: what is longer is only known to be. */
size_t ss_grapheme_length(const uint8_t *p, size_t n, size_t most);

#endif
