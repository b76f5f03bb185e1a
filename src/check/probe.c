/* The prober: a plan on one event loop, from its first connection to its last. Streams are in
 * probe_stream.c, connections in probe_conn.c. */
#include "check/probe.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/process.h"
#include "base/text.h"
#include "check/probe_state.h"
#include "role/signals.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

/* By counting: a bucket per connection. */
static size_t *order_by_connection(const struct check_plan *plan)
{
    size_t *order = mem_calloc(plan->stream_count, sizeof(size_t));
    size_t *starts = mem_calloc(plan->connection_count + 1, sizeof(size_t));
    for (size_t i = 0; i < plan->stream_count; i++) {
        starts[plan->streams[i].connection + 1]++;
    }
    for (size_t i = 1; i <= plan->connection_count; i++) {
        starts[i] += starts[i - 1];
    }
    for (size_t i = 0; i < plan->stream_count; i++) {
        order[starts[plan->streams[i].connection]++] = i;
    }
    free(starts);
    return order;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct probe *probe = handle->data;
    if (--probe->handles > 0) {
        return;
    }
    void (*on_done)(void *user) = probe->on_done;
    void *user = probe->user;
    probe->run->duration_ns = clock_now_ns() - probe->started_ns;
    cli_progress_end(&probe->progress);
    free(probe->order);
    free(probe->streams);
    free(probe);
    on_done(user);
}

static void close_handles(struct probe *probe)
{
    net_loop_tick_stop(&probe->tick);
    uv_close((uv_handle_t *)&probe->pinger, on_handle_closed);
    uv_close((uv_handle_t *)&probe->deadline, on_handle_closed);
}

/* ---- the end --------------------------------------------------------------------------------- */

static void drop_everything(struct probe *probe, enum check_end end)
{
    probe->stopping = true;
    for (size_t i = 0; i < probe->run->plan->stream_count; i++) {
        probe_stream_settle(&probe->streams[i], end);
    }
    probe_close_conns(probe);
}

static void on_deadline(uv_timer_t *timer)
{
    probe_explain_waits(timer->data);
    drop_everything(timer->data, CHECK_END_TIMED_OUT);
}

void check_probe_stop(struct probe *probe, int signal)
{
    probe->run->interrupted_by = signal;
    drop_everything(probe, CHECK_END_OPEN);
}

static uint64_t whole_seconds(uint64_t ns)
{
    return ns - ns % UINT64_C(1000000000);
}

static void show_progress(struct probe *probe)
{
    const struct check_plan *plan = probe->run->plan;
    char took[32];
    char limit[32];
    size_t done = 0;
    uint64_t answered = 0;
    if (!cli_progress_due(&probe->progress)) {
        return;
    }
    for (size_t i = 0; i < plan->stream_count; i++) {
        done += probe->streams[i].settled;
        answered += probe->run->streams[i].pong_count;
    }
    text_format_duration(took, sizeof(took), whole_seconds(clock_now_ns() - probe->started_ns));
    text_format_duration(limit, sizeof(limit), whole_seconds(probe->run->timeout_ns));
    cli_progress_show(&probe->progress,
                      "%s: %zu of %zu streams done, %" PRIu64 " of %" PRIu64
                      " messages answered, %s of at most %s",
                      plan->command == CHECK_VERIFY ? "verify" : "sticky-test", done,
                      plan->stream_count, answered, plan->stream_count * plan->messages, took,
                      limit);
}

static void on_tick(struct net_tick *tick, uint64_t now_ms)
{
    struct probe *probe = container_of(tick, struct probe, tick);
    for (size_t i = 0; i < probe->run->plan->stream_count; i++) {
        probe_stream_tick(&probe->streams[i], now_ms);
    }
    show_progress(probe);
}

static void on_pinger(uv_timer_t *timer)
{
    struct probe *probe = timer->data;
    for (size_t i = 0; i < probe->run->plan->stream_count; i++) {
        probe_stream_next(&probe->streams[i]);
    }
}

static void start_handles(struct probe *probe)
{
    uint64_t planned_ms = probe->run->plan->interval_ms;
    uint64_t interval_ms = planned_ms > 0 ? planned_ms : 1; /* a timer of 0 fires only once */
    uv_timer_init(&probe->loop->uv, &probe->pinger);
    uv_timer_init(&probe->loop->uv, &probe->deadline);
    probe->pinger.data = probe->deadline.data = probe;
    probe->handles = 2;
    uv_timer_start(&probe->pinger, on_pinger, interval_ms, interval_ms);
    uv_timer_start(&probe->deadline, on_deadline, probe->run->timeout_ns / 1000000, 0);
    net_tick_init(&probe->tick, on_tick);
    net_loop_tick_start(probe->loop, &probe->tick);
}

struct probe *check_probe_start(struct net_loop *loop, struct check_run *run,
                                const struct role_target *target, void (*on_done)(void *user),
                                void *user)
{
    struct probe *probe = mem_new(struct probe);
    assert(run->plan->stream_count > 0);
    probe->loop = loop;
    probe->on_done = on_done;
    probe->user = user;
    probe->started_ns = clock_now_ns();
    probe->run = run;
    probe->target = target;
    probe->on_last_closed = close_handles;
    probe->streams = mem_calloc(run->plan->stream_count, sizeof(struct probe_stream));
    for (size_t i = 0; i < run->plan->stream_count; i++) {
        probe_stream_init(&probe->streams[i], probe);
    }
    probe->order = order_by_connection(run->plan);
    list_init(&probe->conns);
    process_raise_fd_limit();
    cli_progress_begin(&probe->progress);
    start_handles(probe);
    probe_open_planned(probe);
    return probe;
}

/* ---- with a loop of its own ------------------------------------------------------------------ */

struct alone {
    struct net_loop loop;
    struct role_signals signals;
    struct probe *probe;
};

static void on_alone_done(void *user)
{
    struct alone *alone = user;
    role_signals_close(&alone->signals);
}

static void on_alone_signal(void *user, int number, bool again)
{
    struct alone *alone = user;
    (void)again;
    check_probe_stop(alone->probe, number);
}

int check_probe(struct check_run *run, const struct role_target *target)
{
    struct alone alone;
    int error = net_loop_init(&alone.loop);
    if (error != 0) {
        return error;
    }
    role_signals_start(&alone.signals, &alone.loop, on_alone_signal, NULL, &alone);
    alone.probe = check_probe_start(&alone.loop, run, target, on_alone_done, &alone);
    net_loop_run(&alone.loop);
    net_loop_deinit(&alone.loop);
    return 0;
}
