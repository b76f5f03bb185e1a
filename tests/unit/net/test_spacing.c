/* A loop whose polls are spaced, with a clock_sleep_until() that counts. */
#include "harness.h"

#include "base/clock.h"

#include <string.h>

#define SPACING_NS NET_SPACING_MAX_NS

void __real_clock_sleep_until(uint64_t ns);
void __wrap_clock_sleep_until(uint64_t ns);

static unsigned sleeps;
static uint64_t longest_ns;

void __wrap_clock_sleep_until(uint64_t ns)
{
    uint64_t now_ns = clock_now_ns();

    sleeps++;
    if (ns > now_ns && ns - now_ns > longest_ns) {
        longest_ns = ns - now_ns;
    }
    __real_clock_sleep_until(ns);
}

/* Messages that come one right behind the other, each in a poll of its own. */
struct chain {
    struct net_loop loop;
    uv_async_t message;
    uv_timer_t timer;
    unsigned left;
    unsigned sleeps_before_first; /* message, after a time in which there was none */
    bool over;
};

static void on_message(uv_async_t *message)
{
    struct chain *chain = message->data;

    if (chain->sleeps_before_first == UINT32_MAX) {
        chain->sleeps_before_first = sleeps;
    }
    if (chain->left > 0) {
        chain->left--;
        uv_async_send(message);
    } else {
        chain->over = true;
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct chain *chain = timer->data;

    uv_async_send(&chain->message);
}

static void chain_init(struct chain *chain, uint64_t spacing_ns)
{
    memset(chain, 0, sizeof(*chain));
    assert_int_equal(net_loop_init(&chain->loop), 0);
    net_loop_space_polls(&chain->loop, spacing_ns);
    uv_async_init(&chain->loop.uv, &chain->message, on_message);
    uv_timer_init(&chain->loop.uv, &chain->timer);
    chain->message.data = chain;
    chain->timer.data = chain;
    sleeps = 0;
    longest_ns = 0;
}

static void chain_run(struct chain *chain, unsigned messages)
{
    chain->left = messages;
    uv_async_send(&chain->message);
    run_until(&chain->loop, &chain->over);
}

static void chain_deinit(struct chain *chain)
{
    uv_close((uv_handle_t *)&chain->message, NULL);
    uv_close((uv_handle_t *)&chain->timer, NULL);
    net_loop_deinit(&chain->loop);
}

static void polls_that_follow_each_other_are_spaced(void **state)
{
    struct chain chain;
    uint64_t since_ns = clock_now_ns();

    (void)state;
    chain_init(&chain, SPACING_NS);
    chain_run(&chain, 50);
    assert_true(clock_now_ns() - since_ns >= 49 * SPACING_NS);
    assert_in_range(sleeps, 1, 52);
    assert_in_range(longest_ns, 1, SPACING_NS);
    chain_deinit(&chain);
}

static void without_spacing_nobody_sleeps(void **state)
{
    struct chain chain;

    (void)state;
    chain_init(&chain, 0);
    chain_run(&chain, 50);
    assert_int_equal(sleeps, 0);
    chain_deinit(&chain);
}

/* The timer is as good as a message, and the message that it sends is the answer. */
static void after_a_while_neither_a_message_nor_its_answer_waits(void **state)
{
    struct chain chain;

    (void)state;
    chain_init(&chain, SPACING_NS);
    chain.sleeps_before_first = UINT32_MAX;
    uv_timer_start(&chain.timer, on_timer, 50, 0);
    run_until(&chain.loop, &chain.over);
    assert_int_equal(chain.sleeps_before_first, 0);
    chain_deinit(&chain);
}

struct asker {
    struct net_flush flush;
    struct net_loop *loop;
    unsigned left;
    unsigned sleeps; /* until the last flush */
    bool over;
};

static void on_flush(struct net_flush *flush)
{
    struct asker *asker = container_of(flush, struct asker, flush);

    if (asker->left > 0) {
        asker->left--;
        net_loop_flush_soon(asker->loop, &asker->flush);
    } else {
        asker->sleeps = sleeps;
        asker->over = true;
    }
}

/* Who asks in each round goes on in the next turn, at once. */
static void who_is_not_done_does_not_wait(void **state)
{
    struct chain chain;
    struct asker asker = {.loop = &chain.loop, .left = 50};

    (void)state;
    chain_init(&chain, SPACING_NS);
    net_flush_init(&asker.flush, on_flush);
    net_loop_flush_soon(&chain.loop, &asker.flush);
    run_until(&chain.loop, &asker.over);
    assert_int_equal(asker.sleeps, 0);
    chain_deinit(&chain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(polls_that_follow_each_other_are_spaced),
        cmocka_unit_test(without_spacing_nobody_sleeps),
        cmocka_unit_test(after_a_while_neither_a_message_nor_its_answer_waits),
        cmocka_unit_test(who_is_not_done_does_not_wait),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
