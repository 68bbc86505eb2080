/* SPDX-License-Identifier: MIT */
/* loop.c - a libuv loop with a listener, and its connections. */
#include "loop.h"
#include "raw.h"
#include "result.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what is told ---- */

struct end *loop_end(struct loop *loop) {
  assert_in_range(loop->count, 0, LOOP_ENDS_MAX - 1);
  struct end *end = calloc(1, sizeof *end);
  assert_non_null(end);
  end->loop = loop;
  loop->ends[loop->count++] = end;
  return end;
}

static void adopt_accepted(struct loop *loop, mayfly_uv_connection *connection) {
  struct end *end = loop_end(loop);
  end->connection = connection;
  end->on_opened = loop->on_opened;
  end->on_message = loop->on_message;
  end->on_drained = loop->on_drained;
  end->on_closed = loop->on_closed;
  loop->accepted = end;
  loop->accepted_count++;
  mayfly_uv_connection_set_data(connection, end);
}

static struct end *end_of(const mayfly_uv_connection *connection) {
  struct end *end = mayfly_uv_connection_data(connection);
  assert_non_null(end);
  assert_ptr_equal(end->connection, connection);
  assert_int_equal(end->closed, 0);
  return end;
}

/* An accepted connection's data is the loop's first end. */
static void opened(mayfly_uv_connection *connection) {
  struct end *end = mayfly_uv_connection_data(connection);
  if (end == &end->loop->first)
    adopt_accepted(end->loop, connection);
  end = end_of(connection);
  assert_int_equal(end->opened + end->messages, 0);
  end->opened++;
  if (end->on_opened != NULL)
    end->on_opened(end);
}

static void message(mayfly_uv_connection *connection, const void *data, size_t size) {
  struct end *end = end_of(connection);
  assert_int_equal(end->opened, 1);
  end->messages++;
  end->bytes += size;
  end->last_size = size;
  memcpy(end->last, data, size < sizeof end->last ? size : sizeof end->last);
  if (end->on_message != NULL)
    end->on_message(end, data, size);
}

static void drained(mayfly_uv_connection *connection) {
  struct end *end = end_of(connection);
  end->drained++;
  if (end->on_drained != NULL)
    end->on_drained(end);
}

static void closed(mayfly_uv_connection *connection, int status) {
  struct end *end = end_of(connection);
  end->closed++;
  end->status = status;
  snprintf(end->words, sizeof end->words, "%s", status < 0 ? mayfly_last_error() : "");
  if (end->on_closed != NULL)
    end->on_closed(end);
  end->connection = NULL;
}

const mayfly_uv_handlers loop_handlers = {sizeof loop_handlers, opened, message, drained, closed};

static void listener_closed(void *data) {
  ((struct end *)data)->loop->listener_closed++;
}

/* ---- setting up, and the end of it ---- */

#ifdef LOOP_STREAM
static void settle_sigpipe(void) {
  signal(SIGPIPE, SIG_IGN); /* libuv's own streams raise it */
}
#else
static void settle_sigpipe(void) { /* nobody raises it */
}
#endif

int loop_warm_up(void **state) {
  uv_loop_t uv;
  (void)state;
  settle_sigpipe();
  return uv_loop_init(&uv) == 0 && uv_loop_close(&uv) == 0 ? 0 : -1;
}

static int setup(void **state, mayfly_family family) {
  struct loop *loop = calloc(1, sizeof *loop);
  if (loop == NULL || uv_loop_init(&loop->uv) != 0)
    return -1;
  uv_timer_init(&loop->uv, &loop->ticks);
  loop->first.loop = loop;
  loop->family = family;
  *state = loop;
  return 0;
}

int loop_setup(void **state) {
  return setup(state, mayfly_default_family());
}

int loop_setup_inet(void **state) {
  return setup(state, MAYFLY_AF_INET);
}

static void count_handle(uv_handle_t *handle, void *count) {
  fprintf(stderr, "loop: left on it: a %s\n", uv_handle_type_name(uv_handle_get_type(handle)));
  ++*(int *)count;
}

int loop_teardown(void **state) {
  struct loop *loop = *state;
  int left = 0, listener_was_closed = loop->listener == NULL ? 0 : 1;
  mayfly_uv_listener_close(loop->listener, listener_closed);
  for (size_t i = 0; i < loop->count; i++)
    mayfly_uv_connection_close(loop->ends[i]->connection, 0);
  uv_close((uv_handle_t *)&loop->ticks, NULL);
  uv_run(&loop->uv, UV_RUN_DEFAULT);
  uv_walk(&loop->uv, count_handle, &left);
  left += uv_loop_close(&loop->uv) != 0;
  if (listener_was_closed && loop->listener_closed != 1)
    left += fprintf(stderr, "loop: the listener was closed %d times\n", loop->listener_closed);
  for (size_t i = 0; i < loop->count; i++) {
    if (loop->ends[i]->closed != 1)
      left += fprintf(stderr, "loop: connection %zu was closed %d times\n", i, loop->ends[i]->closed);
    free(loop->ends[i]);
  }
  free(loop);
  return left == 0 ? 0 : -1;
}

