#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct asker {
    struct net_flush flush;
    struct net_loop *loop;
    int calls;
    int again; /* asks so many times more */
    struct asker *other;
};

static void on_flush(struct net_flush *flush)
{
    struct asker *asker = container_of(flush, struct asker, flush);

    asker->calls++;
    if (asker->again > 0) {
        asker->again--;
        net_loop_flush_soon(asker->loop, &asker->flush);
    }
    if (asker->other != NULL) {
        net_loop_flush_cancel(&asker->other->flush);
    }
}

static void asker_init(struct asker *asker, struct net_loop *loop)
{
    memset(asker, 0, sizeof(*asker));
    asker->loop = loop;
    net_flush_init(&asker->flush, on_flush);
}

static void asking_twice_flushes_once_and_the_loop_does_not_end_before(void **state)
{
    struct net_loop loop;
    struct asker asker;

    (void)state;
    assert_int_equal(net_loop_init(&loop), 0);
    asker_init(&asker, &loop);
    net_loop_flush_soon(&loop, &asker.flush);
    net_loop_flush_soon(&loop, &asker.flush);
    net_loop_run(&loop);
    assert_int_equal(asker.calls, 1);
    net_loop_deinit(&loop);
}

static void asking_for_ever_does_not_starve_timers(void **state)
{
    struct net_loop loop;
    struct asker asker;
    uint64_t start_ms;

    (void)state;
    assert_int_equal(net_loop_init(&loop), 0);
    asker_init(&asker, &loop);
    asker.again = 1000000000;
    net_loop_flush_soon(&loop, &asker.flush);
    uv_update_time(&loop.uv);
    start_ms = uv_now(&loop.uv);
    run_for(&loop, 100);
    assert_in_range(uv_now(&loop.uv) - start_ms, 100, 5000);
    assert_true(asker.calls > 4);
    asker.again = 0;
    net_loop_run(&loop);
    net_loop_deinit(&loop);
}

static void a_flush_may_cancel_another_of_the_same_round(void **state)
{
    struct net_loop loop;
    struct asker first;
    struct asker second;

    (void)state;
    assert_int_equal(net_loop_init(&loop), 0);
    asker_init(&first, &loop);
    asker_init(&second, &loop);
    first.other = &second;
    net_loop_flush_soon(&loop, &first.flush);
    net_loop_flush_soon(&loop, &second.flush);
    net_loop_run(&loop);
    assert_int_equal(first.calls, 1);
    assert_int_equal(second.calls, 0);
    net_loop_deinit(&loop);
}

/* It notes how many calls `other` had before it. */
struct patient {
    struct asker asker;
    int before;
};

static void on_patient_flush(struct net_flush *flush)
{
    struct asker *asker = container_of(flush, struct asker, flush);
    struct patient *patient = container_of(asker, struct patient, asker);

    asker->calls++;
    patient->before = asker->other->calls;
}

static void patient_init(struct patient *patient, struct net_loop *loop, struct asker *other)
{
    asker_init(&patient->asker, loop);
    net_flush_init(&patient->asker.flush, on_patient_flush);
    patient->asker.other = other;
}

/* One that asks in each round is flushed four times in the turn that the other lets pass. */
static void who_asks_for_later_waits_for_one_turn(void **state)
{
    struct net_loop loop;
    struct asker asker;
    struct patient patient;

    (void)state;
    assert_int_equal(net_loop_init(&loop), 0);
    asker_init(&asker, &loop);
    patient_init(&patient, &loop, &asker);
    asker.again = 100;
    net_loop_flush_later(&loop, &patient.asker.flush);
    net_loop_flush_later(&loop, &patient.asker.flush);
    net_loop_flush_soon(&loop, &asker.flush);
    net_loop_run(&loop);
    assert_int_equal(patient.asker.calls, 1);
    assert_in_range(patient.before, 4, 5);
    net_loop_deinit(&loop);
}

