/* SPDX-License-Identifier: MIT */
/* loop.c - what the connections of one loop share: the buffer they read into, the one timer, and who has something to
 * do before the loop waits.
 *
 * The turn of a connection comes in our prepare callback. Somebody else's may run after it and send: so whoever becomes
 * ready starts an idle handle, which keeps the loop from waiting before the prepare callback has stopped it. */
#include "internal.h"
#include <stdlib.h>

enum {
  BATCHES_MAX = 256, /* libuv may hand out many reads before it prepares */
  QUEUE_HIGH = 1 << 20
};

/* ---- lists ---- */

void mf_uv_link_init(struct mf_uv_link *link) {
  link->prev = link->next = link;
}

void mf_uv_link_put(struct mf_uv_link *before, struct mf_uv_link *link) {
  link->next = before;
  link->prev = before->prev;
  before->prev->next = link;
  before->prev = link;
}

void mf_uv_link_out(struct mf_uv_link *link) {
  link->prev->next = link->next;
  link->next->prev = link->prev;
  mf_uv_link_init(link);
}

/* ---- alarms ---- */

static void on_timer(uv_timer_t *timer);

static struct mf_uv_alarm *first_alarm(const struct mf_uv_link *list) {
  return mf_uv_link_is_alone(list) ? NULL : MF_UV_OF(list->next, struct mf_uv_alarm, link);
}

static int64_t next_alarm(const struct mf_uv_loop *loop) {
  const struct mf_uv_alarm *one = first_alarm(&loop->deadlines), *other = first_alarm(&loop->soon);
  int64_t at = one != NULL ? one->at : MF_OS_NEVER;
  return other != NULL && other->at < at ? other->at : at;
}

/* Rounded up; the loop's time may be behind the clock, and then it rings too early, finds nothing and goes on. */
static void set_timer(struct mf_uv_loop *loop) {
  int64_t at = next_alarm(loop);
  if (at == MF_OS_NEVER) {
    uv_timer_stop(&loop->timer);
    return;
  }
  int64_t left = at - mf_os_clock_us();
  uv_timer_start(&loop->timer, on_timer, left > 0 ? (uint64_t)(left + 999) / 1000 : 0, 0);
}

static void ring_due(struct mf_uv_link *list, int64_t now) {
  struct mf_uv_link due;
  struct mf_uv_alarm *alarm;
  mf_uv_link_init(&due); /* first taken out: who tries in vain is set anew */
  while ((alarm = first_alarm(list)) != NULL && alarm->at <= now) {
    mf_uv_link_out(&alarm->link);
    mf_uv_link_put(&due, &alarm->link);
  }
  while ((alarm = first_alarm(&due)) != NULL) {
    mf_uv_link_out(&alarm->link);
    alarm->ring(alarm);
  }
}

static void on_timer(uv_timer_t *timer) {
  struct mf_uv_loop *loop = timer->data;
  int64_t now = mf_os_clock_us();
  ring_due(&loop->deadlines, now);
  ring_due(&loop->soon, now);
  set_timer(loop);
}

static void set_alarm(struct mf_uv_loop *loop, struct mf_uv_link *list, struct mf_uv_alarm *alarm, int64_t at) {
  struct mf_uv_link *before = list;
  mf_uv_link_out(&alarm->link);
  alarm->at = at;
  while (before->prev != list && MF_UV_OF(before->prev, struct mf_uv_alarm, link)->at > at)
    before = before->prev;
  mf_uv_link_put(before, &alarm->link);
  if (first_alarm(list) == alarm)
    set_timer(loop);
}

void mf_uv_deadline_set(struct mf_uv_loop *loop, struct mf_uv_alarm *alarm, int64_t at) {
  if (at != MF_OS_NEVER)
    set_alarm(loop, &loop->deadlines, alarm, at);
}

void mf_uv_soon_set(struct mf_uv_loop *loop, struct mf_uv_alarm *alarm, int64_t delay_us) {
  set_alarm(loop, &loop->soon, alarm, mf_os_clock_us() + delay_us);
}

/* A timer with nothing to ring would keep the program's loop alive. */
void mf_uv_alarm_cancel(struct mf_uv_loop *loop, struct mf_uv_alarm *alarm) {
  if (mf_uv_link_is_alone(&alarm->link))
    return;
  mf_uv_link_out(&alarm->link);
  if (next_alarm(loop) == MF_OS_NEVER)
    uv_timer_stop(&loop->timer);
}

