/* SPDX-License-Identifier: MIT */
/* peer.h - unmodified Pythons that run a script of tests/interop/ and are talked to in lines.
 *
 *   struct peer python;
 *   peer_start(&python, interpreter, "peer.py", (const char *[]){NULL}, -1);
 *   peer_tell(&python, "connect %s %s", address, key);
 *   ...
 *   peer_expect(&python, "connected");
 *   peer_ask(&python, "send 5", "sent");
 *   peer_end(&python);
 */
#ifndef PEER_H
#define PEER_H

#include "child.h"
#include "test.h"

struct python {
  const char *path;
  int major, minor, micro;
};

/* Those of $MAYFLY_TEST_PYTHONS, else of pyenv and /usr/bin, from 3.8 on, the oldest first. Ends the program in words
 * unless one is at most 3.11, whose handshake is HMAC-MD5, and one at least 3.12, whose handshake is not. */
const struct python *peer_pythons(size_t *count);
int peer_is_legacy(const struct python *python);

struct peer {
  struct child child;
  const struct python *python;
  const char *script;
  char lines[16384]; /* read, the first `used` bytes of them heard already */
  size_t used, size;
};

/* `inherited`: a descriptor that the script gets too, under the same number; -1: none. */
void peer_start(struct peer *peer, const struct python *python, const char *script, const char *const *arguments,
                int inherited);
void peer_tell(struct peer *peer, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *peer_hear(struct peer *peer); /* its next line, until the next call; the test fails if none comes */
void peer_expect(struct peer *peer, const char *line);
void peer_ask(struct peer *peer, const char *line, const char *answer); /* tells the one, expects the other */
void peer_end(struct peer *peer); /* there is nothing more to tell: it says nothing more and exits with 0 */

#endif
