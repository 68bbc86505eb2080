/* SPDX-License-Identifier: MIT */
/* files.c - temporary files, looked at through the C library. */
#include "files.h"
#include <stdio.h>
#include <string.h>

enum { CONTENT_MAX = 4096 };

mayfly_temp_options files_in(const char *directory) {
  return files_with(directory, 0);
}

mayfly_temp_options files_with(const char *directory, unsigned flags) {
  mayfly_temp_options options = MAYFLY_TEMP_OPTIONS_INIT;
  options.dir = directory;
  options.flags = flags;
  return options;
}

mayfly_file *files_anonymous(const char *directory) {
  const mayfly_temp_options options = files_in(directory);
  mayfly_file *file;
  assert_ok(mayfly_temporary_file(&options, &file));
  return file;
}

mayfly_file *files_in_memory(const char *directory) {
  const mayfly_temp_options options = files_with(directory, MAYFLY_TEMP_MEMORY);
  mayfly_file *file;
  assert_ok(mayfly_temporary_file(&options, &file));
  return file;
}

mayfly_file *files_named(const char *directory, unsigned flags) {
  const mayfly_temp_options options = files_with(directory, flags);
  mayfly_file *file;
  assert_ok(mayfly_named_temporary_file(&options, &file));
  return file;
}

mayfly_file *files_spooled(const char *directory, size_t max_size) {
  const mayfly_temp_options options = files_in(directory);
  mayfly_file *file;
  assert_ok(mayfly_spooled_temporary_file(&options, max_size, &file));
  return file;
}

void files_write(mayfly_file *file, const char *text) {
  assert_ok(mayfly_file_write(file, text, strlen(text)));
}

void files_expect(mayfly_file *file, const char *text) {
  char content[CONTENT_MAX];
  int64_t size = mayfly_file_pread(file, content, sizeof content - 1, 0);
  assert_ok(size);
  content[size] = '\0';
  assert_string_equal(content, text);
  assert_int_equal(size, strlen(text));
}

void files_expect_at(const char *path, const char *text) {
  char content[CONTENT_MAX];
  FILE *stream = fopen(path, "rb");
  if (stream == NULL)
    fail_msg("%s can't be opened", path);
  content[fread(content, 1, sizeof content - 1, stream)] = '\0';
  fclose(stream);
  assert_string_equal(content, text);
}

void files_put(const char *path, const char *text) {
  FILE *stream = fopen(path, "wb");
  if (stream == NULL)
    fail_msg("%s can't be made", path);
  assert_int_equal(fwrite(text, 1, strlen(text), stream), strlen(text));
  assert_int_equal(fclose(stream), 0);
}

int files_exists(const char *path) {
  FILE *stream = fopen(path, "rb");
  if (stream != NULL)
    fclose(stream);
  return stream != NULL;
}

void files_remove(const char *path) {
  if (remove(path) != 0)
    fail_msg("%s can't be removed", path);
}

static int is_separator(char c) {
  return c == '/' || c == '\\';
}

void files_expect_form(const char *path, const char *directory, const char *prefix, const char *suffix) {
  static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
  size_t size = strlen(directory), prefix_size = strlen(prefix);
  const char *name = path + size + 1;
  if (strncmp(path, directory, size) != 0 || !is_separator(path[size]) || strncmp(name, prefix, prefix_size) != 0 ||
      strspn(name + prefix_size, alphabet) < 8 || strcmp(name + prefix_size + 8, suffix) != 0)
    fail_msg("%s is not %s/%s????????%s", path, directory, prefix, suffix);
}
