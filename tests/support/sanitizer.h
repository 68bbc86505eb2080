/* SPDX-License-Identifier: MIT */
/* sanitizer.h - whether this program runs under a sanitizer, which keeps freed memory and takes its time. */
#ifndef SANITIZER_H
#define SANITIZER_H

#ifdef __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#endif
