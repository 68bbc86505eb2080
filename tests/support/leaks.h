/* SPDX-License-Identifier: MIT */
/* leaks.h - the descriptors that are open now, and those that were open before. */
#ifndef LEAKS_H
#define LEAKS_H

/* What is open, but for the locks of the library's own directories, which are held until the process ends. */
int leaks_count(void);

void leaks_start(void);
int leaks_found(void); /* how many more, or fewer, there are than at leaks_start; if any, all are printed */

#endif
