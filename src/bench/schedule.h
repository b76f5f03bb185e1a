/* When each message of an open loop is due, whatever became of those before it.
 *
 * Message k of all is due k / rate seconds after the start, on stream k mod streams; so the due
 * time of the n-th message of a stream follows from n alone, and a stall costs no memory. Pure. */
#ifndef GRPCROUTE_BENCH_SCHEDULE_H
#define GRPCROUTE_BENCH_SCHEDULE_H

#include <stddef.h>
#include <stdint.h>

struct bench_schedule {
    uint64_t start_ns;
    uint64_t rate; /* messages per second, at least 1 */
    size_t streams;
};

/* Due time of message `k` of all, counted from 0. */
uint64_t bench_schedule_due_ns(const struct bench_schedule *schedule, uint64_t k);

/* Due time of the n-th message of `stream`, both counted from 0. */
uint64_t bench_schedule_stream_due_ns(const struct bench_schedule *schedule, size_t stream,
                                      uint64_t n);

/* How many messages of `stream` are due before `until_ns`. */
uint64_t bench_schedule_stream_count(const struct bench_schedule *schedule, size_t stream,
                                     uint64_t until_ns);

#endif
