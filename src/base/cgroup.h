/* What the control groups of this process allow: the lowest of its own and of all those above it,
 * of version 2 or 1. Inside a container its own group is the root of what is seen.
 *
 * `root` stands before /proc and /sys: "", or a test's folder. */
#ifndef GRPCROUTE_BASE_CGROUP_H
#define GRPCROUTE_BASE_CGROUP_H

#include <stdint.h>

/* Bytes; UINT64_MAX: no limit. */
uint64_t cgroup_memory_limit(const char *root);

/* CPUs' worth of time, such as 1.5; HUGE_VAL: no limit. */
double cgroup_cpu_quota(const char *root);

#endif
