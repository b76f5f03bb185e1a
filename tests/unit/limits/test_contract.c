/* Contracts: how they are read, and for each shape a promise that is kept and one that is not. */
#include "scene.h"

#include "base/mem.h"
#include "cli/exit.h"
#include "limits/report.h"

static char reason[LIMITS_REASON_BYTES];

static int parse(const char *text, struct limits_contract *ret)
{
    return limits_contract_parse("needs.txt", text, strlen(text), ret, reason);
}

/* ---- reading --------------------------------------------------------------------------------- */

static void lines_are_read_with_comments_and_blanks(void **state)
{
    (void)state;
    struct limits_contract contract;
    assert_int_equal(0, parse("# what we need\n"
                              "\n"
                              "idle >= 10m   # the quietest agent\r\n"
                              "\t streams_per_connection>=500\n"
                              "message_up >=4MiB\n"
                              "ping_interval <= 10s\n"
                              "headers_first = yes",
                              &contract));
    assert_int_equal(5, contract.count);
    assert_int_equal(LIMITS_IDLE, contract.promises[0].shape);
    assert_int_equal(600 * NS_PER_S, contract.promises[0].value);
    assert_int_equal(3, contract.promises[0].line);
    assert_string_equal("idle >= 10m", contract.promises[0].text);
    assert_int_equal(500, contract.promises[1].value);
    assert_string_equal("streams_per_connection >= 500", contract.promises[1].text);
    assert_int_equal(4096 * SCENE_KIB, contract.promises[2].value);
    assert_int_equal(10 * NS_PER_S, contract.promises[3].value);
    assert_int_equal(LIMITS_HEADERS_FIRST, contract.promises[4].shape);
    assert_int_equal(7, contract.promises[4].line);
    assert_int_equal(600 * NS_PER_S, limits_contract_within_ns(&contract));
}

static void a_wrong_line_names_its_place_its_cause_and_the_mend(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *said;
    } wrong[] = {
        {"idle >= 10m\nidel >= 5m\n",
         "needs.txt:2: nothing is called \"idel\"; did you mean idle?"},
        {"xyzzy >= 5m", "needs.txt:1: nothing is called \"xyzzy\"; expected NAME >= VALUE with a "
                        "name of grpcroute limits, such as idle >= 10m"},
        {">= 5m", "needs.txt:1: nothing is called \"\"; expected NAME >= VALUE with a name of "
                  "grpcroute limits, such as idle >= 10m"},
        {"\n\nidle", "needs.txt:3: >= is missing; write idle >= 10m"},
        {"idle 10m", "needs.txt:1: >= is missing; write idle >= 10m"},
        {"idle >=", "needs.txt:1: the value is missing; write idle >= 10m"},
        {"idle >= # 10m", "needs.txt:1: the value is missing; write idle >= 10m"},
        {"idle <= 10m", "needs.txt:1: idle takes >=, not <=; write idle >= 10m"},
        {"idle = 10m", "needs.txt:1: idle takes >=, not =; write idle >= 10m"},
        {"ping_interval >= 10s",
         "needs.txt:1: ping_interval takes <=, not >=; write ping_interval <= 10s"},
        {"buffered >= 1MiB", "needs.txt:1: buffered takes <=, not >=; write buffered <= 64KiB"},
        {"headers_first >= yes",
         "needs.txt:1: headers_first takes =, not >=; write headers_first = yes"},
        {"headers_first = no", "needs.txt:1: \"no\" is not yes: a contract says what is needed; "
                               "write headers_first = yes, or no line of it"},
        {"idle >= 10 minutes", "needs.txt:1: \"10 minutes\" is not a duration such as 250ms, 5s or "
                               "1m30s; write idle >= 10m"},
        {"idle >= -5s", "needs.txt:1: \"-5s\" is not a duration that is not negative; write idle "
                        ">= 10m"},
        {"idle >= 0",
         "needs.txt:1: \"0\" promises nothing; write a value above 0, such as idle >= 10m"},
        {"idle >= 24h1ns",
         "needs.txt:1: \"24h1ns\" is longer than the 24h that a run can look; write idle >= 10m"},
        {"streams_per_connection >= many", "needs.txt:1: \"many\" is not a whole number above 0; "
                                           "write streams_per_connection >= 100"},
        {"idle >= 0000000000000000000000001m", "needs.txt:1: \"0000000000000000000000001m\" is too "
                                               "long; write idle >= 10m"},
        {"idle >= 1m\n#\nidle >= 2m", "needs.txt:3: idle stands in line 1 already; leave one of "
                                      "the two"},
        {"", "needs.txt: holds no promise; write one a line, such as idle >= 10m"},
        {"# idle >= 10m\n", "needs.txt: holds no promise; write one a line, such as idle >= 10m"},
        {"idle\x1b[2J >= 1m", "needs.txt:1: nothing is called \"idle\\x1b[2J\"; expected NAME >= "
                              "VALUE with a name of grpcroute limits, such as idle >= 10m"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        struct limits_contract contract;
        assert_int_equal(EXIT_USAGE, parse(wrong[i].text, &contract));
        assert_string_equal(wrong[i].said, reason);
    }
}

