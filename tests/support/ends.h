/* SPDX-License-Identifier: MIT */
/* ends.h - two ends that are connected, in each of the ways there are on this system. */
#ifndef ENDS_H
#define ENDS_H

#include <mayfly/connection.h>

enum ends_kind { ENDS_PIPE, ENDS_UNIX, ENDS_INET, ENDS_KINDS };

/* Of ours: in both directions. `options` NULL: defaults; no key. */
struct ends {
  mayfly_connection *one, *other; /* pipe: ends[0], ends[1]; else: the one that connected, the one that was accepted */
};

void ends_open(struct ends *ends, enum ends_kind kind);
void ends_open_with(struct ends *ends, enum ends_kind kind, const mayfly_endpoint_options *options);
void ends_close(struct ends *ends); /* what is not NULL */

/* The next message is that one. */
void ends_expect_message(mayfly_connection *connection, const void *bytes, size_t size);

/* A listener of ours with options that let everyone in, keyless but if `options` have a key. */
mayfly_listener *ends_listen(enum ends_kind kind, const mayfly_endpoint_options *options);

mayfly_listener *ends_listen_on(const mayfly_address *address, unsigned flags);

/* A client of ours at that address, and the listener's accepted connection, which must lead to each other. */
void ends_talk(mayfly_listener *listener, const mayfly_address *address);

/* Whether the other end hears of a shutdown before the close: not over the pipes of Windows. */
int ends_tell_of_a_shutdown(enum ends_kind kind);

/* One accepted end of ours and a peer that is a mere socket; not for ENDS_PIPE. */
mayfly_connection *ends_with_raw(enum ends_kind kind, const mayfly_endpoint_options *options, int *raw);

/* Runs the test for each kind, and prints which. */
void ends_of_every_kind(void (*run)(enum ends_kind kind));
void ends_of_every_socket(void (*run)(enum ends_kind kind)); /* less ENDS_PIPE */

#endif
