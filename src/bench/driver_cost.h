/* What a load costs: CPU and memory of the programs that are measured, and the CPU time of this
 * one. Inside bench/ only. */
#ifndef GRPCROUTE_BENCH_DRIVER_COST_H
#define GRPCROUTE_BENCH_DRIVER_COST_H

#include "bench/state.h"

/* Before the first stream, and when all are open and none was used. */
void bench_memory_before(struct bench_driver *driver);
void bench_memory_idle(struct bench_driver *driver);

/* When the load begins to count, and when it is over. */
void bench_costs_begin(struct bench_driver *driver);
void bench_costs_end(struct bench_driver *driver);

#endif
