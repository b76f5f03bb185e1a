/* A timerfd, because the loop's own timers count whole milliseconds. */
#include "bench/pacer.h"

#include "base/clock.h"
#include "bench/stream.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* Wake-ups are at least this far apart, which bounds their number; it is part of the stated error.
 */
#define PACER_MIN_NS UINT64_C(50000)

static void arm(struct bench_driver *driver, uint64_t at_ns)
{
    const struct itimerspec when = {
        .it_value = {.tv_sec = (time_t)(at_ns / 1000000000), .tv_nsec = (long)(at_ns % 1000000000)},
    };
    timerfd_settime(driver->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static void arm_next(struct bench_driver *driver, uint64_t now_ns)
{
    uint64_t due_ns = bench_schedule_due_ns(&driver->schedule, driver->next);
    if (due_ns < driver->end_ns) {
        arm(driver, due_ns > now_ns + PACER_MIN_NS ? due_ns : now_ns + PACER_MIN_NS);
    }
}

static void on_expired(uv_poll_t *handle, int status, int events)
{
    struct bench_driver *driver = handle->data;
    uint64_t expirations;
    (void)status;
    (void)events;
    if (read(driver->timer_fd, &expirations, sizeof(expirations)) < 0) {
        return; /* woken for nothing */
    }
    uint64_t now_ns = clock_now_ns();
    uint64_t due_ns = bench_schedule_due_ns(&driver->schedule, driver->next);
    while (due_ns <= now_ns && due_ns < driver->end_ns) {
        struct bench_stream *stream = &driver->streams[driver->next % driver->stream_count];
        if (list_empty(&stream->owed_node)) { /* else it sends by itself when it can */
            bench_stream_send_due(stream, now_ns);
        }
        driver->next++;
        due_ns = bench_schedule_due_ns(&driver->schedule, driver->next);
    }
    arm_next(driver, now_ns);
}

int bench_pacer_start(struct bench_driver *driver, uint64_t start_ns)
{
    driver->schedule = (struct bench_schedule){
        .start_ns = start_ns,
        .rate = driver->result->setup.rate,
        .streams = driver->stream_count,
    };
    driver->next = 0;
    driver->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (driver->timer_fd < 0) {
        return -errno;
    }
    uv_poll_init(&driver->loop.uv, &driver->pacer, driver->timer_fd);
    driver->pacer.data = driver;
    uv_poll_start(&driver->pacer, UV_READABLE, on_expired);
    arm(driver, start_ns);
    return 0;
}

void bench_pacer_stop(struct bench_driver *driver)
{
    if (driver->timer_fd >= 0) {
        uv_poll_stop(&driver->pacer);
    }
}

static void on_pacer_closed(uv_handle_t *handle)
{
    struct bench_driver *driver = handle->data;
    close(driver->timer_fd);
}

void bench_pacer_close(struct bench_driver *driver)
{
    if (driver->timer_fd >= 0) {
        uv_close((uv_handle_t *)&driver->pacer, on_pacer_closed);
    }
}
