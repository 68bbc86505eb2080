/* SPDX-License-Identifier: MIT */
/* error.c - the words of this thread's last failure. */
#include "error.h"
#include "os.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int keep(int code, const char *text, int length) {
  struct mf_os_thread *thread = mf_os_thread();
  if (thread == NULL)
    return code;
  snprintf(thread->words, sizeof thread->words, "%s", text);
  if (length >= MF_OS_WORDS_SIZE)
    memcpy(thread->words + sizeof thread->words - 4, "...", 4);
  return code;
}

int mf_fail(int code, const char *format, ...) {
  char text[MF_OS_WORDS_SIZE]; /* not the words at once: an argument may be the words that stand there */
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  return keep(code, text, length);
}

int mf_fail_in(int code, const char *format, ...) {
  char what[MF_OS_WORDS_SIZE];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(what, sizeof what, format, arguments);
  va_end(arguments);
  return mf_fail(code, "%s: %s", what, mayfly_last_error());
}

void mf_words_keep(char *words) {
  snprintf(words, MF_OS_WORDS_SIZE, "%s", mayfly_last_error());
}

void mf_words_put_back(const char *words) {
  keep(0, words, 0);
}

const char *mayfly_last_error(void) {
  const struct mf_os_thread *thread = mf_os_thread();
  return thread != NULL ? thread->words : "out of memory";
}