void mf_uv_loop_hurry(struct mf_uv_loop *loop) {
  if (mf_uv_link_is_alone(&loop->soon))
    return;
  for (struct mf_uv_link *link = loop->soon.next; link != &loop->soon; link = link->next)
    MF_UV_OF(link, struct mf_uv_alarm, link)->at = 0;
  set_timer(loop);
}

/* ---- turns ---- */

static void on_idle(uv_idle_t *idle) {
  (void)idle; /* that it is active is enough */
}

void mf_uv_loop_ready(mayfly_uv_connection *connection) {
  struct mf_uv_loop *loop = connection->origin->loop;
  if (!mf_uv_link_is_alone(&connection->ready))
    return;
  mf_uv_link_put(&loop->ready, &connection->ready);
  if (!uv_is_active((const uv_handle_t *)&loop->idle))
    uv_idle_start(&loop->idle, on_idle);
}

/* Into a list of the caller's: any of them may close meanwhile, and others become ready. */
static void take_ready(struct mf_uv_loop *loop, struct mf_uv_link *now) {
  loop->batches = loop->pending = 0;
  *now = loop->ready;
  now->prev->next = now->next->prev = now;
  mf_uv_link_init(&loop->ready);
}

void mf_uv_loop_flush(struct mf_uv_loop *loop) {
  struct mf_uv_link now;
  if (mf_uv_link_is_alone(&loop->ready))
    return;
  take_ready(loop, &now);
  while (!mf_uv_link_is_alone(&now)) {
    mayfly_uv_connection *connection = MF_UV_OF(now.next, mayfly_uv_connection, ready);
    mf_uv_link_out(&connection->ready);
    mf_uv_link_put(&loop->ready, &connection->ready); /* its turn is still to come */
    mf_uv_connection_turn(connection, 0);
  }
}

void mf_uv_loop_batch(struct mf_uv_loop *loop) {
  if (++loop->batches >= BATCHES_MAX || loop->pending >= MF_UV_BUFFER)
    mf_uv_loop_flush(loop);
}

/* Those who become ready by it wait for the next: they started the idle handle again. */
static void on_prepare(uv_prepare_t *prepare) {
  struct mf_uv_loop *loop = prepare->data;
  struct mf_uv_link now;
  uv_idle_stop(&loop->idle); /* also where whoever started it has been closed meanwhile */
  if (mf_uv_link_is_alone(&loop->ready))
    return;
  take_ready(loop, &now);
  while (!mf_uv_link_is_alone(&now)) {
    mayfly_uv_connection *connection = MF_UV_OF(now.next, mayfly_uv_connection, ready);
    mf_uv_link_out(&connection->ready);
    mf_uv_connection_turn(connection, 1);
  }
}

/* ---- the shared object ---- */

static struct mf_uv_loop *loops; /* under MF_OS_LOCK_LOOPS */

static struct mf_uv_loop *find(const uv_loop_t *uv) {
  struct mf_uv_loop *loop = loops;
  while (loop != NULL && loop->uv != uv)
    loop = loop->next;
  return loop;
}

static struct mf_uv_loop *make(uv_loop_t *uv) {
  struct mf_uv_loop *loop = malloc(sizeof *loop);
  if (loop == NULL)
    return NULL;
  *loop = (struct mf_uv_loop){.uv = uv, .handles = 3};
  mf_uv_link_init(&loop->ready);
  mf_uv_link_init(&loop->deadlines);
  mf_uv_link_init(&loop->soon);
  uv_prepare_init(uv, &loop->prepare);
  uv_idle_init(uv, &loop->idle);
  uv_timer_init(uv, &loop->timer);
  loop->prepare.data = loop->idle.data = loop->timer.data = loop;
  uv_prepare_start(&loop->prepare, on_prepare);
  uv_unref((uv_handle_t *)&loop->prepare);
  return loop;
}

