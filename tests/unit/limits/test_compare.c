/* Two results side by side, and the files that they come from. */
#include "scene.h"

#include "base/mem.h"
#include "cli/exit.h"
#include "limits/compare_print.h"
#include "limits/print.h"

#include <cJSON.h>

/* ---- changes --------------------------------------------------------------------------------- */

/* Two results that differ in nothing. */
struct two {
    struct limits_result *before;
    struct limits_result *now;
    struct limits_comparison comparison;
};

static struct two *two_new(void)
{
    struct two *two = calloc(1, sizeof(*two));
    two->before = scene_new();
    two->now = scene_new();
    return two;
}

static void two_free(struct two *two)
{
    free(two->before);
    free(two->now);
    free(two);
}

static const struct limits_compared *row_of(struct two *two, enum limits_shape shape)
{
    limits_compare_results(two->before, two->now, &two->comparison);
    for (size_t i = 0; i < two->comparison.row_count; i++) {
        if (two->comparison.rows[i].shape == shape) {
            return &two->comparison.rows[i];
        }
    }
    fail_msg("%s was not compared", limits_shape_name(shape));
    return NULL;
}

static void assert_change(struct two *two, enum limits_shape shape, enum limits_change change,
                          bool worse)
{
    const struct limits_compared *row = row_of(two, shape);
    assert_string_equal(limits_change_name(change), limits_change_name(row->change));
    assert_int_equal(worse, row->worse);
    assert_int_equal(worse, two->comparison.worse);
}

static void the_same_is_no_change(void **state)
{
    (void)state;
    struct two *two = two_new();
    scene_found(two->before, LIMITS_IDLE, 60 * NS_PER_S, NS_PER_S / 2);
    scene_found(two->now, LIMITS_IDLE, 61 * NS_PER_S, NS_PER_S / 2);
    assert_change(two, LIMITS_IDLE, LIMITS_CHANGE_SAME, false);
    assert_int_equal(LIMITS_SHAPES, two->comparison.row_count);
    assert_int_equal(0, two->comparison.changed);
    assert_int_equal(0, two->comparison.missing);
    two_free(two);
}

/* A limit of every shape that came, went, and moved both ways. */
static void each_shape_can_be_worse_and_better(void **state)
{
    (void)state;
    for (unsigned i = 0; i < LIMITS_SHAPES; i++) {
        struct two *two = two_new();
        bool less = i == LIMITS_PING_INTERVAL;
        bool judged = i != LIMITS_BUFFERED;
        uint64_t unit = limits_shape_kind(i) == LIMITS_DURATION ? NS_PER_S : 10;
        if (limits_shape_kind(i) == LIMITS_FACT) {
            scene_fact(two->now, i, false);
            assert_change(two, i, LIMITS_CHANGE_LOST, true);
            scene_fact(two->before, i, false);
            assert_change(two, i, LIMITS_CHANGE_SAME, false);
            scene_fact(two->now, i, true);
            assert_change(two, i, LIMITS_CHANGE_GAINED, false);
            two_free(two);
            continue;
        }
        scene_found(two->now, i, 10 * unit, 0);
        assert_change(two, i, judged ? LIMITS_CHANGE_NEW : LIMITS_CHANGE_LOWER, judged);
        scene_found(two->before, i, 20 * unit, 0);
        assert_change(two, i, LIMITS_CHANGE_LOWER, judged && !less);
        scene_found(two->now, i, 30 * unit, 0);
        assert_change(two, i, LIMITS_CHANGE_HIGHER, judged && less);
        free(two->now);
        two->now = scene_new();
        assert_change(two, i, judged ? LIMITS_CHANGE_GONE : LIMITS_CHANGE_HIGHER, false);
        two_free(two);
    }
}

static void words_for_people_follow_the_kind(void **state)
{
    (void)state;
    struct two *two = two_new();
    scene_found(two->before, LIMITS_IDLE, 20 * NS_PER_S, 0);
    scene_found(two->now, LIMITS_IDLE, 10 * NS_PER_S, 0);
    scene_found(two->before, LIMITS_STREAMS_PER_CONNECTION, 100, 0);
    scene_found(two->now, LIMITS_STREAMS_PER_CONNECTION, 128, 0);
    scene_found(two->before, LIMITS_METADATA_UP, 65536, 0);
    scene_found(two->now, LIMITS_METADATA_UP, 16384, 0);
    assert_string_equal("shorter", limits_change_text(row_of(two, LIMITS_IDLE)));
    assert_string_equal("more", limits_change_text(row_of(two, LIMITS_STREAMS_PER_CONNECTION)));
    assert_string_equal("smaller", limits_change_text(row_of(two, LIMITS_METADATA_UP)));
    two_free(two);
}

