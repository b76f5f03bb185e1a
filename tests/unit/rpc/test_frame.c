/* Messages in their five bytes of frame, at every split. */
#include "base/mem.h"
#include "rpc/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

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
        assert_true(rows[i].outcome == 0 || reader.partial.storage == NULL);
        rpc_frame_reader_deinit(&reader);
    }
}

/* Of one kind of letter. */
static bool on_letters(void *ctx, const uint8_t *bytes, size_t len)
{
    struct seen *seen = ctx;
    for (size_t i = 0; i < len; i++) {
        assert_int_equal(bytes[i], bytes[0]);
    }
    seen->count++;
    seen->bytes += len;
    return true;
}

#define LETTERS 20000

static void feed_letters(struct rpc_frame_reader *reader, uint8_t letter, size_t from, size_t to,
                         struct seen *seen)
{
    static uint8_t wire[RPC_FRAME_PREFIX_BYTES + LETTERS];
    rpc_frame_prefix(wire, LETTERS);
    memset(wire + RPC_FRAME_PREFIX_BYTES, letter, LETTERS);
    assert_int_equal(rpc_frame_reader_feed(reader, wire + from, to - from, on_letters, seen), 0);
}

static void messages_in_pieces_do_not_mix(void **state)
{
    (void)state;
    struct rpc_frame_reader readers[3];
    struct seen seen = {0};
    for (size_t i = 0; i < ARRAY_SIZE(readers); i++) {
        rpc_frame_reader_init(&readers[i], RPC_MESSAGE_LIMIT_BYTES);
    }
    feed_letters(&readers[0], 'a', 0, 9000, &seen);
    feed_letters(&readers[1], 'b', 0, 100, &seen);
    feed_letters(&readers[0], 'a', 9000, 12000, &seen);
    feed_letters(&readers[2], 'c', 0, 19000, &seen);
    feed_letters(&readers[1], 'b', 100, RPC_FRAME_PREFIX_BYTES + LETTERS, &seen);
    assert_int_equal(seen.count, 1);
    rpc_frame_reader_deinit(&readers[2]);
    feed_letters(&readers[1], 'b', 0, 17000, &seen);
    feed_letters(&readers[0], 'a', 12000, RPC_FRAME_PREFIX_BYTES + LETTERS, &seen);
    feed_letters(&readers[1], 'b', 17000, RPC_FRAME_PREFIX_BYTES + LETTERS, &seen);
    assert_int_equal(seen.count, 3);
    assert_int_equal(seen.bytes, 3 * LETTERS);
    rpc_frame_reader_deinit(&readers[0]);
    rpc_frame_reader_deinit(&readers[1]);
}

/* As a proxy of calls would: what it hears begins a message elsewhere. */
static bool on_message_elsewhere(void *ctx, const uint8_t *bytes, size_t len)
{
    struct seen seen = {0};
    feed_letters(ctx, 'z', 0, 9000, &seen);
    return on_letters(&seen, bytes, len);
}

static void a_message_stays_while_it_is_heard(void **state)
{
    (void)state;
    struct rpc_frame_reader reader;
    struct rpc_frame_reader other;
    struct seen seen = {0};
    uint8_t last = 'a';
    rpc_frame_reader_init(&reader, RPC_MESSAGE_LIMIT_BYTES);
    rpc_frame_reader_init(&other, RPC_MESSAGE_LIMIT_BYTES);
    feed_letters(&reader, 'a', 0, RPC_FRAME_PREFIX_BYTES + LETTERS - 1, &seen);
    assert_int_equal(rpc_frame_reader_feed(&reader, &last, 1, on_message_elsewhere, &other), 0);
    feed_letters(&other, 'z', 9000, RPC_FRAME_PREFIX_BYTES + LETTERS, &seen);
    assert_int_equal(seen.count, 1);
    rpc_frame_reader_deinit(&reader);
    rpc_frame_reader_deinit(&other);
}

static void messages_in_pieces_of_one_reader_need_no_memory(void **state)
{
    (void)state;
    struct rpc_frame_reader reader;
    struct seen seen = {0};
    const uint8_t *place = NULL;
    rpc_frame_reader_init(&reader, RPC_MESSAGE_LIMIT_BYTES);
    for (size_t i = 0; i < 3; i++) {
        feed_letters(&reader, 'a', 0, 9000, &seen);
        assert_true(place == NULL || place == reader.partial.storage);
        place = reader.partial.storage;
        feed_letters(&reader, 'a', 9000, RPC_FRAME_PREFIX_BYTES + LETTERS, &seen);
        assert_null(reader.partial.storage);
    }
    rpc_frame_reader_deinit(&reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_are_the_same_at_every_split),
        cmocka_unit_test(a_prefix_is_judged_before_anything_is_allocated),
        cmocka_unit_test(messages_in_pieces_do_not_mix),
        cmocka_unit_test(a_message_stays_while_it_is_heard),
        cmocka_unit_test(messages_in_pieces_of_one_reader_need_no_memory),
    };
    return cmocka_run_group_tests_name("rpc/frame", tests, NULL, NULL);
}
