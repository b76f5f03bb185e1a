#include "bench/cost.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool bench_cost_is_readable(pid_t pid)
{
    double seconds;
    uint64_t kib;
    errno = ENOENT;
    return bench_cost_cpu_seconds(pid, &seconds) && bench_cost_memory_kib(pid, &kib);
}

bool bench_cost_cpu_seconds(pid_t pid, double *ret_seconds)
{
    char path[64];
    char line[1024];
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return false;
    }
    size_t len = fread(line, 1, sizeof(line) - 1, file);
    fclose(file);
    line[len] = '\0';
    /* The name in parentheses may hold anything; after the last one come fixed fields (proc(5)). */
    const char *fields = strrchr(line, ')');
    unsigned long user;
    unsigned long system;
    if (fields == NULL || sscanf(fields + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
                                 &user, &system) != 2) {
        return false;
    }
    *ret_seconds = (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
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
