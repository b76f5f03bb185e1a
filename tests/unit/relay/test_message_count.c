/* Messages are counted by their prefixes, wherever DATA frames are cut. */
#include "relay/message_count.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void every_split_counts_the_same(void **state)
{
    (void)state;
    static const uint8_t bytes[] = "\0\0\0\0\x05hello\0\0\0\0\0\0\0\0\0\x01x";
    size_t len = sizeof(bytes) - 1;
    for (size_t step = 1; step <= len; step++) {
        struct message_count count;
        memset(&count, 0, sizeof(count));
        size_t begun = 0;
        for (size_t at = 0; at < len; at += step) {
            begun += message_count_add(&count, bytes + at, len - at < step ? len - at : step);
        }
        assert_int_equal(begun, 3);
        assert_int_equal(atomic_load(&count.messages), 3);
        assert_int_equal(atomic_load(&count.bytes), len);
    }
}

static void of_what_is_no_grpc_only_bytes_are_counted(void **state)
{
    (void)state;
    static const uint8_t bytes[] = "\0\0\0\0\x05hello";
    struct message_count count;
    memset(&count, 0, sizeof(count));
    message_count_disregard(&count);
    for (size_t len = 1; len < sizeof(bytes); len++) {
        assert_int_equal(message_count_add(&count, bytes, len), 0);
        assert_true(message_count_is_between(&count));
    }
    assert_int_equal(atomic_load(&count.messages), 0);
    assert_int_equal(message_count_whole(&count), 0);
    assert_int_equal(atomic_load(&count.bytes), 55);
}

static void a_message_is_whole_with_its_last_byte(void **state)
{
    (void)state;
    static const uint8_t bytes[] = "\0\0\0\0\x02hi\0\0\0\0\0";
    static const uint64_t whole[] = {0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2};
    struct message_count count;
    memset(&count, 0, sizeof(count));
    for (size_t i = 0; i < sizeof(bytes) - 1; i++) {
        message_count_add(&count, &bytes[i], 1);
        assert_int_equal(message_count_whole(&count), whole[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_split_counts_the_same),
        cmocka_unit_test(of_what_is_no_grpc_only_bytes_are_counted),
        cmocka_unit_test(a_message_is_whole_with_its_last_byte),
    };
    return cmocka_run_group_tests_name("relay/message_count", tests, NULL, NULL);
}
