/* What is said of a result, in each form. */
#include "scene.h"

#include "limits/layout.h"
#include "limits/print.h"
#include "limits/report.h"
#include "limits/words.h"

#include <cJSON.h>

static const struct limits_setting idle_timeout = {
    .program = "Envoy",
    .name = "stream_idle_timeout",
    .usual = "5m by default",
    .mend = "0s, or above the longest silence",
};

/* A path with one of each: a limit, one that another explains, an unsteady one, a fact that does
 * not hold, and shapes that were not measured. */
static struct limits_result *scene_of_all(void)
{
    struct limits_result *result = scene_new();
    struct limits_finding *finding =
        scene_found(result, LIMITS_IDLE, 5010 * NS_PER_MS, NS_PER_S / 2);
    finding->settings[finding->setting_count++] = &idle_timeout;
    snprintf(finding->advice, LIMITS_TEXT_BYTES, "HTTP/2 PINGs every 2s");
    finding = scene_found(result, LIMITS_HALF_CLOSE, 5 * NS_PER_S, 0);
    finding->state = LIMITS_BY_OTHER;
    finding->by = LIMITS_IDLE;
    scene_unsteady(result, LIMITS_AGE_STREAM, 10 * NS_PER_S, 30 * NS_PER_S, LIMITS_END_RESET);
    scene_fact(result, LIMITS_GOAWAY, false);
    scene_unmeasured(result, LIMITS_MESSAGE_UP, "the server has no probe service");
    scene_unmeasured(result, LIMITS_MESSAGE_DOWN, "the server has no probe service");
    return result;
}

static char *printed;

/* Valid until the next. */
static const char *print(void (*form)(FILE *out, const void *report),
                         const struct limits_result *result, const struct limits_contract *contract)
{
    const struct limits_report report = {.result = result, .contract = contract};
    size_t len;
    free(printed);
    FILE *out = open_memstream(&printed, &len);
    form(out, &report);
    fclose(out);
    return printed;
}

static void take_contract(const char *text, struct limits_contract *ret)
{
    char reason[LIMITS_REASON_BYTES];
    assert_int_equal(0, limits_contract_parse("needs.txt", text, strlen(text), ret, reason));
}

/* How many columns the longest line has; every byte above 0x7f that begins a character is one. */
static size_t widest(const char *text)
{
    size_t most = 0;
    size_t columns = 0;
    for (; *text != '\0'; text++) {
        columns = *text == '\n' ? 0 : columns + ((*text & 0xc0) != 0x80);
        most = columns > most ? columns : most;
    }
    return most;
}

/* ---- words ----------------------------------------------------------------------------------- */

static void findings_are_put_into_words(void **state)
{
    (void)state;
    struct limits_result *result = scene_of_all();
    char out[LIMITS_FOUND_BYTES];
    assert_string_equal("5.01s \xc2\xb1 500ms",
                        limits_found_text(&result->findings[LIMITS_IDLE], true, out));
    assert_string_equal("5.01s +- 500ms",
                        limits_found_text(&result->findings[LIMITS_IDLE], false, out));
    assert_string_equal("none within 1m30s",
                        limits_found_text(&result->findings[LIMITS_IDLE_CLIENT], true, out));
    assert_string_equal("none down to 1.00s",
                        limits_found_text(&result->findings[LIMITS_PING_INTERVAL], true, out));
    assert_string_equal(
        "none up to 2000",
        limits_found_text(&result->findings[LIMITS_STREAMS_PER_CONNECTION], true, out));
    assert_string_equal("unsteady",
                        limits_found_text(&result->findings[LIMITS_AGE_STREAM], true, out));
    assert_string_equal("no", limits_found_text(&result->findings[LIMITS_GOAWAY], true, out));
    assert_string_equal("yes", limits_found_text(&result->findings[LIMITS_STATUS], true, out));
    assert_string_equal("not measured",
                        limits_found_text(&result->findings[LIMITS_MESSAGE_UP], true, out));
    scene_found(result, LIMITS_PING_INTERVAL, 10 * NS_PER_S, 5 * NS_PER_S);
    assert_string_equal("10.0s, not 5.00s",
                        limits_found_text(&result->findings[LIMITS_PING_INTERVAL], true, out));
    scene_found(result, LIMITS_METADATA_FIELDS_UP, 93, 1);
    assert_string_equal("93",
                        limits_found_text(&result->findings[LIMITS_METADATA_FIELDS_UP], true, out));
    free(result);
}

