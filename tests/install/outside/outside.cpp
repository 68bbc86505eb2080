/* SPDX-License-Identifier: MIT */
/* A C++ program of somebody else's: includes every header, and links against one function of each. */
#include <mayfly/address.h>
#include <mayfly/base.h>
#include <mayfly/connection.h>
#include <mayfly/mayfly.h>
#include <mayfly/tempfile.h>

#include <cstdio>
#include <string>

static std::string version_of_the_headers() {
  return std::to_string(MAYFLY_VERSION_MAJOR) + "." + std::to_string(MAYFLY_VERSION_MINOR) + "." +
         std::to_string(MAYFLY_VERSION_PATCH);
}

int main() {
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  mayfly_address address;
  mayfly_listener *listener;

  if (version_of_the_headers() != mayfly_version()) {
    std::fprintf(stderr, "headers of %s, library of %s\n", version_of_the_headers().c_str(), mayfly_version());
    return 1;
  }
  if (mayfly_gettempdir() == nullptr || mayfly_arbitrary_address(mayfly_default_family(), &address) < 0 ||
      mayfly_listen(&address, &options, &listener) < 0) {
    std::fprintf(stderr, "%s\n", mayfly_last_error());
    return 1;
  }
  return mayfly_listener_close(listener) < 0;
}
