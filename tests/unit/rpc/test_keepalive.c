/* Every order in which a PING, its answer, other bytes, ticks and checks can come, in the same
 * millisecond and one apart, against a judge that only looks at the order. */
#include "h2/limits.h"
#include "rpc/keepalive.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define START_MS    UINT64_C(1000)
#define INTERVAL_MS 2
#define TIMEOUT_MS  2
#define STEPS       8

enum kind { TICK, READ, ACK, CHECK, KINDS };

/* What must be, told from the order of events alone. */
struct judge {
    bool waits; /* a PING is out, and nothing of the peer came after it */
    bool pinged;
    bool check_asked;
    uint64_t ping_ms;
    uint64_t quiet_ms; /* since */
};

static enum rpc_keepalive_act sent(struct judge *judge, uint64_t now)
{
    judge->waits = judge->pinged = true;
    judge->check_asked = false;
    judge->ping_ms = now;
    return RPC_KEEPALIVE_PING;
}

static enum rpc_keepalive_act judge_tick(struct judge *judge, uint64_t now)
{
    if (judge->waits) {
        return now >= judge->ping_ms + TIMEOUT_MS ? RPC_KEEPALIVE_DEAD : RPC_KEEPALIVE_NOTHING;
    }
    bool check = judge->check_asked && now >= judge->ping_ms + RPC_CHECK_GAP_MS;
    return now >= judge->quiet_ms + INTERVAL_MS || check ? sent(judge, now) : RPC_KEEPALIVE_NOTHING;
}

static enum rpc_keepalive_act judge_check(struct judge *judge, uint64_t now)
{
    if (judge->waits) {
        return RPC_KEEPALIVE_NOTHING;
    }
    if (!judge->pinged || now >= judge->ping_ms + RPC_CHECK_GAP_MS) {
        return sent(judge, now);
    }
    judge->check_asked = true;
    return RPC_KEEPALIVE_NOTHING;
}

/* Plays one event to both; returns whether the connection goes on. */
static bool play(struct rpc_keepalive *keepalive, struct judge *judge, enum kind kind, uint64_t now)
{
    enum rpc_keepalive_act must = RPC_KEEPALIVE_NOTHING;
    enum rpc_keepalive_act is = RPC_KEEPALIVE_NOTHING;
    switch (kind) {
    case TICK:
        must = judge_tick(judge, now);
        is = rpc_keepalive_tick(keepalive, now, true, false);
        break;
    case CHECK:
        must = judge_check(judge, now);
        is = rpc_keepalive_check(keepalive, now);
        break;
    case READ:
        judge->waits = judge->check_asked = false;
        judge->quiet_ms = now;
        rpc_keepalive_read(keepalive, now);
        break;
    default:
        judge->waits = false; /* an ACK behind other bytes of its read is old news */
        rpc_keepalive_ack(keepalive);
        break;
    }
    assert_int_equal(is, must);
    assert_int_equal(keepalive->ping == RPC_PING_SENT, judge->waits);
    return is != RPC_KEEPALIVE_DEAD;
}

/* A number written in base 2 * KINDS is a sequence: each digit an event, and whether a
 * millisecond passes before it. */
static void every_order_within_milliseconds_is_judged_by_the_order(void **state)
{
    (void)state;
    unsigned long sequences = 1;
    unsigned long deaths = 0;
    for (int i = 0; i < STEPS; i++) {
        sequences *= 2 * KINDS;
    }
    for (unsigned long number = 0; number < sequences; number++) {
        struct rpc_keepalive keepalive;
        struct judge judge = {.quiet_ms = START_MS};
        uint64_t now = START_MS;
        unsigned long digits = number;
        rpc_keepalive_init(&keepalive, INTERVAL_MS, TIMEOUT_MS, now);
        for (int i = 0; i < STEPS; i++, digits /= 2 * KINDS) {
            now += digits % 2;
            if (!play(&keepalive, &judge, (enum kind)(digits / 2 % KINDS), now)) {
                deaths++;
                break;
            }
        }
    }
    assert_true(deaths > 0); /* else nothing was at stake */
}

/* ---- time that is not the peer's ------------------------------------------------------------- */

#define QUIET_MS  10000
#define ANSWER_MS 20000
#define PERIOD_MS 250

