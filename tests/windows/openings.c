/* SPDX-License-Identifier: MIT */
/* openings.c - handshakes over pipes that are cut off, changed, replayed or never begun, and frames that are none. */
#include "background.h"
#include "result.h"
#include "test.h"
#include <mayfly/mayfly.h>
#include <string.h>

#include "wine.h"
/* After windows.h. */
#include <psapi.h>

static const unsigned kinds[] = {MAYFLY_ENDPOINT_PIPE_MESSAGES, MAYFLY_ENDPOINT_PIPE_BYTES};

static mayfly_endpoint_options secret(void) {
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  options.authkey = "our secret";
  options.authkey_size = 10;
  return options;
}

static mayfly_listener *listen_as(unsigned kind, mayfly_endpoint_options options) {
  mayfly_listener *listener;
  options.flags |= kind;
  assert_ok(mayfly_listen(NULL, &options, &listener));
  return listener;
}

struct server {
  struct background background;
  mayfly_listener *listener;
  mayfly_connection *connection;
};

static int run_accept(void *context) {
  struct server *server = context;
  return mayfly_accept(server->listener, MAYFLY_FOREVER, &server->connection);
}

static void start_accept(struct server *server, mayfly_listener *listener) {
  *server = (struct server){.listener = listener};
  background_start(&server->background, run_accept, server);
}

static void expect_good_one(mayfly_listener *listener) {
  const mayfly_endpoint_options options = secret();
  struct background_connect client;
  mayfly_connection *accepted;
  background_connect(&client, mayfly_listener_address(listener), &options);
  assert_ok(mayfly_accept(listener, MAYFLY_FOREVER, &accepted));
  background_expect_ok(&client.background);
  assert_ok(mayfly_connection_close(client.connection));
  assert_ok(mayfly_connection_close(accepted));
}

/* ---- somebody between a client and a server, who have the key ---- */

enum { MESSAGES = 3, NOTHING = -1 };
static const int sizes[MESSAGES] = {40, 59, 9}; /* of what a client says: answer, challenge, verdict */

struct relay {
  struct background_connect client;
  struct server server;
  mayfly_connection *to_client, *to_server;
  unsigned char said[MESSAGES][64]; /* by the client */
  int count;
};

static void open_relay(struct relay *relay, mayfly_listener *listener, mayfly_listener *between,
                       const mayfly_endpoint_options *options) {
  start_accept(&relay->server, listener);
  background_connect(&relay->client, mayfly_listener_address(between), options);
  assert_ok(mayfly_accept(between, MAYFLY_FOREVER, &relay->to_client));
  assert_ok(mayfly_connect(mayfly_listener_address(listener), NULL, &relay->to_server));
  relay->count = 0;
}

static int pass_down(const struct relay *relay) {
  const void *data;
  size_t size;
  return mayfly_recv_bytes(relay->to_server, SIZE_MAX, &data, &size) == 0 &&
         mayfly_send_bytes(relay->to_client, data, size) == 0;
}

/* Byte `changed` of all that the client says is changed. */
static int pass_up(struct relay *relay, int changed) {
  size_t size;
  unsigned char *message = relay->said[relay->count];
  if (mayfly_recv_bytes_into(relay->to_client, message, sizeof relay->said[0], &size) < 0)
    return 0;
  assert_int_equal(size, sizes[relay->count]);
  for (int i = 0; i < relay->count; i++)
    changed -= sizes[i];
  if (changed >= 0 && changed < (int)size)
    message[changed] ^= 1;
  relay->count++;
  return mayfly_send_bytes(relay->to_server, message, size) == 0;
}

/* Until one of them hangs up, or `most` messages of the client's were passed on. */
static void run_relay(struct relay *relay, int most, int changed) {
  int open = most > 0;
  while (open) {
    mayfly_wait_item items[] = {{.connection = relay->to_client}, {.connection = relay->to_server}};
    assert_ok(mayfly_wait(items, 2, MAYFLY_FOREVER));
    if (items[1].ready)
      open = pass_down(relay);
    if (open && items[0].ready)
      open = pass_up(relay, changed) && relay->count < most;
  }
  assert_ok(mayfly_connection_close(relay->to_client));
  assert_ok(mayfly_connection_close(relay->to_server));
}

