/* SPDX-License-Identifier: MIT */
/* leaks.c - open pipes, sockets and files. The system opens handles of other kinds for itself, whenever it likes. */
#include "../leaks.h"
#include <stdio.h>
#include <wchar.h>

#include <windows.h>
/* After windows.h, which it does not include. */
#include <winternl.h>

enum { LAST_HANDLE = 4096 }; /* they are small multiples of 4 */

static int before;

static int counts(HANDLE handle) {
  union {
    PUBLIC_OBJECT_TYPE_INFORMATION type;
    char room[1024];
  } information;
  DWORD flags;
  if (!GetHandleInformation(handle, &flags) ||
      NtQueryObject(handle, ObjectTypeInformation, &information, sizeof information, NULL) < 0)
    return 0;
  return wcsncmp(information.type.TypeName.Buffer, L"File", 4) == 0;
}

int leaks_count(void) {
  int count = 0;
  for (uintptr_t handle = 4; handle < LAST_HANDLE; handle += 4)
    count += counts((HANDLE)handle);
  return count;
}

void leaks_start(void) {
  before = leaks_count();
}

int leaks_found(void) {
  int now = leaks_count();
  if (now != before)
    fprintf(stderr, "leaks: %d pipes, sockets and files were open before the test, %d are after it\n", before, now);
  return now - before;
}
