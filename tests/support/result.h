/* SPDX-License-Identifier: MIT */
/* result.h - assertions on what the library returns, which print its words when they fail. */
#ifndef RESULT_H
#define RESULT_H

#include "test.h"
#include <mayfly/base.h>

#define assert_ok(call)                  result_check_ok((call), #call, __FILE__, __LINE__)
/* The name of the error, and a part of mayfly_last_error(). */
#define assert_error(call, error, words) result_check_error((call), (error), (words), #call, __FILE__, __LINE__)

int result_check_ok(int64_t result, const char *call, const char *file, int line); /* not negative; what it is */
void result_check_error(int64_t result, int error, const char *words, const char *call, const char *file, int line);

#endif
