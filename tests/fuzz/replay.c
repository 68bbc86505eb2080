/* SPDX-License-Identifier: MIT */
/* replay.c - runs a fuzz target over the files that are named, without libFuzzer: each input of a corpus is a test. */
#include "fuzz.h"

enum { INPUT_MAX = 1 << 16 };

static int replay(const char *path) {
  FILE *file = fopen(path, "rb");
  uint8_t *data = malloc(INPUT_MAX);
  if (file == NULL || data == NULL) {
    perror(path);
    exit(1);
  }
  const size_t size = fread(data, 1, INPUT_MAX, file);
  fclose(file);

  uint8_t *exact = realloc(data, size > 0 ? size : 1); /* so that AddressSanitizer sees what is read behind it */
  const int result = LLVMFuzzerTestOneInput(exact, size);
  free(exact);
  return result;
}

int main(int count, char **paths) {
  for (int i = 1; i < count; i++)
    if (replay(paths[i]) != 0)
      return 1;
  printf("%d inputs replayed\n", count - 1);
  return count > 1 ? 0 : 1;
}
