/* SPDX-License-Identifier: MIT */
/* address_text.h - an address as text, and back.
 * Pure: a failure is a code and, in *why, a static sentence about it. */
#ifndef MF_ADDRESS_TEXT_H
#define MF_ADDRESS_TEXT_H

#include <mayfly/address.h>

mayfly_family mf_address_text_family(const char *text);
int mf_address_text_parse(const char *text, mayfly_address *address, const char **why);
/* Also checks the address: every function that is handed one formats it first, or calls mf_address_check. */
int mf_address_text_format(const mayfly_address *address, char *buffer, size_t size, const char **why);
/* 0, or MAYFLY_EINVAL: a family that is none, a name that is empty, without its NUL, or of another family's form. */
int mf_address_check(const mayfly_address *address, const char **why);

#endif
