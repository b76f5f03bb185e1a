/* The ring of events: bounded, in order, and nothing that repeats pushes the rest out. */
#include "relay/events.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct event_entry found[EVENTS_MAX];

static int setup(void **state)
{
    struct events *events = calloc(1, sizeof(*events));
    events_init(events);
    *state = events;
    return 0;
}

static int teardown(void **state)
{
    events_deinit(*state);
    free(*state);
    return 0;
}

static void the_last_ones_are_kept_in_order(void **state)
{
    for (int i = 1; i <= EVENTS_MAX + 10; i++) {
        char text[32];
        snprintf(text, sizeof(text), "number %d", i);
        events_add(*state, LOG_INFO, "reloaded", NULL, 1, text);
    }
    assert_int_equal(events_last(*state), EVENTS_MAX + 10);
    assert_int_equal(events_copy(*state, 0, found), EVENTS_MAX);
    for (size_t i = 0; i < EVENTS_MAX; i++) {
        assert_int_equal(found[i].number, i + 11);
        assert_int_equal(found[i].id, found[i].number);
    }
    assert_string_equal(found[0].text, "number 11");
    assert_int_equal(events_copy(*state, EVENTS_MAX + 8, found), 2);
    assert_string_equal(found[1].text, "number 138");
    assert_int_equal(events_copy(*state, EVENTS_MAX + 10, found), 0);
}

static void what_happens_again_is_one_entry_and_the_newest(void **state)
{
    events_add(*state, LOG_INFO, "ready", NULL, 1, "Ready");
    for (int i = 0; i < 1000; i++) {
        events_add(*state, LOG_WARN, "endpoint_unhealthy", "a 1", 1, i < 999 ? "early" : "late");
        events_add(*state, LOG_WARN, "endpoint_unhealthy", "a 2", 2, "other");
        events_add(*state, LOG_INFO, "endpoint_healthy", "a 1", 1, "well");
    }
    assert_int_equal(events_copy(*state, 0, found), 4);
    assert_string_equal(found[0].text, "Ready");
    assert_string_equal(found[1].text, "late");
    assert_int_equal(found[1].count, 1000);
    assert_int_equal(found[1].id, 2);
    assert_int_equal(found[2].count, 2000);
    assert_string_equal(found[3].text, "well");
    assert_true(found[1].first_ns <= found[1].last_ns && found[1].last_ns <= found[3].last_ns);
}

static void what_is_long_ago_is_not_added_to(void **state)
{
    struct events *events = *state;
    events_add(events, LOG_WARN, "fault", "a", 1, "first");
    events->entries[0].first_ns -= (EVENT_MERGE_S + 1) * UINT64_C(1000000000);
    events_add(events, LOG_WARN, "fault", "a", 1, "second");
    assert_int_equal(events_copy(events, 0, found), 2);
    assert_int_equal(found[1].count, 1);
}

static void texts_are_cut_and_escaped(void **state)
{
    char text[2 * EVENT_TEXT_BYTES];
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    events_add(*state, LOG_WARN, "a name that is longer than there is room for it", NULL, 1, text);
    events_add(*state, LOG_WARN, "b", NULL, 1, "\x1b[31m\n\xff");
    assert_int_equal(events_copy(*state, 0, found), 2);
    assert_int_equal(strlen(found[0].text), EVENT_TEXT_BYTES - 1);
    assert_int_equal(strlen(found[0].name), EVENT_NAME_BYTES - 1);
    assert_string_equal(found[1].text, "\\x1b[31m\\x0a\\xff");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_last_ones_are_kept_in_order),
        TEST(what_happens_again_is_one_entry_and_the_newest),
        TEST(what_is_long_ago_is_not_added_to),
        TEST(texts_are_cut_and_escaped),
    };
    return cmocka_run_group_tests_name("relay/events", tests, NULL, NULL);
}