static void one_sentence_says_what_was_found(void **state)
{
    (void)state;
    struct limits_result *result = scene_of_all();
    struct limits_report report = {.result = result};
    char message[LIMITS_MESSAGE_BYTES];
    assert_string_equal("Found: age_stream unsteady, idle 5.01s +- 500ms, half_close 5.00s, goaway "
                        "no; looked for 1m30s; 2 of 31 shapes were not measured",
                        limits_report_message(&report, message));
    struct limits_contract contract;
    take_contract("idle >= 10m\nhalf_close >= 1s\nmessage_up >= 1KiB\n", &contract);
    report.contract = &contract;
    assert_string_equal("The path keeps 1 of the 3 promises of the contract; broken: idle >= 10m; "
                        "not checked: message_up >= 1KiB",
                        limits_report_message(&report, message));
    result->interrupted_by = 2;
    assert_non_null(strstr(limits_report_message(&report, message), "Interrupted; "));
    free(result);
}

static void how_long_was_looked_is_said_where_time_was_measured(void **state)
{
    (void)state;
    struct limits_result *result = scene_of_all();
    const struct limits_report report = {.result = result};
    char message[LIMITS_MESSAGE_BYTES];
    assert_int_equal(SCENE_WITHIN_NS, limits_report_looked_ns(result));
    for (unsigned i = 0; i < LIMITS_SHAPES; i++) {
        result->findings[i].wanted = result->findings[i].kind == LIMITS_BYTES;
    }
    assert_int_equal(0, limits_report_looked_ns(result));
    assert_null(strstr(limits_report_message(&report, message), "looked for"));
    free(result);
}

static void a_contract_of_one_promise_is_told_as_one(void **state)
{
    (void)state;
    static const char *const said[][2] = {
        {"idle_client >= 1s\n", "The path keeps the one promise of the contract"},
        {"idle >= 10m\n", "The path breaks the one promise of the contract: idle >= 10m"},
        {"message_up >= 1KiB\n", "It was not checked whether the path keeps the one promise of the "
                                 "contract: message_up >= 1KiB"},
    };
    struct limits_result *result = scene_of_all();
    struct limits_contract contract;
    const struct limits_report report = {.result = result, .contract = &contract};
    for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
        char message[LIMITS_MESSAGE_BYTES];
        take_contract(said[i][0], &contract);
        assert_string_equal(said[i][1], limits_report_message(&report, message));
    }
    free(result);
}

/* ---- text ------------------------------------------------------------------------------------ */

static void a_table_tells_all_shapes_and_what_is_known_of_each_limit(void **state)
{
    (void)state;
    struct limits_result *result = scene_of_all();
    const char *text = print(limits_print_text, result, NULL);
    assert_true(strncmp(text, "SHAPE                   FOUND ", 30) == 0);
    assert_non_null(strstr(text, "\nidle_client             none within 1m30s\n"));
    assert_non_null(strstr(text, "  client's hop        stream reset with CANCEL\n"));
    assert_non_null(strstr(text, "\nhalf_close              5.00s                 by idle "));
    assert_non_null(strstr(text, "\nidle: silence of a stream both ways, 5.01s "));
    assert_non_null(strstr(text, "\n  server saw    reset with CANCEL by its peer\n"));
    assert_non_null(strstr(text, "\n  settings      Envoy stream_idle_timeout (5m by default): 0s, "
                                 "or above the longest silence\n"));
    assert_non_null(strstr(text, "\n  to set        HTTP/2 PINGs every 2s\n"));
    assert_non_null(strstr(text, "\n  try 1         ended after 10.0s\n"));
    assert_non_null(strstr(text, "\n  try 2         ended after 30.0s\n"));
    assert_non_null(strstr(text, "\ngoaway: client hears of the server's GOAWAY, no\n"));
    assert_non_null(strstr(text, " Not measured: the server has no probe service\n  message_up, "
                                 "message_down\n"));
    assert_null(strstr(text, "\nmessage_up "));
    assert_null(strstr(text, "\nhalf_close: ")); /* idle tells of it */
    assert_true(widest(text) <= LIMITS_COLUMNS);
    assert_null(strchr(text, '\x1b'));
    free(result);
}

