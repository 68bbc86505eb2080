/* SPDX-License-Identifier: MIT */
/* tempdir.h - which directory is the temporary one. */
#ifndef MF_TEMPDIR_H
#define MF_TEMPDIR_H

/* Nonzero: a file can be made there, written and removed. */
int mf_tempdir_is_usable(const char *directory);

#endif
