/* What a load costs: the programs that are measured, and this one. */
#include "bench/driver_cost.h"

#include "bench/cost.h"

#include <unistd.h>

void bench_memory_before(struct bench_driver *driver)
{
    const struct bench_setup *setup = &driver->result->setup;
    for (size_t i = 0; i < setup->pid_count; i++) {
        bench_cost_memory_kib(setup->pids[i], &driver->memory_before_kib[i]);
    }
}

void bench_memory_idle(struct bench_driver *driver)
{
    const struct bench_setup *setup = &driver->result->setup;
    for (size_t i = 0; i < setup->pid_count; i++) {
        uint64_t kib = 0;
        bench_cost_memory_kib(setup->pids[i], &kib);
        driver->result->costs[i].idle_streams_kib =
            (int64_t)kib - (int64_t)driver->memory_before_kib[i];
    }
}

void bench_costs_begin(struct bench_driver *driver)
{
    const struct bench_setup *setup = &driver->result->setup;
    bench_cost_cpu_seconds(getpid(), &driver->driver_cpu_at_start);
    for (size_t i = 0; i < setup->pid_count; i++) {
        bench_cost_cpu_seconds(setup->pids[i], &driver->cpu_at_start[i]);
    }
}

void bench_costs_end(struct bench_driver *driver)
{
    struct bench_result *result = driver->result;
    double now = 0;
    bench_cost_cpu_seconds(getpid(), &now);
    result->driver_cpu_seconds = now - driver->driver_cpu_at_start;
    result->busiest_cpu_seconds = result->driver_cpu_seconds;
    for (size_t i = 0; i < result->setup.pid_count; i++) {
        struct bench_cost *cost = &result->costs[i];
        cost->pid = result->setup.pids[i];
        cost->ended = !bench_cost_cpu_seconds(cost->pid, &now) ||
                      !bench_cost_memory_kib(cost->pid, &cost->memory_kib);
        cost->cpu_seconds = cost->ended ? 0 : now - driver->cpu_at_start[i];
    }
}
