/* SPDX-License-Identifier: MIT */
/* error.h - the one constructor of a failure: it sets this thread's words and returns the number. */
#ifndef MF_ERROR_H
#define MF_ERROR_H

#include "private.h"
#include <mayfly/address.h>

#ifdef __GNUC__
#define MF_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define MF_PRINTF(text, first)
#endif

/* Sets mayfly_last_error() and returns `code`. The words name what was tried and on what; those that do not fit are
 * cut and end in "...". */
MF_PRIVATE int mf_fail(int code, const char *format, ...) MF_PRINTF(2, 3);
/* Puts "what: " before the words that stand there already; returns `code`. */
MF_PRIVATE int mf_fail_in(int code, const char *format, ...) MF_PRINTF(2, 3);

/* An address as it stands in words, with its brackets: `text`. */
const char *mf_address_words(const mayfly_address *address, char text[MAYFLY_ADDRESS_TEXT_SIZE]);

/* A success does not change the words: who tries several things keeps those that stand, in MF_OS_WORDS_SIZE bytes, and
 * puts them back when one of the things is done. */
void mf_words_keep(char *words);
void mf_words_put_back(const char *words);

#endif