static void a_count_is_compared_as_it_is(void **state)
{
    (void)state;
    struct two *two = two_new();
    scene_found(two->before, LIMITS_STREAMS_PER_CONNECTION, 100, 0);
    scene_found(two->now, LIMITS_STREAMS_PER_CONNECTION, 99, 0);
    assert_change(two, LIMITS_STREAMS_PER_CONNECTION, LIMITS_CHANGE_LOWER, true);
    scene_found(two->before, LIMITS_STREAMS_PER_CONNECTION, 100, 1); /* 101 was refused */
    scene_found(two->now, LIMITS_STREAMS_PER_CONNECTION, 99, 1);
    assert_change(two, LIMITS_STREAMS_PER_CONNECTION, LIMITS_CHANGE_LOWER, true);
    two_free(two);
}

static void assert_missing(struct two *two, enum limits_shape shape, enum limits_change change)
{
    const struct limits_compared *row = row_of(two, shape);
    assert_string_equal(limits_change_name(change), limits_change_name(row->change));
    assert_true(row->missing);
    assert_false(row->worse);
    assert_int_equal(1, two->comparison.missing);
}

/* What one of the two does not know is never told as good. */
static void what_one_side_does_not_know_is_not_compared(void **state)
{
    (void)state;
    struct two *two = two_new();
    scene_unmeasured(two->now, LIMITS_IDLE, "no probe service");
    assert_missing(two, LIMITS_IDLE, LIMITS_CHANGE_NOT_MEASURED);
    two_free(two);

    two = two_new();
    two->before->findings[LIMITS_IDLE].wanted = false;
    assert_missing(two, LIMITS_IDLE, LIMITS_CHANGE_NOT_MEASURED);
    two_free(two);

    two = two_new();
    scene_unsteady(two->before, LIMITS_IDLE, NS_PER_S, 9 * NS_PER_S, LIMITS_END_RESET);
    assert_missing(two, LIMITS_IDLE, LIMITS_CHANGE_UNSTEADY);
    two_free(two);

    two = two_new();
    scene_unsteady(two->now, LIMITS_GOAWAY, 0, 1, LIMITS_END_OPEN);
    assert_missing(two, LIMITS_GOAWAY, LIMITS_CHANGE_UNSTEADY);
    two_free(two);
}

static void a_limit_beyond_what_the_other_looked_for_is_not_compared(void **state)
{
    (void)state;
    struct two *two = two_new();
    scene_found(two->before, LIMITS_IDLE, 300 * NS_PER_S, 0)->looked = 600 * NS_PER_S;
    assert_missing(two, LIMITS_IDLE, LIMITS_CHANGE_NOT_FAR_ENOUGH);
    two_free(two);

    two = two_new();
    scene_found(two->now, LIMITS_IDLE, 300 * NS_PER_S, 0)->looked = 600 * NS_PER_S;
    assert_missing(two, LIMITS_IDLE, LIMITS_CHANGE_NOT_FAR_ENOUGH);
    two_free(two);

    two = two_new();
    two->before->findings[LIMITS_IDLE].looked = 600 * NS_PER_S; /* now for less */
    assert_missing(two, LIMITS_IDLE, LIMITS_CHANGE_NOT_FAR_ENOUGH);
    two->now->findings[LIMITS_IDLE].looked = 700 * NS_PER_S;
    assert_change(two, LIMITS_IDLE, LIMITS_CHANGE_SAME, false);
    two_free(two);
}

static void what_neither_measured_is_named_apart(void **state)
{
    (void)state;
    struct two *two = two_new();
    scene_unmeasured(two->before, LIMITS_IDLE, "no probe service");
    scene_unmeasured(two->now, LIMITS_IDLE, "no probe service");
    two->before->findings[LIMITS_GRACE].wanted = two->now->findings[LIMITS_GRACE].wanted = false;
    limits_compare_results(two->before, two->now, &two->comparison);
    assert_int_equal(1, two->comparison.unmeasured_count);
    assert_int_equal(LIMITS_IDLE, two->comparison.unmeasured[0]);
    assert_int_equal(LIMITS_SHAPES - 2, two->comparison.row_count);
    assert_int_equal(0, two->comparison.missing);
    two_free(two);
}

