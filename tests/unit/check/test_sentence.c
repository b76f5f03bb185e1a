/* A text that grows piece by piece, and what becomes of it where it ends. */
#include "check/sentence.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <wchar.h>

#include <cmocka.h>

#define ROOM 12

static void pieces_follow_each_other(void **state)
{
    (void)state;
    char out[ROOM] = "before";
    struct sentence text = sentence_begin(out, sizeof(out));
    assert_string_equal(out, "");
    sentence_add(&text, "%s", "two");
    sentence_add(&text, "%s%d", " of ", 12);
    assert_string_equal(out, "two of 12");
    assert_int_equal(text.len, strlen(out));
}

static void what_just_fits_is_whole_and_one_character_more_is_cut(void **state)
{
    (void)state;
    char out[ROOM];
    struct sentence text = sentence_begin(out, sizeof(out));
    sentence_add(&text, "%s", "12345678901");
    assert_string_equal(out, "12345678901");
    text = sentence_begin(out, sizeof(out));
    sentence_add(&text, "%s", "123456789012");
    assert_string_equal(out, "12345678...");
    assert_int_equal(text.len, ROOM - 1);
}

static void nothing_follows_a_cut(void **state)
{
    (void)state;
    char out[ROOM];
    struct sentence text = sentence_begin(out, sizeof(out));
    sentence_add(&text, "%s", "12345678901");
    for (int i = 0; i < 3; i++) {
        sentence_add(&text, "%s", "more");
        sentence_add(&text, "%s", "");
        assert_string_equal(out, "12345678...");
        assert_int_equal(text.len, ROOM - 1);
    }
}

static void the_smallest_text_is_the_mark_of_the_cut(void **state)
{
    (void)state;
    char out[] = {'?', '?', '?', '?', '!'};
    struct sentence text = sentence_begin(out, 4);
    sentence_add(&text, "%s", "1234");
    assert_string_equal(out, "...");
    assert_int_equal(out[4], '!');
}

static void a_piece_that_cannot_be_printed_is_left_out(void **state)
{
    (void)state;
    static const wchar_t no_character[] = {0x7ffffffe, 0};
    char out[ROOM];
    struct sentence text = sentence_begin(out, sizeof(out));
    sentence_add(&text, "%s", "kept");
    sentence_add(&text, ", %ls", no_character);
    assert_string_equal(out, "kept");
    sentence_add(&text, "%s", " on");
    assert_string_equal(out, "kept on");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_follow_each_other),
        cmocka_unit_test(what_just_fits_is_whole_and_one_character_more_is_cut),
        cmocka_unit_test(nothing_follows_a_cut),
        cmocka_unit_test(the_smallest_text_is_the_mark_of_the_cut),
        cmocka_unit_test(a_piece_that_cannot_be_printed_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
