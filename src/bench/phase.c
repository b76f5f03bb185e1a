/* The phases of a bench; see state.h. */
#include "bench/phase.h"

#include "base/clock.h"
#include "base/mem.h"
#include "bench/account.h"
#include "bench/conn.h"
#include "bench/driver_cost.h"
#include "bench/pacer.h"
#include "bench/stream.h"
#include "bench/timeline.h"
#include "cli/options.h"

#include <inttypes.h>
#include <string.h>

/* How long the last answers may take. */
#define DRAIN_MS      2000
#define DRAIN_POLL_MS 10
/* How long servers may take to end streams that were half-closed. */
#define ENDING_MS 2000
/* From the last connection's start, or from the last stream that was settled, to the next. */
#define OPENING_MS 15000
/* From all streams open to the first message, so that idle memory can be read. */
#define IDLE_MS 300

static void enter(struct bench_driver *driver, enum bench_phase phase);

static void on_opening_late(uv_timer_t *timer);

/* Thousands take longer than one: the limit is for the next. */
static void await_next_stream(struct bench_driver *driver)
{
    if (driver->pending != driver->pending_before) {
        driver->pending_before = driver->pending;
        uv_timer_start(&driver->phase_timer, on_opening_late,
                       OPENING_MS + driver->result->setup.ramp_ns / NS_PER_MS, 0);
    }
}

/* Where no seconds are counted: before the load and after it. */
static void on_tick(struct net_tick *tick, uint64_t now_ms)
{
    struct bench_driver *driver = container_of(tick, struct bench_driver, tick);
    (void)now_ms;
    if (driver->phase == PHASE_OPENING) {
        await_next_stream(driver);
        cli_progress_show(&driver->progress, "opening streams: %" PRIu64 " of %zu",
                          driver->result->streams_opened, driver->stream_count);
    } else if (driver->phase != PHASE_LOADING) {
        const char *what =
            driver->phase == PHASE_IDLE ? "all streams are open" : "the last answers";
        cli_progress_show(&driver->progress, "%s", what);
    }
}

static void on_all_settled(struct bench_driver *driver)
{
    if (driver->phase == PHASE_OPENING) {
        driver->result->opening_ns = clock_now_ns() - driver->started_ns;
        enter(driver, driver->result->streams_opened > 0 ? PHASE_IDLE : PHASE_CLOSING);
    }
}

static void on_opening_late(uv_timer_t *timer)
{
    struct bench_driver *driver = timer->data;
    for (size_t i = 0; i < driver->stream_count && driver->phase == PHASE_OPENING; i++) {
        if (!driver->streams[i].settled) {
            bench_count_cause(driver->result,
                              driver->per_call ? "the first call did not end in time"
                                               : "the first message was not answered in time",
                              1);
            bench_stream_settle(&driver->streams[i]);
        }
    }
}

static void on_idle_over(uv_timer_t *timer)
{
    struct bench_driver *driver = timer->data;
    const struct bench_setup *setup = &driver->result->setup;
    bench_memory_idle(driver);
    uint64_t now_ns = clock_now_ns();
    driver->measure_ns = now_ns + setup->warmup_ns;
    driver->end_ns = driver->measure_ns + setup->duration_ns;
    int rv = setup->rate > 0 ? bench_pacer_start(driver, now_ns) : 0;
    if (rv != 0) {
        cli_error("bench", "cannot make a timer: %s", strerror(-rv));
        enter(driver, PHASE_CLOSING);
        return;
    }
    if (setup->rate == 0) {
        for (size_t i = 0; i < driver->stream_count; i++) {
            bench_stream_send_next(&driver->streams[i]);
        }
    }
    enter(driver, PHASE_LOADING);
}

static void on_warmup_over(uv_timer_t *timer)
{
    struct bench_driver *driver = timer->data;
    bench_costs_begin(driver);
    driver->second_began_ns = driver->measure_ns; /* not when a busy machine noticed */
    bench_second_begin(driver);
}

static void begin_draining(struct bench_driver *driver)
{
    uint64_t now_ns = clock_now_ns();
    driver->result->seconds_ns = now_ns > driver->measure_ns ? now_ns - driver->measure_ns : 0;
    if (driver->second_began_ns != 0) { /* the warm-up is over */
        bench_second_end(driver, now_ns);
    }
    bench_costs_end(driver);
    enter(driver, PHASE_DRAINING);
}

/* A loop that was busy when the timer was set lets it fire too early. */
static void on_load_over(uv_timer_t *timer)
{
    struct bench_driver *driver = timer->data;
    if (clock_now_ns() < driver->end_ns) {
        uv_timer_start(timer, on_load_over, bench_ms_until(driver->end_ns), 0);
    } else {
        begin_draining(driver);
    }
}