static void other_ends_and_other_looks_are_told_and_are_not_worse(void **state)
{
    (void)state;
    struct two *two = two_new();
    scene_found(two->before, LIMITS_IDLE, 60 * NS_PER_S, 0);
    struct limits_finding *now = scene_found(two->now, LIMITS_IDLE, 60 * NS_PER_S, 0);
    now->side = LIMITS_SIDE_SERVER_HOP;
    now->samples[0].code = 2;
    const struct limits_compared *row = row_of(two, LIMITS_IDLE);
    assert_int_equal(LIMITS_CHANGE_SAME, row->change);
    assert_true(row->other_side && row->other_look && limits_is_changed(row));
    assert_false(row->worse);
    assert_int_equal(1, two->comparison.changed);
    now->side = LIMITS_SIDE_UNKNOWN; /* which is no other side */
    now->samples[0].code = 8;
    assert_false(limits_is_changed(row_of(two, LIMITS_IDLE)));
    two_free(two);
}

/* Of each it is known which interval is refused and which is taken. */
static void intervals_of_pings_are_compared_by_what_was_tried(void **state)
{
    (void)state;
    struct two *two = two_new();
    scene_found(two->before, LIMITS_PING_INTERVAL, 10 * NS_PER_S, 5 * NS_PER_S);
    scene_found(two->now, LIMITS_PING_INTERVAL, 10 * NS_PER_S, 5 * NS_PER_S);
    assert_change(two, LIMITS_PING_INTERVAL, LIMITS_CHANGE_SAME, false);
    scene_found(two->now, LIMITS_PING_INTERVAL, 5 * NS_PER_S, 4 * NS_PER_S);
    assert_change(two, LIMITS_PING_INTERVAL, LIMITS_CHANGE_LOWER, false);
    scene_found(two->now, LIMITS_PING_INTERVAL, LIMITS_VALUE_NONE, 0)->looked = 10 * NS_PER_S;
    assert_change(two, LIMITS_PING_INTERVAL, LIMITS_CHANGE_HIGHER, true);
    two->now->findings[LIMITS_PING_INTERVAL].looked = 5 * NS_PER_S; /* 10 s were not tried */
    assert_missing(two, LIMITS_PING_INTERVAL, LIMITS_CHANGE_NOT_FAR_ENOUGH);
    free(two->before);
    two->before = scene_new();
    assert_change(two, LIMITS_PING_INTERVAL, LIMITS_CHANGE_NEW, true);
    two_free(two);
}

/* ---- files ----------------------------------------------------------------------------------- */

static char reason[LIMITS_REASON_BYTES];

/* What -o json writes of it; owned by the caller. */
static char *to_text(const struct limits_result *result)
{
    const struct limits_report report = {.result = result};
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "command", "limits");
    cJSON_AddStringToObject(root, "started_at", "2026-01-02T03:04:05.678Z");
    cJSON_AddStringToObject(root, "target", result->target);
    cJSON_AddStringToObject(root, "message", "of this run");
    limits_print_json(root, &report);
    char *text = cJSON_Print(root);
    cJSON_Delete(root);
    return text;
}

static int parse(const char *text, struct limits_file *ret)
{
    return limits_file_parse("old.json", text, strlen(text), ret, reason);
}

/* A path with a finding in each state. */
static struct limits_result *scene_of_all(void)
{
    struct limits_result *result = scene_new();
    scene_found(result, LIMITS_IDLE, 5010 * NS_PER_MS, NS_PER_S / 2);
    struct limits_finding *finding = scene_found(result, LIMITS_HALF_CLOSE, 5 * NS_PER_S, 0);
    finding->state = LIMITS_BY_OTHER;
    finding->by = LIMITS_IDLE;
    scene_found(result, LIMITS_PING_INTERVAL, LIMITS_VALUE_NONE, 0);
    scene_found(result, LIMITS_METADATA_UP, 16384, 512);
    scene_unsteady(result, LIMITS_AGE_STREAM, 10 * NS_PER_S, 30 * NS_PER_S, LIMITS_END_RESET);
    scene_fact(result, LIMITS_GOAWAY, false);
    scene_unmeasured(result, LIMITS_MESSAGE_UP, "the server has no probe service");
    result->findings[LIMITS_MESSAGE_DOWN].wanted = false;
    return result;
}

