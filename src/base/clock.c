/* The two clocks of the kernel. */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

uint64_t clock_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

uint64_t clock_now_ms(void)
{
    return clock_now_ns() / 1000000;
}

void clock_sleep_until(uint64_t ns)
{
    struct timespec until = {.tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

uint64_t clock_wall_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void format(int64_t wall_s, unsigned ms, char out[static CLOCK_RFC3339_BYTES])
{
    time_t seconds = (time_t)wall_s;
    struct tm utc;
    gmtime_r(&seconds, &utc);
    size_t len = strftime(out, CLOCK_RFC3339_BYTES, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(out + len, CLOCK_RFC3339_BYTES - len, ".%03uZ", ms);
}

void clock_format(uint64_t wall_ns, char out[static CLOCK_RFC3339_BYTES])
{
    format((int64_t)(wall_ns / 1000000000), (unsigned)(wall_ns / 1000000 % 1000), out);
}

void clock_format_s(int64_t wall_s, char out[static CLOCK_RFC3339_BYTES])
{
    format(wall_s, 0, out);
}

void clock_format_now(char out[static CLOCK_RFC3339_BYTES])
{
    clock_format(clock_wall_ns(), out);
}
