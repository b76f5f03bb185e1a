#include "base/process.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <cmocka.h>

/* The value of the sample `name`, which must be there. */
static double value_of(const struct metrics *metrics, const char *name)
{
    char line[128] = "\n";
    strcat(strcat(line, name), " ");
    const char *found = strstr((const char *)buf_data(&metrics->text), line);
    assert_non_null(found);
    return strtod(found + strlen(line), NULL);
}

static void a_process_tells_its_cpu_memory_files_and_age(void **state)
{
    (void)state;
    struct metrics metrics = {0};
    process_metrics(&metrics);
    assert_int_equal(buf_append(&metrics.text, "", 1, SIZE_MAX), 0);
    assert_true(value_of(&metrics, "process_cpu_seconds_total") >= 0);
    double resident = value_of(&metrics, "process_resident_memory_bytes");
    assert_true(resident > 100e3 && resident < 100e9);
    double open_fds = value_of(&metrics, "process_open_fds");
    assert_true(open_fds >= 1 && open_fds <= value_of(&metrics, "process_max_fds"));
    double age = (double)time(NULL) - value_of(&metrics, "process_start_time_seconds");
    assert_true(age > -2 && age < 600);
    buf_deinit(&metrics.text);
}

/* What else bounds it is in test_cgroup.c. */
static void cpus_are_those_of_the_affinity(void **state)
{
    (void)state;
    cpu_set_t before;
    cpu_set_t one;
    assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
    assert_in_range(process_cpus(), 1, CPU_COUNT(&before));
    CPU_ZERO(&one);
    for (size_t cpu = 0; CPU_COUNT(&one) == 0; cpu++) {
        if (CPU_ISSET(cpu, &before)) {
            CPU_SET(cpu, &one);
        }
    }
    assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
    assert_int_equal(process_cpus(), 1);
    assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
}

static void the_limit_of_open_files_is_raised_to_the_hard_one(void **state)
{
    (void)state;
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = 100;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(process_raise_fd_limit(), limit.rlim_max);
    getrlimit(RLIMIT_NOFILE, &limit);
    assert_int_equal(limit.rlim_cur, limit.rlim_max);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cpus_are_those_of_the_affinity),
        cmocka_unit_test(a_process_tells_its_cpu_memory_files_and_age),
        cmocka_unit_test(the_limit_of_open_files_is_raised_to_the_hard_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
