/* Symbols inside others, in a descriptor set of this test's own (nested.proto) instead of the
 * program's. */
#include "base/mem.h"
#include "rpc/reflection.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Whether the file that contains `symbol` is found. */
static bool finds(const char *symbol)
{
    uint8_t request[200] = {4 << 3 | 2, (uint8_t)strlen(symbol)};
    memcpy(request + 2, symbol, strlen(symbol));
    struct buf response = {0};
    assert_int_equal(rpc_reflection_answer(request, 2 + strlen(symbol), NULL, &response), 0);
    bool found = memmem(buf_data(&response), response.len, "nested.proto", 12) != NULL;
    bool error = memmem(buf_data(&response), response.len, "not found", 9) != NULL;
    assert_int_not_equal(found, error);
    buf_deinit(&response);
    return found;
}

static void a_symbol_is_found_at_any_depth(void **state)
{
    (void)state;
    static const char *const there[] = {
        "deep.down.Colour",
        "deep.down.Outer",
        "deep.down.Outer.Middle",
        "deep.down.Outer.Other",
        "deep.down.Outer.Middle.Inner",
        "deep.down.Outer.Middle.Inner.Shade",
    };
    for (size_t i = 0; i < ARRAY_SIZE(there); i++) {
        assert_true(finds(there[i]));
    }
}

static void a_symbol_is_found_in_its_own_place_alone(void **state)
{
    (void)state;
    static const char *const missing[] = {
        "deep.Outer",
        "deep.down.Middle",
        "deep.down.Inner",
        "deep.down.Shade",
        "deep.down.Colours",
        "deep.down.Outer.Inner",
        "deep.down.Outer.Colour",
        "deep.down.Outer.Other.Inner",
        "deep.down.Outer.Middle.Shade",
        "deep.down.Outer.Middle.Inner.Shade.More",
        "deep.down.Outer.Middle.Inner.Shad",
        "deep.down.Outer..Middle",
        "ping.PingService",
    };
    for (size_t i = 0; i < ARRAY_SIZE(missing); i++) {
        assert_false(finds(missing[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_symbol_is_found_at_any_depth),
        cmocka_unit_test(a_symbol_is_found_in_its_own_place_alone),
    };
    return cmocka_run_group_tests_name("rpc/reflection_nested", tests, NULL, NULL);
}
