/* The loop of one thread.
 *
 * One turn: timers and ticks -> prepare: everybody who asked is flushed, then the log -> poll:
 * reads, accepts, new requests for a flush -> closed handles. The idle handle runs exactly while
 * somebody waits for a flush: it keeps the loop from blocking, and from ending, before that flush
 * is done. */
#include "net/loop.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/slab.h"
#include "base/sparse.h"

#include <assert.h>
#include <malloc.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>

/* A flush may make another connection ask (a proxy's two sides): so many rounds before polling. */
#define FLUSH_ROUNDS 4
/* When free memory is given back: so many connections came or went or so many bytes were freed, and
 * then no connection and few bytes for so many ticks (one second); of all loops at most one in ten
 * seconds, as it looks at all memory there is. The pages kept for the next connections go back
 * with less. */
#define TRIM_CHURN       64
#define TRIM_FREED_BYTES (4 * 1024 * 1024)
#define TRIM_STILL_BYTES ((size_t)1024 * 1024)
#define TRIM_QUIET_TICKS 4
#define TRIM_EVERY_MS    10000
/* A tick so much too late means that the process stood still: stopped, starved or swapped out. */
#define STOOD_STILL_MS 1000
/* Of a thread whose polls are spaced: by default each sleep is 50 us longer. */
#define TIMER_SLACK_NS 1000UL
/* How long net_loop_deinit() lets closing streams finish; they linger for at most 1 s. */
#define DEINIT_GRACE_MS 3000

static void flush_round(struct net_loop *loop)
{
    struct list now;

    list_take(&now, &loop->flushes);
    while (!list_empty(&now)) {
        struct net_flush *item = container_of(now.next, struct net_flush, node);

        list_remove(&item->node);
        item->flush(item); /* may free the item, cancel others and ask again */
    }
}

/* What may wait a turn has waited for it once this one is over. */
static void take_later(struct net_loop *loop)
{
    while (!list_empty(&loop->later)) {
        struct net_flush *item = container_of(loop->later.next, struct net_flush, node);

        list_remove(&item->node);
        item->later = false;
        list_append(&loop->flushes, &item->node);
    }
}

static void space_polls(struct net_loop *loop)
{
    uint64_t due_ns = loop->polled_ns + loop->spacing_ns;

    if (clock_now_ns() < due_ns) {
        clock_sleep_until(due_ns);
    }
    loop->polled_ns = clock_now_ns();
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct net_loop *loop = prepare->data;

    loop->turn++;
    for (int i = 0; i < FLUSH_ROUNDS && !list_empty(&loop->flushes); i++) {
        flush_round(loop);
    }
    bool is_done = list_empty(&loop->flushes);

    take_later(loop);
    if (list_empty(&loop->flushes)) {
        uv_idle_stop(&loop->idle);
    }
    log_flush();
    if (loop->spacing_ns > 0 && is_done) {
        space_polls(loop);
    }
}

static void on_idle(uv_idle_t *idle)
{
    (void)idle; /* being active is its work */
}

/* Of all loops, one in TRIM_EVERY_MS. */
static bool may_trim(void)
{
    static atomic_uint_fast64_t next_ms;
    uint64_t now_ms = clock_now_ms();
    uint64_t due_ms = atomic_load(&next_ms);

    return now_ms >= due_ms &&
           atomic_compare_exchange_strong(&next_ms, &due_ms, now_ms + TRIM_EVERY_MS);
}

static void note_quiet(struct net_spare *spare)
{
    bool churned = spare->churn != spare->churn_seen;
    bool freed = spare->freed_bytes - spare->freed_seen >= TRIM_STILL_BYTES;

    spare->quiet_ticks = churned ? 0 : spare->quiet_ticks + 1;
    spare->still_ticks = freed ? 0 : spare->still_ticks + 1;
    spare->churn_seen = spare->churn;
    spare->freed_seen = spare->freed_bytes;
}

static void give_memory_back(struct net_spare *spare)
{
    bool many;
    bool much;

    note_quiet(spare);
    if (spare->quiet_ticks == TRIM_QUIET_TICKS) {
        sparse_drop_spare();
        slab_drop_kept();
    }
    pool_rest();
    many = spare->churn >= TRIM_CHURN && spare->quiet_ticks >= TRIM_QUIET_TICKS;
    much = spare->freed_bytes >= TRIM_FREED_BYTES && spare->still_ticks >= TRIM_QUIET_TICKS;
    if ((many || much) && may_trim()) {
        malloc_trim(0);
        *spare = (struct net_spare){.given_back = spare->given_back + 1};
    }
}

/* Timers run before sockets are read: after a time in which nobody was heard, a limit would be
 * judged while the answer waits. So this tick comes again, behind one turn of reading. */
static bool is_after_standstill(struct net_loop *loop)
{
    uint64_t now_ms = uv_now(&loop->uv);
    bool stood_still = now_ms - loop->ticked_ms > NET_TICK_MS + STOOD_STILL_MS;

    loop->ticked_ms = now_ms;
    return stood_still;
}