static void a_zero_is_no_blank(void **state)
{
    (void)state;
    static const char text[] = "idle >= 1s\n\0\0status = yes\n";
    struct limits_contract contract;
    assert_int_equal(EXIT_USAGE,
                     limits_contract_parse("needs.txt", text, sizeof(text) - 1, &contract, reason));
    assert_non_null(strstr(reason, "needs.txt:2: nothing is called \"\\x00\\x00status\""));
}

static void a_size_that_is_none_is_told(void **state)
{
    (void)state;
    struct limits_contract contract;
    assert_int_equal(EXIT_USAGE, parse("message_up >= 4 apples", &contract));
    assert_non_null(strstr(reason, "needs.txt:1: \"4 apples\" is not "));
    assert_non_null(strstr(reason, "; write message_up >= 64KiB"));
}

static void a_line_that_is_too_long_is_told(void **state)
{
    (void)state;
    struct limits_contract contract;
    char text[400];
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(EXIT_USAGE, parse(text, &contract));
    assert_non_null(strstr(reason, "needs.txt:1: is longer than 199 bytes"));
    memset(text, ' ', sizeof(text) - 1);
    memcpy(text, "idle >= 1m #", 12);
    assert_int_equal(0, parse(text, &contract)); /* a comment may be */
}

static void every_shape_can_be_promised(void **state)
{
    (void)state;
    char text[LIMITS_SHAPES * 64] = "";
    struct limits_contract contract;
    for (unsigned i = 0; i < LIMITS_SHAPES; i++) {
        static const char *const values[] = {"1m", "1Ki", "1", "yes"};
        enum limits_kind kind = limits_shape_kind(i);
        bool less = i == LIMITS_PING_INTERVAL || i == LIMITS_BUFFERED;
        size_t len = strlen(text);
        snprintf(text + len, sizeof(text) - len, "%s %s %s\n", limits_shape_name(i),
                 kind == LIMITS_FACT ? "="
                 : less              ? "<="
                                     : ">=",
                 values[kind]);
    }
    assert_int_equal(0, parse(text, &contract));
    assert_int_equal(LIMITS_SHAPES, contract.count);
}

/* ---- verdicts -------------------------------------------------------------------------------- */

static char why[LIMITS_TEXT_BYTES];

static enum limits_verdict judge(const struct limits_result *result, enum limits_shape shape,
                                 uint64_t value)
{
    struct limits_promise promise = {.shape = shape, .line = 1, .value = value};
    snprintf(promise.text, sizeof(promise.text), "%s >= VALUE", limits_shape_name(shape));
    return limits_promise_judge(&promise, result, why);
}

