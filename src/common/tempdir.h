/* SPDX-License-Identifier: MIT */
/* tempdir.h - which directory is the temporary one. */
#ifndef MF_TEMPDIR_H
#define MF_TEMPDIR_H

/* 1: a file can be made there, written and removed. 0: it can't. Else this process lacks memory or a descriptor. */
int mf_tempdir_is_usable(const char *directory);
/* mayfly_gettempdir(), with the number of its failure. */
int mf_tempdir(const char **path);

#endif