static void what_was_left_out_is_not_told(void **state)
{
    (void)state;
    struct limits_result *result = scene_of_all();
    result->findings[LIMITS_IDLE].wanted = result->findings[LIMITS_STATUS].wanted = false;
    const char *text = print(limits_print_text, result, NULL);
    assert_null(strstr(text, "\nidle "));
    assert_null(strstr(text, "\nstatus "));
    assert_null(strstr(text, "Envoy"));
    free(result);
}

static void long_texts_stay_in_their_columns(void **state)
{
    (void)state;
    struct limits_result *result = scene_of_all();
    for (unsigned i = 0; i < LIMITS_SHAPES; i++) {
        struct limits_finding *finding = &result->findings[i];
        for (size_t k = 0; k + 8 < LIMITS_TEXT_BYTES; k += 8) {
            memcpy(finding->look + k, "\\xc3\\xa4\\x1b", 8 + (k == 0)); /* cut anywhere */
            memcpy(finding->why + k, "1234567 ", 8);
            memcpy(finding->advice + k, "123 567 ", 8);
        }
    }
    assert_true(widest(print(limits_print_text, result, NULL)) <=
                LIMITS_COLUMNS + LIMITS_TEXT_BYTES); /* a word may be too long */
    for (unsigned i = 0; i < LIMITS_SHAPES; i++) {
        result->findings[i].look[0] = '\0';
    }
    assert_true(widest(print(limits_print_text, result, NULL)) <= LIMITS_COLUMNS);
    free(result);
}

static void no_control_character_of_a_peer_reaches_a_terminal(void **state)
{
    (void)state;
    struct limits_result *result = scene_of_all();
    snprintf(result->findings[LIMITS_IDLE].look, LIMITS_TEXT_BYTES, "\\x1b[2J \\xc3\\xa4");
    const char *text = print(limits_print_text, result, NULL);
    assert_null(strchr(text, '\x1b'));
    assert_non_null(strstr(text, "\\x1b[2J \xc3\xa4"));
    free(result);
}

static void promises_are_told_with_their_evidence(void **state)
{
    (void)state;
    struct limits_result *result = scene_of_all();
    struct limits_contract contract;
    take_contract("idle >= 10m\nhalf_close >= 1s\nidle_client >= 1h\n", &contract);
    const char *text = print(limits_print_text, result, &contract);
    assert_non_null(strstr(text, "\xe2\x9d\x8c idle >= 10m: broken, found 5.01s +- 500ms (client's "
                                 "hop)\n"));
    assert_non_null(strstr(text, "\xe2\x9c\x85 half_close >= 1s: kept, found 5.00s (by idle)\n"));
    assert_non_null(strstr(text, " idle_client >= 1h: not checked, none within 1m30s, which says "
                                 "nothing of longer; look with --within 1h\n"));
    assert_non_null(strstr(text, "\xe2\x9d\x8c The path keeps 1 of the 3 promises"));
    memset(result->findings[LIMITS_GOAWAY].look, 'x', 300);
    for (size_t i = 10; i < 300; i += 10) {
        result->findings[LIMITS_GOAWAY].look[i] = ' ';
    }
    take_contract("goaway = yes\n", &contract);
    assert_true(widest(print(limits_print_text, result, &contract)) <= LIMITS_COLUMNS);
    free(result);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static cJSON *json(const struct limits_result *result, const struct limits_contract *contract)
{
    const struct limits_report report = {.result = result, .contract = contract};
    cJSON *object = cJSON_CreateObject();
    limits_print_json(object, &report);
    return object;
}

static const cJSON *shape_of(const cJSON *root, const char *name)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, cJSON_GetObjectItem(root, "limits"))
    {
        if (strcmp(name, cJSON_GetStringValue(cJSON_GetObjectItem(item, "shape"))) == 0) {
            return item;
        }
    }
    return NULL;
}

