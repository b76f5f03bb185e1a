#include "limits/shape_time.h"

#include "base/mem.h"
#include "limits/judge.h"
#include "limits/time_try.h"

#include <stdlib.h>

/* How often a side sends that is not silent: below any limit that is looked for. */
#define BUSY_MS 1000

/* PINGs as often as no limit is shorter, and as often as servers with a policy take them. */
#define PINGS                                                                                      \
    {                                                                                              \
        2000, 10000, 30000                                                                         \
    }

struct time_work {
    struct limits_work *work;
    struct limits_time_try tries[LIMITS_SAMPLES];
    size_t over;
};

static void on_try_over(void *user)
{
    struct time_work *time = user;
    if (++time->over == LIMITS_SAMPLES) {
        limits_judge_times(time->work->finding);
        limits_work_over(time->work);
    }
}

static void start(struct limits_work *work)
{
    struct time_work *time = mem_new(struct time_work);
    const struct limits_time_setup *setup = work->plan->setup;
    struct limits_ground *ground = work->ground;
    struct limits_finding *finding = work->finding;
    bool own = ground->target->service != NULL && !work->plan->needs_probe;
    bool probe = ground->has_probe && !own;
    uint64_t begin_ns = limits_ground_now_ns(ground);
    work->state = time;
    time->work = work;
    finding->sample_count = LIMITS_SAMPLES;
    for (size_t i = 0; i < LIMITS_SAMPLES; i++) {
        limits_time_try_init(&time->tries[i], ground, setup, probe, begin_ns, &finding->samples[i],
                             on_try_over, time);
        if (setup->together) {
            time->tries[i].beside = &time->tries[1 - i];
        } else {
            begin_ns += limits_ground_stagger_ns(ground);
        }
    }
}

static void tick(struct limits_work *work, uint64_t now_ns)
{
    struct time_work *time = work->state;
    for (size_t i = 0; i < LIMITS_SAMPLES; i++) {
        limits_time_try_tick(&time->tries[i], now_ns);
    }
}

static void cut(struct limits_work *work, uint64_t now_ns)
{
    struct time_work *time = work->state;
    for (size_t i = 0; i < LIMITS_SAMPLES; i++) {
        limits_time_try_cut(&time->tries[i], now_ns);
    }
}

static void stop(struct limits_work *work)
{
    struct time_work *time = work->state;
    for (size_t i = 0; i < LIMITS_SAMPLES; i++) {
        limits_time_try_stop(&time->tries[i]);
    }
}

static void free_work(struct limits_work *work)
{
    free(work->state);
}

/* clang-format off */
#define PLAN(...) PLAN_IN(TOGETHER, __VA_ARGS__)
#define PLAN_IN(turn_, name, probe, ...)                                                           \
    {.shape = LIMITS_##name, .turn = LIMITS_TURN_##turn_, .needs_probe = (probe), .start = start,  \
     .tick = tick, .cut = cut, .stop = stop, .free = free_work,                                    \
     .setup = &(const struct limits_time_setup){__VA_ARGS__}}

const struct limits_plan limits_time_plans[LIMITS_TIME_PLANS] = {
    PLAN(AGE_STREAM, false, .clock = LIMITS_CLOCK_OPENED, .send_every_ms = BUSY_MS,
         .script = {.echo = true}),
    PLAN(IDLE, false, .clock = LIMITS_CLOCK_ANSWERED, .script = {.echo = true}),
    PLAN(IDLE_WITH_PINGS, false, .clock = LIMITS_CLOCK_ANSWERED, .ping_every_ms = PINGS,
         .script = {.echo = true}),
    PLAN(IDLE_CLIENT, true, .clock = LIMITS_CLOCK_SENT,
         .script = {.send_every_ms = BUSY_MS, .headers_at_once = true}),
    PLAN(IDLE_SERVER, true, .clock = LIMITS_CLOCK_ANSWERED, .send_every_ms = BUSY_MS,
         .script = {.send_every_ms = 1, .send_count = 1, .headers_at_once = true}),
    PLAN(HALF_CLOSE, true, .clock = LIMITS_CLOCK_HALF_CLOSED, .half_close = true,
         .script = {.send_every_ms = BUSY_MS, .headers_at_once = true, .go_on = true}),
    PLAN_IN(QUIET, IDLE_PATH, false, .clock = LIMITS_CLOCK_ANSWERED, .together = true,
            .script = {.echo = true}),
};
/* clang-format on */
