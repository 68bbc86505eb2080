/* SPDX-License-Identifier: MIT */
/* file.c - temporary files: how they are made, and their content. */
#include "file.h"
#include "error.h"
#include <stdlib.h>
#include <string.h>

int mf_file_check(const mayfly_file *file, const char *function) {
  if (file == NULL)
    return mf_fail(MAYFLY_EINVAL, "%s: file is NULL", function);
  if (file->named.path != NULL && file->named.fd == MAYFLY_NO_FD)
    return mf_fail(MAYFLY_EBADF, "%s: %s was released", function, file->named.path);
  return 0;
}

int64_t mf_file_say_which(const mayfly_file *file, int64_t result) {
  if (result >= 0)
    return result;
  return mf_fail_in((int)result, "%s", file->named.path != NULL ? file->named.path : "a file without a name");
}

/* ---- making ---- */

static mayfly_file *new_file(unsigned flags) {
  mayfly_file *file = malloc(sizeof *file); /* which, unlike calloc, takes what was just freed */
  if (file == NULL) {
    mf_fail(MAYFLY_ENOMEM, "make a temporary file: no memory");
    return NULL;
  }
  *file = (mayfly_file){.named.fd = MAYFLY_NO_FD, .flags = flags};
  return file;
}

static int make_file(void *context, const char *path) {
  return mf_os_file_create(path, 0, context, NULL);
}

int mayfly_mkstemp(const mayfly_temp_options *options, mayfly_os_fd *fd, char **path) {
  struct mf_template template;
  if (fd == NULL || path == NULL)
    return mf_fail(MAYFLY_EINVAL, "mayfly_mkstemp: %s is NULL", fd == NULL ? "fd" : "path");
  int result = mf_template_from_options(options, 0, &template);
  if (result < 0)
    return result;
  result = mf_template_try(&template, make_file, fd);
  if (result == 0)
    *path = template.path;
  else
    mf_template_clear(&template);
  return result;
}

static int make_and_unname(void *context, const char *path) {
  mayfly_os_fd made, *fd = context;
  int result = mf_os_file_create(path, MF_OS_FILE_DELETE_ON_CLOSE, &made, NULL);
  if (result < 0)
    return result;
  result = mf_os_file_unname(made, path);
  if (result == 0)
    *fd = made;
  else
    mf_os_fd_close(made);
  return result;
}

static int make_unnamed_by_name(struct mf_template *template, mayfly_os_fd *fd) {
  int result = mf_registry_begin();
  if (result < 0)
    return result;
  result = mf_template_try(template, make_and_unname, fd);
  mf_registry_end(NULL);
  return result;
}

static int make_unnamed(struct mf_template *template, mayfly_os_fd *fd) {
  char *end = template->path + template->directory_size, cut = *end;
  *end = '\0';
  int result = mf_os_file_create_unnamed(template->path, fd);
  *end = cut;
  return result == MAYFLY_ENOTSUP ? make_unnamed_by_name(template, fd) : result;
}

static int make_anonymous(struct mf_template *template, mayfly_os_fd *fd) {
  int in_memory = (template->flags & MAYFLY_TEMP_MEMORY) != 0;
  int result = in_memory ? mf_os_file_create_in_memory(fd) : MAYFLY_ENOTSUP;
  return result == MAYFLY_ENOTSUP ? make_unnamed(template, fd) : result;
}

int mayfly_temporary_file(const mayfly_temp_options *options, mayfly_file **file) {
  struct mf_template template;
  if (file == NULL)
    return mf_fail(MAYFLY_EINVAL, "mayfly_temporary_file: file is NULL");
  int result = mf_template_from_options(options, MAYFLY_TEMP_MEMORY, &template);
  if (result < 0)
    return result;
  mayfly_file *made = new_file(template.flags);
  result = made != NULL ? make_anonymous(&template, &made->named.fd) : MAYFLY_ENOMEM;
  mf_template_clear(&template);
  if (result == 0)
    *file = made;
  else
    free(made);
  return result;
}