struct scene {
    struct rpc_keepalive keepalive;
    uint64_t now;
};

/* A connection whose PING has just been sent. */
static struct scene pinged(void)
{
    struct scene scene = {.now = START_MS};
    rpc_keepalive_init(&scene.keepalive, QUIET_MS, ANSWER_MS, scene.now);
    while (scene.now < START_MS + QUIET_MS) {
        assert_int_equal(scene.keepalive.ping, RPC_PING_NONE);
        scene.now += PERIOD_MS;
        rpc_keepalive_tick(&scene.keepalive, scene.now, true, false);
    }
    assert_int_equal(scene.keepalive.ping, RPC_PING_SENT);
    return scene;
}

static uint64_t ticks_to_death(struct scene *scene, uint64_t period, bool blocked, uint64_t limit)
{
    for (uint64_t ticks = 1; ticks <= limit; ticks++) {
        scene->now += period;
        if (rpc_keepalive_tick(&scene->keepalive, scene->now, true, blocked) ==
            RPC_KEEPALIVE_DEAD) {
            return ticks;
        }
    }
    return 0;
}

static void a_silent_peer_is_dead_at_the_timeout(void **state)
{
    (void)state;
    struct scene scene = pinged();
    assert_int_equal(ticks_to_death(&scene, PERIOD_MS, false, 1000), ANSWER_MS / PERIOD_MS);
}

static void our_own_absence_is_not_the_peers(void **state)
{
    (void)state;
    for (uint64_t absence = H2_STOOD_STILL_MS + 1; absence < 10 * ANSWER_MS; absence += 997) {
        for (uint64_t before = 0; before < ANSWER_MS / PERIOD_MS; before++) {
            struct scene scene = pinged();
            assert_int_equal(ticks_to_death(&scene, PERIOD_MS, false, before), 0);
            assert_int_equal(ticks_to_death(&scene, absence, false, 1),
                             before + 1 == ANSWER_MS / PERIOD_MS);
            rpc_keepalive_read(&scene.keepalive, scene.now); /* it had waited in the socket */
            assert_int_equal(scene.keepalive.ping, RPC_PING_ANSWERED);
        }
    }
}

/* A machine that is always late must find dead peers, too. */
static void a_dead_peer_is_found_by_a_loop_that_is_always_late(void **state)
{
    (void)state;
    struct scene scene = pinged();
    assert_int_equal(ticks_to_death(&scene, 3 * H2_STOOD_STILL_MS, false, 1000),
                     ANSWER_MS / RPC_TICK_COUNTS_MS);
}

/* Another limit judges a socket that takes nothing. */
static void a_ping_that_cannot_leave_is_not_unanswered(void **state)
{
    (void)state;
    struct scene scene = pinged();
    assert_int_equal(ticks_to_death(&scene, PERIOD_MS, true, 10000), 0);
    assert_int_equal(ticks_to_death(&scene, PERIOD_MS, false, 1000), ANSWER_MS / PERIOD_MS);
}

static void nothing_is_sent_where_nothing_is_wanted(void **state)
{
    (void)state;
    struct rpc_keepalive keepalive;
    rpc_keepalive_init(&keepalive, QUIET_MS, ANSWER_MS, 0);
    for (uint64_t now = 0; now < 10 * QUIET_MS; now += PERIOD_MS) {
        assert_int_equal(rpc_keepalive_tick(&keepalive, now, false, false), RPC_KEEPALIVE_NOTHING);
    }
    rpc_keepalive_init(&keepalive, 0, ANSWER_MS, 0);
    for (uint64_t now = 0; now < 10 * QUIET_MS; now += PERIOD_MS) {
        assert_int_equal(rpc_keepalive_tick(&keepalive, now, true, false), RPC_KEEPALIVE_NOTHING);
    }
}

static void suspicion_pings_once_in_a_while(void **state)
{
    (void)state;
    struct rpc_keepalive keepalive;
    unsigned pings = 0;
    rpc_keepalive_init(&keepalive, 0, ANSWER_MS, 0);
    for (uint64_t now = 0; now < 6 * RPC_CHECK_GAP_MS; now += PERIOD_MS) {
        bool asked = rpc_keepalive_check(&keepalive, now) == RPC_KEEPALIVE_PING;
        bool due = rpc_keepalive_tick(&keepalive, now, false, false) == RPC_KEEPALIVE_PING;
        pings += asked + due;
        rpc_keepalive_ack(&keepalive);
    }
    assert_int_equal(pings, 6);
}