static void what_was_written_is_read_back(void **state)
{
    (void)state;
    struct limits_result *result = scene_of_all();
    struct limits_file *file = calloc(1, sizeof(*file));
    char *text = to_text(result);
    assert_int_equal(0, parse(text, file));
    assert_string_equal("proxy.example.com:8443", file->target);
    assert_string_equal("2026-01-02T03:04:05.678Z", file->started_at);
    assert_int_equal(SCENE_WITHIN_NS, file->result.within_ns);
    for (unsigned i = 0; i < LIMITS_SHAPES; i++) {
        const struct limits_finding *a = &result->findings[i];
        const struct limits_finding *b = &file->result.findings[i];
        assert_int_equal(a->wanted, b->wanted);
        assert_int_equal(a->wanted ? a->state : LIMITS_NOT_MEASURED, b->state);
        if (a->state == LIMITS_FOUND || a->state == LIMITS_BY_OTHER) {
            assert_true(a->value == b->value || a->kind == LIMITS_FACT);
            assert_int_equal(a->resolution, b->resolution);
            assert_int_equal(a->fact, b->fact);
            assert_int_equal(a->side, b->side);
            assert_string_equal(a->look, b->look);
        }
    }
    assert_int_equal(LIMITS_IDLE, file->result.findings[LIMITS_HALF_CLOSE].by);
    struct limits_comparison *comparison = calloc(1, sizeof(*comparison));
    limits_compare_results(&file->result, &file->result, comparison);
    assert_int_equal(0, comparison->worse);
    free(comparison);
    cJSON_free(text);
    free(file);
    free(result);
}

static void every_prefix_of_a_result_is_damaged(void **state)
{
    (void)state;
    struct limits_result *result = scene_of_all();
    struct limits_file *file = calloc(1, sizeof(*file));
    char *text = to_text(result);
    for (size_t len = strlen(text) - 1; len > 0; len -= len > 997 ? 997 : 1) {
        text[len] = '\0';
        assert_int_equal(EXIT_USAGE, parse(text, file));
        assert_non_null(strstr(reason, "is damaged: its JSON breaks off"));
    }
    cJSON_free(text);
    free(file);
    free(result);
}

/* The text with `from` in place of `to`, once. */
static void assert_refused(const char *text, const char *from, const char *to, const char *said)
{
    struct limits_file *file = calloc(1, sizeof(*file));
    char *copy = calloc(1, strlen(text) + strlen(to) + 1);
    const char *at = strstr(text, from);
    assert_non_null(at);
    memcpy(copy, text, (size_t)(at - text));
    strcat(copy, to);
    strcat(copy, at + strlen(from));
    assert_int_equal(EXIT_USAGE, parse(copy, file));
    if (strstr(reason, said) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", reason, said);
    }
    free(copy);
    free(file);
}

static void what_is_damaged_or_foreign_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *from;
        const char *to;
        const char *said;
    } wrong[] = {
        {"\"limits\",", "\"bench\",", "is a result of bench; expected one of limits -o json"},
        {"\"limits\",", "\"limits compare\",", "is a result of limits compare; "},
        {"\"command\"", "\"kind\"", "is JSON of something else; expected what limits -o json"},
        {"limits-1", "limits-9", "is of another version (grpcroute-limits-9); expected "},
        {"\"format\"", "\"x\"", "holds nothing to compare: that run says \"of this run\""},
        {"\"within_ns\":\t", "\"within_ns\":\t-", "is damaged: there is no right \"within_ns\""},
        {"\"limits\":\t[", "\"x\":\t[", "is damaged: it has no \"limits\""},
        {"\"idle\"", "\"idol\\u001b\"", "knows a shape \"idol\\x1b\" that this program does not"},
        {"\"idle_client\"", "\"idle\"", "is damaged: it has two of \"idle\""},
        {"\"value_ns\":\t5010000000", "\"value_ns\":\t-1", "there is no right \"idle\""},
        {"\"value_ns\":\t5010000000", "\"value_ns\":\t1e300", "there is no right \"idle\""},
        {"\"value_ns\":\t5010000000", "\"value_ns\":\t1.5", "there is no right \"idle\""},
        {"\"value_ns\":\t5010000000", "\"value_ns\":\tnull", "there is no right \"idle\""},
        {"\"by\":\t\"idle\"", "\"by\":\t\"x\"", "there is no right \"half_close\""},
        {"\"unsteady\"", "\"steady\"", "there is no right \"age_stream\""},
        {"\"holds\":\tfalse", "\"holds\":\t0", "there is no right \"goaway\""},
        {"\"client_hop\"", "\"nobody\"", "there is no right \"idle\""},
        {"\"code\":\t8", "\"code\":\t5000000000", "there is no right \"idle\""},
        {"\"opened\":\ttrue", "\"opened\":\t1", "there is no right \"age_stream\""},
    };
    struct limits_result *result = scene_of_all();
    char *text = to_text(result);
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        assert_refused(text, wrong[i].from, wrong[i].to, wrong[i].said);
    }
    assert_refused("x", "x", "", "is no JSON (at byte 0 of 0)");
    assert_refused("x", "x", "SHAPE  FOUND", "is no JSON");
    assert_refused("x", "x", "[1, 2]", "is JSON of something else");
    assert_refused("x", "x", "{} {}", "goes on behind its result at byte 2");
    cJSON_free(text);
    free(result);
}

