/* CPU time and memory of other processes. */
#ifndef GRPCROUTE_BENCH_COST_H
#define GRPCROUTE_BENCH_COST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Whether both of the below can be read; if not, errno is set, ENOENT without such a process. */
bool bench_cost_is_readable(pid_t pid);

/* User and system time of all threads since the process began. Returns false when it cannot be
 * read. */
bool bench_cost_cpu_seconds(pid_t pid, double *ret_seconds);

/* Proportional set size in KiB. Returns false when it cannot be read. */
bool bench_cost_memory_kib(pid_t pid, uint64_t *ret_kib);

#endif