static void a_check_that_waits_is_settled_by_any_byte(void **state)
{
    (void)state;
    struct rpc_keepalive keepalive;
    rpc_keepalive_init(&keepalive, 0, ANSWER_MS, 0);
    assert_int_equal(rpc_keepalive_check(&keepalive, 0), RPC_KEEPALIVE_PING);
    rpc_keepalive_ack(&keepalive);
    assert_int_equal(rpc_keepalive_check(&keepalive, 1), RPC_KEEPALIVE_NOTHING);
    rpc_keepalive_read(&keepalive, 2);
    for (uint64_t now = 2; now < 3 * RPC_CHECK_GAP_MS; now += PERIOD_MS) {
        assert_int_equal(rpc_keepalive_tick(&keepalive, now, false, false), RPC_KEEPALIVE_NOTHING);
    }
}

/* ---- PINGs of the peer ----------------------------------------------------------------------- */

#define POLICY_MS 5000

/* How many of 100 PINGs, one every `period`, are allowed before one is too many. */
static unsigned allowed(struct rpc_ping_policy *policy, uint64_t period, bool busy, bool at_once)
{
    unsigned count = 0;
    for (uint64_t now = START_MS; count < 100; count++, now += period) {
        if (!rpc_ping_policy_allows(policy, now, busy, at_once)) {
            break;
        }
    }
    return count;
}

static void pings_that_come_too_early_are_borne_twice(void **state)
{
    (void)state;
    struct rpc_ping_policy policy = {.min_interval_ms = POLICY_MS};
    assert_int_equal(allowed(&policy, POLICY_MS - 1, false, false), 1 + RPC_PING_STRIKES);
    policy = (struct rpc_ping_policy){.min_interval_ms = POLICY_MS};
    assert_int_equal(allowed(&policy, 0, false, false), 1 + RPC_PING_STRIKES);
}

static void pings_that_are_innocent_are_borne_for_ever(void **state)
{
    (void)state;
    struct rpc_ping_policy policy = {.min_interval_ms = POLICY_MS};
    assert_int_equal(allowed(&policy, POLICY_MS, false, false), 100); /* as often as they may */
    policy = (struct rpc_ping_policy){.min_interval_ms = POLICY_MS};
    assert_int_equal(allowed(&policy, 1, true, false), 100); /* between messages of ours */
    policy = (struct rpc_ping_policy){.min_interval_ms = POLICY_MS};
    assert_int_equal(allowed(&policy, 0, false, true), 100); /* read at once after a stop */
}

static void a_message_of_ours_forgives_the_strikes(void **state)
{
    (void)state;
    struct rpc_ping_policy policy = {.min_interval_ms = POLICY_MS};
    for (int i = 0; i < 10; i++) {
        for (unsigned strike = 0; strike < RPC_PING_STRIKES; strike++) {
            assert_true(rpc_ping_policy_allows(&policy, START_MS, false, false));
        }
        assert_true(rpc_ping_policy_allows(&policy, START_MS, true, false));
    }
    assert_int_equal(policy.strikes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_order_within_milliseconds_is_judged_by_the_order),
        cmocka_unit_test(a_silent_peer_is_dead_at_the_timeout),
        cmocka_unit_test(our_own_absence_is_not_the_peers),
        cmocka_unit_test(a_dead_peer_is_found_by_a_loop_that_is_always_late),
        cmocka_unit_test(a_ping_that_cannot_leave_is_not_unanswered),
        cmocka_unit_test(nothing_is_sent_where_nothing_is_wanted),
        cmocka_unit_test(suspicion_pings_once_in_a_while),
        cmocka_unit_test(a_check_that_waits_is_settled_by_any_byte),
        cmocka_unit_test(pings_that_come_too_early_are_borne_twice),
        cmocka_unit_test(pings_that_are_innocent_are_borne_for_ever),
        cmocka_unit_test(a_message_of_ours_forgives_the_strikes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
