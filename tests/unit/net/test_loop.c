#include "harness.h"

#include <string.h>

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
    asker->flush.flush = on_flush;
    list_init(&asker->flush.node);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asking_twice_flushes_once_and_the_loop_does_not_end_before),
        cmocka_unit_test(asking_for_ever_does_not_starve_timers),
        cmocka_unit_test(a_flush_may_cancel_another_of_the_same_round),
        cmocka_unit_test(a_tick_may_stop_itself_and_others),
        cmocka_unit_test(ticks_alone_do_not_keep_the_loop_alive),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
