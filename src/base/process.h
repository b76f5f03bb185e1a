/* What a process says about itself, and the one limit it lifts for itself. */
#ifndef GRPCROUTE_BASE_PROCESS_H
#define GRPCROUTE_BASE_PROCESS_H

#include "base/metrics.h"

#include <stddef.h>
#include <stdint.h>

/* Appends grpcroute_build_info, grpcroute_log_lines_dropped_total and what every Prometheus client
 * library exports: process_cpu_seconds_total, process_resident_memory_bytes, process_open_fds,
 * process_max_fds, process_start_time_seconds. What /proc does not tell is left out. */
void process_metrics(struct metrics *metrics);

/* Takes the numbers 0 to 2 if they are free, so that nothing else gets them; reading and writing
 * there fails as before. Call it first. */
void process_keep_standard_streams(void);

/* The bytes of memory that the process may use: the lowest limit of its control groups, else what
 * the machine has. */
uint64_t process_memory_limit(void);

/* The CPUs that the process may use, rounded up: those of its affinity, and no more than its
 * control groups give it time for. At least 1. */
unsigned process_cpus(void);

/* Raises the soft limit of open files to the hard one; many streams need many. Returns the limit.
 */
size_t process_raise_fd_limit(void);

#endif
