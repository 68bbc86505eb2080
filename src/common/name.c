/* SPDX-License-Identifier: MIT */
/* name.c - every 8 random bytes, taken as one number, become 8 digits of base 37.
 *
 * 2^64 is no multiple of 37^8, so some names are likelier than others, by one part in five million: far below what
 * anyone who guesses could use. A byte per character would not be: 256 / 37 prefers 34 of the 37 by a sixth. */
#include "name.h"

static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz0123456789_";

static void encode_group(const uint8_t *random, char *name) {
  uint64_t number = 0;
  for (size_t i = 0; i < MF_NAME_SIZE; i++)
    number = number << 8 | random[i];
  for (size_t i = 0; i < MF_NAME_SIZE; i++, number /= sizeof alphabet - 1)
    name[i] = alphabet[number % (sizeof alphabet - 1)];
}

void mf_name_encode(const uint8_t *random, size_t size, char *name) {
  for (size_t i = 0; i < size; i += MF_NAME_SIZE)
    encode_group(random + i, name + i);
  name[size] = '\0';
}