/* ---- what tests do ---- */

void loop_listen(struct loop *loop, mayfly_family family, const mayfly_endpoint_options *options) {
  mayfly_endpoint_options all = MAYFLY_ENDPOINT_OPTIONS_INIT;
  mayfly_address address;
  if (options != NULL)
    all = *options;
  if (family == MAYFLY_AF_INET && all.authkey == NULL)
    all.flags |= MAYFLY_ENDPOINT_ANY_USER;
  assert_ok(mayfly_arbitrary_address(family == MAYFLY_AF_INET ? family : mayfly_default_family(), &address));
  assert_ok(mayfly_uv_listen(&loop->uv, &address, &all, &loop_handlers, &loop->first, &loop->listener));
}

const mayfly_address *loop_address(const struct loop *loop) {
  return mayfly_uv_listener_address(loop->listener);
}

struct end *loop_connect_to(struct loop *loop, const mayfly_address *address, const mayfly_endpoint_options *options) {
  struct end *end = loop_end(loop);
  assert_ok(mayfly_uv_connect(&loop->uv, address, options, &loop_handlers, end, &end->connection));
  return end;
}

struct end *loop_connect(struct loop *loop, const mayfly_endpoint_options *options) {
  return loop_connect_to(loop, loop_address(loop), options);
}

mayfly_uv_stats loop_stats(const struct loop *loop) {
  mayfly_uv_stats stats = {.size = sizeof stats};
  assert_ok(mayfly_uv_listener_stats(loop->listener, &stats));
  return stats;
}

enum ends_kind loop_kind(const struct loop *loop) {
  return loop->family == MAYFLY_AF_INET ? ENDS_INET : ENDS_UNIX;
}

mayfly_family loop_family_with_halves(void) {
  return mayfly_default_family() == MAYFLY_AF_UNIX ? MAYFLY_AF_UNIX : MAYFLY_AF_INET;
}

static void tick(uv_timer_t *timer) {
  (void)timer; /* that the loop comes back is enough */
}

/* One that rings again, since what rings before the loop waits does not end the waiting. */
void loop_tick(struct loop *loop) {
  uv_timer_start(&loop->ticks, tick, 3, 3);
  uv_run(&loop->uv, UV_RUN_ONCE);
  uv_timer_stop(&loop->ticks);
}

/* On Windows what has been said arrives a moment later. */
void loop_turn(struct loop *loop) {
  int is_late = mayfly_default_family() == MAYFLY_AF_PIPE;
  for (int i = 0; i < (is_late ? 10 : 3); i++) {
    uv_run(&loop->uv, UV_RUN_NOWAIT);
    uv_sleep(is_late ? 2 : 0);
  }
}

void loop_echo(struct end *end, const void *data, size_t size) {
  int result = mayfly_uv_send(end->connection, data, size);
  assert_in_range(result, 0, 1);
  if (result == 1)
    mayfly_uv_pause(end->connection);
}

void loop_resume(struct end *end) {
  mayfly_uv_resume(end->connection);
}

void loop_close(struct end *end, int flush_ms) {
  mayfly_uv_connection_close(end->connection, flush_ms);
}

size_t loop_hear(struct loop *loop, int raw, void *bytes, size_t size) {
  size_t total = 0;
  while (total < size) {
    loop_tick_until(loop, !raw_is_quiet(raw));
    int unread = raw_unread(raw);
    if (unread <= 0) /* the end */
      break;
    size_t some = size - total < (size_t)unread ? size - total : (size_t)unread;
    total += raw_hear(raw, (char *)bytes + total, some);
  }
  return total;
}

size_t loop_hear_message(struct loop *loop, int raw, void *bytes, size_t capacity) {
  unsigned char header[4];
  assert_int_equal(loop_hear(loop, raw, header, sizeof header), sizeof header);
  size_t size = (size_t)header[0] << 24 | (size_t)header[1] << 16 | (size_t)header[2] << 8 | header[3];
  assert_true(size <= capacity);
  assert_int_equal(loop_hear(loop, raw, bytes, size), size);
  return size;
}

void loop_check_closed(const struct end *end, int expected, const char *words, const char *file, int line) {
  if (end->closed == 1 && end->status == expected && strstr(end->words, words) != NULL)
    return;
  print_error("closed %d times, with %s: \"%s\"\ninstead of %s with the words \"%s\"\n", end->closed,
              mayfly_err_name(end->status), end->words, mayfly_err_name(expected), words);
  _fail(file, line);
}
