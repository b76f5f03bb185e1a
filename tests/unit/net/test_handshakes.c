/* Many clients that shake hands at once: few are read in a turn, all in their order, none for
 * nothing. They have no threads: what they say is said before the loop turns. */
#include "harness.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CROWD = 100, MOST_IN_A_TURN = 8, MOST_HALF_DONE = 32, STANDSTILL_MS = 2000 };

static struct harness harness;
static struct {
    SSL_CTX *ctx;
    struct raw clients[CROWD];
    bool answered[CROWD];
} crowd;

static int connect_all(void **state)
{
    (void)state;
    harness_init(&harness, true);
    harness_listen(&harness);
    harness.drop = true;
    crowd.ctx = SSL_CTX_new(TLS_client_method());
    for (int i = 0; i < CROWD; i++) {
        struct raw *client = &crowd.clients[i];

        raw_open(client, raw_connect(net_listener_port(harness.listener)), crowd.ctx, false);
        SSL_set_alpn_protos(client->ssl, (const unsigned char *)"\x02h2", 3);
        crowd.answered[i] = false;
    }
    return 0;
}

/* All have connected, and the listener waits for what they say. */
static int setup(void **state)
{
    connect_all(state);
    run_for(&harness.loop, 100);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (int i = 0; i < CROWD; i++) {
        raw_close(&crowd.clients[i]);
    }
    SSL_CTX_free(crowd.ctx);
    ERR_clear_error();
    harness_deinit(&harness);
    return 0;
}

static void say_hello(struct raw *client)
{
    assert_int_equal(SSL_do_handshake(client->ssl), -1);
    assert_true(raw_flush(client));
}

static void all_say_hello(void)
{
    for (int i = 0; i < CROWD; i++) {
        say_hello(&crowd.clients[i]);
    }
}

static void turn(void)
{
    uv_run(&harness.loop.uv, UV_RUN_NOWAIT);
}

