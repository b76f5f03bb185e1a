/* Lines that wait in a ring: whole ones go out, whatever its end cuts. */
#include "base/line_ring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SIZE 16

static struct line_ring ring;

static int setup(void **state)
{
    (void)state;
    line_ring_init(&ring, SIZE);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    line_ring_deinit(&ring);
    return 0;
}

static bool put(const char *line)
{
    return line_ring_put(&ring, line, strlen(line));
}

/* Takes what goes out next of up to `max` bytes. */
static const char *take(size_t max)
{
    static char text[SIZE + 1];
    struct iovec parts[2];
    size_t len = line_ring_next(&ring, max);
    size_t at = 0;
    int count = line_ring_parts(&ring, len, parts);
    for (int i = 0; i < count; i++) {
        memcpy(text + at, parts[i].iov_base, parts[i].iov_len);
        at += parts[i].iov_len;
    }
    text[at] = '\0';
    assert_int_equal(at, len);
    line_ring_drop(&ring, len);
    return text;
}

static void lines_come_out_in_their_order_and_whole(void **state)
{
    (void)state;
    assert_true(put("one\n") && put("two\n") && put("three\n"));
    assert_int_equal(line_ring_lines(&ring, ring.len), 3);
    assert_string_equal(take(9), "one\ntwo\n");
    assert_string_equal(take(SIZE), "three\n");
    assert_int_equal(ring.len, 0);
}

static void what_has_no_room_is_not_taken_and_harms_nothing(void **state)
{
    (void)state;
    assert_true(put("0123456789\n"));
    assert_false(put("abcde\n"));
    assert_true(put("abcd\n"));
    assert_false(put("\n"));
    assert_string_equal(take(SIZE), "0123456789\nabcd\n");
}

static void the_end_of_the_ring_cuts_no_line(void **state)
{
    (void)state;
    for (size_t shift = 1; shift < SIZE; shift++) {
        assert_true(put("012345678901\n"));
        line_ring_drop(&ring, 13 - shift % 13);
        (void)take(SIZE);
        assert_true(put("012345\n"));
        assert_true(put("ab\n"));
        assert_string_equal(take(8), "012345\n");
        assert_true(put("cdefghi\n"));
        assert_string_equal(take(4), "ab\n");
        assert_string_equal(take(SIZE), "cdefghi\n");
    }
}

static void a_line_that_is_longer_than_a_write_goes_in_parts(void **state)
{
    (void)state;
    assert_true(put("0123456\n") && put("a\n"));
    assert_string_equal(take(4), "0123");
    assert_int_equal(ring.torn, 4);
    assert_string_equal(take(3), "456");
    assert_int_equal(ring.torn, 7);
    assert_string_equal(take(4), "\na\n");
    assert_int_equal(ring.torn, 0);
}

static void the_rest_of_a_torn_line_can_be_dropped_and_nothing_else(void **state)
{
    (void)state;
    assert_true(put("0123456\n") && put("a\n"));
    assert_false(line_ring_drop_torn(&ring));
    (void)take(3);
    assert_true(line_ring_drop_torn(&ring));
    assert_false(line_ring_drop_torn(&ring));
    assert_string_equal(take(SIZE), "a\n");
}

/* Lines of 4 bytes, some of them of a share. */
static void a_share_is_what_of_its_lines_still_waits(void **state)
{
    (void)state;
    struct line_share share = {0};
    for (int turn = 0; turn < 3; turn++) { /* also where the ring has turned */
        assert_int_equal(line_ring_waiting(&ring, &share), 0);
        for (int i = 0; i < 2; i++) {
            assert_true(put("own\n"));
            line_ring_note(&ring, &share, 4);
            assert_true(put("not\n"));
        }
        assert_int_equal(line_ring_waiting(&ring, &share), 8);
        (void)take(4);
        (void)take(4);
        assert_int_equal(line_ring_waiting(&ring, &share), 2 * 4 / 3); /* 4 of 12 bytes are left */
        (void)take(4);
        assert_int_equal(line_ring_waiting(&ring, &share), 0);
        assert_true(put("own\n"));
        line_ring_note(&ring, &share, 4);
        assert_int_equal(line_ring_waiting(&ring, &share), 4);
        (void)take(4);
        assert_int_equal(line_ring_waiting(&ring, &share), 4);
        (void)take(4);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lines_come_out_in_their_order_and_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(what_has_no_room_is_not_taken_and_harms_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_end_of_the_ring_cuts_no_line, setup, teardown),
        cmocka_unit_test_setup_teardown(a_line_that_is_longer_than_a_write_goes_in_parts, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_rest_of_a_torn_line_can_be_dropped_and_nothing_else,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_share_is_what_of_its_lines_still_waits, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