static void who_asks_for_later_and_then_for_soon_does_not_wait(void **state)
{
    struct net_loop loop;
    struct asker asker;
    struct patient patient;

    (void)state;
    assert_int_equal(net_loop_init(&loop), 0);
    asker_init(&asker, &loop);
    patient_init(&patient, &loop, &asker);
    asker.again = 100;
    net_loop_flush_later(&loop, &patient.asker.flush);
    net_loop_flush_soon(&loop, &patient.asker.flush);
    net_loop_flush_later(&loop, &patient.asker.flush);
    net_loop_flush_soon(&loop, &asker.flush);
    net_loop_run(&loop);
    assert_int_equal(patient.asker.calls, 1);
    assert_int_equal(patient.before, 0);
    net_loop_deinit(&loop);
}

static void who_asks_for_later_may_cancel(void **state)
{
    struct net_loop loop;
    struct asker asker;

    (void)state;
    assert_int_equal(net_loop_init(&loop), 0);
    asker_init(&asker, &loop);
    net_loop_flush_later(&loop, &asker.flush);
    net_loop_flush_cancel(&asker.flush);
    net_loop_run(&loop);
    assert_int_equal(asker.calls, 0);
    net_loop_deinit(&loop);
}

struct ticker {
    struct net_tick tick;
    struct ticker *stops;
    int calls;
    bool called;
    uint64_t last_ms;
};

static void on_tick(struct net_tick *tick, uint64_t now_ms)
{
    struct ticker *ticker = container_of(tick, struct ticker, tick);

    ticker->calls++;
    ticker->called = true;
    ticker->last_ms = now_ms;
    if (ticker->stops != NULL) {
        net_loop_tick_stop(&ticker->stops->tick);
    }
}

static void ticker_init(struct ticker *ticker)
{
    memset(ticker, 0, sizeof(*ticker));
    ticker->tick.tick = on_tick;
    list_init(&ticker->tick.node);
}

static void on_alive(uv_timer_t *timer)
{
    uv_close((uv_handle_t *)timer, NULL);
}

static void a_tick_may_stop_itself_and_others(void **state)
{
    struct net_loop loop;
    struct ticker first;
    struct ticker second;
    struct ticker third;
    uv_timer_t alive; /* ticks alone do not keep the loop running */
    uint64_t start_ms;

    (void)state;
    assert_int_equal(net_loop_init(&loop), 0);
    uv_timer_init(&loop.uv, &alive);
    uv_timer_start(&alive, on_alive, TEST_DEADLINE_MS, 0);
    start_ms = uv_now(&loop.uv);
    ticker_init(&first);
    ticker_init(&second);
    ticker_init(&third);
    first.stops = &second;
    third.stops = &third;
    net_loop_tick_start(&loop, &first.tick);
    net_loop_tick_start(&loop, &second.tick);
    net_loop_tick_start(&loop, &third.tick);
    run_until(&loop, &third.called);
    first.called = false;
    run_until(&loop, &first.called);
    assert_int_equal(first.calls, 2);
    assert_int_equal(second.calls, 0);
    assert_int_equal(third.calls, 1);
    assert_true(first.last_ms >= start_ms + 2 * NET_TICK_MS - 1);
    net_loop_tick_stop(&first.tick);
    on_alive(&alive);
    net_loop_deinit(&loop);
}

static void ticks_alone_do_not_keep_the_loop_alive(void **state)
{
    struct net_loop loop;
    struct ticker ticker;

    (void)state;
    assert_int_equal(net_loop_init(&loop), 0);
    ticker_init(&ticker);
    net_loop_tick_start(&loop, &ticker.tick);
    net_loop_run(&loop); /* returns */
    net_loop_tick_stop(&ticker.tick);
    net_loop_deinit(&loop);
}

/* Sends from one end and stands still, behind the poll of a turn: the next thing to run are timers.
 */
struct standstill {
    uv_check_t check;
    struct end *from;
    bool over;
};

static void on_check(uv_check_t *check)
{
    struct standstill *standstill = check->data;
    int fd;

    /* at once: what is left to the next flush need not be there when that turn reads */
    assert_int_equal(uv_fileno((uv_handle_t *)standstill->from->stream, &fd), 0);
    assert_int_equal(write(fd, "answer", strlen("answer")), strlen("answer"));
    usleep(1600 * 1000); /* as SIGSTOP would */
    standstill->over = true;
    uv_close((uv_handle_t *)check, NULL);
}

struct judge {
    struct net_tick tick;
    struct harness *harness;
    struct standstill *standstill;
    bool judged;
    size_t heard;
};

