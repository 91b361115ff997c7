/* kernel: how fast base64 can be here: the kernel that the library has chosen, from one attachment in memory to all of its
 * lines in memory, and nothing around it.
 *
 *   kernel mails= warm= size= (bytes of an attachment) */
#include "common.h"
#include "mime/base64_lines.h"

int main(int argc, char **argv)
{
  (void)argc;
  bench_arguments = argv;
  long mails = number("mails", 100), warm = number("warm", 1);
  size_t n = (size_t)number("size", 1000000);
  uint8_t *from = malloc(n), *to = malloc((n / SS_BASE64_LINE_TAKES + 1) * SS_BASE64_LINE_WRITES);
  if (!from || !to) fail("no memory");
  for (size_t i = 0; i < n; i++)
    from[i] = (uint8_t)(i * 2654435761U >> 13);
  ss_base64_lines *kernel = ss_base64_lines_best();
  double before = 0;
  for (long i = -warm; i < mails; i++) {
    if (i == 0) before = cpu();
    if (kernel(to, from, n) + 1 < n / SS_BASE64_LINE_TAKES) fail("lines are missing");
  }
  printf("mails=%ld cpu=%.6f\n", mails, cpu() - before);
  return 0;
}