static int make_named(const mayfly_temp_options *options, mayfly_file **file) {
  const unsigned outlives = MAYFLY_TEMP_KEEP | MAYFLY_TEMP_REOPENABLE; /* its descriptor, perhaps */
  struct mf_template template;
  int result = mf_template_from_options(options, outlives | MAYFLY_TEMP_CRASH_SAFE, &template);
  if (result < 0)
    return result;
  mayfly_file *made = new_file(template.flags);
  unsigned flags = (template.flags & outlives) == 0 ? MF_OS_FILE_DELETE_ON_CLOSE : 0;
  int kept = (template.flags & MAYFLY_TEMP_KEEP) != 0;
  result = made != NULL ? mf_named_file_create(&template, flags, kept, &made->named) : MAYFLY_ENOMEM;
  mf_template_clear(&template);
  if (result == 0)
    *file = made;
  else
    free(made);
  return result;
}

/* In flight from before the process's own directory is there, which a cleanup would take from under it. */
int mayfly_named_temporary_file(const mayfly_temp_options *options, mayfly_file **file) {
  if (file == NULL)
    return mf_fail(MAYFLY_EINVAL, "mayfly_named_temporary_file: file is NULL");
  int result = mf_registry_begin();
  if (result < 0)
    return result;
  result = make_named(options, file);
  mf_registry_end(NULL);
  return result;
}

/* Many are never more than a few bytes in memory: with all defaults nothing is looked for before it has to be. */
int mayfly_spooled_temporary_file(const mayfly_temp_options *options, size_t max_size, mayfly_file **file) {
  struct mf_template template = {.path = NULL};
  if (file == NULL)
    return mf_fail(MAYFLY_EINVAL, "mayfly_spooled_temporary_file: file is NULL");
  int result = options != NULL ? mf_template_from_options(options, 0, &template) : 0;
  if (result < 0)
    return result;
  mayfly_file *made = new_file(0);
  if (made == NULL) {
    mf_template_clear(&template);
    return MAYFLY_ENOMEM;
  }
  made->template = template;
  made->in_memory = 1;
  made->spool.max = max_size > 0 ? max_size : SIZE_MAX;
  *file = made;
  return 0;
}

/* ---- from memory to a file ---- */

/* With `data` written to it as well; what can't be written changes nothing. */
static int roll_over_with(mayfly_file *file, const void *data, size_t size, int64_t offset) {
  mayfly_os_fd fd = MAYFLY_NO_FD;
  int result = file->template.path == NULL ? mf_template_from_options(NULL, 0, &file->template) : 0;
  if (result == 0)
    result = make_unnamed(&file->template, &fd);
  if (result < 0)
    return result;
  result = mf_os_file_write_at(fd, file->spool.bytes, file->spool.size, 0);
  if (result == 0)
    result = mf_os_file_write_at(fd, data, size, offset);
  if (result < 0) {
    mf_os_fd_close(fd);
    return mf_fail_in(result, "roll a spooled file over");
  }
  file->named.fd = fd;
  file->in_memory = 0;
  mf_spool_clear(&file->spool);
  mf_template_clear(&file->template);
  return 0;
}

int mf_file_roll_over(mayfly_file *file) {
  return file->in_memory ? roll_over_with(file, NULL, 0, 0) : 0;
}

int mayfly_file_rollover(mayfly_file *file) {
  int result = mf_file_check(file, "mayfly_file_rollover");
  return result < 0 ? result : mf_file_roll_over(file);
}

int mayfly_file_rolled(const mayfly_file *file) {
  if (file == NULL)
    return mf_fail(MAYFLY_EINVAL, "mayfly_file_rolled: file is NULL");
  return !file->in_memory;
}

/* ---- reading and writing ---- */

static int check_range(const char *function, const void *data, size_t size, int64_t offset) {
  if (data == NULL && size > 0)
    return mf_fail(MAYFLY_EINVAL, "%s: %zu bytes at NULL", function, size);
  if (offset < 0)
    return mf_fail(MAYFLY_EINVAL, "%s: an offset of %lld", function, (long long)offset);
  return 0;
}

static int check_written(const char *function, const void *data, size_t size, int64_t offset) {
  int result = check_range(function, data, size, offset);
  if (result == 0 && size > (uint64_t)(INT64_MAX - offset))
    return mf_fail(MAYFLY_EINVAL, "%s: %zu bytes at %lld end where no file does", function, size, (long long)offset);
  return result;
}

