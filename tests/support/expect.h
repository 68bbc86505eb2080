/* SPDX-License-Identifier: MIT */
/* expect.h - assertions for children and threads, where CMocka's would jump into a list of tests that is not theirs.
 *
 * What is not as expected is printed, with the library's last words, and ends the process at once: whoever waits for
 * it sees an exit status that is not 0.
 */
#ifndef EXPECT_H
#define EXPECT_H

#include <stdint.h>

#define expect(condition)                ((condition) ? (void)0 : expect_failed(#condition, __FILE__, __LINE__))
#define expect_ok(call)                  expect_result((call), 0, "", #call, __FILE__, __LINE__)
/* The name of the error, and a part of mayfly_last_error(). */
#define expect_error(call, error, words) expect_result((call), (error), (words), #call, __FILE__, __LINE__)

_Noreturn void expect_failed(const char *condition, const char *file, int line);
void expect_result(int64_t result, int expected, const char *words, const char *call, const char *file, int line);

#endif
