/* Frames are found whatever pieces they come in; each goes its way, and nothing is judged before
 * what came earlier is handed over. */
#include "h2/frame_split.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Types of the frames below: what becomes of them. */
enum { PASSED = 1, TAKEN = 2, STOPPED = 3 };

struct seen {
    char log[512];
    uint8_t last;
    int pass_result;
};

static void note(struct seen *seen, char mark, const uint8_t *bytes, size_t len)
{
    size_t at = strlen(seen->log);
    if (at == 0 || seen->last != (uint8_t)mark) {
        at += (size_t)snprintf(seen->log + at, sizeof(seen->log) - at, " %c", mark);
    }
    seen->last = (uint8_t)mark;
    for (size_t i = 0; i < len; i++) {
        at += (size_t)snprintf(seen->log + at, sizeof(seen->log) - at, "%x", bytes[i]);
    }
}

static enum h2_frame_way on_head(void *ctx, const struct h2_frame_head *head)
{
    struct seen *seen = ctx;
    size_t at = strlen(seen->log);
    snprintf(seen->log + at, sizeof(seen->log) - at, " [%u:%u:%d]", head->type, head->length,
             head->stream_id);
    seen->last = 0;
    return head->type == PASSED  ? H2_FRAME_PASS
           : head->type == TAKEN ? H2_FRAME_TAKE
                                 : H2_FRAME_STOP;
}

static int on_pass(void *ctx, const uint8_t *bytes, size_t len)
{
    struct seen *seen = ctx;
    note(seen, 'p', bytes, len);
    return seen->pass_result;
}

static int on_take(void *ctx, const uint8_t *bytes, size_t len)
{
    note(ctx, 't', bytes, len);
    return 0;
}

static const struct h2_frame_ops ops = {on_head, on_pass, on_take};

static int feed(struct seen *seen, const uint8_t *bytes, size_t len, size_t preface, size_t step)
{
    struct h2_frame_split split;
    h2_frame_split_init(&split, preface);
    int rv = 0;
    for (size_t at = 0; at < len && rv == 0; at += step) {
        rv = h2_frame_split_feed(&split, bytes + at, len - at < step ? len - at : step, &ops, seen);
    }
    return rv;
}

static void frames_go_their_way_in_any_pieces(void **state)
{
    (void)state;
    static const uint8_t wire[] = {
        0xa, 0xb,                                        /* a preface of two */
        0,   0,   2, TAKEN,  0, 0x80, 0, 1, 0, 0xc, 0xd, /* the reserved bit is no part of the id */
        0,   0,   0, PASSED, 0, 0,    0, 0, 0,           /* empty */
        0,   0,   1, PASSED, 5, 0,    0, 0, 3, 0xe,
    };
    for (size_t step = 1; step <= sizeof(wire); step++) {
        struct seen seen = {0};
        assert_int_equal(feed(&seen, wire, sizeof(wire), 2, step), 0);
        assert_string_equal(seen.log, " pab [2:2:256] tcd [1:0:0] p000100000 [1:1:3] p001150003e");
    }
}

static void a_stop_or_an_error_ends_the_feed(void **state)
{
    (void)state;
    static const uint8_t wire[] = {0, 0, 0,       PASSED, 0, 0, 0, 0, 0,  0,
                                   0, 1, STOPPED, 0,      0, 0, 0, 1, 0xa};
    struct seen seen = {0};
    assert_int_equal(feed(&seen, wire, sizeof(wire), 0, sizeof(wire)), -1);
    assert_string_equal(seen.log, " [1:0:0] p000100000 [3:1:1]");
    struct seen failing = {.pass_result = -902};
    assert_int_equal(feed(&failing, wire, sizeof(wire), 0, sizeof(wire)), -902);
    assert_string_equal(failing.log, " [1:0:0] p000100000");
}

static void a_written_head_reads_back(void **state)
{
    (void)state;
    static const struct h2_frame_head head = {0xabcdef, TAKEN, 0x25, 0x7fedcba9};
    uint8_t wire[H2_FRAME_HEAD_BYTES];
    h2_frame_head_write(wire, &head);
    struct seen seen = {0};
    assert_int_equal(feed(&seen, wire, sizeof(wire), 0, 4), 0);
    char expected[64];
    snprintf(expected, sizeof(expected), " [%d:%d:%d]", TAKEN, 0xabcdef, 0x7fedcba9);
    assert_string_equal(seen.log, expected);
    assert_int_equal(wire[4], 0x25);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_go_their_way_in_any_pieces),
        cmocka_unit_test(a_stop_or_an_error_ends_the_feed),
        cmocka_unit_test(a_written_head_reads_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
