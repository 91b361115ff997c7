/* file: see file.h. */
#include "mime/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *kind(mode_t mode)
{
  return S_ISDIR(mode) ? "is a directory" : S_ISFIFO(mode) ? "is a FIFO" : "is not a regular file";
}

ss_status ss_file_open(ss_file *f, const char *path, ss_error *e)
{
  struct stat about;
  /* O_NONBLOCK: opening a FIFO that nobody writes to would wait; for a regular file it changes nothing. */
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return ss_fail(e, SS_E_ARGUMENT, "%s", strerror(errno));
  ss_status status = SS_OK;
  if (fstat(fd, &about) != 0)
    status = ss_fail(e, SS_E_ARGUMENT, "%s", strerror(errno));
  else if (!S_ISREG(about.st_mode))
    status = ss_fail(e, SS_E_ARGUMENT, "%s", kind(about.st_mode));
  if (status != SS_OK) {
    close(fd);
    return status;
  }
  *f = (ss_file){.fd = fd, .open = true};
  return SS_OK;
}

ss_status ss_file_identify(const ss_file *f, ss_file_identity *identity, ss_error *e)
{
  struct stat about;
  if (!f->open) return ss_fail(e, SS_E_CLOSED, "the file is closed");
  if (fstat(f->fd, &about) != 0) return ss_fail(e, SS_E_INTERNAL, "%s", strerror(errno));
  *identity = (ss_file_identity){.device = (uint64_t)about.st_dev,
                                 .inode = (uint64_t)about.st_ino,
                                 .size = (uint64_t)about.st_size,
                                 .seconds = (int64_t)about.st_mtim.tv_sec,
                                 .nanoseconds = (int64_t)about.st_mtim.tv_nsec};
  return SS_OK;
}

ss_status ss_file_read(ss_file *f, void *to, size_t n, size_t *got, ss_error *e)
{
  ssize_t count;
  if (!f->open) return ss_fail(e, SS_E_CLOSED, "the file is closed");
  do
    count = read(f->fd, to, n);
  while (count < 0 && errno == EINTR);
  if (count < 0) return ss_fail(e, SS_E_INTERNAL, "%s", strerror(errno));
  *got = (size_t)count;
  return SS_OK;
}

void ss_file_close(ss_file *f)
{
  if (f->open) close(f->fd);
  *f = (ss_file){.fd = -1};
}
