/* base64_lines: the part of the encoding that a large attachment spends its time in: whole lines of base64, each behind
 * the line end of the one before it. Every kernel gives the same bytes; which one is used depends on the processor that
 * runs it, never on the one that compiled it. What is no whole line is base64.c's. */
#ifndef SS_BASE64_LINES_H
#define SS_BASE64_LINES_H

#include <stddef.h>
#include <stdint.h>

/* Characters in a line; bytes that make one; characters written for it, the CRLF before it included. */
enum { SS_BASE64_LINE = 76, SS_BASE64_LINE_TAKES = 57, SS_BASE64_LINE_WRITES = 78 };

/* Writes as many whole lines as it makes of n bytes, and returns how many those are: no more than n holds, and perhaps
 * fewer. It reads the n bytes only. */
typedef size_t ss_base64_lines(uint8_t *to, const uint8_t *from, size_t n);

/* For any processor: every line that n holds. */
ss_base64_lines ss_base64_lines_portable;

/* For x86 processors with AVX2. NULL where there is none, or this one lacks it. */
ss_base64_lines *ss_base64_lines_avx2(void);

/* The fastest that this processor has. */
ss_base64_lines *ss_base64_lines_best(void);

#endif
