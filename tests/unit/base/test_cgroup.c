/* Limits of control groups as files say them, in a folder that stands for the machine's root. */
#include "base/cgroup.h"

#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char root[] = "/tmp/grpcroute-cgroup-XXXXXX";

/* Writes a file, and the folders that it needs. */
static void put(const char *path, const char *text)
{
    char full[PATH_MAX];
    snprintf(full, sizeof(full), "%s%s", root, path);
    for (char *slash = full + strlen(root) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        mkdir(full, 0700);
        *slash = '/';
    }
    FILE *file = fopen(full, "we");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void clear(void)
{
    char command[PATH_MAX];
    snprintf(command, sizeof(command), "rm -rf '%s'/*", root);
    assert_int_equal(system(command), 0);
}

static double quota(void)
{
    return cgroup_cpu_quota(root);
}

static void version_2_counts_the_lowest_of_all_groups_above(void **state)
{
    (void)state;
    clear();
    put("/proc/self/cgroup", "0::/kubepods/pod1/box\n");
    assert_true(quota() == HUGE_VAL);
    put("/sys/fs/cgroup/kubepods/pod1/box/cpu.max", "max 100000\n");
    assert_true(quota() == HUGE_VAL);
    put("/sys/fs/cgroup/kubepods/pod1/cpu.max", "150000 100000\n");
    assert_true(quota() == 1.5);
    put("/sys/fs/cgroup/kubepods/cpu.max", "4000000 1000000\n");
    assert_true(quota() == 1.5);
    put("/sys/fs/cgroup/kubepods/pod1/box/cpu.max", "5000 100000\n");
    assert_true(quota() == 0.05);
    put("/sys/fs/cgroup/kubepods/pod1/memory.max", "268435456\n");
    put("/sys/fs/cgroup/kubepods/pod1/box/memory.max", "max\n");
    assert_int_equal(cgroup_memory_limit(root), 268435456);
}

static void a_container_sees_its_own_group_as_the_root(void **state)
{
    (void)state;
    clear();
    put("/proc/self/cgroup", "0::/\n");
    put("/sys/fs/cgroup/cpu.max", "200000 100000\n");
    put("/sys/fs/cgroup/memory.max", "1000000\n");
    assert_true(quota() == 2);
    assert_int_equal(cgroup_memory_limit(root), 1000000);
    clear(); /* version 1 names the host's path, which is not there */
    put("/proc/self/cgroup", "5:memory:/docker/1\n4:cpu,cpuacct:/docker/1\n");
    put("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "300000\n");
    put("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "2000000\n");
    assert_true(quota() == 3);
    assert_int_equal(cgroup_memory_limit(root), 2000000);
}

static void version_1_is_told_by_its_controllers(void **state)
{
    (void)state;
    clear();
    put("/proc/self/cgroup", "9:cpuset:/a\n8:cpuacct,cpu:/a/b\n7:memory:/m\n0::/a\n");
    put("/sys/fs/cgroup/cpu/a/b/cpu.cfs_quota_us", "-1\n");
    put("/sys/fs/cgroup/cpu/a/b/cpu.cfs_period_us", "100000\n");
    assert_true(quota() == HUGE_VAL);
    put("/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "250000\n");
    put("/sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "100000\n");
    assert_true(quota() == 2.5);
    put("/sys/fs/cgroup/memory/m/memory.limit_in_bytes", "9223372036854771712\n"); /* none */
    assert_true(cgroup_memory_limit(root) > INT64_MAX / 2);
    put("/proc/self/cgroup", "9:cpuset:/a\n8:cpuacct:/a/b\n"); /* other controllers */
    assert_true(quota() == HUGE_VAL);
}

static void nonsense_is_no_limit(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "\n", "x", "100000", "0 0\n", "-5 100000\n", "5 0\n"};
    clear();
    assert_true(quota() == HUGE_VAL);
    assert_true(cgroup_memory_limit(root) == UINT64_MAX);
    put("/proc/self/cgroup", "0::/\n\nx\n1:\n");
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        put("/sys/fs/cgroup/cpu.max", texts[i]);
        assert_true(quota() == HUGE_VAL);
    }
    put("/sys/fs/cgroup/memory.max", "x");
    assert_true(cgroup_memory_limit(root) == UINT64_MAX);
}

static int make_root(void **state)
{
    (void)state;
    return mkdtemp(root) != NULL ? 0 : -1;
}

static int remove_root(void **state)
{
    (void)state;
    clear();
    return rmdir(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_2_counts_the_lowest_of_all_groups_above),
        cmocka_unit_test(a_container_sees_its_own_group_as_the_root),
        cmocka_unit_test(version_1_is_told_by_its_controllers),
        cmocka_unit_test(nonsense_is_no_limit),
    };
    return cmocka_run_group_tests(tests, make_root, remove_root);
}