static void on_timer(uv_timer_t *timer)
{
    struct net_loop *loop = timer->data;
    uint64_t now_ms = uv_now(&loop->uv);
    struct list now;

    if (is_after_standstill(loop)) {
        uv_timer_start(timer, on_timer, 1, NET_TICK_MS);
        return;
    }
    give_memory_back(&loop->spare);
    list_take(&now, &loop->ticks);
    while (!list_empty(&now)) {
        struct net_tick *item = container_of(now.next, struct net_tick, node);

        list_remove(&item->node);
        list_append(&loop->ticks, &item->node);
        item->tick(item, now_ms); /* may free the item and stop others */
    }
}

int net_loop_init(struct net_loop *loop)
{
    int status = uv_loop_init(&loop->uv);

    if (status < 0) {
        return status;
    }
    signal(SIGPIPE, SIG_IGN);
    /* Else the heap's end goes back and forth with each burst of large messages, page by page. */
    mallopt(M_TRIM_THRESHOLD, TRIM_FREED_BYTES);
    loop->ticked_ms = uv_now(&loop->uv);
    loop->spacing_ns = 0;
    loop->spare = (struct net_spare){0};
    list_init(&loop->flushes);
    list_init(&loop->later);
    list_init(&loop->ticks);
    loop->read_bytes = mem_calloc(1, NET_READ_BYTES);
    loop->record_bytes = mem_calloc(1, NET_RECORD_BYTES);
    loop->write_bytes = mem_calloc(1, NET_WRITE_BYTES);
    loop->cipher_bytes = mem_calloc(1, NET_CIPHER_BYTES);

    uv_prepare_init(&loop->uv, &loop->prepare);
    uv_idle_init(&loop->uv, &loop->idle);
    uv_timer_init(&loop->uv, &loop->timer);
    loop->prepare.data = loop;
    loop->timer.data = loop;
    uv_prepare_start(&loop->prepare, on_prepare);
    uv_timer_start(&loop->timer, on_timer, NET_TICK_MS, NET_TICK_MS);
    uv_unref((uv_handle_t *)&loop->prepare);
    uv_unref((uv_handle_t *)&loop->timer);
    return 0;
}

void net_loop_space_polls(struct net_loop *loop, uint64_t ns)
{
    assert(ns <= NET_SPACING_MAX_NS);
    loop->spacing_ns = ns;
    loop->polled_ns = 0;
}

static void drop_kept(void)
{
    sparse_drop_spare();
    slab_drop_kept();
    pool_drop();
}

void net_loop_run(struct net_loop *loop)
{
    if (loop->spacing_ns > 0) {
        prctl(PR_SET_TIMERSLACK, TIMER_SLACK_NS);
    }
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    log_flush();
    drop_kept(); /* this thread's, which may end here; net_loop_deinit() may be another's */
}

void net_loop_stop(struct net_loop *loop)
{
    uv_stop(&loop->uv);
}

/* Streams that were told to close may still be saying goodbye: gives them their time. */
static void run_to_end(struct net_loop *loop)
{
    uint64_t deadline_ms;

    uv_update_time(&loop->uv);
    deadline_ms = uv_now(&loop->uv) + DEINIT_GRACE_MS;
    while (uv_loop_alive(&loop->uv) && uv_now(&loop->uv) < deadline_ms) {
        uv_run(&loop->uv, UV_RUN_ONCE); /* the timer ends every wait */
    }
}

void net_loop_deinit(struct net_loop *loop)
{
    run_to_end(loop);
    assert(list_empty(&loop->flushes) && list_empty(&loop->later));
    assert(list_empty(&loop->ticks));
    uv_close((uv_handle_t *)&loop->prepare, NULL);
    uv_close((uv_handle_t *)&loop->idle, NULL);
    uv_close((uv_handle_t *)&loop->timer, NULL);
    uv_run(&loop->uv, UV_RUN_DEFAULT);

    int status = uv_loop_close(&loop->uv);

    assert(status == 0);
    (void)status;
    free(loop->read_bytes);
    free(loop->record_bytes);
    free(loop->write_bytes);
    free(loop->cipher_bytes);
    drop_kept();
    log_flush();
}

void net_loop_flush_soon(struct net_loop *loop, struct net_flush *item)
{
    if (item->later) {
        net_loop_flush_cancel(item);
    }
    if (!list_empty(&item->node)) {
        return;
    }
    if (list_empty(&loop->flushes)) {
        uv_idle_start(&loop->idle, on_idle); /* harmless while it is active */
    }
    list_append(&loop->flushes, &item->node);
}

void net_loop_flush_later(struct net_loop *loop, struct net_flush *item)
{
    if (!list_empty(&item->node)) {
        return;
    }
    uv_idle_start(&loop->idle, on_idle);
    item->later = true;
    list_append(&loop->later, &item->node);
}

void net_loop_flush_cancel(struct net_flush *item)
{
    item->later = false;
    list_remove(&item->node);
}

void net_loop_tick_start(struct net_loop *loop, struct net_tick *item)
{
    if (list_empty(&item->node)) {
        list_append(&loop->ticks, &item->node);
    }
}

void net_loop_tick_stop(struct net_tick *item)
{
    list_remove(&item->node);
}