static void end_relay(struct relay *relay, int error, int client_may_succeed) {
  assert_int_equal(background_end(&relay->server.background), error);
  int client = background_end(&relay->client.background);
  if (client != MAYFLY_EAUTH && !(client == 0 && client_may_succeed))
    fail_msg("the client: %s: %s", mayfly_err_name(client), relay->client.background.words);
  assert_ok(mayfly_connection_close(relay->client.connection));
  assert_ok(mayfly_connection_close(relay->server.connection));
}

static void a_handshake_that_is_cut_off_or_changed_anywhere_lets_nobody_in(void **state) {
  (void)state;
  const mayfly_endpoint_options options = secret(), none = MAYFLY_ENDPOINT_OPTIONS_INIT;
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
    static struct relay relay;
    mayfly_listener *listener = listen_as(kinds[i], options), *between = listen_as(kinds[i], none);
    for (int most = 0; most < MESSAGES; most++) {
      open_relay(&relay, listener, between, &options);
      run_relay(&relay, most, NOTHING);
      end_relay(&relay, MAYFLY_EAUTH, 0);
    }
    for (int changed = 0; changed < sizes[0] + sizes[1] + sizes[2]; changed++) {
      open_relay(&relay, listener, between, &options);
      run_relay(&relay, MESSAGES + 1, changed);
      end_relay(&relay, MAYFLY_EAUTH, changed >= sizes[0] + sizes[1]);
    }
    expect_good_one(listener);
    assert_ok(mayfly_listener_close(listener));
    assert_ok(mayfly_listener_close(between));
  }
}

static void a_good_handshake_that_is_said_again_lets_nobody_in(void **state) {
  (void)state;
  static struct relay relay;
  const mayfly_endpoint_options options = secret(), none = MAYFLY_ENDPOINT_OPTIONS_INIT;
  struct server server;
  mayfly_connection *again;
  mayfly_listener *listener = listen_as(0, options), *between = listen_as(0, none);
  open_relay(&relay, listener, between, &options);
  run_relay(&relay, MESSAGES, NOTHING);
  end_relay(&relay, 0, 1);
  start_accept(&server, listener);
  assert_ok(mayfly_connect(mayfly_listener_address(listener), NULL, &again));
  for (int i = 0; i < MESSAGES; i++)
    if (mayfly_send_bytes(again, relay.said[i], (size_t)sizes[i]) < 0)
      break; /* the listener has heard enough */
  background_expect(&server.background, MAYFLY_EAUTH, "authentication failed");
  assert_ok(mayfly_connection_close(again));
  assert_ok(mayfly_listener_close(listener));
  assert_ok(mayfly_listener_close(between));
}

/* ---- clients that say nothing ---- */

enum { SILENT = 200 };

struct silent {
  struct background background;
  mayfly_address address;
  mayfly_connection *connections[SILENT], *good;
};

static int connect_in_silence(void *context) {
  struct silent *silent = context;
  const mayfly_endpoint_options options = secret();
  for (int i = 0; i < SILENT; i++) {
    int result = mayfly_connect(&silent->address, NULL, &silent->connections[i]);
    if (result < 0)
      return result;
  }
  return mayfly_connect(&silent->address, &options, &silent->good);
}

static void silent_clients_hold_up_nobody(void **state) {
  (void)state;
  static struct silent silent;
  mayfly_connection *accepted = NULL;
  int result, displaced = 0;
  mayfly_listener *listener = listen_as(0, secret());
  silent.address = *mayfly_listener_address(listener);
  background_start(&silent.background, connect_in_silence, &silent);
  while ((result = mayfly_accept(listener, MAYFLY_FOREVER, &accepted)) == MAYFLY_EAUTH) {
    assert_non_null(strstr(mayfly_last_error(), "64 others were proving themselves too, and this one the longest"));
    displaced++;
  }
  assert_ok(result);
  background_expect_ok(&silent.background);
  assert_int_equal(displaced, SILENT - 63);
  for (int i = 0; i < SILENT; i++)
    assert_ok(mayfly_connection_close(silent.connections[i]));
  assert_ok(mayfly_connection_close(silent.good));
  assert_ok(mayfly_connection_close(accepted));
  assert_ok(mayfly_listener_close(listener));
}