static const char *text_of(const cJSON *object, const char *name)
{
    return cJSON_GetStringValue(cJSON_GetObjectItem(object, name));
}

static uint64_t number_of(const cJSON *object, const char *name)
{
    return (uint64_t)cJSON_GetNumberValue(cJSON_GetObjectItem(object, name));
}

static void json_has_values_with_their_units(void **state)
{
    (void)state;
    struct limits_result *result = scene_of_all();
    scene_found(result, LIMITS_METADATA_UP, 16384, 512);
    scene_found(result, LIMITS_STREAMS_PER_CONNECTION, 100, 0);
    scene_found(result, LIMITS_PING_INTERVAL, LIMITS_VALUE_NONE, 0);
    cJSON *root = json(result, NULL);
    const cJSON *idle = shape_of(root, "idle");
    assert_string_equal(LIMITS_FORMAT, text_of(root, "format"));
    assert_string_equal("found", text_of(idle, "state"));
    assert_int_equal(5010 * NS_PER_MS, number_of(idle, "value_ns"));
    assert_int_equal(NS_PER_S / 2, number_of(idle, "resolution_ns"));
    assert_string_equal("client_hop", text_of(idle, "ended_by"));
    assert_int_equal(2, cJSON_GetArraySize(cJSON_GetObjectItem(idle, "samples")));
    assert_string_equal(
        "reset", text_of(cJSON_GetArrayItem(cJSON_GetObjectItem(idle, "samples"), 0), "end"));
    assert_string_equal("idle", text_of(shape_of(root, "half_close"), "by"));
    assert_int_equal(16384, number_of(shape_of(root, "metadata_up"), "value_bytes"));
    assert_int_equal(100, number_of(shape_of(root, "streams_per_connection"), "value"));
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(shape_of(root, "ping_interval"), "value_ns")));
    assert_true(cJSON_IsFalse(cJSON_GetObjectItem(shape_of(root, "goaway"), "holds")));
    assert_null(cJSON_GetObjectItem(shape_of(root, "idle_client"), "value_ns"));
    assert_int_equal(SCENE_WITHIN_NS, number_of(shape_of(root, "idle_client"), "looked_ns"));
    assert_null(cJSON_GetObjectItem(shape_of(root, "message_up"), "looked_bytes"));
    assert_null(cJSON_GetObjectItem(root, "contract"));
    cJSON_Delete(root);
    free(result);
}

static void json_has_the_verdict_of_each_promise(void **state)
{
    (void)state;
    static const char *const verdicts[] = {"broken", "kept", "not_checked"};
    struct limits_result *result = scene_of_all();
    struct limits_contract contract;
    take_contract("idle >= 10m\nhalf_close >= 1s\n\nidle_client >= 1h\n", &contract);
    cJSON *root = json(result, &contract);
    const cJSON *told = cJSON_GetObjectItem(root, "contract");
    assert_string_equal("needs.txt", text_of(told, "file"));
    for (int i = 0; i < 3; i++) {
        const cJSON *one = cJSON_GetArrayItem(cJSON_GetObjectItem(told, "promises"), i);
        assert_string_equal(verdicts[i], text_of(one, "verdict"));
        assert_int_equal(i == 2 ? 4 : i + 1, number_of(one, "line"));
    }
    cJSON_Delete(root);
    free(result);
}

static void a_run_without_a_connection_has_no_limits(void **state)
{
    (void)state;
    struct limits_result *result = scene_of_all();
    result->connected = false;
    snprintf(result->reason, LIMITS_TEXT_BYTES, "connection refused");
    cJSON *root = json(result, NULL);
    assert_int_equal(0, cJSON_GetArraySize(root));
    cJSON_Delete(root);
    assert_string_equal("", print(limits_print_text, result, NULL));
    assert_string_equal("", print(limits_print_markdown, result, NULL));
    assert_non_null(strstr(print(limits_print_junit, result, NULL), "connection refused"));
    free(result);
}

