/* The phases of a bench, from one to the next. Inside bench/ only. */
#ifndef GRPCROUTE_BENCH_PHASE_H
#define GRPCROUTE_BENCH_PHASE_H

#include "bench/state.h"

/* Opens timers, tick and signals on the loop of the driver; the last phase closes them. */
void bench_phases_open(struct bench_driver *driver);
/* Enters the first phase: the connections have been started. */
void bench_phases_begin(struct bench_driver *driver);

#endif
