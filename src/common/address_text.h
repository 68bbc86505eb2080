/* SPDX-License-Identifier: MIT */
/* address_text.h - an address as text, and back.
 *
 *   \\.\pipe\NAME                         AF_PIPE: any text that begins with two backslashes
 *   HOST:PORT  [HOST]:PORT  :PORT         AF_INET: no slash, ends in a colon and digits
 *   @NAME                                 AF_UNIX, in Linux's abstract namespace
 *   anything else, anything after unix:   AF_UNIX, a path (or an @NAME)
 *
 * The first line that fits decides, and `unix:` and `@` before any of them. A path that begins with `@` is `./@...`;
 * brackets stand around an IPv6 host and around a host that is called "unix".
 *
 * Pure: a failure is a code and, in *why, a static sentence about it.
 */
#ifndef MF_ADDRESS_TEXT_H
#define MF_ADDRESS_TEXT_H

#include <mayfly/address.h>

/* By the form alone: mf_address_text_parse may refuse what is behind it. NULL, "": MAYFLY_AF_UNSPEC. */
mayfly_family mf_address_text_family(const char *text);
/* MAYFLY_EINVAL; MAYFLY_ENAMETOOLONG: a name over 255 bytes. */
int mf_address_text_parse(const char *text, mayfly_address *address, const char **why);
/* Also checks the address: every function that is handed one formats it first, or calls mf_address_check.
 * MAYFLY_ERANGE: more than `size` bytes with its NUL. */
int mf_address_text_format(const mayfly_address *address, char *buffer, size_t size, const char **why);
/* 0, or MAYFLY_EINVAL: a family that is none, a name that is empty, without its NUL, or of another family's form, a
 * port where there are none. */
int mf_address_check(const mayfly_address *address, const char **why);

#endif
