/* SPDX-License-Identifier: MIT */
/* wine.h - tests that only Windows itself can pass. */
#ifndef WINE_H
#define WINE_H

#include <windows.h>

static inline int is_wine(void) {
  return GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "wine_get_version") != NULL;
}

/* Ends the test there, as skipped; the totals check that it is on the list of skips. */
#define skip_under_wine(reason)                                                                                        \
  do {                                                                                                                 \
    if (is_wine()) {                                                                                                   \
      print_message("skipped: under Wine %s\n", reason);                                                               \
      skip();                                                                                                          \
    }                                                                                                                  \
  } while (0)

#endif
