/* SPDX-License-Identifier: MIT */
/* endpoint.h - the options of listeners and clients, checked and with their defaults, once for all faces. */
#ifndef MF_ENDPOINT_H
#define MF_ENDPOINT_H

#include "handshake.h"
#include "private.h"
#include <mayfly/connection.h>

enum mf_endpoint_side { MF_ENDPOINT_LISTENER, MF_ENDPOINT_CLIENT };

struct mf_endpoint {
  mayfly_endpoint_options options; /* with their defaults; authkey is our own copy */
  mayfly_family family;
};

/* Checks the address and the options and copies the key; what was taken ends with mf_endpoint_clear. */
MF_PRIVATE int mf_endpoint_init(enum mf_endpoint_side side, const mayfly_address *address,
                                const mayfly_endpoint_options *options, struct mf_endpoint *endpoint);
MF_PRIVATE void mf_endpoint_clear(struct mf_endpoint *endpoint);

/* 0, or MAYFLY_EPEER in words: the one who connected is not let in. */
MF_PRIVATE int mf_endpoint_admit_client(const struct mf_endpoint *endpoint, const mayfly_peer *peer);
/* The same for the one who was connected to. */
MF_PRIVATE int mf_endpoint_admit_server(const struct mf_endpoint *endpoint, const mayfly_peer *peer);

/* Begins the handshake that the key asks for. */
MF_PRIVATE int mf_endpoint_handshake(const struct mf_endpoint *endpoint, enum mf_handshake_role role,
                                     struct mf_handshake *handshake);

/* timeout_ms from now; MAYFLY_FOREVER is MF_OS_NEVER, 0 has passed already. */
MF_PRIVATE int64_t mf_endpoint_deadline(int timeout_ms);
/* The same for a caller's argument: MAYFLY_EINVAL for what is less than MAYFLY_FOREVER. */
int mf_deadline_take(int timeout_ms, const char *what, int64_t *deadline);

int mf_deadline_passed(int64_t deadline);

#endif
