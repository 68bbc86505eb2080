/* SPDX-License-Identifier: MIT */
/* listening.h - an address that is listened on, with its options, whoever accepts there: the system's listener, and
 * its name, which vanishes with the process. */
#ifndef MF_LISTENING_H
#define MF_LISTENING_H

#include "endpoint.h"
#include "os.h"
#include "registry.h"

struct mf_listening {
  struct mf_registry_entry entry; /* first: the registry hands it back */
  mf_os_listener *os;
  struct mf_endpoint endpoint;
  mayfly_address address;
  char text[MAYFLY_ADDRESS_TEXT_SIZE]; /* the address, in words */
};

/* `listening` is all zeros, and stays where it is until its stop. `address` NULL: an arbitrary one. `flags` are of the
 * endpoint's, beside those in the options. */
MF_PRIVATE int mf_listening_start(struct mf_listening *listening, const mayfly_address *address,
                                  const mayfly_endpoint_options *options, unsigned flags);
/* Removes the name, closes, wipes the key; the first failure. */
MF_PRIVATE int mf_listening_stop(struct mf_listening *listening);
/* Puts who connected before the words that stand there; returns `error`. Over AF_INET the system knows no process, but
 * a port. */
int mf_listening_name_peer(const struct mf_listening *listening, int error, const mayfly_peer *peer,
                           const mayfly_address *from);

#endif
