#include "bench/cost.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

bool bench_cost_is_readable(pid_t pid)
{
    double seconds;
    uint64_t kib;
    errno = ENOENT;
    return bench_cost_cpu_seconds(pid, &seconds) && bench_cost_memory_kib(pid, &kib);
}

bool bench_cost_cpu_seconds(pid_t pid, double *ret_seconds)
{
    clockid_t clock;
    struct timespec used; /* finer than the ticks of /proc/PID/stat */
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0) {
        errno = ENOENT;
        return false;
    }
    *ret_seconds = (double)used.tv_sec + (double)used.tv_nsec / 1e9;
    return true;
}

bool bench_cost_memory_kib(pid_t pid, uint64_t *ret_kib)
{
    char path[64];
    char line[256];
    unsigned long kib;
    bool found = false;
    snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
    FILE *file = fopen(path, "r");
    while (file != NULL && !found && fgets(line, sizeof(line), file) != NULL) {
        found = sscanf(line, "Pss: %lu", &kib) == 1;
    }
    if (file != NULL) {
        fclose(file);
    }
    if (found) {
        *ret_kib = kib;
    }
    return found;
}