/* ---- frames over a byte pipe ---- */

/* One end of ours, and one that says bytes. */
static mayfly_connection *open_raw(HANDLE *raw) {
  mayfly_connection *accepted;
  mayfly_listener *listener =
      listen_as(MAYFLY_ENDPOINT_PIPE_BYTES, (mayfly_endpoint_options)MAYFLY_ENDPOINT_OPTIONS_INIT);
  *raw = CreateFileA(mayfly_listener_address(listener)->name, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0,
                     NULL);
  assert_ptr_not_equal(*raw, INVALID_HANDLE_VALUE);
  assert_ok(mayfly_accept(listener, MAYFLY_FOREVER, &accepted));
  assert_ok(mayfly_listener_close(listener));
  return accepted;
}

static void say(HANDLE raw, const void *bytes, DWORD size) {
  DWORD written;
  assert_true(WriteFile(raw, bytes, size, &written, NULL));
  assert_int_equal(written, size);
}

static void lengths_that_are_none_and_messages_that_are_cut_off_end_reading(void **state) {
  static const struct {
    const char *bytes;
    DWORD size;
    int error;
  } said[] = {
      {"\xff\xff\xff\xfe", 4, MAYFLY_EPROTO},       {"\x80\0\0\0", 4, MAYFLY_EPROTO},
      {"\x7f\xff\xff\xff", 4, MAYFLY_EMSGSIZE},     {"\xff\xff\xff\xff\x80\0\0\0\0\0\0\0", 12, MAYFLY_EMSGSIZE},
      {"\xff\xff\xff\xff\0\0\0", 7, MAYFLY_EPROTO}, {"\0\0", 2, MAYFLY_EPROTO},
      {"\0\0\0\5half", 8, MAYFLY_EPROTO},
  };
  (void)state;
  for (size_t i = 0; i < sizeof said / sizeof said[0]; i++) {
    const void *data;
    size_t size;
    HANDLE raw;
    mayfly_connection *ours = open_raw(&raw);
    say(raw, said[i].bytes, said[i].size);
    CloseHandle(raw);
    for (int again = 0; again < 2; again++)
      assert_error(mayfly_recv_bytes(ours, SIZE_MAX, &data, &size), said[i].error, "");
    assert_ok(mayfly_connection_close(ours));
  }
}

static size_t memory_in_use(void) {
  PROCESS_MEMORY_COUNTERS counters = {.cb = sizeof counters};
  assert_true(K32GetProcessMemoryInfo(GetCurrentProcess(), &counters, sizeof counters));
  return counters.PagefileUsage;
}

static void memory_grows_with_what_has_come_not_with_what_was_announced(void **state) {
  (void)state;
  enum { COUNT = 50, SOME = 4000 };
  static mayfly_connection *ours[COUNT];
  static const char some[SOME];
  HANDLE raw[COUNT];
  const void *data;
  size_t size;
  for (int i = 0; i < COUNT; i++)
    ours[i] = open_raw(&raw[i]);
  size_t before = memory_in_use();
  for (int i = 0; i < COUNT; i++) {
    say(raw[i], "\x40\0\0\0", 4); /* 1 GiB */
    say(raw[i], some, sizeof some);
    assert_ok(mayfly_connection_set_timeouts(ours[i], 0, 0));
    assert_error(mayfly_recv_bytes(ours[i], SIZE_MAX, &data, &size), MAYFLY_ETIMEDOUT, "");
  }
  assert_in_range(memory_in_use() - before, 0, (size_t)COUNT * 256 * 1024);
  for (int i = 0; i < COUNT; i++) {
    CloseHandle(raw[i]);
    assert_ok(mayfly_connection_close(ours[i]));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test(a_handshake_that_is_cut_off_or_changed_anywhere_lets_nobody_in),
      test(a_good_handshake_that_is_said_again_lets_nobody_in),
      test(silent_clients_hold_up_nobody),
      test(lengths_that_are_none_and_messages_that_are_cut_off_end_reading),
      test(memory_grows_with_what_has_come_not_with_what_was_announced),
  };
  return cmocka_run_group_tests_name("windows.openings", tests, NULL, NULL);
}
