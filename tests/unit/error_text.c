/* SPDX-License-Identifier: MIT */
/* Tests of the errors' names and sentences, and of the version. */
#include <limits.h>
#include <mayfly/base.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h> /* needs those before it */

#define ERRORS(X)                                                                                                      \
  X(MAYFLY_EOF)                                                                                                        \
  X(MAYFLY_EACCES)                                                                                                     \
  X(MAYFLY_EADDRINUSE)                                                                                                 \
  X(MAYFLY_EADDRNOTAVAIL)                                                                                              \
  X(MAYFLY_EAFNOSUPPORT)                                                                                               \
  X(MAYFLY_EAGAIN)                                                                                                     \
  X(MAYFLY_EBADF)                                                                                                      \
  X(MAYFLY_EBUSY)                                                                                                      \
  X(MAYFLY_ECANCELED)                                                                                                  \
  X(MAYFLY_ECONNABORTED)                                                                                               \
  X(MAYFLY_ECONNREFUSED)                                                                                               \
  X(MAYFLY_ECONNRESET)                                                                                                 \
  X(MAYFLY_EEXIST)                                                                                                     \
  X(MAYFLY_EINVAL)                                                                                                     \
  X(MAYFLY_EIO)                                                                                                        \
  X(MAYFLY_EISDIR)                                                                                                     \
  X(MAYFLY_ELOOP)                                                                                                      \
  X(MAYFLY_EMFILE)                                                                                                     \
  X(MAYFLY_EMSGSIZE)                                                                                                   \
  X(MAYFLY_ENAMETOOLONG)                                                                                               \
  X(MAYFLY_ENOENT)                                                                                                     \
  X(MAYFLY_ENOMEM)                                                                                                     \
  X(MAYFLY_ENOSPC)                                                                                                     \
  X(MAYFLY_ENOTCONN)                                                                                                   \
  X(MAYFLY_ENOTDIR)                                                                                                    \
  X(MAYFLY_ENOTEMPTY)                                                                                                  \
  X(MAYFLY_ENOTSUP)                                                                                                    \
  X(MAYFLY_EPERM)                                                                                                      \
  X(MAYFLY_EPIPE)                                                                                                      \
  X(MAYFLY_EPROTO)                                                                                                     \
  X(MAYFLY_EROFS)                                                                                                      \
  X(MAYFLY_ETIMEDOUT)                                                                                                  \
  X(MAYFLY_EXDEV)                                                                                                      \
  X(MAYFLY_ERANGE)                                                                                                     \
  X(MAYFLY_EILSEQ)                                                                                                     \
  X(MAYFLY_EAUTH)                                                                                                      \
  X(MAYFLY_EPEER)                                                                                                      \
  X(MAYFLY_ESTOLEN)                                                                                                    \
  X(MAYFLY_EUNSAFE)                                                                                                    \
  X(MAYFLY_ETYPE)

static const struct {
  enum mayfly_error number;
  const char *name;
} errors[] = {
#define ROW(error) {error, #error},
    ERRORS(ROW)};
enum { ERROR_COUNT = sizeof errors / sizeof errors[0] };

/* Without a default: the compiler complains (-Wswitch) about an error of base.h that the list above lacks. */
static int is_listed(enum mayfly_error error) {
  switch (error) {
#define CASE(name)                                                                                                     \
  case name:                                                                                                           \
    return 1;
    ERRORS(CASE)
  }
  return 0;
}

static void every_error_has_its_own_name(void **state) {
  (void)state;
  for (size_t i = 0; i < ERROR_COUNT; i++) {
    assert_true(is_listed(errors[i].number));
    assert_string_equal(mayfly_err_name(errors[i].number), errors[i].name);
  }
}

static void every_error_is_a_negative_number_of_its_own(void **state) {
  (void)state;
  for (size_t i = 0; i < ERROR_COUNT; i++) {
    assert_true(errors[i].number < 0);
    for (size_t j = 0; j < i; j++)
      assert_int_not_equal(errors[i].number, errors[j].number);
  }
}

static void every_error_has_a_sentence_of_its_own(void **state) {
  (void)state;
  for (size_t i = 0; i < ERROR_COUNT; i++) {
    const char *sentence = mayfly_strerror(errors[i].number);
    assert_true(strlen(sentence) > 5);
    assert_string_not_equal(sentence, mayfly_strerror(-12345));
    for (size_t j = 0; j < i; j++)
      assert_string_not_equal(sentence, mayfly_strerror(errors[j].number));
  }
}

static void zero_is_success(void **state) {
  (void)state;
  assert_string_equal(mayfly_strerror(0), "success");
  assert_string_equal(mayfly_err_name(0), "MAYFLY_OK");
}

static void any_other_number_is_unknown(void **state) {
  static const int numbers[] = {1, 2, ENOENT, INT_MAX, -12345, -4094, -4096, -4999, -5005, INT_MIN};
  (void)state;
  for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
    assert_string_equal(mayfly_strerror(numbers[i]), "unknown error");
    assert_string_equal(mayfly_err_name(numbers[i]), "MAYFLY_UNKNOWN");
  }
}

static void the_version_is_that_of_the_header(void **state) {
  char expected[40];
  (void)state;
  snprintf(expected, sizeof expected, "%d.%d.%d", MAYFLY_VERSION_MAJOR, MAYFLY_VERSION_MINOR, MAYFLY_VERSION_PATCH);
  assert_string_equal(mayfly_version(), expected);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_error_has_its_own_name),
      cmocka_unit_test(every_error_is_a_negative_number_of_its_own),
      cmocka_unit_test(every_error_has_a_sentence_of_its_own),
      cmocka_unit_test(zero_is_success),
      cmocka_unit_test(any_other_number_is_unknown),
      cmocka_unit_test(the_version_is_that_of_the_header),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
