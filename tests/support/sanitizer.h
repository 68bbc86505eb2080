/* SPDX-License-Identifier: MIT */
/* sanitizer.h - whether this is a build under a sanitizer, where some tests have fewer rounds, or can't be. */
#ifndef SANITIZER_H
#define SANITIZER_H

#ifdef __has_feature /* clang's */
#define ADDRESS_SANITIZED __has_feature(address_sanitizer)
#define THREAD_SANITIZED  __has_feature(thread_sanitizer)
#else
#ifdef __SANITIZE_ADDRESS__
#define ADDRESS_SANITIZED 1
#else
#define ADDRESS_SANITIZED 0
#endif
#ifdef __SANITIZE_THREAD__
#define THREAD_SANITIZED 1
#else
#define THREAD_SANITIZED 0
#endif
#endif

#define SANITIZED    (ADDRESS_SANITIZED || THREAD_SANITIZED)

/* How many rounds there are of `many`. */
#define ROUNDS(many) (SANITIZED ? (many) / 10 : (many))

#endif