static bool has_answer(const struct raw *client)
{
    uint8_t byte;

    return recv(client->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
}

static void finish(struct raw *client)
{
    assert_true(raw_fill(client));
    assert_int_equal(SSL_do_handshake(client->ssl), 1);
    assert_true(raw_flush(client));
}

/* Returns how many have got their first answer since it was asked last. */
static int count_answers(void)
{
    int count = 0;

    for (int i = 0; i < CROWD; i++) {
        if (!crowd.answered[i] && has_answer(&crowd.clients[i])) {
            crowd.answered[i] = true;
            count++;
        }
    }
    return count;
}

/* Turns until at least so many hellos more are answered. */
static void expect_answers(int wanted)
{
    int count = 0;

    for (int i = 0; count < wanted && i < 50 * CROWD; i++) {
        turn();
        int in_this_turn = count_answers();
        assert_in_range(in_this_turn, 0, MOST_IN_A_TURN);
        count += in_this_turn;
    }
    if (count < wanted) {
        fail_msg("%d answers, %d refused: %s", count, harness.refused, harness.refusal.text);
    }
}

/* ---- tests ----------------------------------------------------------------------------------- */

/* An answer to a hello costs most of a millisecond, and so do all bytes of a client that shows a
 * certificate. */
static void few_are_read_in_a_turn(void **state)
{
    (void)state;
    all_say_hello();
    expect_answers(CROWD);
    for (int i = 0; i < CROWD; i++) {
        finish(&crowd.clients[i]);
    }
    for (int i = 0; harness.accepted < CROWD && i < 50 * CROWD; i++) {
        int before = harness.accepted;
        turn();
        assert_in_range(harness.accepted - before, 0, MOST_IN_A_TURN);
    }
    assert_int_equal(harness.accepted, CROWD);
    assert_int_equal(harness.refused, 0);
}

/* All are there when the listener first looks, and finish as soon as they may. Were all begun,
 * nobody would be ready before the end: on a slow machine that is after NET_HANDSHAKE_MS. */
static void who_could_only_be_held_is_not_begun(void **state)
{
    bool finished[CROWD] = {false};
    int answered = 0;

    (void)state;
    all_say_hello();
    for (int i = 0; harness.accepted < CROWD && i < 50 * CROWD; i++) {
        turn();
        answered += count_answers();
        assert_in_range(answered - harness.accepted, 0, MOST_HALF_DONE);
        for (int j = 0; j < CROWD; j++) {
            if (crowd.answered[j] && !finished[j]) {
                finish(&crowd.clients[j]);
                finished[j] = true;
            }
        }
    }
    assert_int_equal(harness.accepted, CROWD);
}

/* Half of them are there when the others come, some in each turn. */
static void who_comes_first_is_read_first(void **state)
{
    int last = CROWD / 2;
    bool any_left = true;

    (void)state;
    for (int i = 0; i < last; i++) {
        say_hello(&crowd.clients[i]);
    }
    while (any_left && last < CROWD) {
        turn();
        count_answers();
        any_left = false;
        for (int i = 0; i < CROWD / 2; i++) {
            any_left = any_left || !crowd.answered[i];
        }
        for (int i = CROWD / 2; any_left && i < last; i++) {
            assert_false(crowd.answered[i]);
        }
        say_hello(&crowd.clients[last++]);
        say_hello(&crowd.clients[last++]);
    }
    assert_false(any_left);
}

static void reset(struct raw *client)
{
    struct linger linger = {.l_onoff = 1};

    assert_int_equal(setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
    close(client->fd);
    client->fd = -1;
}

static void who_goes_while_it_is_held_is_told_apart(void **state)
{
    (void)state;
    all_say_hello();
    turn(); /* all are held, but for the first */
    for (int i = CROWD / 2; i < CROWD; i += 2) {
        shutdown(crowd.clients[i].fd, SHUT_WR);
        reset(&crowd.clients[i + 1]);
    }
    for (int i = 0; i < 50 * CROWD; i++) {
        turn();
    }
    count_answers();
    for (int i = 0; i < CROWD / 2; i++) {
        assert_true(crowd.answered[i]);
    }
    assert_int_equal(harness.refused, CROWD / 2);
}

static void closing_the_listener_drops_who_is_held(void **state)
{
    (void)state;
    all_say_hello();
    turn();
    net_listener_close(harness.listener);
    harness.listener = NULL;
    run_for(&harness.loop, 50);
    for (int i = 0; i < CROWD; i++) {
        while (raw_fill(&crowd.clients[i])) {
        }
    }
    assert_int_equal(harness.accepted + harness.refused, 0);
}

/* It has said hello in time, and that nobody has read it is not its fault. The loop stands still
 * until the limit has passed: then it has one turn to read. */
static void who_is_held_is_not_late_for_its_hello(void **state)
{
    (void)state;
    uint64_t late_ms = uv_now(&harness.loop.uv) + NET_HELLO_MS;
    while (uv_now(&harness.loop.uv) + STANDSTILL_MS < late_ms) {
        run_for(&harness.loop, 50);
    }
    all_say_hello();
    uv_update_time(&harness.loop.uv);
    while (uv_now(&harness.loop.uv) < late_ms) {
        usleep(10000);
        uv_update_time(&harness.loop.uv);
    }
    expect_answers(CROWD);
    run_for(&harness.loop, 2 * NET_TICK_MS);
    assert_int_equal(harness.refused, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(few_are_read_in_a_turn, setup, teardown),
        cmocka_unit_test_setup_teardown(who_could_only_be_held_is_not_begun, connect_all, teardown),
        cmocka_unit_test_setup_teardown(who_comes_first_is_read_first, setup, teardown),
        cmocka_unit_test_setup_teardown(who_goes_while_it_is_held_is_told_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(closing_the_listener_drops_who_is_held, setup, teardown),
        cmocka_unit_test_setup_teardown(who_is_held_is_not_late_for_its_hello, setup, teardown),
    };
    return cmocka_run_group_tests(tests, certificates_make, certificates_remove);
}
