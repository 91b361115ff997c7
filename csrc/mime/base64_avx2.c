/* base64_avx2: 24 bytes to 32 characters at a time (W. Muła, D. Lemire, "Faster Base64 Encoding and Decoding Using AVX2
 * Instructions", 2018). Compiled for any x86, run only where the processor has it. */
#include "mime/base64_lines.h"

#if defined(__x86_64__) || defined(__i386__)

#include <immintrin.h>
#include <string.h>

#define AVX2 __attribute__((target("avx2")))

/* A line is three blocks; the last one begins three groups early, inside the second, and writes the same there again. */
enum {
  BLOCK_TAKES = 24,
  BLOCK_WRITES = 32,
  LAST_TAKES = SS_BASE64_LINE_TAKES - BLOCK_TAKES,
  LAST_WRITES = SS_BASE64_LINE - BLOCK_WRITES
};

/* Bytes that a block reads behind its own. */
enum { READS_ON = 4 };

/* The sixteen bytes at p, of which twelve are used, in each half. */
AVX2 static inline __m256i load(const uint8_t *p)
{
  __m128i low = _mm_loadu_si128((const __m128i *)(const void *)p);
  __m128i high = _mm_loadu_si128((const __m128i *)(const void *)(p + BLOCK_TAKES / 2));
  return _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
}

/* Three bytes to four numbers below 64, each in a byte. */
AVX2 static inline __m256i split(__m256i in)
{
  const __m256i order = _mm256_setr_epi8(1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10, 1, 0, 2, 1, 4, 3,
                                         5, 4, 7, 6, 8, 7, 10, 9, 11, 10);
  in = _mm256_shuffle_epi8(in, order);
  __m256i odd =
      _mm256_mulhi_epu16(_mm256_and_si256(in, _mm256_set1_epi32(0x0fc0fc00)), _mm256_set1_epi32(0x04000040));
  __m256i even =
      _mm256_mullo_epi16(_mm256_and_si256(in, _mm256_set1_epi32(0x003f03f0)), _mm256_set1_epi32(0x01000010));
  return _mm256_or_si256(odd, even);
}

/* The character of each number: a table says what to add, by the range that the number is in. */
AVX2 static inline __m256i spell(__m256i numbers)
{
  const __m256i add = _mm256_setr_epi8('a' - 26, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52,
                                       '0' - 52, '0' - 52, '0' - 52, '0' - 52, '+' - 62, '/' - 63, 'A', 0, 0,
                                       'a' - 26, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52,
                                       '0' - 52, '0' - 52, '0' - 52, '0' - 52, '+' - 62, '/' - 63, 'A', 0, 0);
  __m256i range = _mm256_subs_epu8(numbers, _mm256_set1_epi8(51));
  __m256i capital = _mm256_cmpgt_epi8(_mm256_set1_epi8(26), numbers);
  range = _mm256_or_si256(range, _mm256_and_si256(capital, _mm256_set1_epi8(13)));
  return _mm256_add_epi8(numbers, _mm256_shuffle_epi8(add, range));
}

AVX2 static inline void block(uint8_t *to, const uint8_t *from)
{
  _mm256_storeu_si256((__m256i *)(void *)to, spell(split(load(from))));
}

AVX2 static inline void line(uint8_t *to, const uint8_t *from)
{
  to[0] = '\r';
  to[1] = '\n';
  to += 2;
  block(to, from);
  block(to + BLOCK_WRITES, from + BLOCK_TAKES);
  block(to + LAST_WRITES, from + LAST_TAKES);
}

AVX2 static size_t encode(uint8_t *to, const uint8_t *from, size_t n)
{
  size_t all = n / SS_BASE64_LINE_TAKES, safe = n < READS_ON ? 0 : (n - READS_ON) / SS_BASE64_LINE_TAKES;
  for (size_t i = 0; i < safe; i++)
    line(to + i * SS_BASE64_LINE_WRITES, from + i * SS_BASE64_LINE_TAKES);
  if (safe < all) { /* one line, behind which there is too little to read */
    uint8_t copy[SS_BASE64_LINE_TAKES + READS_ON] = {0};
    memcpy(copy, from + safe * SS_BASE64_LINE_TAKES, SS_BASE64_LINE_TAKES);
    line(to + safe * SS_BASE64_LINE_WRITES, copy);
  }
  return all;
}

ss_base64_lines *ss_base64_lines_avx2(void)
{
  return __builtin_cpu_supports("avx2") ? encode : NULL;
}

#else

ss_base64_lines *ss_base64_lines_avx2(void)
{
  return NULL;
}

#endif
