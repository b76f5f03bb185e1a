/* The two clocks: monotonic for intervals, wall for people. */
#ifndef GRPCROUTE_BASE_CLOCK_H
#define GRPCROUTE_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S  UINT64_C(1000000000)

#define CLOCK_RFC3339_BYTES 32

/* Monotonic time in nanoseconds or milliseconds; the epoch means nothing. */
uint64_t clock_now_ns(void);
uint64_t clock_now_ms(void);

/* Sleeps until that monotonic time, or a signal. */
void clock_sleep_until(uint64_t ns);

/* Nanoseconds since 1970. */
uint64_t clock_wall_ns(void);

/* Writes such a time, or now's, as RFC 3339 in UTC with milliseconds into `out`. */
void clock_format(uint64_t wall_ns, char out[static CLOCK_RFC3339_BYTES]);
/* The same of a date in seconds, as certificates have them: those of "for ever" end in the year
 * 9999, which nanoseconds do not reach. */
void clock_format_s(int64_t wall_s, char out[static CLOCK_RFC3339_BYTES]);
void clock_format_now(char out[static CLOCK_RFC3339_BYTES]);

#endif
