/* The clock of an open loop. Inside bench/ only. */
#ifndef GRPCROUTE_BENCH_PACER_H
#define GRPCROUTE_BENCH_PACER_H

#include "bench/state.h"

/* Sends every message when it is due, from start_ns on. Returns 0 or a negative errno. */
int pacer_start(struct driver *driver, uint64_t start_ns);
/* These do nothing when it was never started. */
void pacer_stop(struct driver *driver);
/* Before the loop ends. */
void pacer_close(struct driver *driver);

#endif