/* Whole, but without a shape: no evidence, and not damaged. */
static void a_result_without_limits_is_told_as_that(void **state)
{
    (void)state;
    struct limits_file *file = calloc(1, sizeof(*file));
    const char head[] = "{\"command\": \"limits\", \"format\": \"" LIMITS_FORMAT
                        "\", \"within_ns\": 1, \"limits\": [], \"message\": \"so it was\", ";
    char text[400];
    snprintf(text, sizeof(text), "%s\"result\": \"interrupted\"}", head);
    assert_int_equal(EXIT_NO_EVIDENCE, parse(text, file));
    assert_string_equal("holds no limits to compare: that run was interrupted, and says "
                        "\"so it was\"",
                        reason);
    snprintf(text, sizeof(text), "%s\"result\": \"no_evidence\"}", head);
    assert_int_equal(EXIT_NO_EVIDENCE, parse(text, file));
    assert_string_equal("holds no limits to compare: that run says \"so it was\"", reason);
    free(file);
}

static void texts_of_a_file_are_escaped(void **state)
{
    (void)state;
    struct limits_result *result = scene_of_all();
    struct limits_file *file = calloc(1, sizeof(*file));
    result->target = "a\x1b[2J";
    char *text = to_text(result);
    assert_int_equal(0, parse(text, file));
    assert_string_equal("a\\x1b[2J", file->target);
    cJSON_free(text);
    free(file);
    free(result);
}

/* ---- what is said ---------------------------------------------------------------------------- */

static struct limits_pair *pair_of(const struct two *two, struct limits_file files[static 2])
{
    struct limits_pair *pair = calloc(1, sizeof(*pair));
    files[0].result = *two->before;
    files[1].result = *two->now;
    snprintf(files[0].path, LIMITS_TEXT_BYTES, "old.json");
    snprintf(files[1].path, LIMITS_TEXT_BYTES, "new.json");
    pair->before = &files[0];
    pair->now = &files[1];
    limits_compare_results(&files[0].result, &files[1].result, &pair->comparison);
    return pair;
}

static char *printed;

static const char *print(void (*form)(FILE *out, const void *pair), const struct limits_pair *pair)
{
    size_t len;
    free(printed);
    FILE *out = open_memstream(&printed, &len);
    form(out, pair);
    fclose(out);
    return printed;
}

static void a_run_that_was_stopped_looked_for_as_long_as_it_ran(void **state)
{
    (void)state;
    struct limits_file *files = calloc(2, sizeof(*files));
    struct two *two = two_new();
    two->before->interrupted_by = 2;
    two->before->took_ns = 2170 * NS_PER_MS;
    struct limits_pair *pair = pair_of(two, files);
    assert_non_null(strstr(print(limits_pair_print_text, pair), "looked for 2.17s\n"));
    assert_non_null(strstr(printed, "looked for 1m30s\n"));
    free(pair);
    free(files);
    two_free(two);
}

