/* SPDX-License-Identifier: MIT */
/* error.c - what GetLastError() says into MAYFLY_E* and words. */
#include "win32.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const struct {
  DWORD error;
  int code;
} known[] = {
    {ERROR_ACCESS_DENIED, MAYFLY_EACCES},
    {ERROR_SHARING_VIOLATION, MAYFLY_EBUSY},
    {ERROR_LOCK_VIOLATION, MAYFLY_EBUSY},
    {ERROR_FILE_NOT_FOUND, MAYFLY_ENOENT},
    {ERROR_PATH_NOT_FOUND, MAYFLY_ENOENT},
    {ERROR_INVALID_DRIVE, MAYFLY_ENOENT},
    {ERROR_BAD_NETPATH, MAYFLY_ENOENT},
    {ERROR_BAD_NET_NAME, MAYFLY_ENOENT},
    {ERROR_INVALID_NAME, MAYFLY_EINVAL},
    {ERROR_BAD_PATHNAME, MAYFLY_EINVAL},
    {ERROR_INVALID_PARAMETER, MAYFLY_EINVAL},
    {ERROR_DIRECTORY, MAYFLY_ENOTDIR},
    {ERROR_DIRECTORY_NOT_SUPPORTED, MAYFLY_EISDIR},
    {ERROR_FILE_EXISTS, MAYFLY_EEXIST},
    {ERROR_ALREADY_EXISTS, MAYFLY_EEXIST},
    {ERROR_DIR_NOT_EMPTY, MAYFLY_ENOTEMPTY},
    {ERROR_FILENAME_EXCED_RANGE, MAYFLY_ENAMETOOLONG},
    {ERROR_BUFFER_OVERFLOW, MAYFLY_ENAMETOOLONG},
    {ERROR_DISK_FULL, MAYFLY_ENOSPC},
    {ERROR_HANDLE_DISK_FULL, MAYFLY_ENOSPC},
    {ERROR_WRITE_PROTECT, MAYFLY_EROFS},
    {ERROR_NOT_SAME_DEVICE, MAYFLY_EXDEV},
    {ERROR_CANT_RESOLVE_FILENAME, MAYFLY_ELOOP},
    {ERROR_INVALID_HANDLE, MAYFLY_EBADF},
    {ERROR_NOT_ENOUGH_MEMORY, MAYFLY_ENOMEM},
    {ERROR_OUTOFMEMORY, MAYFLY_ENOMEM},
    {ERROR_NO_SYSTEM_RESOURCES, MAYFLY_ENOMEM},
    {ERROR_NOT_ENOUGH_QUOTA, MAYFLY_ENOMEM},
    {ERROR_WORKING_SET_QUOTA, MAYFLY_ENOMEM},
    {ERROR_TOO_MANY_OPEN_FILES, MAYFLY_EMFILE},
    {ERROR_NO_MORE_USER_HANDLES, MAYFLY_EMFILE},
    {ERROR_NOT_SUPPORTED, MAYFLY_ENOTSUP},
    {ERROR_NO_UNICODE_TRANSLATION, MAYFLY_EILSEQ},
    {ERROR_BROKEN_PIPE, MAYFLY_EPIPE},
    {ERROR_NO_DATA, MAYFLY_EPIPE},
    {ERROR_PIPE_NOT_CONNECTED, MAYFLY_EPIPE},
    {ERROR_PIPE_BUSY, MAYFLY_EADDRINUSE},
    {ERROR_SEM_TIMEOUT, MAYFLY_ETIMEDOUT},
    {ERROR_OPERATION_ABORTED, MAYFLY_ECANCELED},
    {ERROR_NETNAME_DELETED, MAYFLY_ECONNRESET},
    {ERROR_CONNECTION_ABORTED, MAYFLY_ECONNABORTED},
    {ERROR_CONNECTION_REFUSED, MAYFLY_ECONNREFUSED},
    {WSAEACCES, MAYFLY_EACCES},
    {WSAEADDRINUSE, MAYFLY_EADDRINUSE},
    {WSAEADDRNOTAVAIL, MAYFLY_EADDRNOTAVAIL},
    {WSAEAFNOSUPPORT, MAYFLY_EAFNOSUPPORT},
    {WSAEBADF, MAYFLY_EBADF},
    {WSAENOTSOCK, MAYFLY_EBADF},
    {WSAECONNABORTED, MAYFLY_ECONNABORTED},
    {WSAECONNREFUSED, MAYFLY_ECONNREFUSED},
    {WSAECONNRESET, MAYFLY_ECONNRESET},
    {WSAEINVAL, MAYFLY_EINVAL},
    {WSAEMFILE, MAYFLY_EMFILE},
    {WSAENOBUFS, MAYFLY_ENOMEM},
    {WSAENOTCONN, MAYFLY_ENOTCONN},
    {WSAEOPNOTSUPP, MAYFLY_ENOTSUP},
    {WSAESHUTDOWN, MAYFLY_EPIPE},
    {WSAETIMEDOUT, MAYFLY_ETIMEDOUT},
};

int mf_win32_code(DWORD error) {
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
    if (known[i].error == error)
      return known[i].code;
  return MAYFLY_EIO;
}

static void describe(DWORD error, char *why, int size) {
  wchar_t text[256];
  DWORD length = FormatMessageW(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, NULL, error, 0, text,
                                sizeof text / sizeof text[0], NULL);
  while (length > 0 && (text[length - 1] <= L' ' || text[length - 1] == L'.')) /* it ends in ".\r\n" */
    length--;
  int converted = WideCharToMultiByte(CP_UTF8, 0, text, (int)length, why, size - 1, NULL, NULL);
  why[converted] = '\0';
  if (converted == 0)
    snprintf(why, (size_t)size, "error %lu", error);
}

int mf_win32_fail(DWORD error, const char *format, ...) {
  char what[MF_OS_WORDS_SIZE];
  char why[256];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(what, sizeof what, format, arguments);
  va_end(arguments);
  describe(error, why, sizeof why);
  return mf_fail(mf_win32_code(error), "%s: %s", what, why);
}
