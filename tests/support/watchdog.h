/* SPDX-License-Identifier: MIT */
/* watchdog.h - a test that hangs ends its program, with the test's name and a backtrace. */
#ifndef WATCHDOG_H
#define WATCHDOG_H

/* Two minutes, or as many seconds as MAYFLY_TEST_PATIENCE says. Uses SIGALRM. */
void watchdog_start(const char *name);
void watchdog_grow_patient(void); /* ten times that, for a test that moves gigabytes */
void watchdog_stop(void);

#endif
