/* The clock, and the turns of the loops. clock_gettime() is defined here, so that libuv's timers
 * and the program's own clock stand still together until the test moves them. */
#include "base/clock.h"
#include "impl.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define START_MS UINT64_C(1000000)
#define MS_PER_S 1000
/* A loop that turns so often in one instant spins. */
#define TURNS_MAX 100000
/* How long what is closing may take. */
#define CLOSING_MS 5000
#define HOLD_MS    (UINT64_C(1) << 40)

static struct {
    atomic_uint_fast64_t now_ms;
    struct net_loop *loops[FAKE_LOOPS];
    uv_timer_t holds[FAKE_LOOPS]; /* keep each loop from thinking that it has nothing to do */
    size_t count;
} fake = {.now_ms = START_MS};

int clock_gettime(clockid_t id, struct timespec *ret_time)
{
    if (id == CLOCK_REALTIME) { /* of whoever runs the test */
        return (int)syscall(SYS_clock_gettime, id, ret_time);
    }
    ret_time->tv_sec = (time_t)(fake.now_ms / MS_PER_S);
    ret_time->tv_nsec = (long)(fake.now_ms % MS_PER_S * NS_PER_MS);
    return 0;
}

uint64_t fake_now_ms(void)
{
    return fake.now_ms;
}

static void on_hold(uv_timer_t *timer)
{
    (void)timer;
}

void fake_init(struct net_loop *loop)
{
    int rv = net_loop_init(loop);
    assert(rv == 0);
    (void)rv;
    fake_adopt(loop);
}

void fake_adopt(struct net_loop *loop)
{
    assert(fake.count < FAKE_LOOPS);
    if (fake.count == 0) {
        fake_dials_reset();
        fake_lookups_reset();
        fake_delay_new(0);
    }
    uv_timer_t *hold = &fake.holds[fake.count];
    fake.loops[fake.count++] = loop;
    uv_update_time(&loop->uv);
    assert(uv_now(&loop->uv) == fake.now_ms); /* else libuv has found another clock */
    uv_timer_init(&loop->uv, hold);
    uv_timer_start(hold, on_hold, HOLD_MS, 0);
}

static bool is_idle(const struct net_loop *loop)
{
    return list_empty(&loop->flushes) && uv_backend_timeout(&loop->uv) != 0;
}

bool fake_turn(void)
{
    bool moved = false;
    for (size_t i = 0; i < fake.count; i++) {
        uv_update_time(&fake.loops[i]->uv);
        moved = !is_idle(fake.loops[i]) || moved;
        uv_run(&fake.loops[i]->uv, UV_RUN_NOWAIT);
        moved = !is_idle(fake.loops[i]) || moved; /* an async handle may have begun something */
    }
    moved = fake_dials_turn() || moved;
    moved = fake_lookups_turn() || moved;
    return fake_streams_turn() || moved;
}

void fake_settle(void)
{
    unsigned turns = 0;
    while (fake_turn()) {
        turns++;
        assert(turns < TURNS_MAX);
    }
}

/* When the next thing happens by itself; the loops must be settled. */
static uint64_t next_due_ms(void)
{
    uint64_t due = fake_streams_due_ms();
    uint64_t dial = fake_dials_due_ms();
    uint64_t lookup = fake_lookups_due_ms();
    due = dial < due ? dial : due;
    due = lookup < due ? lookup : due;
    for (size_t i = 0; i < fake.count; i++) {
        int wait = uv_backend_timeout(&fake.loops[i]->uv);
        assert(wait > 0);
        uint64_t timer = uv_now(&fake.loops[i]->uv) + (uint64_t)wait;
        due = timer < due ? timer : due;
    }
    assert(due > fake.now_ms);
    return due;
}

static bool never(void *user)
{
    (void)user;
    return false;
}

bool fake_advance_until(bool (*done)(void *user), void *user, uint64_t limit_ms)
{
    uint64_t target = fake.now_ms + limit_ms;
    for (;;) {
        fake_settle();
        if (done(user)) {
            return true;
        }
        uint64_t due = next_due_ms();
        if (due > target) {
            fake.now_ms = target;
            fake_settle();
            return done(user);
        }
        fake.now_ms = due;
    }
}

void fake_advance(uint64_t ms)
{
    fake_advance_until(never, NULL, ms);
}

void fake_stand_still(uint64_t ms)
{
    fake.now_ms += ms;
}

static bool is_empty(void *loop)
{
    (void)loop;
    return fake_streams_left() == 0 && fake_dials_left() == 0 && fake_lookups_left() == 0;
}

void fake_forget(void)
{
    fake.count = 0;
    fake_streams_forget();
    fake_dials_forget();
    fake_lookups_forget();
}

void fake_deinit(struct net_loop *loop)
{
    fake_release(loop);
    net_loop_deinit(loop);
}

void fake_release(struct net_loop *loop)
{
    size_t at = 0;
    while (fake.loops[at] != loop) {
        at++;
        assert(at < fake.count);
    }
    if (fake.count == 1) {
        bool ended = fake_advance_until(is_empty, NULL, CLOSING_MS);
        assert(ended); /* else a stream or a dial was never ended */
        (void)ended;
    }
    fake_settle();
    uv_close((uv_handle_t *)&fake.holds[at], NULL);
    uv_run(&loop->uv, UV_RUN_NOWAIT);
    assert(!uv_loop_alive(&loop->uv)); /* else a handle was never closed */
    assert(at == fake.count - 1); /* the last one first: the others' timers stay where they are */
    fake.count--;
}
