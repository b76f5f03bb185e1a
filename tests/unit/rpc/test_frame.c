/* Messages in their five bytes of frame, at every split. */
#include "base/mem.h"
#include "rpc/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct seen {
    size_t count;
    size_t bytes;
};

static bool on_message(void *ctx, const uint8_t *bytes, size_t len)
{
    struct seen *seen = ctx;
    (void)bytes;
    seen->count++;
    seen->bytes += len;
    return true;
}

static void messages_are_the_same_at_every_split(void **state)
{
    (void)state;
    static const uint8_t wire[] = "\0\0\0\0\x03"
                                  "abc"
                                  "\0\0\0\0\0"
                                  "\0\0\0\0\x05"
                                  "hello";
    for (size_t step = 1; step < sizeof(wire); step++) {
        struct rpc_frame_reader reader;
        struct seen seen = {0};
        rpc_frame_reader_init(&reader, 5);
        for (size_t at = 0; at < sizeof(wire) - 1; at += step) {
            size_t left = sizeof(wire) - 1 - at;
            assert_int_equal(rpc_frame_reader_feed(&reader, wire + at, left < step ? left : step,
                                                   on_message, &seen),
                             0);
        }
        assert_int_equal(seen.count, 3);
        assert_int_equal(seen.bytes, 8);
        assert_false(rpc_frame_reader_pending(&reader));
        rpc_frame_reader_deinit(&reader);
    }
}

static void a_prefix_is_judged_before_anything_is_allocated(void **state)
{
    (void)state;
    static const struct {
        uint8_t prefix[5];
        int outcome;
    } rows[] = {
        {{0, 0xff, 0xff, 0xff, 0xff}, RPC_FRAME_E_TOO_LARGE},
        {{0, 0, 1, 0, 1}, RPC_FRAME_E_TOO_LARGE},
        {{1, 0, 0, 0, 1}, RPC_FRAME_E_COMPRESSED},
        {{2, 0, 0, 0, 1}, RPC_FRAME_E_FLAG},
        {{0, 0, 1, 0, 0}, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct rpc_frame_reader reader;
        rpc_frame_reader_init(&reader, RPC_MESSAGE_LIMIT_BYTES);
        assert_int_equal(rpc_frame_reader_feed(&reader, rows[i].prefix, 5, on_message, NULL),
                         rows[i].outcome);
        assert_true(reader.partial.capacity < 1024);
        rpc_frame_reader_deinit(&reader);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_are_the_same_at_every_split),
        cmocka_unit_test(a_prefix_is_judged_before_anything_is_allocated),
    };
    return cmocka_run_group_tests_name("rpc/frame", tests, NULL, NULL);
}