static void the_exit_code_and_the_sentence_follow(void **state)
{
    (void)state;
    struct limits_file *files = calloc(2, sizeof(*files));
    char message[LIMITS_MESSAGE_BYTES];
    struct two *two = two_new();
    struct limits_pair *pair = pair_of(two, files);
    assert_int_equal(EXIT_GOOD, limits_pair_exit_code(pair));
    assert_string_equal("Of 31 shapes none that could be compared is worse",
                        limits_pair_message(pair, message));
    free(pair);

    scene_unmeasured(two->now, LIMITS_GRACE, "no probe service");
    pair = pair_of(two, files);
    assert_int_equal(EXIT_NO_EVIDENCE, limits_pair_exit_code(pair));
    free(pair);

    scene_found(two->now, LIMITS_IDLE, 10 * NS_PER_S, 0);
    pair = pair_of(two, files);
    assert_int_equal(EXIT_CHECK_FAILED, limits_pair_exit_code(pair));
    assert_string_equal("1 of 31 shapes are worse: idle (a new limit); 1 could not be compared: "
                        "grace (measured in one alone, not compared)",
                        limits_pair_message(pair, message));
    free(pair);

    for (unsigned i = 0; i < LIMITS_SHAPES; i++) {
        scene_unmeasured(two->before, i, "nothing");
        scene_unmeasured(two->now, i, "nothing");
    }
    pair = pair_of(two, files);
    assert_int_equal(EXIT_NO_EVIDENCE, limits_pair_exit_code(pair));
    free(pair);
    two_free(two);
    free(files);
}

static void each_form_tells_what_changed(void **state)
{
    (void)state;
    struct limits_file *files = calloc(2, sizeof(*files));
    struct two *two = two_new();
    scene_found(two->now, LIMITS_IDLE, 10 * NS_PER_S, 0);
    scene_unmeasured(two->before, LIMITS_GRACE, "none");
    scene_unmeasured(two->now, LIMITS_GRACE, "none");
    scene_unmeasured(two->now, LIMITS_GOAWAY, "none");
    struct limits_pair *pair = pair_of(two, files);
    const char *text = print(limits_pair_print_text, pair);
    assert_non_null(strstr(text, "before  old.json: "));
    assert_non_null(strstr(text, "\nidle                    none within 1m30s       10.0s          "
                                 "         a new limit, worse\n"));
    assert_non_null(strstr(text, "\nthe same: age_stream, "));
    assert_non_null(strstr(text, "\nmeasured by neither: grace\n"));
    text = print(limits_pair_print_markdown, pair);
    assert_non_null(strstr(text, "| worse | idle | none within 1m30s | 10.0s | a new limit |"));
    assert_non_null(strstr(text, "| not compared | goaway | yes | not measured |"));
    assert_non_null(strstr(text, "Measured by neither: grace."));
    text = print(limits_pair_print_junit, pair);
    assert_non_null(strstr(text, "tests=\"30\" failures=\"1\" errors=\"1\""));
    cJSON *root = cJSON_CreateObject();
    limits_pair_print_json(root, pair);
    assert_int_equal(30, cJSON_GetArraySize(cJSON_GetObjectItem(root, "shapes")));
    assert_int_equal(1, cJSON_GetArraySize(cJSON_GetObjectItem(root, "unmeasured")));
    cJSON_Delete(root);
    free(pair);
    two_free(two);
    free(files);
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
        cmocka_unit_test(the_same_is_no_change),
        cmocka_unit_test(each_shape_can_be_worse_and_better),
        cmocka_unit_test(words_for_people_follow_the_kind),
        cmocka_unit_test(a_count_is_compared_as_it_is),
        cmocka_unit_test(what_one_side_does_not_know_is_not_compared),
        cmocka_unit_test(a_limit_beyond_what_the_other_looked_for_is_not_compared),
        cmocka_unit_test(what_neither_measured_is_named_apart),
        cmocka_unit_test(other_ends_and_other_looks_are_told_and_are_not_worse),
        cmocka_unit_test(intervals_of_pings_are_compared_by_what_was_tried),
        cmocka_unit_test(what_was_written_is_read_back),
        cmocka_unit_test(every_prefix_of_a_result_is_damaged),
        cmocka_unit_test(what_is_damaged_or_foreign_is_told),
        cmocka_unit_test(a_result_without_limits_is_told_as_that),
        cmocka_unit_test(texts_of_a_file_are_escaped),
        cmocka_unit_test(a_run_that_was_stopped_looked_for_as_long_as_it_ran),
        cmocka_unit_test(the_exit_code_and_the_sentence_follow),
        cmocka_unit_test(each_form_tells_what_changed),
    };
    return cmocka_run_group_tests(tests, NULL, free_printed);
}