static void on_judge(struct net_tick *tick, uint64_t now_ms)
{
    struct judge *judge = container_of(tick, struct judge, tick);

    (void)now_ms;
    if (judge->standstill->over && !judge->judged) {
        judge->judged = true;
        judge->heard = judge->harness->server.received.len;
    }
}

static void what_waits_in_sockets_is_read_before_a_tick_after_a_standstill(void **state)
{
    struct harness harness;
    struct standstill standstill = {.from = &harness.client};
    struct judge judge = {.harness = &harness, .standstill = &standstill};

    (void)state;
    harness_init(&harness, false);
    harness_connect(&harness);
    net_tick_init(&judge.tick, on_judge);
    net_loop_tick_start(&harness.loop, &judge.tick);
    uv_check_init(&harness.loop.uv, &standstill.check);
    standstill.check.data = &standstill;
    uv_check_start(&standstill.check, on_check);
    run_until(&harness.loop, &judge.judged);
    assert_int_equal(judge.heard, strlen("answer"));
    net_loop_tick_stop(&judge.tick);
    harness_deinit(&harness);
}

static size_t resident_bytes(void)
{
    unsigned long total;
    unsigned long resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    assert_non_null(file);
    assert_int_equal(fscanf(file, "%lu %lu", &total, &resident), 2);
    fclose(file);
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}

#define PIECES      1024
#define PIECE_BYTES (32 * 1024)

/* Between pieces that live on, so that free() alone gives nothing back. */
static void free_pieces(struct net_loop *loop, void *small[PIECES])
{
    static void *large[PIECES];

    for (size_t i = 0; i < PIECES; i++) {
        large[i] = malloc(PIECE_BYTES);
        small[i] = malloc(64);
        assert_true(large[i] != NULL && small[i] != NULL);
        memset(large[i], 1, PIECE_BYTES);
    }
    for (size_t i = 0; i < PIECES; i++) {
        free(large[i]);
        net_loop_freed(loop, PIECE_BYTES);
    }
}

static void freed_bytes_go_back_when_it_is_quiet_but_not_again_at_once(void **state)
{
    static void *small[2][PIECES];
    struct net_loop loop;
    uv_timer_t alive;
    size_t before;

    (void)state;
    assert_int_equal(net_loop_init(&loop), 0);
    uv_timer_init(&loop.uv, &alive);
    uv_timer_start(&alive, on_alive, TEST_DEADLINE_MS, 0);
    net_loop_freed(&loop, NET_FREED_BYTES - 1);
    assert_int_equal(loop.spare.freed_bytes, 0);
    free_pieces(&loop, small[0]);
    before = resident_bytes();
    run_for(&loop, 750);
    assert_int_equal(loop.spare.given_back, 0); /* not quiet for long enough */
    run_for(&loop, 1000);
    assert_int_equal(loop.spare.given_back, 1);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* theirs keeps what is freed  \
                                                                     */
    assert_true(resident_bytes() + PIECES * PIECE_BYTES / 2 < before);
#endif
    (void)before;
    free_pieces(&loop, small[1]);
    run_for(&loop, 2000);
    assert_int_equal(loop.spare.given_back, 1);
    for (size_t i = 0; i < PIECES; i++) {
        free(small[0][i]);
        free(small[1][i]);
    }
    on_alive(&alive);
    net_loop_deinit(&loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asking_twice_flushes_once_and_the_loop_does_not_end_before),
        cmocka_unit_test(asking_for_ever_does_not_starve_timers),
        cmocka_unit_test(a_flush_may_cancel_another_of_the_same_round),
        cmocka_unit_test(who_asks_for_later_waits_for_one_turn),
        cmocka_unit_test(who_asks_for_later_and_then_for_soon_does_not_wait),
        cmocka_unit_test(who_asks_for_later_may_cancel),
        cmocka_unit_test(a_tick_may_stop_itself_and_others),
        cmocka_unit_test(ticks_alone_do_not_keep_the_loop_alive),
        cmocka_unit_test(what_waits_in_sockets_is_read_before_a_tick_after_a_standstill),
        cmocka_unit_test(freed_bytes_go_back_when_it_is_quiet_but_not_again_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
