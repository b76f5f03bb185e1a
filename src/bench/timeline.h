/* The seconds of the load that count, as they pass. Inside bench/ only. */
#ifndef GRPCROUTE_BENCH_TIMELINE_H
#define GRPCROUTE_BENCH_TIMELINE_H

#include "bench/state.h"

/* The next second begins and ends by itself. The last one, which may be shorter, ends with the
 * load. */
void bench_second_begin(struct bench_driver *driver);
/* Takes the second that runs into the result, and shows it. */
void bench_second_end(struct bench_driver *driver, uint64_t now_ns);

#endif
