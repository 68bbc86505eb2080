/* SPDX-License-Identifier: MIT */
/* listening.c - an address that is listened on, with its options, whoever accepts there. */
#include "listening.h"
#include "error.h"

static int vanish(struct mf_registry_entry *entry) {
  return mf_os_listener_remove_name(((struct mf_listening *)entry)->os);
}

/* Only a path must vanish with the process; resolving a host could hold up its end. */
static int listen_at(struct mf_listening *listening, const mayfly_address *address, unsigned flags) {
  const int backlog = listening->endpoint.options.backlog;
  if (address->family != MAYFLY_AF_UNIX)
    return mf_os_listen(address, flags, backlog, &listening->os, &listening->address);
  int result = mf_registry_begin();
  if (result < 0)
    return result;
  result = mf_os_listen(address, flags, backlog, &listening->os, &listening->address);
  mf_registry_end(result == 0 ? &listening->entry : NULL);
  return result;
}

static int start_at(struct mf_listening *listening, const mayfly_address *address,
                    const mayfly_endpoint_options *options, unsigned flags) {
  int result = mf_endpoint_init(MF_ENDPOINT_LISTENER, address, options, &listening->endpoint);
  if (result < 0)
    return result;
  result = listen_at(listening, address, listening->endpoint.options.flags | flags);
  if (result < 0)
    mf_endpoint_clear(&listening->endpoint);
  else
    mayfly_address_format(&listening->address, listening->text, sizeof listening->text);
  return result;
}

/* All in flight: if somebody cleaned up in between, the directory of the address would be gone. */
static int start_anywhere(struct mf_listening *listening, const mayfly_endpoint_options *options, unsigned flags) {
  mayfly_address arbitrary;
  int result = mf_registry_begin();
  if (result < 0)
    return result;
  result = mayfly_arbitrary_address(mayfly_default_family(), &arbitrary);
  if (result == 0)
    result = start_at(listening, &arbitrary, options, flags);
  mf_registry_end(NULL);
  return result;
}

int mf_listening_start(struct mf_listening *listening, const mayfly_address *address,
                       const mayfly_endpoint_options *options, unsigned flags) {
  char words[MF_OS_WORDS_SIZE];
  listening->entry.vanish = vanish;
  mf_words_keep(words);
  int result =
      address != NULL ? start_at(listening, address, options, flags) : start_anywhere(listening, options, flags);
  if (result == 0)
    mf_words_put_back(words);
  return result;
}

int mf_listening_stop(struct mf_listening *listening) {
  int result = 0;
  if (mf_registry_take(&listening->entry)) {
    result = mf_os_listener_remove_name(listening->os);
    mf_registry_end(NULL);
  }
  int closed = mf_os_listener_close(listening->os);
  mf_endpoint_clear(&listening->endpoint);
  return result < 0 ? result : closed;
}

int mf_listening_name_peer(const struct mf_listening *listening, int error, const mayfly_peer *peer,
                           const mayfly_address *from) {
  char text[MAYFLY_ADDRESS_TEXT_SIZE];
  if (listening->address.family != MAYFLY_AF_INET)
    return mf_fail_in(error, "accept on %s: from process %lld", listening->text, (long long)peer->pid);
  if (mayfly_address_format(from, text, sizeof text) == 0)
    mf_fail_in(error, "accept on %s: from %s", listening->text, text);
  return error;
}
