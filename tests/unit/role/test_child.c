/* Children are real programs; this very binary is where they begin. */
#include "role/child.h"

#include "base/mem.h"
#include "net/loop.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define DEADLINE_MS 10000
#define LATE_MS     300
/* By which libuv's clock may be behind. */
#define CLOCK_STEP_MS 10

struct scene {
    struct net_loop loop;
    uv_timer_t deadline;
    struct role_child child;
    char output[4096];
    size_t len;
    unsigned exits;
    int code;
    void (*on_first_output)(struct scene *scene);
};

static void on_output(void *user, const char *bytes, size_t len)
{
    struct scene *scene = user;
    assert_true(scene->len + len < sizeof(scene->output));
    memcpy(scene->output + scene->len, bytes, len);
    bool first = scene->len == 0;
    scene->len += len;
    if (first && scene->on_first_output != NULL) {
        scene->on_first_output(scene);
    }
}

static void on_exit_of(void *user, int code)
{
    struct scene *scene = user;
    assert_false(role_child_runs(&scene->child));
    scene->exits++;
    scene->code = code;
    uv_close((uv_handle_t *)&scene->deadline, NULL);
}

static const struct role_child_events events = {.on_output = on_output, .on_exit = on_exit_of};

static void on_deadline(uv_timer_t *timer)
{
    (void)timer;
    fail_msg("deadline passed");
}

static int setup(void **state)
{
    struct scene *scene = mem_new(struct scene);
    *state = scene;
    return net_loop_init(&scene->loop);
}

static int teardown(void **state)
{
    struct scene *scene = *state;
    net_loop_deinit(&scene->loop);
    free(scene);
    return 0;
}

static void start(struct scene *scene, const char *script)
{
    const char *const arguments[] = {"-c", script, NULL};
    const struct role_child_command command = {
        .program = "sh", .arguments = arguments, .out = ROLE_CHILD_READ, .err = ROLE_CHILD_READ};
    uv_timer_init(&scene->loop.uv, &scene->deadline);
    uv_timer_start(&scene->deadline, on_deadline, DEADLINE_MS, 0);
    assert_int_equal(role_child_start(&scene->child, &scene->loop.uv, &command, &events, scene), 0);
    assert_true(role_child_runs(&scene->child));
}

static void finish(struct scene *scene)
{
    net_loop_run(&scene->loop);
    scene->output[scene->len] = '\0';
    assert_int_equal(scene->exits, 1);
}

/* Runs a script to its end. */
static void run(struct scene *scene, const char *script)
{
    start(scene, script);
    finish(scene);
}

static void output_of_both_kinds_comes_in_order_before_the_end(void **state)
{
    struct scene *scene = *state;
    run(scene, "echo one; echo two >&2; echo three; exit 3");
    assert_string_equal(scene->output, "one\ntwo\nthree\n");
    assert_int_equal(scene->code, 3);
}

static void death_of_a_signal_is_128_and_its_number(void **state)
{
    struct scene *scene = *state;
    run(scene, "kill -KILL $$");
    assert_int_equal(scene->code, 128 + SIGKILL);
}

static void a_child_has_a_session_and_no_input(void **state)
{
    struct scene *scene = *state;
    run(scene, "cat; set -- $(cat /proc/$$/stat); echo $1 $6");
    int pid;
    int session;
    assert_int_equal(sscanf(scene->output, "%d %d", &pid, &session), 2);
    assert_int_equal(pid, session);
}

/* The signals of POSIX in a line of /proc/PID/status; those above are of who started the tests. */
#define STANDARD_SIGNALS 0x7fffffffULL

static unsigned long long signals_in(const char *status, const char *name)
{
    const char *at = strstr(status, name);
    assert_non_null(at);
    return strtoull(at + strlen(name), NULL, 16) & STANDARD_SIGNALS;
}

/* The loop ignores SIGPIPE. */
static void a_child_has_the_signals_of_a_new_program(void **state)
{
    struct scene *scene = *state;
    run(scene, "grep -E 'Sig(Ign|Blk)' /proc/self/status");
    assert_int_equal(signals_in(scene->output, "SigBlk:"), 0);
    assert_int_equal(signals_in(scene->output, "SigIgn:"), 0);
}

static void end_it(struct scene *scene)
{
    role_child_signal(&scene->child, SIGTERM);
}

