/* SPDX-License-Identifier: MIT */
/* error.c - the words of this thread's last failure. */
#include "error.h"
#include "os.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Without a printf: it is on the way of every file that is made. */
static void copy_words(char *to, const char *text) {
  size_t size = strlen(text);
  if (size >= MF_OS_WORDS_SIZE)
    size = MF_OS_WORDS_SIZE - 1;
  memcpy(to, text, size);
  to[size] = '\0';
}

static int keep(int code, const char *text, int length) {
  struct mf_os_thread *thread = mf_os_thread();
  if (thread == NULL)
    return code;
  copy_words(thread->words, text);
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

const char *mf_address_words(const mayfly_address *address, char text[MAYFLY_ADDRESS_TEXT_SIZE]) {
  if (mayfly_address_format(address, text, MAYFLY_ADDRESS_TEXT_SIZE) < 0)
    text[0] = '\0';
  return text;
}

void mf_words_keep(char *words) {
  copy_words(words, mayfly_last_error());
}

void mf_words_put_back(const char *words) {
  keep(0, words, 0);
}

const char *mayfly_last_error(void) {
  const struct mf_os_thread *thread = mf_os_thread();
  return thread != NULL ? thread->words : "out of memory";
}