/* ---- Markdown and JUnit ---------------------------------------------------------------------- */

static size_t count(const char *text, const char *word)
{
    size_t found = 0;
    while ((text = strstr(text, word)) != NULL) {
        found++;
        text += strlen(word);
    }
    return found;
}

static void markdown_has_the_limits_their_settings_and_the_contract(void **state)
{
    (void)state;
    struct limits_result *result = scene_of_all();
    struct limits_contract contract;
    take_contract("idle >= 10m\nhalf_close >= 1s\nidle_client >= 1h\n", &contract);
    const char *text = print(limits_print_markdown, result, &contract);
    assert_non_null(strstr(text, "| broken | idle &gt;= 10m | 1 | found 5.01s"));
    assert_non_null(strstr(text, "| kept | half_close &gt;= 1s | 2 |"));
    assert_non_null(strstr(text, "not_checked | idle_client"));
    assert_non_null(strstr(text, "| idle | silence of a stream both ways | 5.01s"));
    assert_non_null(strstr(text, "Envoy stream_idle_timeout (5m by default): 0s"));
    assert_non_null(strstr(text, "the server has no probe service"));
    free(result);
}

static void junit_has_a_case_for_each_shape_and_promise(void **state)
{
    (void)state;
    struct limits_result *result = scene_of_all();
    struct limits_contract contract;
    const char *text = print(limits_print_junit, result, NULL);
    assert_int_equal(LIMITS_SHAPES, count(text, "<testcase "));
    assert_int_equal(0, count(text, "<failure") + count(text, "<error"));
    assert_non_null(strstr(text, "tests=\"31\" failures=\"0\" errors=\"0\""));
    take_contract("idle >= 10m\nhalf_close >= 1s\nidle_client >= 1h\n", &contract);
    text = print(limits_print_junit, result, &contract);
    assert_int_equal(LIMITS_SHAPES + 3, count(text, "<testcase "));
    assert_int_equal(1, count(text, "<failure"));
    assert_int_equal(1, count(text, "<error"));
    assert_non_null(strstr(text, "tests=\"34\" failures=\"1\" errors=\"1\""));
    result->interrupted_by = 2;
    text = print(limits_print_junit, result, NULL);
    assert_int_equal(3, count(text, "<error")); /* the run, and what it did not come to */
    for (unsigned i = 0; i < LIMITS_SHAPES; i++) {
        scene_unmeasured(result, i, "nothing");
    }
    result->interrupted_by = 0;
    text = print(limits_print_junit, result, NULL);
    assert_int_equal(LIMITS_SHAPES, count(text, "<error"));
    assert_non_null(strstr(text, "errors=\"31\""));
    free(result);
}

static int free_printed(void **state)
{
    (void)state;
    free(printed);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(findings_are_put_into_words),
        cmocka_unit_test(one_sentence_says_what_was_found),
        cmocka_unit_test(how_long_was_looked_is_said_where_time_was_measured),
        cmocka_unit_test(a_contract_of_one_promise_is_told_as_one),
        cmocka_unit_test(a_table_tells_all_shapes_and_what_is_known_of_each_limit),
        cmocka_unit_test(what_was_left_out_is_not_told),
        cmocka_unit_test(long_texts_stay_in_their_columns),
        cmocka_unit_test(no_control_character_of_a_peer_reaches_a_terminal),
        cmocka_unit_test(promises_are_told_with_their_evidence),
        cmocka_unit_test(json_has_values_with_their_units),
        cmocka_unit_test(json_has_the_verdict_of_each_promise),
        cmocka_unit_test(a_run_without_a_connection_has_no_limits),
        cmocka_unit_test(markdown_has_the_limits_their_settings_and_the_contract),
        cmocka_unit_test(junit_has_a_case_for_each_shape_and_promise),
    };
    return cmocka_run_group_tests(tests, NULL, free_printed);
}
