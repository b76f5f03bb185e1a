/* The clock of an open loop. Inside bench/ only. */
#ifndef GRPCROUTE_BENCH_PACER_H
#define GRPCROUTE_BENCH_PACER_H

#include "bench/state.h"

/* Sends every message when it is due, from start_ns on. Returns 0 or a negative errno. */
int bench_pacer_start(struct bench_driver *driver, uint64_t start_ns);
/* These do nothing when it was never started. */
void bench_pacer_stop(struct bench_driver *driver);
/* Before the loop ends. */
void bench_pacer_close(struct bench_driver *driver);

#endif