/* Of each shape: met by no limit, by one beyond it, by one below it; and not looked for as far. */
static void each_shape_can_be_kept_broken_and_not_checked(void **state)
{
    (void)state;
    for (unsigned i = 0; i < LIMITS_SHAPES; i++) {
        bool less = i == LIMITS_PING_INTERVAL || i == LIMITS_BUFFERED;
        uint64_t unit = limits_shape_kind(i) == LIMITS_DURATION ? NS_PER_S : 100;
        struct limits_result *result = scene_new();
        if (limits_shape_kind(i) == LIMITS_FACT) {
            assert_int_equal(LIMITS_KEPT, judge(result, i, 1));
            scene_fact(result, i, false);
            assert_int_equal(LIMITS_BROKEN, judge(result, i, 1));
            assert_string_equal("no: it never came", why);
        } else {
            uint64_t looked = result->findings[i].looked;
            if (i != LIMITS_BUFFERED) { /* where none is met, that path holds without end */
                assert_int_equal(LIMITS_KEPT, judge(result, i, looked));
                assert_int_equal(LIMITS_NOT_CHECKED,
                                 judge(result, i, less ? looked / 2 : looked * 2));
            }
            scene_found(result, i, 10 * unit, 0);
            assert_int_equal(LIMITS_KEPT, judge(result, i, less ? 11 * unit : 9 * unit));
            assert_int_equal(LIMITS_BROKEN, judge(result, i, less ? 9 * unit : 11 * unit));
            assert_true(i == LIMITS_BUFFERED || strstr(why, "(client's hop)") != NULL);
        }
        scene_unmeasured(result, i, "no probe service");
        assert_int_equal(LIMITS_NOT_CHECKED, judge(result, i, unit));
        assert_string_equal("not measured: no probe service", why);
        result->findings[i].wanted = false;
        assert_int_equal(LIMITS_NOT_CHECKED, judge(result, i, unit));
        assert_string_equal("left out by --shapes", why);
        free(result);
    }
}

/* Other streams were in use beside it, which a service may not have. */
static void a_kept_silence_says_what_it_is_of(void **state)
{
    (void)state;
    static const char hint[] =
        ", beside others in use; idle_path for a service that is quiet as a whole";
    struct limits_result *result = scene_new();
    assert_int_equal(LIMITS_KEPT, judge(result, LIMITS_IDLE, NS_PER_S));
    assert_string_equal("none within 1m30s", why); /* that was measured, too */
    scene_unmeasured(result, LIMITS_IDLE_PATH, "not named");
    assert_int_equal(LIMITS_KEPT, judge(result, LIMITS_IDLE, NS_PER_S));
    assert_non_null(strstr(why, hint));
    assert_int_equal(LIMITS_KEPT, judge(result, LIMITS_IDLE_WITH_PINGS, NS_PER_S));
    assert_non_null(strstr(why, hint));
    assert_int_equal(LIMITS_KEPT, judge(result, LIMITS_IDLE_SERVER, NS_PER_S));
    assert_null(strstr(why, hint));
    assert_int_equal(LIMITS_NOT_CHECKED, judge(result, LIMITS_IDLE_PATH, NS_PER_S));
    assert_int_equal(LIMITS_NOT_CHECKED, judge(result, LIMITS_IDLE, 100 * NS_PER_S));
    assert_null(strstr(why, hint));
    result->direct = true; /* nothing between shares a connection */
    assert_int_equal(LIMITS_KEPT, judge(result, LIMITS_IDLE, NS_PER_S));
    assert_null(strstr(why, hint));
    free(result);
}

static void what_was_not_looked_for_long_enough_hints_at_within(void **state)
{
    (void)state;
    struct limits_result *result = scene_new();
    struct limits_contract contract;
    assert_int_equal(0, parse("idle >= 10m\nmessage_up >= 64MiB\n", &contract));
    assert_int_equal(LIMITS_NOT_CHECKED, limits_promise_judge(&contract.promises[0], result, why));
    assert_string_equal("none within 1m30s, which says nothing of longer; look with --within 10m",
                        why);
    assert_int_equal(LIMITS_NOT_CHECKED, limits_promise_judge(&contract.promises[1], result, why));
    assert_string_equal("none up to 4.00 MiB, which is as far as was looked", why);
    free(result);
}

