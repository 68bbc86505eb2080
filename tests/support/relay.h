/* SPDX-License-Identifier: MIT */
/* relay.h - somebody between a client and a server who passes on what they say: whole, changed, up to some byte.
 *
 * Whoever tests has it pass on, again and again, until it returns 0; then it hangs up.
 */
#ifndef RELAY_H
#define RELAY_H

#include <mayfly/address.h>

struct relay {
  mayfly_address address; /* where the client connects */
  int listening, to_client, to_server;
  size_t upstream;    /* how many bytes of the client's are still passed on, if `flip` is 0 */
  unsigned char flip; /* what is changed in the last of them */
  size_t piece;       /* the most that is passed on at once; 0: whatever there is */
};

enum relay_end { RELAY_CLOSE, RELAY_RESET, RELAY_HALF_CLOSE, RELAY_ENDS };

void relay_listen(struct relay *relay, mayfly_family family);
void relay_stop_listening(const struct relay *relay);
int relay_has_client(const struct relay *relay); /* 1: one has connected */
/* Between the next client, who is awaited, and the server at that address. */
void relay_open(struct relay *relay, const mayfly_address *server);
void relay_await(const struct relay *relay); /* until there is something to pass on */
/* Once each way, without waiting. 0: that was all, or somebody has hung up. */
int relay_pass(struct relay *relay);
void relay_hang_up(const struct relay *relay, enum relay_end how); /* on both */
void relay_close(const struct relay *relay, enum relay_end how);   /* what that has left open */

#endif
