/* Any bytes as contracts and as results of limits: what is taken says the same when it is written
 * and read again, is never worse than itself, no promise is kept by what was not measured, and no
 * form says what a terminal must not see. The first byte chooses. */
#include "fuzz.h"

#include "base/mem.h"
#include "limits/compare_print.h"
#include "limits/print.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check_reason(const char *reason)
{
    FUZZ_CHECK(reason[0] != '\0');
    for (; *reason != '\0'; reason++) {
        FUZZ_CHECK(*reason >= ' ' && *reason <= '~');
    }
}

/* ---- contracts ------------------------------------------------------------------------------- */

static void read_contract(const char *text, size_t len)
{
    char reason[LIMITS_REASON_BYTES] = "";
    struct limits_contract contract;
    struct limits_contract again;
    if (limits_contract_parse("needs", text, len, &contract, reason) != 0) {
        check_reason(reason);
        return;
    }
    FUZZ_CHECK(contract.count > 0 && contract.count <= LIMITS_SHAPES);
    for (size_t i = 0; i < contract.count; i++) {
        const struct limits_promise *promise = &contract.promises[i];
        check_reason(promise->text);
        FUZZ_CHECK(limits_contract_parse("needs", promise->text, strlen(promise->text), &again,
                                         reason) == 0);
        FUZZ_CHECK(again.count == 1 && again.promises[0].shape == promise->shape &&
                   again.promises[0].value == promise->value && promise->value > 0);
    }
}

/* ---- results --------------------------------------------------------------------------------- */

static char *write_again(const struct limits_report *report)
{
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "command", "limits");
    limits_print_json(root, report);
    char *text = cJSON_PrintUnformatted(root);
    cJSON_Delete(root);
    return text;
}

static void check_same(const struct limits_result *a, const struct limits_result *b)
{
    FUZZ_CHECK(a->within_ns == b->within_ns);
    for (size_t i = 0; i < LIMITS_SHAPES; i++) {
        const struct limits_finding *x = &a->findings[i];
        const struct limits_finding *y = &b->findings[i];
        FUZZ_CHECK(x->wanted == y->wanted && x->state == y->state && x->value == y->value &&
                   x->resolution == y->resolution && x->looked == y->looked && x->side == y->side &&
                   x->fact == y->fact && x->by == y->by && x->sample_count == y->sample_count);
    }
}

static void check_promises(const struct limits_result *result)
{
    char why[LIMITS_TEXT_BYTES];
    for (unsigned i = 0; i < LIMITS_SHAPES; i++) {
        const struct limits_promise promise = {.shape = i, .value = 5, .text = "idle >= 5ns"};
        const struct limits_finding *finding = &result->findings[i];
        enum limits_verdict verdict = limits_promise_judge(&promise, result, why);
        check_reason(why);
        FUZZ_CHECK(verdict != LIMITS_KEPT ||
                   (finding->wanted && finding->state != LIMITS_NOT_MEASURED));
    }
}

static void check_shown(void (*print)(FILE *out, const void *printed), const void *printed)
{
    char *text = fuzz_printed(print, printed);
    FUZZ_CHECK(fuzz_is_plain(text));
    free(text);
}

/* Against itself. */
static void check_pair(const struct limits_file *file)
{
    struct limits_pair *pair = mem_new(struct limits_pair);
    pair->before = pair->now = file;
    limits_compare_results(&file->result, &file->result, &pair->comparison);
    FUZZ_CHECK(pair->comparison.worse == 0);
    for (size_t i = 0; i < pair->comparison.row_count; i++) {
        enum limits_change change = pair->comparison.rows[i].change;
        FUZZ_CHECK(change == LIMITS_CHANGE_SAME || change == LIMITS_CHANGE_UNSTEADY);
    }
    check_shown(limits_pair_print_text, pair);
    check_shown(limits_pair_print_markdown, pair);
    check_shown(limits_pair_print_junit, pair);
    free(pair);
}

static void read_result(const char *text, size_t len)
{
    char reason[LIMITS_REASON_BYTES] = "";
    struct limits_file *file = mem_new(struct limits_file);
    struct limits_file *again = mem_new(struct limits_file);
    if (limits_file_parse("old", text, len, file, reason) != 0) {
        check_reason(reason);
    } else {
        const struct limits_report report = {.result = &file->result};
        char *written = write_again(&report);
        FUZZ_CHECK(limits_file_parse("new", written, strlen(written), again, reason) == 0);
        check_same(&file->result, &again->result);
        check_promises(&file->result);
        check_pair(file);
        check_shown(limits_print_text, &report);
        check_shown(limits_print_markdown, &report);
        check_shown(limits_print_junit, &report);
        cJSON_free(written);
    }
    free(again);
    free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    char *text = mem_strndup((const char *)data + 1, size - 1);
    size_t len = strlen(text);
    if (data[0] == 'c') {
        read_contract(text, len);
    } else {
        read_result(text, len);
    }
    free(text);
    return 0;
}