static void what_lies_within_the_resolution_is_not_told(void **state)
{
    (void)state;
    struct limits_result *result = scene_new();
    scene_found(result, LIMITS_IDLE, 10 * NS_PER_S, NS_PER_S / 2);
    assert_int_equal(LIMITS_KEPT, judge(result, LIMITS_IDLE, 9500 * NS_PER_MS));
    assert_int_equal(LIMITS_NOT_CHECKED, judge(result, LIMITS_IDLE, 9501 * NS_PER_MS));
    assert_int_equal(LIMITS_NOT_CHECKED, judge(result, LIMITS_IDLE, 10500 * NS_PER_MS));
    assert_non_null(strstr(why, "too near"));
    assert_int_equal(LIMITS_BROKEN, judge(result, LIMITS_IDLE, 10501 * NS_PER_MS));
    /* a value that was tried was taken, and the next one was not */
    scene_found(result, LIMITS_MESSAGE_UP, 1000, 100);
    assert_int_equal(LIMITS_KEPT, judge(result, LIMITS_MESSAGE_UP, 1000));
    assert_int_equal(LIMITS_NOT_CHECKED, judge(result, LIMITS_MESSAGE_UP, 1099));
    assert_int_equal(LIMITS_BROKEN, judge(result, LIMITS_MESSAGE_UP, 1100));
    scene_found(result, LIMITS_PING_INTERVAL, 10 * NS_PER_S, 5 * NS_PER_S);
    assert_int_equal(LIMITS_KEPT, judge(result, LIMITS_PING_INTERVAL, 10 * NS_PER_S));
    assert_int_equal(LIMITS_NOT_CHECKED, judge(result, LIMITS_PING_INTERVAL, 7 * NS_PER_S));
    assert_int_equal(LIMITS_BROKEN, judge(result, LIMITS_PING_INTERVAL, 5 * NS_PER_S));
    free(result);
}

static void pings_that_no_interval_is_taken_for(void **state)
{
    (void)state;
    struct limits_result *result = scene_new();
    scene_found(result, LIMITS_PING_INTERVAL, LIMITS_VALUE_NONE, 0)->looked = 30 * NS_PER_S;
    assert_int_equal(LIMITS_BROKEN, judge(result, LIMITS_PING_INTERVAL, 30 * NS_PER_S));
    assert_string_equal("found not even every 30.0s (client's hop)", why);
    assert_int_equal(LIMITS_NOT_CHECKED, judge(result, LIMITS_PING_INTERVAL, 60 * NS_PER_S));
    assert_non_null(strstr(why, "longer ones were not tried; look with a longer --within"));
    free(result);
}

static void a_path_that_holds_without_end_breaks_what_bounds_it(void **state)
{
    (void)state;
    struct limits_result *result = scene_new();
    assert_int_equal(LIMITS_BROKEN, judge(result, LIMITS_BUFFERED, 1024 * SCENE_KIB));
    assert_string_equal("more than 4.00 MiB", why);
    assert_int_equal(LIMITS_NOT_CHECKED, judge(result, LIMITS_BUFFERED, 8192 * SCENE_KIB));
    free(result);
}

/* An unsteady limit is judged by what both tries say. */
static void unsteady_limits_are_judged_where_both_tries_agree(void **state)
{
    (void)state;
    struct limits_result *result = scene_new();
    scene_unsteady(result, LIMITS_IDLE, 10 * NS_PER_S, 30 * NS_PER_S, LIMITS_END_RESET);
    assert_int_equal(LIMITS_KEPT, judge(result, LIMITS_IDLE, 5 * NS_PER_S));
    assert_int_equal(LIMITS_NOT_CHECKED, judge(result, LIMITS_IDLE, 20 * NS_PER_S));
    assert_string_equal("unsteady: one ended early", why);
    assert_int_equal(LIMITS_BROKEN, judge(result, LIMITS_IDLE, 40 * NS_PER_S));
    scene_unsteady(result, LIMITS_IDLE, 10 * NS_PER_S, 90 * NS_PER_S, LIMITS_END_OPEN);
    assert_int_equal(LIMITS_NOT_CHECKED, judge(result, LIMITS_IDLE, 100 * NS_PER_S));
    result->findings[LIMITS_IDLE].samples[1].opened = false;
    assert_int_equal(LIMITS_NOT_CHECKED, judge(result, LIMITS_IDLE, 5 * NS_PER_S));
    free(result);
}

