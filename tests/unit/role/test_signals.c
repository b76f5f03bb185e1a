#include "role/signals.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct heard {
    struct net_loop loop;
    struct role_signals signals;
    int ends[4];
    bool agains[4];
    unsigned end_count;
    unsigned hangups;
    unsigned wanted; /* of both together, then it closes */
};

static void close_when_heard(struct heard *heard)
{
    if (heard->end_count + heard->hangups == heard->wanted) {
        role_signals_close(&heard->signals);
        role_signals_close(&heard->signals); /* harmless */
    }
}

static void on_end(void *user, int number, bool again)
{
    struct heard *heard = user;
    heard->ends[heard->end_count] = number;
    heard->agains[heard->end_count++] = again;
    close_when_heard(heard);
}

static void on_hangup(void *user)
{
    struct heard *heard = user;
    heard->hangups++;
    close_when_heard(heard);
}

static void the_first_end_differs_from_all_after_it(void **state)
{
    (void)state;
    struct heard heard = {.wanted = 3};
    net_loop_init(&heard.loop);
    role_signals_start(&heard.signals, &heard.loop, on_end, on_hangup, &heard);
    raise(SIGTERM);
    raise(SIGHUP); /* is no end */
    uv_run(&heard.loop.uv, UV_RUN_ONCE);
    raise(SIGINT);
    net_loop_run(&heard.loop);
    assert_int_equal(heard.end_count, 2);
    assert_int_equal(heard.hangups, 1);
    assert_int_equal(heard.ends[0], SIGTERM);
    assert_false(heard.agains[0]);
    assert_int_equal(heard.ends[1], SIGINT);
    assert_true(heard.agains[1]);
    net_loop_deinit(&heard.loop);
}

static void a_hangup_that_means_nothing_else_is_an_end(void **state)
{
    (void)state;
    struct heard heard = {.wanted = 1};
    net_loop_init(&heard.loop);
    role_signals_start(&heard.signals, &heard.loop, on_end, NULL, &heard);
    raise(SIGHUP);
    net_loop_run(&heard.loop);
    net_loop_deinit(&heard.loop);
    assert_int_equal(heard.ends[0], SIGHUP);
}

static void a_hangup_that_was_ignored_stays_so(void **state)
{
    (void)state;
    struct heard heard = {.wanted = 1};
    void (*before)(int) = signal(SIGHUP, SIG_IGN);
    net_loop_init(&heard.loop);
    role_signals_start(&heard.signals, &heard.loop, on_end, NULL, &heard);
    raise(SIGHUP);
    raise(SIGINT);
    net_loop_run(&heard.loop);
    net_loop_deinit(&heard.loop);
    signal(SIGHUP, before);
    assert_int_equal(heard.end_count, 1);
    assert_int_equal(heard.ends[0], SIGINT);
}

static void at_the_very_end_no_signal_does_anything(void **state)
{
    (void)state;
    struct heard heard = {.wanted = 1};
    sigset_t before;
    sigset_t pending;
    int number;
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    net_loop_init(&heard.loop);
    role_signals_start(&heard.signals, &heard.loop, on_end, NULL, &heard);
    role_signals_unref(&heard.signals);
    net_loop_run(&heard.loop); /* it waits for none */
    raise(SIGTERM);            /* would end this program, as would the next one */
    role_signals_end(&heard.signals);
    net_loop_deinit(&heard.loop);
    raise(SIGINT);
    assert_int_equal(sigpending(&pending), 0);
    assert_true(sigismember(&pending, SIGINT));
    assert_int_equal(sigwait(&pending, &number), 0);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void exit_codes_are_those_of_a_shell(void **state)
{
    (void)state;
    assert_int_equal(role_signals_exit_code(SIGHUP), 129);
    assert_int_equal(role_signals_exit_code(SIGINT), 130);
    assert_int_equal(role_signals_exit_code(SIGTERM), 143);
}

static void what_was_never_started_can_be_closed(void **state)
{
    (void)state;
    struct role_signals signals = {0};
    role_signals_close(&signals);
    assert_false(signals.open);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_end_differs_from_all_after_it),
        cmocka_unit_test(a_hangup_that_means_nothing_else_is_an_end),
        cmocka_unit_test(a_hangup_that_was_ignored_stays_so),
        cmocka_unit_test(at_the_very_end_no_signal_does_anything),
        cmocka_unit_test(exit_codes_are_those_of_a_shell),
        cmocka_unit_test(what_was_never_started_can_be_closed),
    };
    return cmocka_run_group_tests_name("role/signals", tests, NULL, NULL);
}
