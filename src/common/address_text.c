/* SPDX-License-Identifier: MIT */
/* address_text.c - an address as text, and back. */
#include "address_text.h"
#include <stdio.h>
#include <string.h>

#define PIPE_PREFIX   "\\\\.\\pipe\\"
#define UNIX_PREFIX   "unix:"
#define DIGITS        "0123456789"
#define NAME_TOO_LONG "a host, a path or the name of a pipe has at most 255 bytes"
_Static_assert(sizeof((mayfly_address *)0)->name == 256, "NAME_TOO_LONG says what fits");

struct piece {
  const char *start;
  size_t size;
};

static int fail(int code, const char *sentence, const char **why) {
  *why = sentence;
  return code;
}

static int begins_with(const char *text, const char *prefix) {
  return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Where the last colon is, if nothing but digits stands after it; else NULL. */
static const char *find_port(const char *text) {
  const char *colon = strrchr(text, ':');
  if (colon == NULL || colon[1] == '\0' || colon[1 + strspn(colon + 1, DIGITS)] != '\0')
    return NULL;
  return colon;
}

mayfly_family mf_address_text_family(const char *text) {
  if (text == NULL || *text == '\0')
    return MAYFLY_AF_UNSPEC;
  if (begins_with(text, "\\\\"))
    return MAYFLY_AF_PIPE;
  if (*text == '@' || begins_with(text, UNIX_PREFIX))
    return MAYFLY_AF_UNIX;
  return find_port(text) != NULL && strchr(text, '/') == NULL ? MAYFLY_AF_INET : MAYFLY_AF_UNIX;
}

/* ---- check --------------------------------------------------------------------- */

static int has_junk(const char *host) {
  for (; *host != '\0'; host++)
    if ((unsigned char)*host <= ' ' || strchr("/\\@[]\x7f", *host) != NULL)
      return 1;
  return 0;
}

static int check_host(const char *host, const char **why) {
  if (has_junk(host))
    return fail(MAYFLY_EINVAL, "a host has no blanks, slashes, brackets or at signs in it", why);
  return 0;
}

static int check_unix(const char *name, const char **why) {
  if (*name == '\0')
    return fail(MAYFLY_EINVAL, "the path of an AF_UNIX address is empty", why);
  if (strcmp(name, "@") == 0)
    return fail(MAYFLY_EINVAL, "an abstract AF_UNIX address has a name after its @", why);
  return 0;
}

static int check_pipe(const char *name, const char **why) {
  if (!begins_with(name, PIPE_PREFIX) || name[strlen(PIPE_PREFIX)] == '\0')
    return fail(MAYFLY_EINVAL, "an AF_PIPE address is " PIPE_PREFIX "NAME", why);
  return 0;
}

int mf_address_check(const mayfly_address *address, const char **why) {
  if (address == NULL)
    return fail(MAYFLY_EINVAL, "the address is NULL", why);
  if (memchr(address->name, '\0', sizeof address->name) == NULL)
    return fail(MAYFLY_EINVAL, "the name of the address does not end within its 256 bytes", why);
  if (address->family != MAYFLY_AF_INET && address->port != 0)
    return fail(MAYFLY_EINVAL, "only an AF_INET address has a port", why);
  switch (address->family) {
  case MAYFLY_AF_INET:
    return check_host(address->name, why);
  case MAYFLY_AF_UNIX:
    return check_unix(address->name, why);
  case MAYFLY_AF_PIPE:
    return check_pipe(address->name, why);
  default:
    return fail(MAYFLY_EINVAL, "the address is of no family: AF_INET, AF_UNIX, AF_PIPE", why);
  }
}

/* ---- parse --------------------------------------------------------------------- */

static int parse_port(const char *digits, uint16_t *port, const char **why) {
  unsigned long number = 0;
  for (; *digits != '\0'; digits++) {
    number = number * 10 + (unsigned long)(*digits - '0');
    if (number > UINT16_MAX)
      return fail(MAYFLY_EINVAL, "a port is at most 65535", why);
  }
  *port = (uint16_t)number;
  return 0;
}

static int is_bracketed(struct piece host) {
  return host.size > 2 && host.start[0] == '[' && host.start[host.size - 1] == ']';
}

static int parse_host(struct piece text, struct piece *host, const char **why) {
  if (is_bracketed(text)) {
    *host = (struct piece){text.start + 1, text.size - 2};
    return 0;
  }
  if (memchr(text.start, ':', text.size) != NULL)
    return fail(MAYFLY_EINVAL, "brackets stand around an IPv6 host, and unix: before a path that ends so", why);
  *host = text;
  return 0;
}

static int copy_name(struct piece name, mayfly_address *address, const char **why) {
  if (name.size >= sizeof address->name)
    return fail(MAYFLY_ENAMETOOLONG, NAME_TOO_LONG, why);
  memcpy(address->name, name.start, name.size);
  return 0;
}

static int parse_inet(const char *text, mayfly_address *address, const char **why) {
  const char *colon = find_port(text);
  struct piece host;
  int result = parse_host((struct piece){text, (size_t)(colon - text)}, &host, why);
  if (result == 0)
    result = parse_port(colon + 1, &address->port, why);
  return result < 0 ? result : copy_name(host, address, why);
}

static int parse_name(const char *text, mayfly_address *address, const char **why) {
  if (begins_with(text, UNIX_PREFIX))
    text += strlen(UNIX_PREFIX);
  return copy_name((struct piece){text, strlen(text)}, address, why);
}

int mf_address_text_parse(const char *text, mayfly_address *address, const char **why) {
  mayfly_address parsed = {.family = mf_address_text_family(text)};
  if (address == NULL)
    return fail(MAYFLY_EINVAL, "there is no place for the address: NULL", why);
  if (parsed.family == MAYFLY_AF_UNSPEC)
    return fail(MAYFLY_EINVAL, "the address is empty", why);
  int result = parsed.family == MAYFLY_AF_INET ? parse_inet(text, &parsed, why) : parse_name(text, &parsed, why);
  if (result == 0)
    result = mf_address_check(&parsed, why);
  if (result == 0)
    *address = parsed;
  return result;
}

/* ---- format -------------------------------------------------------------------- */

static int needs_brackets(const char *host) {
  return strchr(host, ':') != NULL || strcmp(host, "unix") == 0;
}

static int needs_unix_prefix(const mayfly_address *address) {
  return address->family == MAYFLY_AF_UNIX &&
         (begins_with(address->name, UNIX_PREFIX) || mf_address_text_family(address->name) != MAYFLY_AF_UNIX);
}

static size_t write_text(const mayfly_address *address, char text[MAYFLY_ADDRESS_TEXT_SIZE]) {
  int written;
  if (address->family != MAYFLY_AF_INET)
    written =
        snprintf(text, MAYFLY_ADDRESS_TEXT_SIZE, "%s%s", needs_unix_prefix(address) ? UNIX_PREFIX : "", address->name);
  else
    written = snprintf(text, MAYFLY_ADDRESS_TEXT_SIZE, needs_brackets(address->name) ? "[%s]:%u" : "%s:%u",
                       address->name, (unsigned)address->port);
  return (size_t)written;
}

int mf_address_text_format(const mayfly_address *address, char *buffer, size_t size, const char **why) {
  char text[MAYFLY_ADDRESS_TEXT_SIZE];
  int result = mf_address_check(address, why);
  if (result < 0)
    return result;
  if (buffer == NULL)
    return fail(MAYFLY_EINVAL, "there is no buffer for the text of the address: NULL", why);
  const size_t needed = write_text(address, text) + 1;
  if (needed > size)
    return fail(MAYFLY_ERANGE, "the buffer is too small for the address: MAYFLY_ADDRESS_TEXT_SIZE always holds one",
                why);
  memcpy(buffer, text, needed);
  return 0;
}
