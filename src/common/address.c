/* SPDX-License-Identifier: MIT */
/* address.c - the public functions of address.h: text and back, arbitrary and service addresses. */
#include "address_text.h"
#include "error.h"
#include "name.h"
#include "os.h"
#include "process_directory.h"
#include "tempdir.h"
#include "template.h"
#include <mayfly/tempfile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

mayfly_family mayfly_address_type(const char *text) {
  return mf_address_text_family(text);
}

mayfly_family mayfly_default_family(void) {
  return mf_os_default_family();
}

int mayfly_address_parse(const char *text, mayfly_address *address) {
  const char *why;
  if (text == NULL || address == NULL)
    return mf_fail(MAYFLY_EINVAL, "mayfly_address_parse: %s is NULL", text == NULL ? "text" : "address");
  int result = mf_address_text_parse(text, address, &why);
  return result < 0 ? mf_fail(result, "the address \"%s\": %s", text, why) : 0;
}

int mayfly_address_format(const mayfly_address *address, char *buffer, size_t size) {
  const char *why;
  if (address == NULL || buffer == NULL)
    return mf_fail(MAYFLY_EINVAL, "mayfly_address_format: %s is NULL", address == NULL ? "address" : "buffer");
  int result = mf_address_text_format(address, buffer, size, &why);
  return result < 0 ? mf_fail(result, "format an address: %s", why) : 0;
}

/* ---- arbitrary addresses ---- */

enum { SOCKET_NAME_SIZE = sizeof "/sock-" - 1 + MF_NAME_SIZE };

static int fits(const char *directory) {
  return strlen(directory) + 1 + MF_PROCESS_DIRECTORY_NAME_SIZE + SOCKET_NAME_SIZE <= mf_os_socket_path_max();
}

/* The first of the system's own temporary directories that keeps the path short enough; yours to free. */
static int short_directory(const char *too_long, char **directory) {
  char *path;
  int result;
  for (size_t i = MF_OS_TEMP_CANDIDATE_SYSTEM; (result = mf_os_temp_candidate(i, &path)) != MAYFLY_ENOENT; i++) {
    if (result < 0)
      return result;
    result = fits(path) ? mf_tempdir_is_usable(path) : 0;
    if (result == 1) {
      *directory = path;
      return 0;
    }
    free(path);
    if (result < 0)
      return result;
  }
  return mf_fail(
      MAYFLY_ENAMETOOLONG,
      "find an arbitrary AF_UNIX address: a socket's path may have %zu bytes, %s is too long for that, and no "
      "other temporary directory is usable",
      mf_os_socket_path_max(), too_long);
}

static int socket_directory(char **directory) {
  char *absolute;
  const char *usual;
  int result = mf_tempdir(&usual);
  if (result == 0)
    result = mf_os_path_absolute(usual, &absolute);
  if (result != 0)
    return result;
  if (!fits(absolute)) {
    free(absolute);
    result = short_directory(usual, &absolute);
    if (result < 0)
      return result;
  }
  result = mf_process_directory(absolute, directory);
  free(absolute);
  return result;
}

static int arbitrary_unix(mayfly_address *address) {
  char name[MF_NAME_SIZE + 1];
  char *directory;
  int taken = 1;
  if (mf_os_socket_path_max() == 0)
    return mf_fail(MAYFLY_EAFNOSUPPORT, "find an arbitrary address: this system has no AF_UNIX");
  int result = socket_directory(&directory);
  if (result != 0)
    return result;
  for (int i = 0; taken == 1 && i < MAYFLY_TMP_MAX; i++) {
    taken = mf_random_name(MF_NAME_SIZE, name);
    if (taken == 0) {
      snprintf(address->name, sizeof address->name, "%s/sock-%s", directory, name);
      taken = mf_os_path_exists(address->name);
    }
  }
  free(directory);
  if (taken == 1)
    return mf_fail(MAYFLY_EEXIST, "find an arbitrary address: no name like %s was free in %d tries", address->name,
                   MAYFLY_TMP_MAX);
  return taken;
}

static unsigned next_count(void) {
  static unsigned count;
  mf_os_lock(MF_OS_LOCK_REGISTRY);
  unsigned next = count++;
  mf_os_unlock(MF_OS_LOCK_REGISTRY);
  return next;
}

/* Python's form; the random part is the secret. */
static int arbitrary_pipe(mayfly_address *address) {
  char name[MF_NAME_SECRET_SIZE + 1];
  int result = mf_random_name(MF_NAME_SECRET_SIZE, name);
  if (result == 0)
    snprintf(address->name, sizeof address->name, "\\\\.\\pipe\\pyc-%lld-%u-%s", (long long)mf_os_process_id(),
             next_count(), name);
  return result;
}

int mayfly_arbitrary_address(mayfly_family family, mayfly_address *address) {
  mayfly_address made = {family, 0, "localhost"};
  int result = 0;
  if (address == NULL)
    return mf_fail(MAYFLY_EINVAL, "mayfly_arbitrary_address: address is NULL");
  if (family == MAYFLY_AF_UNIX)
    result = arbitrary_unix(&made);
  else if (family == MAYFLY_AF_PIPE)
    result = arbitrary_pipe(&made);
  else if (family != MAYFLY_AF_INET)
    result = mf_fail(MAYFLY_EAFNOSUPPORT, "find an arbitrary address: %d is no family", (int)family);
  if (result == 0)
    *address = made;
  return result;
}

/* ---- service addresses ---- */

static int check_service(const char *service, mayfly_scope scope) {
  if (*service == '\0')
    return mf_fail(MAYFLY_EINVAL, "find a service's address: its name is empty");
  if (scope != MAYFLY_SCOPE_USER && scope != MAYFLY_SCOPE_SYSTEM)
    return mf_fail(MAYFLY_EINVAL, "find the address of the service %s: %d is no scope", service, (int)scope);
  return mf_os_name_check(service, "");
}

int mayfly_service_address(const char *service, mayfly_scope scope, mayfly_address *address) {
  mayfly_address made = {mf_os_default_family(), 0, ""};
  const char *suffix = made.family == MAYFLY_AF_UNIX ? ".sock" : "";
  char *directory;
  if (service == NULL || address == NULL)
    return mf_fail(MAYFLY_EINVAL, "mayfly_service_address: %s is NULL", service == NULL ? "service" : "address");
  int result = check_service(service, scope);
  if (result == 0)
    result = mf_os_runtime_directory(scope, &directory);
  if (result != 0)
    return result;
  size_t most = made.family == MAYFLY_AF_UNIX ? mf_os_socket_path_max() : sizeof made.name - 1;
  int length = snprintf(made.name, sizeof made.name, "%s%s%s", directory, service, suffix);
  free(directory);
  if (length < 0 || (size_t)length > most)
    return mf_fail(MAYFLY_ENAMETOOLONG, "find the address of the service %s: %d bytes, and it may have %zu", service,
                   length, most);
  *address = made;
  return 0;
}
