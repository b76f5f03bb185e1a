/* Who waits for how many. */
#include "rpc/gate.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define ASKING 5

struct guest {
    struct rpc_gate_turn turn;
    unsigned called;
    bool leaves_at_once;
};

static unsigned calls; /* of all, so that their order can be told */
static unsigned call_of[ASKING];
static struct guest guests[ASKING];
static struct rpc_gate gate;

static void on_turn(struct rpc_gate_turn *turn)
{
    struct guest *guest = container_of(turn, struct guest, turn);
    guest->called++;
    call_of[guest - guests] = ++calls;
    if (guest->leaves_at_once) {
        rpc_gate_leave(turn);
    }
}

static int all_ask(void **state)
{
    (void)state;
    calls = 0;
    memset(guests, 0, sizeof(guests));
    memset(call_of, 0, sizeof(call_of));
    rpc_gate_init(&gate, 2);
    for (size_t i = 0; i < ASKING; i++) {
        assert_int_equal(rpc_gate_enter(&gate, &guests[i].turn, on_turn), i < 2);
    }
    return 0;
}

static void as_many_as_the_limit_are_inside(void **state)
{
    (void)state;
    assert_int_equal(gate.inside, 2);
    assert_int_equal(calls, 0);
    rpc_gate_leave(&guests[1].turn);
    assert_int_equal(gate.inside, 2);
    assert_int_equal(call_of[2], 1);
    rpc_gate_leave(&guests[0].turn);
    rpc_gate_leave(&guests[2].turn);
    assert_int_equal(call_of[3], 2);
    assert_int_equal(call_of[4], 3);
    rpc_gate_leave(&guests[3].turn);
    rpc_gate_leave(&guests[4].turn);
    assert_int_equal(gate.inside, 0);
    assert_true(list_empty(&gate.waiting));
}

static void who_gives_up_waiting_is_passed_over(void **state)
{
    (void)state;
    rpc_gate_leave(&guests[2].turn);
    assert_int_equal(gate.inside, 2);
    rpc_gate_leave(&guests[0].turn);
    assert_int_equal(guests[2].called, 0);
    assert_int_equal(guests[3].called, 1);
    assert_int_equal(guests[4].called, 0);
}

static void leaving_twice_makes_no_more_room(void **state)
{
    (void)state;
    rpc_gate_leave(&guests[0].turn);
    rpc_gate_leave(&guests[0].turn);
    assert_int_equal(gate.inside, 2);
    assert_int_equal(calls, 1);
}

static void who_leaves_in_its_turn_lets_all_behind_it_in(void **state)
{
    (void)state;
    guests[2].leaves_at_once = guests[3].leaves_at_once = true;
    rpc_gate_leave(&guests[0].turn);
    assert_int_equal(call_of[2], 1);
    assert_int_equal(call_of[3], 2);
    assert_int_equal(call_of[4], 3);
    assert_int_equal(gate.inside, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(as_many_as_the_limit_are_inside, all_ask),
        cmocka_unit_test_setup(who_gives_up_waiting_is_passed_over, all_ask),
        cmocka_unit_test_setup(leaving_twice_makes_no_more_room, all_ask),
        cmocka_unit_test_setup(who_leaves_in_its_turn_lets_all_behind_it_in, all_ask),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