static int64_t read_at(const mayfly_file *file, void *buffer, size_t size, int64_t offset) {
  if (size > (uint64_t)(INT64_MAX - offset)) /* which is behind any end, and to the system an error */
    size = (size_t)(INT64_MAX - offset);
  if (file->in_memory)
    return (int64_t)mf_spool_read_at(&file->spool, buffer, size, offset);
  return size == 0 ? 0 : mf_file_say_which(file, mf_os_file_read_at(file->named.fd, buffer, size, offset));
}

static int write_at(mayfly_file *file, const void *data, size_t size, int64_t offset) {
  if (!file->in_memory)
    return (int)mf_file_say_which(file, mf_os_file_write_at(file->named.fd, data, size, offset));
  if (!mf_spool_holds(&file->spool, offset, size))
    return roll_over_with(file, data, size, offset);
  int result = mf_spool_write_at(&file->spool, data, size, offset);
  return result == 0 ? 0 : mf_fail(result, "write %zu bytes to a spooled file: no memory", size);
}

int64_t mayfly_file_read(mayfly_file *file, void *buffer, size_t size) {
  int result = mf_file_check(file, "mayfly_file_read");
  if (result == 0)
    result = check_range("mayfly_file_read", buffer, size, 0);
  if (result < 0)
    return result;
  int64_t count = read_at(file, buffer, size, file->position);
  if (count > 0)
    file->position += count;
  return count;
}

int64_t mayfly_file_pread(mayfly_file *file, void *buffer, size_t size, int64_t offset) {
  int result = mf_file_check(file, "mayfly_file_pread");
  if (result == 0)
    result = check_range("mayfly_file_pread", buffer, size, offset);
  return result < 0 ? result : read_at(file, buffer, size, offset);
}

int mayfly_file_write(mayfly_file *file, const void *data, size_t size) {
  int result = mf_file_check(file, "mayfly_file_write");
  if (result == 0)
    result = check_written("mayfly_file_write", data, size, file->position);
  if (result == 0)
    result = write_at(file, data, size, file->position);
  if (result == 0)
    file->position += (int64_t)size;
  return result;
}

int mayfly_file_pwrite(mayfly_file *file, const void *data, size_t size, int64_t offset) {
  int result = mf_file_check(file, "mayfly_file_pwrite");
  if (result == 0)
    result = check_written("mayfly_file_pwrite", data, size, offset);
  return result < 0 ? result : write_at(file, data, size, offset);
}

/* In pieces: a line is mostly much shorter than the room for it. */
static int64_t read_line(const mayfly_file *file, char *buffer, size_t room) {
  enum { PIECE = 512 };
  size_t used = 0;
  const char *newline = NULL;
  while (used < room && newline == NULL) {
    size_t size = room - used < PIECE ? room - used : PIECE;
    int64_t count = read_at(file, buffer + used, size, file->position + (int64_t)used);
    if (count < 0)
      return count;
    if (count == 0)
      break;
    newline = memchr(buffer + used, '\n', (size_t)count);
    used = newline != NULL ? (size_t)(newline + 1 - buffer) : used + (size_t)count;
  }
  return (int64_t)used;
}

int64_t mayfly_file_readline(mayfly_file *file, char *buffer, size_t size) {
  int result = mf_file_check(file, "mayfly_file_readline");
  if (result < 0)
    return result;
  if (buffer == NULL || size < 2)
    return mf_fail(MAYFLY_EINVAL, "mayfly_file_readline: no room for a byte and a NUL");
  int64_t count = read_line(file, buffer, size - 1);
  if (count < 0)
    return count;
  buffer[count] = '\0';
  file->position += count;
  return count;
}

/* ---- position and size ---- */

static int64_t size_of(const mayfly_file *file) {
  return file->in_memory ? (int64_t)file->spool.size : mf_file_say_which(file, mf_os_file_size(file->named.fd));
}

