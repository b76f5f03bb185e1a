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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_split_counts_the_same)};
    return cmocka_run_group_tests_name("relay/message_count", tests, NULL, NULL);
}
