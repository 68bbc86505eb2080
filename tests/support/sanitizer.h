/* SPDX-License-Identifier: MIT */
/* sanitizer.h - whether this is a build under a sanitizer: then there are fewer rounds, and each says so. */
#ifndef SANITIZER_H
#define SANITIZER_H

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) /* gcc's */
#define SANITIZED 1
#elif defined(__has_feature) /* clang's */
#define SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define SANITIZED 0
#endif

/* How many rounds there are of `many`. */
#define ROUNDS(many) (SANITIZED ? (many) / 10 : (many))

#endif