static int64_t base_of(const mayfly_file *file, int whence) {
  switch (whence) {
  case SEEK_SET:
    return 0;
  case SEEK_CUR:
    return file->position;
  case SEEK_END:
    return size_of(file);
  default:
    return mf_fail(MAYFLY_EINVAL, "mayfly_file_seek: whence is %d", whence);
  }
}

int64_t mayfly_file_seek(mayfly_file *file, int64_t offset, int whence) {
  int result = mf_file_check(file, "mayfly_file_seek");
  int64_t base = result < 0 ? result : base_of(file, whence);
  if (base < 0)
    return base;
  if (offset > INT64_MAX - base || offset < -base)
    return mf_fail(MAYFLY_EINVAL, "mayfly_file_seek: %lld from %lld leads out of any file", (long long)offset,
                   (long long)base);
  file->position = base + offset;
  return file->position;
}

int64_t mayfly_file_tell(mayfly_file *file) {
  int result = mf_file_check(file, "mayfly_file_tell");
  return result < 0 ? result : file->position;
}

/* Rolling over writes what is there, so a size behind it is still to be set. */
static int set_size(mayfly_file *file, int64_t size) {
  int result = 0;
  if (file->in_memory && (uint64_t)size <= file->spool.max) {
    result = mf_spool_truncate(&file->spool, (size_t)size);
    return result == 0 ? 0 : mf_fail(result, "make a spooled file %lld bytes large: no memory", (long long)size);
  }
  result = mf_file_roll_over(file);
  return result < 0 ? result : (int)mf_file_say_which(file, mf_os_file_truncate(file->named.fd, size));
}

int mayfly_file_truncate(mayfly_file *file, int64_t size) {
  int result = mf_file_check(file, "mayfly_file_truncate");
  if (result < 0)
    return result;
  if (size < -1)
    return mf_fail(MAYFLY_EINVAL, "mayfly_file_truncate: a size of %lld", (long long)size);
  return set_size(file, size == -1 ? file->position : size);
}

int mayfly_file_sync(mayfly_file *file) {
  int result = mf_file_check(file, "mayfly_file_sync");
  return result < 0 ? result : (int)mf_file_say_which(file, mf_os_file_sync(file->named.fd));
}

/* ---- as the system knows it ---- */

const char *mayfly_file_path(const mayfly_file *file) {
  return file != NULL ? file->named.path : NULL;
}

/* Where the descriptor is handed out, its own position is to be ours. */
static int hand_out(mayfly_file *file) {
  int result = mf_file_roll_over(file);
  return result < 0 ? result : (int)mf_file_say_which(file, mf_os_file_seek(file->named.fd, file->position));
}

int mayfly_file_os_fd(mayfly_file *file, mayfly_os_fd *fd) {
  int result = mf_file_check(file, "mayfly_file_os_fd");
  if (result == 0 && fd == NULL)
    result = mf_fail(MAYFLY_EINVAL, "mayfly_file_os_fd: fd is NULL");
  if (result == 0)
    result = hand_out(file);
  if (result == 0)
    *fd = file->named.fd;
  return result;
}

/* "a" would make the descriptor, and so our writes, append. */
static int check_mode(const char *mode) {
  static const char *const ends[] = {"", "b", "+", "b+", "+b"};
  int known = 0;
  for (size_t i = 0; mode != NULL && i < sizeof ends / sizeof ends[0]; i++)
    known |= (mode[0] == 'r' || mode[0] == 'w') && strcmp(mode + 1, ends[i]) == 0;
  if (!known)
    return mf_fail(MAYFLY_EINVAL, "mayfly_file_stream: the mode is %s, not r, w, r+ or w+",
                   mode == NULL ? "NULL" : mode);
  return 0;
}

int mayfly_file_stream(mayfly_file *file, const char *mode, FILE **stream) {
  int result = mf_file_check(file, "mayfly_file_stream");
  if (result == 0 && stream == NULL)
    result = mf_fail(MAYFLY_EINVAL, "mayfly_file_stream: stream is NULL");
  if (result == 0)
    result = check_mode(mode);
  if (result == 0)
    result = hand_out(file);
  return result < 0 ? result : (int)mf_file_say_which(file, mf_os_file_stream(file->named.fd, mode, stream));
}
