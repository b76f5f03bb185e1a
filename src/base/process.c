/* The process as /proc and getrusage() see it. */
#include "base/process.h"

#include "base/cgroup.h"
#include "base/log.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* proc(5), /proc/PID/stat: of the fields behind the command's name, the first is number 3. */
#define STAT_FIRST_FIELD    3
#define STAT_START_TIME     22 /* clock ticks after boot */
#define STAT_RESIDENT_PAGES 24

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static void put(struct metrics *metrics, const char *name, enum metrics_type type, const char *help,
                double value)
{
    metrics_begin(metrics, name, type, help);
    metrics_sample(metrics, name, NULL, value);
}

/* Reads one number of /proc/self/stat; returns -1 when it cannot. */
static double stat_field(int number)
{
    char text[1024];
    FILE *file = fopen("/proc/self/stat", "re");
    if (file == NULL) {
        return -1;
    }
    size_t len = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[len] = '\0';
    char *at = strrchr(text, ')'); /* the command's name may hold anything */
    for (int field = STAT_FIRST_FIELD - 1; at != NULL && field < number; field++) {
        at = strchr(at + 1, ' ');
    }
    double value = -1;
    return at != NULL && sscanf(at, " %lf", &value) == 1 ? value : -1;
}

static double open_files(void)
{
    DIR *directory = opendir("/proc/self/fd");
    if (directory == NULL) {
        return -1;
    }
    double count = -3; /* ".", "..", and the directory itself */
    while (readdir(directory) != NULL) {
        count++;
    }
    closedir(directory);
    return count;
}

static double start_time(void)
{
    struct timespec now;
    struct timespec up;
    double ticks = stat_field(STAT_START_TIME);
    if (ticks < 0) {
        return -1;
    }
    clock_gettime(CLOCK_REALTIME, &now);
    clock_gettime(CLOCK_BOOTTIME, &up);
    double boot = (double)(now.tv_sec - up.tv_sec) + (double)(now.tv_nsec - up.tv_nsec) / 1e9;
    return boot + ticks / (double)sysconf(_SC_CLK_TCK);
}

static void put_known(struct metrics *metrics, const char *name, const char *help, double value)
{
    if (value >= 0) {
        put(metrics, name, METRICS_GAUGE, help, value);
    }
}

void process_metrics(struct metrics *metrics)
{
    metrics_begin(metrics, "grpcroute_build_info", METRICS_GAUGE,
                  "Always 1; the version as a label.");
    metrics_sample(metrics, "grpcroute_build_info", METRICS_LABELS({"version", GRPCROUTE_VERSION}),
                   1);
    struct rusage usage = {0};
    struct rlimit files = {0};
    double pages = stat_field(STAT_RESIDENT_PAGES);
    getrusage(RUSAGE_SELF, &usage);
    getrlimit(RLIMIT_NOFILE, &files);
    put(metrics, "process_cpu_seconds_total", METRICS_COUNTER, "User and system CPU time.",
        seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime));
    put_known(metrics, "process_resident_memory_bytes", "Resident memory.",
              pages * (double)sysconf(_SC_PAGESIZE));
    put_known(metrics, "process_open_fds", "Open file descriptors.", open_files());
    put_known(metrics, "process_max_fds", "Limit of open file descriptors.",
              (double)files.rlim_cur);
    put(metrics, "grpcroute_log_lines_dropped_total", METRICS_COUNTER,
        "Log lines that an output took too slowly or not at all.", (double)log_dropped());
    put_known(metrics, "process_start_time_seconds", "Start of the process, Unix time.",
              start_time());
}

void process_keep_standard_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0) { /* open() returns the lowest that is free */
            (void)!open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
        }
    }
}

size_t process_raise_fd_limit(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0) {
        return 0;
    }
    if (files.rlim_cur < files.rlim_max) {
        struct rlimit raised = {.rlim_cur = files.rlim_max, .rlim_max = files.rlim_max};
        if (setrlimit(RLIMIT_NOFILE, &raised) == 0) {
            files = raised;
        }
    }
    return (size_t)files.rlim_cur;
}

/* ---- what it may use ------------------------------------------------------------------------- */

uint64_t process_memory_limit(void)
{
    uint64_t machine = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t limit = cgroup_memory_limit("");
    return limit < machine ? limit : machine;
}

unsigned process_cpus(void)
{
    cpu_set_t allowed;
    double quota = cgroup_cpu_quota("");
    long cpus = sched_getaffinity(0, sizeof(allowed), &allowed) == 0
                    ? CPU_COUNT(&allowed)
                    : sysconf(_SC_NPROCESSORS_ONLN); /* more than a cpu_set_t can name */
    if (quota < (double)cpus) {
        cpus = (long)quota + (quota > (double)(long)quota);
    }
    return cpus > 0 ? (unsigned)cpus : 1;
}