int mf_uv_loop_join(uv_loop_t *uv, struct mf_uv_loop **loop) {
  mf_os_lock(MF_OS_LOCK_LOOPS);
  struct mf_uv_loop *joined = find(uv);
  if (joined == NULL && (joined = make(uv)) != NULL) {
    joined->next = loops;
    loops = joined;
  }
  if (joined != NULL)
    joined->users++;
  mf_os_unlock(MF_OS_LOCK_LOOPS);
  if (joined == NULL)
    return mf_fail(MAYFLY_ENOMEM, "join the loop: no memory");
  *loop = joined;
  return 0;
}

/* From now on another one is made for who comes. Nonzero: it was the last user. */
static int leave(struct mf_uv_loop *loop) {
  mf_os_lock(MF_OS_LOCK_LOOPS);
  int last = --loop->users == 0;
  if (last) {
    struct mf_uv_loop **link = &loops;
    while (*link != loop)
      link = &(*link)->next;
    *link = loop->next;
  }
  mf_os_unlock(MF_OS_LOCK_LOOPS);
  return last;
}

static void free_spares(struct mf_uv_loop *loop) {
  while (loop->spare != NULL) {
    struct mf_uv_item *item = loop->spare;
    loop->spare = item->next;
    mf_uv_item_free(item);
  }
  free(loop->spare_large);
  free(loop->spare_queue);
  free(loop->spare_input);
}

static void on_closed(uv_handle_t *handle) {
  struct mf_uv_loop *loop = handle->data;
  if (--loop->handles > 0)
    return;
  void (*left)(void *context) = loop->left;
  void *context = loop->context;
  free_spares(loop);
  free(loop);
  left(context);
}

void mf_uv_loop_leave(struct mf_uv_loop *loop, void (*left)(void *context), void *context) {
  if (!leave(loop)) {
    left(context);
    return;
  }
  loop->left = left;
  loop->context = context;
  uv_close((uv_handle_t *)&loop->prepare, on_closed);
  uv_close((uv_handle_t *)&loop->idle, on_closed);
  uv_close((uv_handle_t *)&loop->timer, on_closed);
}

static void nobody_left(void *context) {
  (void)context;
}

void mf_uv_loop_abandon(struct mf_uv_loop *loop) {
  mf_uv_loop_leave(loop, nobody_left, NULL);
}

/* ---- origins ---- */

static int take_handlers(const mayfly_uv_handlers *handlers, mayfly_uv_handlers *taken) {
  int result = mf_options_take(handlers, "mayfly_uv_handlers", taken, sizeof *taken);
  if (result == 0 && taken->message == NULL)
    return mf_fail(MAYFLY_EINVAL, "mayfly_uv_handlers: message is NULL");
  return result;
}

/* More than this no memory can hold, whatever limit was wished for. */
static uint64_t limit(uint64_t bytes) {
  return bytes < PTRDIFF_MAX / 2 ? bytes : PTRDIFF_MAX / 2;
}

static int take_marks(const mayfly_endpoint_options *options, struct mf_uv_origin *origin) {
  origin->queue_high = options->queue_high != 0 ? options->queue_high : QUEUE_HIGH;
  origin->queue_low = options->queue_low != 0 ? options->queue_low : origin->queue_high / 4;
  if (origin->queue_low > origin->queue_high)
    return mf_fail(MAYFLY_EINVAL, "mayfly_endpoint_options: queue_low is %zu, above queue_high, which is %zu",
                   origin->queue_low, origin->queue_high);
  return 0;
}

int mf_uv_origin_new(const mayfly_uv_handlers *handlers, const mayfly_endpoint_options *options,
                     struct mf_uv_origin **origin) {
  mayfly_uv_handlers taken = MAYFLY_UV_HANDLERS_INIT;
  int result = take_handlers(handlers, &taken);
  if (result < 0)
    return result;
  struct mf_uv_origin *made = calloc(1, sizeof *made);
  if (made == NULL)
    return mf_fail(MAYFLY_ENOMEM, "make an endpoint on a loop: no memory");
  made->references = 1;
  made->handlers = taken;
  made->message_size_max = limit(options->message_size_max);
  mf_uv_link_init(&made->connections);
  result = take_marks(options, made);
  if (result < 0) {
    free(made);
    return result;
  }
  *origin = made;
  return 0;
}

void mf_uv_origin_unref(struct mf_uv_origin *origin) {
  if (--origin->references == 0)
    free(origin);
}
