/* How long a client waits before it tries again. */
#include "rpc/backoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void backoff_stays_below_the_maximum_that_was_asked_for(void **state)
{
    (void)state;
    struct rpc_backoff backoff;
    for (uint64_t max_ms = 10; max_ms < RPC_BACKOFF_MAX_MS; max_ms *= 5) {
        rpc_backoff_init(&backoff, max_ms);
        for (int i = 0; i < 20; i++) {
            assert_true(rpc_backoff_next_ms(&backoff, 0.5) <= max_ms);
        }
        assert_int_equal(rpc_backoff_next_ms(&backoff, 0.5), max_ms);
    }
}

static void backoff_grows_within_its_band_and_starts_again(void **state)
{
    (void)state;
    struct rpc_backoff backoff;
    rpc_backoff_init(&backoff, 0);
    double base = RPC_BACKOFF_INITIAL_MS;
    for (int i = 0; i < 20; i++) {
        uint64_t delay = rpc_backoff_next_ms(&backoff, i % 2 == 0 ? 0.0 : 0.999);
        assert_in_range(delay, (uint64_t)(base * 0.79), (uint64_t)(base * 1.21));
        base = base * RPC_BACKOFF_MULTIPLIER > RPC_BACKOFF_MAX_MS ? RPC_BACKOFF_MAX_MS
                                                                  : base * RPC_BACKOFF_MULTIPLIER;
    }
    rpc_backoff_reset(&backoff);
    assert_int_equal(rpc_backoff_next_ms(&backoff, 0.5), RPC_BACKOFF_INITIAL_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(backoff_stays_below_the_maximum_that_was_asked_for),
        cmocka_unit_test(backoff_grows_within_its_band_and_starts_again),
    };
    return cmocka_run_group_tests_name("rpc/backoff", tests, NULL, NULL);
}
