/* password: see password.h. */
#include "tls/password.h"

#include <string.h>

int ss_password_give(char *to, int size, int writing, void *userdata)
{
  (void)writing;
  ss_password_prompt *prompt = userdata;
  if (prompt) prompt->asked = true;
  size_t n = prompt && prompt->password ? strlen(prompt->password) : 0;
  if (n == 0 || n > (size_t)size) return -1;
  memcpy(to, prompt->password, n);
  return (int)n;
}