static bool all_answered(const struct bench_driver *driver)
{
    if (driver->result->setup.rate > 0 &&
        bench_schedule_due_ns(&driver->schedule, driver->next) < driver->end_ns) {
        return false; /* not sent yet */
    }
    for (size_t i = 0; i < driver->stream_count; i++) {
        if (driver->streams[i].answered < driver->streams[i].sent) {
            return false;
        }
    }
    return list_empty(&driver->owed);
}

static void on_draining(uv_timer_t *timer)
{
    struct bench_driver *driver = timer->data;
    uint64_t now_ns = clock_now_ns();
    if (all_answered(driver) || now_ns > driver->end_ns + DRAIN_MS * NS_PER_MS) {
        for (size_t i = 0; i < driver->stream_count; i++) {
            bench_account_rest(&driver->streams[i], now_ns);
        }
        enter(driver, PHASE_ENDING);
    }
}

/* A server that answers everything may still end its calls badly, which every client would see. */
static void begin_ending(struct bench_driver *driver)
{
    driver->ending_ns = clock_now_ns() + ENDING_MS * NS_PER_MS;
    for (size_t i = 0; i < driver->result->setup.connections; i++) {
        uv_timer_stop(&driver->conns[i].timer);
    }
    for (size_t i = 0; i < driver->stream_count; i++) {
        if (role_pinger_is_open(&driver->streams[i].pinger)) {
            role_pinger_half_close(&driver->streams[i].pinger);
        }
    }
}

static void on_ending(uv_timer_t *timer)
{
    struct bench_driver *driver = timer->data;
    uint64_t open = 0;
    for (size_t i = 0; i < driver->stream_count; i++) {
        open += role_pinger_is_open(&driver->streams[i].pinger);
    }
    if (open == 0 || clock_now_ns() > driver->ending_ns) {
        driver->result->left_open = driver->per_call ? 0 : open; /* unanswered calls are counted */
        enter(driver, PHASE_CLOSING);
    }
}

static void close_handles(struct bench_driver *driver)
{
    net_loop_tick_stop(&driver->tick);
    bench_pacer_close(driver);
    uv_close((uv_handle_t *)&driver->phase_timer, NULL);
    uv_close((uv_handle_t *)&driver->second_timer, NULL);
    role_signals_close(&driver->signals);
    for (size_t i = 0; i < driver->result->setup.connections; i++) {
        uv_close((uv_handle_t *)&driver->conns[i].timer, NULL);
    }
}

static void close_when_idle(struct bench_driver *driver)
{
    if (driver->phase == PHASE_CLOSING && driver->clients == 0 && !driver->closed) {
        driver->closed = true;
        close_handles(driver);
    }
}

static void close_all(struct bench_driver *driver)
{
    uv_timer_stop(&driver->phase_timer);
    uv_timer_stop(&driver->second_timer);
    bench_pacer_stop(driver);
    for (size_t i = 0; i < driver->result->setup.connections; i++) {
        bench_conn_close(&driver->conns[i]);
    }
    close_when_idle(driver);
}

static void enter(struct bench_driver *driver, enum bench_phase phase)
{
    driver->phase = phase;
    switch (phase) {
    case PHASE_OPENING:
        await_next_stream(driver);
        return;
    case PHASE_IDLE:
        uv_timer_start(&driver->phase_timer, on_idle_over, IDLE_MS, 0);
        return;
    case PHASE_LOADING:
        uv_timer_start(&driver->second_timer, on_warmup_over, bench_ms_until(driver->measure_ns),
                       0);
        uv_timer_start(&driver->phase_timer, on_load_over, bench_ms_until(driver->end_ns), 0);
        return;
    case PHASE_DRAINING:
        uv_timer_stop(&driver->second_timer);
        uv_timer_start(&driver->phase_timer, on_draining, 0, DRAIN_POLL_MS);
        return;
    case PHASE_ENDING:
        begin_ending(driver);
        uv_timer_start(&driver->phase_timer, on_ending, 0, DRAIN_POLL_MS);
        return;
    case PHASE_CLOSING:
        close_all(driver);
        return;
    }
}

static void on_signal(void *user, int number, bool again)
{
    struct bench_driver *driver = user;
    (void)again;
    driver->result->interrupted_by = number;
    if (driver->phase == PHASE_LOADING) {
        begin_draining(driver);
    }
    if (driver->phase != PHASE_CLOSING) {
        enter(driver, PHASE_CLOSING);
    }
}

void bench_phases_open(struct bench_driver *driver)
{
    driver->on_all_settled = on_all_settled;
    driver->on_client_gone = close_when_idle;
    uv_timer_init(&driver->loop.uv, &driver->phase_timer);
    uv_timer_init(&driver->loop.uv, &driver->second_timer);
    driver->phase_timer.data = driver->second_timer.data = driver;
    net_tick_init(&driver->tick, on_tick);
    net_loop_tick_start(&driver->loop, &driver->tick);
    role_signals_start(&driver->signals, &driver->loop, on_signal, NULL, driver);
}

void bench_phases_begin(struct bench_driver *driver)
{
    enter(driver, PHASE_OPENING);
}