static void a_signal_reaches_it(void **state)
{
    struct scene *scene = *state;
    scene->on_first_output = end_it;
    run(scene, "trap 'echo ended; exit 5' TERM; echo begun; while :; do sleep 0.01; done");
    assert_string_equal(scene->output, "begun\nended\n");
    assert_int_equal(scene->code, 5);
}

static void end_all(struct scene *scene)
{
    role_child_signal_all(&scene->child, SIGKILL);
}

/* Else the pipe stays open, and the deadline passes. */
static void a_signal_reaches_all_that_it_has_started(void **state)
{
    struct scene *scene = *state;
    scene->on_first_output = end_all;
    run(scene, "sleep 60 & echo begun; wait");
    assert_int_equal(scene->code, 128 + SIGKILL);
}

static void give_up_output(struct scene *scene)
{
    role_child_stop_reading(&scene->child);
    role_child_stop_reading(&scene->child); /* harmless */
}

static void output_that_stays_open_can_be_given_up(void **state)
{
    struct scene *scene = *state;
    scene->on_first_output = give_up_output;
    run(scene, "sleep 0.3 & echo begun; exit 7");
    assert_int_equal(scene->code, 7);
}

static bool exec_is_late;

/* In each child, before it becomes what it is to be. */
static void on_forked(void)
{
    if (exec_is_late) {
        usleep(LATE_MS * 1000);
    }
}

/* The parent waits for the exec, and libuv's loop counts from the time that it last looked. */
static void a_limit_that_begins_with_the_child_does_not_count_its_exec(void **state)
{
    struct scene *scene = *state;
    exec_is_late = true;
    uint64_t before_ms = uv_hrtime() / 1000000;
    uv_timer_t limit;
    uv_timer_init(&scene->loop.uv, &limit);
    start(scene, "exit 0");
    uv_timer_start(&limit, on_deadline, DEADLINE_MS, 0);
    exec_is_late = false;
    uint64_t due_ms = uv_now(&scene->loop.uv) + uv_timer_get_due_in(&limit);
    uv_close((uv_handle_t *)&limit, NULL);
    finish(scene);
    assert_true(uv_hrtime() / 1000000 - before_ms >= LATE_MS); /* it was late */
    assert_true(due_ms >= before_ms + LATE_MS + DEADLINE_MS - CLOCK_STEP_MS);
}

static void a_program_that_is_not_there_is_no_child(void **state)
{
    struct scene *scene = *state;
    static const char *const none[] = {NULL};
    static const char *const programs[] = {"no-such-program", "/no/such/program", "/etc/passwd"};
    for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
        const struct role_child_command command = {
            .program = programs[i], .arguments = none, .out = 2, .err = 2};
        assert_int_equal(role_child_start(&scene->child, &scene->loop.uv, &command, &events, scene),
                         -ENOENT);
        assert_false(role_child_runs(&scene->child));
        assert_false(role_child_exists(programs[i]));
    }
    assert_true(role_child_exists("sh"));
    assert_true(role_child_exists("/bin/sh"));
}

static void words_of_another_program_change_nothing(void **state)
{
    (void)state;
    char *const begin[] = {mem_unconst("grpcroute"), mem_unconst("--become-child-of"),
                           mem_unconst("1"), NULL};
    for (size_t words = 0; words <= 3; words++) {
        char *argv[4] = {NULL};
        memcpy(argv, begin, words * sizeof(*argv));
        role_child_become(argv); /* returns */
    }
}

int main(int argc, char **argv)
{
    (void)argc;
    role_child_become(argv);
    pthread_atfork(NULL, NULL, on_forked);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(output_of_both_kinds_comes_in_order_before_the_end, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(death_of_a_signal_is_128_and_its_number, setup, teardown),
        cmocka_unit_test_setup_teardown(a_child_has_a_session_and_no_input, setup, teardown),
        cmocka_unit_test_setup_teardown(a_child_has_the_signals_of_a_new_program, setup, teardown),
        cmocka_unit_test_setup_teardown(a_signal_reaches_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_signal_reaches_all_that_it_has_started, setup, teardown),
        cmocka_unit_test_setup_teardown(output_that_stays_open_can_be_given_up, setup, teardown),
        cmocka_unit_test_setup_teardown(a_limit_that_begins_with_the_child_does_not_count_its_exec,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_program_that_is_not_there_is_no_child, setup, teardown),
        cmocka_unit_test(words_of_another_program_change_nothing),
    };
    return cmocka_run_group_tests_name("role/child", tests, NULL, NULL);
}
