#include "base/cgroup.h"

#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* One controller: where its groups are in either version, and what a group's folder says. */
struct controller {
    const char *name;  /* in /proc/self/cgroup */
    const char *mount; /* of version 1 */
    double (*read_v1)(const char *folder);
    double (*read_v2)(const char *folder);
};

/* Reads up to two numbers of a file; returns how many there were ("max" is none). */
static int read_numbers(const char *folder, const char *name, double ret[static 2])
{
    char path[PATH_MAX];
    if ((size_t)snprintf(path, sizeof(path), "%s/%s", folder, name) >= sizeof(path)) {
        return 0;
    }
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return 0;
    }
    int count = fscanf(file, "%lf %lf", &ret[0], &ret[1]);
    fclose(file);
    return count > 0 ? count : 0;
}

static double read_memory(const char *folder, const char *name)
{
    double numbers[2];
    return read_numbers(folder, name, numbers) > 0 && numbers[0] >= 0 ? numbers[0] : HUGE_VAL;
}

static double memory_v1(const char *folder)
{
    return read_memory(folder, "memory.limit_in_bytes");
}

static double memory_v2(const char *folder)
{
    return read_memory(folder, "memory.max");
}

static double share(double quota, double period)
{
    return quota > 0 && period > 0 ? quota / period : HUGE_VAL;
}

/* A quota of -1 is none. */
static double cpu_v1(const char *folder)
{
    double quota[2];
    double period[2];
    bool both = read_numbers(folder, "cpu.cfs_quota_us", quota) > 0 &&
                read_numbers(folder, "cpu.cfs_period_us", period) > 0;
    return both ? share(quota[0], period[0]) : HUGE_VAL;
}

static double cpu_v2(const char *folder)
{
    double numbers[2];
    return read_numbers(folder, "cpu.max", numbers) == 2 ? share(numbers[0], numbers[1]) : HUGE_VAL;
}

static double lower(double a, double b)
{
    return a < b ? a : b;
}

/* The lowest of the group and those above it, below the folder `mount`. */
static double lowest(const char *root, const char *mount, const char *group,
                     double (*read)(const char *folder))
{
    char folder[PATH_MAX];
    double found = HUGE_VAL;
    size_t len = strcspn(group, "\n");
    for (;;) {
        snprintf(folder, sizeof(folder), "%s%s%.*s", root, mount, (int)len, group);
        found = lower(found, read(folder));
        if (len <= 1) {
            return found;
        }
        do {
            len--;
        } while (len > 0 && group[len] != '/');
    }
}

/* True when `name` is one of the `len` bytes "cpu,cpuacct". */
static bool lists(const char *controllers, size_t len, const char *name)
{
    size_t name_len = strlen(name);
    for (size_t at = 0; at < len;) {
        size_t end = at;
        while (end < len && controllers[end] != ',') {
            end++;
        }
        if (end - at == name_len && memcmp(controllers + at, name, name_len) == 0) {
            return true;
        }
        at = end + 1;
    }
    return false;
}

/* One line of cgroup(7): "0::/path" of version 2, "4:cpu,cpuacct:/path" of version 1. */
static double limit_of_line(const char *root, const struct controller *controller, const char *line)
{
    const char *controllers = strchr(line, ':');
    const char *group = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
    if (group == NULL) {
        return HUGE_VAL;
    }
    controllers++;
    if (controllers == group) {
        return lowest(root, "/sys/fs/cgroup", group + 1, controller->read_v2);
    }
    return lists(controllers, (size_t)(group - controllers), controller->name)
               ? lowest(root, controller->mount, group + 1, controller->read_v1)
               : HUGE_VAL;
}

static double limit_of(const char *root, const struct controller *controller)
{
    char path[PATH_MAX];
    char line[PATH_MAX];
    double found = HUGE_VAL;
    snprintf(path, sizeof(path), "%s/proc/self/cgroup", root);
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        found = lower(found, limit_of_line(root, controller, line));
    }
    if (file != NULL) {
        fclose(file);
    }
    return found;
}

uint64_t cgroup_memory_limit(const char *root)
{
    static const struct controller memory = {"memory", "/sys/fs/cgroup/memory", memory_v1,
                                             memory_v2};
    double bytes = limit_of(root, &memory);
    return bytes < (double)INT64_MAX ? (uint64_t)bytes : UINT64_MAX;
}

double cgroup_cpu_quota(const char *root)
{
    static const struct controller cpu = {"cpu", "/sys/fs/cgroup/cpu", cpu_v1, cpu_v2};
    return limit_of(root, &cpu);
}
