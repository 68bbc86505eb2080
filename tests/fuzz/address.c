/* SPDX-License-Identifier: MIT */
/* Fuzz target: any text is an address that comes back from its text, or is refused in words; so is any struct.
 *
 * Input: the bytes of a text, which are also the family, the port and the name of a struct. */
#include "address_text.h"
#include "fuzz.h"
#include <string.h>

static int is_same(const mayfly_address *one, const mayfly_address *other) {
  return one->family == other->family && one->port == other->port && strcmp(one->name, other->name) == 0;
}

static void check_way_back(const mayfly_address *address) {
  char text[MAYFLY_ADDRESS_TEXT_SIZE];
  mayfly_address back;
  const char *why = NULL;
  CHECK(mf_address_text_format(address, text, sizeof text, &why) == 0);
  CHECK(mf_address_text_family(text) == address->family);
  CHECK(mf_address_text_parse(text, &back, &why) == 0);
  CHECK(is_same(&back, address));
  CHECK(why == NULL);

  char *tight = malloc(strlen(text)); /* without room for the NUL */
  CHECK(tight != NULL);
  CHECK(mf_address_text_format(address, tight, strlen(text), &why) == MAYFLY_ERANGE);
  free(tight);
}

static void check_text(const char *text) {
  static const mayfly_address untouched = {MAYFLY_AF_UNIX, 77, "untouched"};
  mayfly_address address = untouched;
  const char *why = NULL;
  const int result = mf_address_text_parse(text, &address, &why);
  if (result == 0) {
    CHECK(mf_address_check(&address, &why) == 0);
    CHECK(address.family == mf_address_text_family(text));
    check_way_back(&address);
  } else {
    CHECK(result == MAYFLY_EINVAL || result == MAYFLY_ENAMETOOLONG);
    CHECK(why != NULL && *why != '\0');
    CHECK(is_same(&address, &untouched));
  }
}

static void check_struct(const uint8_t *data, size_t size) {
  mayfly_address address = {.family = data[0] % 5, .port = (uint16_t)(data[1] << 8 | data[2])};
  const char *why = NULL;
  memset(address.name, data[0] & 0x80 ? 'a' : '\0', sizeof address.name); /* 'a': perhaps no NUL at all */
  memcpy(address.name, data + 3, size - 3 < sizeof address.name ? size - 3 : sizeof address.name);
  const int result = mf_address_check(&address, &why);
  CHECK(result == 0 ? why == NULL : result == MAYFLY_EINVAL && why != NULL);
  if (result == 0)
    check_way_back(&address);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *text = malloc(size + 1);
  CHECK(text != NULL);
  memcpy(text, data, size);
  text[size] = '\0';
  check_text(text);
  free(text);
  if (size >= 3)
    check_struct(data, size);
  return 0;
}
