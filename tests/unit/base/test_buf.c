#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void bytes_come_out_in_the_order_they_went_in(void **state)
{
    (void)state;
    struct buf buf = {0};
    uint8_t written = 0;
    uint8_t read = 0;
    for (int round = 0; round < 5000; round++) { /* more in than out, then more out than in */
        size_t in = round < 2500 ? 7 : 3;
        size_t out = round < 2500 ? 3 : 7;
        for (size_t i = 0; i < in; i++) {
            assert_int_equal(buf_append(&buf, &written, 1, SIZE_MAX), 0);
            written++;
        }
        for (size_t i = 0; i < out && buf.len > 0; i++) {
            assert_int_equal(*buf_data(&buf), read);
            read++;
            buf_consume(&buf, 1);
        }
    }
    assert_int_equal(buf.len, 0);
    assert_int_equal(read, written);
    buf_deinit(&buf);
}

static void nothing_is_appended_past_the_cap(void **state)
{
    (void)state;
    struct buf buf = {0};
    assert_int_equal(buf_append(&buf, "12345", 5, 8), 0);
    assert_int_equal(buf_append(&buf, "6789", 4, 8), BUF_E_FULL);
    assert_int_equal(buf.len, 5);
    assert_int_equal(buf_append(&buf, "678", 3, 8), 0);
    assert_int_equal(buf_append(&buf, "9", 1, 8), BUF_E_FULL);
    assert_int_equal(buf_append(&buf, "", 0, 4),
                     BUF_E_FULL); /* more than the cap is there already */
    assert_int_equal(buf_append(&buf, "x", SIZE_MAX, SIZE_MAX), BUF_E_FULL);
    assert_memory_equal(buf_data(&buf), "12345678", 8);
    buf_consume(&buf, 1);
    assert_int_equal(buf_append(&buf, "9", 1, 8), 0);
    buf_deinit(&buf);
}

static void steady_traffic_allocates_nothing(void **state)
{
    (void)state;
    struct buf buf = {0};
    char message[100] = {0};
    assert_int_equal(buf_append(&buf, message, sizeof(message), SIZE_MAX), 0);
    const uint8_t *storage = buf.storage;
    assert_int_equal(buf.capacity, 256);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(buf_append(&buf, message, sizeof(message), SIZE_MAX), 0);
        buf_consume(&buf, sizeof(message));
        assert_ptr_equal(buf.storage, storage);
    }
    buf_consume(&buf, buf.len);
    assert_int_equal(buf.start, 0);
    assert_ptr_equal(buf.storage, storage); /* small storage stays for the next message */
    buf_deinit(&buf);
}

static void storage_above_2_kib_goes_back_when_empty(void **state)
{
    (void)state;
    static const uint8_t large[2 * 1024 + 1];
    struct buf buf = {0};
    assert_int_equal(buf_append(&buf, large, 2 * 1024, SIZE_MAX), 0);
    buf_consume(&buf, SIZE_MAX);
    assert_non_null(buf.storage);
    assert_int_equal(buf_append(&buf, large, sizeof(large), SIZE_MAX), 0);
    buf_consume(&buf, sizeof(large) - 1);
    assert_non_null(buf.storage);
    buf_consume(&buf, 1);
    assert_null(buf.storage);
    assert_int_equal(buf.capacity, 0);
    assert_int_equal(buf_append(&buf, "x", 1, SIZE_MAX), 0);
    buf_deinit(&buf);
}

static void capacity_doubles_and_stays_near_the_content(void **state)
{
    (void)state;
    struct buf buf = {0};
    size_t growths = 0;
    size_t capacity = 0;
    for (int i = 0; i < 100000; i++) {
        assert_int_equal(buf_append(&buf, "0123456789", 10, SIZE_MAX), 0);
        growths += buf.capacity != capacity;
        capacity = buf.capacity;
    }
    assert_true(growths <= 13); /* 256 << 12 is above 1,000,000 */
    assert_true(buf.capacity < 4 * buf.len);
    buf_deinit(&buf);
}

static void a_slow_reader_keeps_the_storage_bounded(void **state)
{
    (void)state;
    struct buf buf = {0};
    static const uint8_t queued[1000];
    assert_int_equal(buf_append(&buf, queued, sizeof(queued), SIZE_MAX), 0);
    for (int i = 0; i < 100000; i++) {
        assert_int_equal(buf_append(&buf, queued, 10, SIZE_MAX), 0);
        buf_consume(&buf, 10);
    }
    assert_int_equal(buf.len, 1000);
    assert_true(buf.capacity <= 4096);
    buf_deinit(&buf);
}

static void reserved_room_counts_only_when_committed(void **state)
{
    (void)state;
    struct buf buf = {0};
    uint8_t *room = buf_reserve(&buf, 1000);
    assert_non_null(room);
    memset(room, 'a', 1000);
    assert_int_equal(buf.len, 0);
    buf_commit(&buf, 3);
    assert_int_equal(buf.len, 3);
    room = buf_reserve(&buf, 1);
    *room = 'b';
    buf_commit(&buf, 1);
    assert_memory_equal(buf_data(&buf), "aaab", 4);
    assert_null(buf_reserve(&buf, SIZE_MAX));
    assert_null(buf_reserve(&buf, SIZE_MAX / 2));
    assert_int_equal(buf.len, 4);
    buf_deinit(&buf);
}

static void an_empty_buffer_takes_and_gives_nothing(void **state)
{
    (void)state;
    struct buf buf = {0};
    assert_int_equal(buf_append(&buf, NULL, 0, 0), 0);
    assert_null(buf.storage);
    assert_null(buf_data(&buf));
    buf_consume(&buf, 5);
    assert_int_equal(buf.len, 0);
    assert_non_null(buf_reserve(&buf, 0));
    buf_deinit(&buf);
    buf_deinit(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_come_out_in_the_order_they_went_in),
        cmocka_unit_test(nothing_is_appended_past_the_cap),
        cmocka_unit_test(steady_traffic_allocates_nothing),
        cmocka_unit_test(storage_above_2_kib_goes_back_when_empty),
        cmocka_unit_test(capacity_doubles_and_stays_near_the_content),
        cmocka_unit_test(a_slow_reader_keeps_the_storage_bounded),
        cmocka_unit_test(reserved_room_counts_only_when_committed),
        cmocka_unit_test(an_empty_buffer_takes_and_gives_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