static void what_another_limit_ends_is_broken_all_the_same(void **state)
{
    (void)state;
    struct limits_result *result = scene_new();
    struct limits_finding *finding = scene_found(result, LIMITS_HALF_CLOSE, 5 * NS_PER_S, 0);
    finding->state = LIMITS_BY_OTHER;
    finding->by = LIMITS_AGE_STREAM;
    assert_int_equal(LIMITS_BROKEN, judge(result, LIMITS_HALF_CLOSE, 60 * NS_PER_S));
    assert_string_equal("found 5.00s (by age_stream)", why);
    assert_int_equal(LIMITS_KEPT, judge(result, LIMITS_HALF_CLOSE, 4 * NS_PER_S));
    free(result);
}

/* ---- exit codes ------------------------------------------------------------------------------ */

static int exit_code(const struct limits_result *result, const char *text)
{
    struct limits_contract contract;
    const struct limits_report report = {.result = result,
                                         .contract = text != NULL ? &contract : NULL};
    if (text != NULL) {
        assert_int_equal(0, parse(text, &contract));
    }
    return limits_report_exit_code(&report);
}

static void the_exit_code_never_says_ok_of_what_was_not_checked(void **state)
{
    (void)state;
    struct limits_result *result = scene_new();
    assert_int_equal(EXIT_GOOD, exit_code(result, NULL));
    assert_int_equal(EXIT_GOOD, exit_code(result, "idle >= 90s"));
    assert_int_equal(EXIT_NO_EVIDENCE, exit_code(result, "idle >= 91s"));
    scene_found(result, LIMITS_HALF_CLOSE, 15 * NS_PER_S, 0);
    assert_int_equal(EXIT_GOOD, exit_code(result, NULL)); /* a limit is no fault */
    assert_int_equal(EXIT_GOOD, exit_code(result, "half_close >= 10s"));
    assert_int_equal(EXIT_CHECK_FAILED, exit_code(result, "half_close >= 1h"));
    assert_int_equal(EXIT_CHECK_FAILED, exit_code(result, "idle >= 1h\nhalf_close >= 1h"));
    result->interrupted_by = 2;
    assert_int_equal(EXIT_INTERRUPTED, exit_code(result, "half_close >= 10s"));
    result->interrupted_by = 0;
    result->connected = false;
    assert_int_equal(EXIT_NO_CONNECTION, exit_code(result, "half_close >= 10s"));
    free(result);
}

static void a_run_that_measured_nothing_is_no_good_one(void **state)
{
    (void)state;
    struct limits_result *result = scene_new();
    for (unsigned i = 0; i < LIMITS_SHAPES; i++) {
        scene_unmeasured(result, i, "no probe service");
    }
    assert_int_equal(EXIT_NO_EVIDENCE, exit_code(result, NULL));
    free(result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_read_with_comments_and_blanks),
        cmocka_unit_test(a_wrong_line_names_its_place_its_cause_and_the_mend),
        cmocka_unit_test(a_zero_is_no_blank),
        cmocka_unit_test(a_size_that_is_none_is_told),
        cmocka_unit_test(a_line_that_is_too_long_is_told),
        cmocka_unit_test(every_shape_can_be_promised),
        cmocka_unit_test(each_shape_can_be_kept_broken_and_not_checked),
        cmocka_unit_test(a_kept_silence_says_what_it_is_of),
        cmocka_unit_test(what_was_not_looked_for_long_enough_hints_at_within),
        cmocka_unit_test(what_lies_within_the_resolution_is_not_told),
        cmocka_unit_test(pings_that_no_interval_is_taken_for),
        cmocka_unit_test(a_path_that_holds_without_end_breaks_what_bounds_it),
        cmocka_unit_test(unsteady_limits_are_judged_where_both_tries_agree),
        cmocka_unit_test(what_another_limit_ends_is_broken_all_the_same),
        cmocka_unit_test(the_exit_code_never_says_ok_of_what_was_not_checked),
        cmocka_unit_test(a_run_that_measured_nothing_is_no_good_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
