/* The life of a bench on one event loop. */
#include "bench/driver.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/process.h"
#include "bench/conn.h"
#include "bench/driver_cost.h"
#include "bench/phase.h"
#include "bench/stream.h"
#include "cli/exit.h"
#include "cli/options.h"

#include <stdlib.h>
#include <string.h>

static void make_streams(struct bench_driver *driver)
{
    struct bench_setup *setup = &driver->result->setup;
    driver->stream_count = (size_t)(setup->connections * setup->streams);
    driver->pending = driver->stream_count;
    driver->conns = mem_calloc((size_t)setup->connections, sizeof(*driver->conns));
    driver->streams = mem_calloc(driver->stream_count, sizeof(*driver->streams));
    for (size_t i = 0; i < setup->connections; i++) {
        bench_conn_init(&driver->conns[i], driver, &driver->streams[i * setup->streams]);
        bench_conn_start(&driver->conns[i], i * setup->ramp_ns / setup->connections / NS_PER_MS);
    }
    for (size_t i = 0; i < driver->stream_count; i++) {
        bench_stream_init(&driver->streams[i], &driver->conns[i / setup->streams],
                          i % setup->version_count);
    }
}

static void make_text(struct bench_driver *driver)
{
    size_t size = (size_t)driver->result->setup.size_bytes;
    driver->text = mem_calloc(1, size + 1);
    memset(driver->text, 'x', size);
    if (size == strlen("ping")) {
        memcpy(driver->text, "ping", size);
    }
}

/* Streams are only missing where there was the time to open them. */
static void count_unopened(struct bench_result *result)
{
    uint64_t wanted = result->setup.connections * result->setup.streams;
    if (result->interrupted_by == 0 && wanted > result->streams_opened) {
        result->unopened = wanted - result->streams_opened;
    }
}

static int exit_code(const struct bench_result *result)
{
    if (result->interrupted_by != 0) {
        return role_signals_exit_code(result->interrupted_by);
    }
    if (result->streams_opened == 0) {
        cli_error("bench", "no stream was answered: %s",
                  result->cause_count > 0 ? result->causes[0].text : "no reason is known");
        return EXIT_NO_CONNECTION;
    }
    return EXIT_GOOD;
}

int bench_drive(struct bench_result *result, const struct bench_driver_config *config)
{
    struct bench_driver *driver = mem_new(struct bench_driver);
    driver->result = result;
    driver->config = config;
    driver->timer_fd = -1;
    driver->per_call = bench_is_per_call(result->setup.call);
    driver->started_ns = clock_now_ns();
    list_init(&driver->owed);
    result->timeline = mem_calloc(BENCH_SECONDS_MAX, sizeof(*result->timeline));
    process_raise_fd_limit();
    if (net_loop_init(&driver->loop) != 0) {
        cli_error("bench", "cannot start an event loop");
        free(driver);
        return EXIT_USAGE;
    }
    cli_progress_begin(&driver->progress);
    make_text(driver);
    bench_phases_open(driver);
    bench_memory_before(driver);
    make_streams(driver);
    bench_phases_begin(driver);
    net_loop_run(&driver->loop);
    net_loop_deinit(&driver->loop);
    cli_progress_end(&driver->progress);
    free(driver->conns);
    free(driver->streams);
    free(driver->text);
    free(driver);
    count_unopened(result);
    return exit_code(result);
}
