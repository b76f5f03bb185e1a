/* A comparison for people, and what follows from it. */
#include "limits/compare_print.h"

#include "cli/exit.h"
#include "cli/terminal.h"
#include "limits/layout.h"
#include "limits/report.h"
#include "limits/sentence.h"
#include "limits/words.h"

#define NAME_COLUMNS  24
#define FOUND_COLUMNS 24
#define CHANGE_AT     (NAME_COLUMNS + 2 * FOUND_COLUMNS)
#define CHANGE_BYTES  (3 * LIMITS_TEXT_BYTES)

int limits_pair_exit_code(const struct limits_pair *pair)
{
    const struct limits_comparison *comparison = &pair->comparison;
    return comparison->worse > 0                                   ? EXIT_CHECK_FAILED
           : comparison->missing > 0 || comparison->row_count == 0 ? EXIT_NO_EVIDENCE
                                                                   : EXIT_GOOD;
}

/* ---- the sentence ---------------------------------------------------------------------------- */

static void say_names(struct limits_sentence *sentence, const struct limits_comparison *comparison,
                      bool worse, const char *what)
{
    size_t said = 0;
    for (size_t i = 0; i < comparison->row_count; i++) {
        const struct limits_compared *row = &comparison->rows[i];
        if (worse ? row->worse : row->missing) {
            limits_say(sentence, "%s%s (%s)", said++ == 0 ? what : ", ",
                       limits_shape_name(row->shape), limits_change_text(row));
        }
    }
}

const char *limits_pair_message(const struct limits_pair *pair,
                                char out[static LIMITS_MESSAGE_BYTES])
{
    const struct limits_comparison *comparison = &pair->comparison;
    struct limits_sentence sentence;
    limits_sentence_begin(&sentence, out, LIMITS_MESSAGE_BYTES);
    if (comparison->row_count == 0) {
        limits_say(&sentence, "Neither of the two measured anything that could be compared");
        return out;
    }
    if (comparison->worse > 0) {
        limits_say(&sentence, "%zu of %zu shapes are worse", comparison->worse,
                   comparison->row_count);
        say_names(&sentence, comparison, true, ": ");
    } else {
        limits_say(&sentence, "Of %zu shapes none that could be compared is worse",
                   comparison->row_count);
    }
    if (comparison->missing > 0) {
        limits_say(&sentence, "; %zu could not be compared", comparison->missing);
        say_names(&sentence, comparison, false, ": ");
    }
    return out;
}

/* ---- text ------------------------------------------------------------------------------------ */

static void print_file(FILE *out, const char *label, const struct limits_file *file)
{
    char line[3 * LIMITS_TEXT_BYTES];
    char looked[LIMITS_VALUE_BYTES];
    struct limits_sentence sentence;
    uint64_t looked_ns = limits_report_looked_ns(&file->result);
    limits_sentence_begin(&sentence, line, sizeof(line));
    limits_say(&sentence, "%s: %s, %s", file->path, file->target, file->started_at);
    if (looked_ns > 0) {
        limits_say(&sentence, ", looked for %s",
                   limits_value_text(LIMITS_DURATION, looked_ns, looked, sizeof(looked)));
    }
    limits_put_cell(out, label, 8);
    limits_put_rest(out, line, 8);
}

/* Who ends it or how it looks, where that changed. */
static void say_otherwise(struct limits_sentence *sentence, const struct limits_pair *pair,
                          const struct limits_compared *row)
{
    const struct limits_finding *before = &pair->before->result.findings[row->shape];
    const struct limits_finding *now = &pair->now->result.findings[row->shape];
    if (row->other_side) {
        limits_say(sentence, "; ended by: %s before, %s now", limits_side_text(before->side),
                   limits_side_text(now->side));
    }
    if (row->other_look) {
        limits_say(sentence, "; it looked: %s; and now: %s", before->look, now->look);
    }
}

static void print_row(FILE *out, const struct limits_pair *pair, const struct limits_compared *row)
{
    char found[2][LIMITS_FOUND_BYTES];
    char change[CHANGE_BYTES];
    const struct limits_finding *before = &pair->before->result.findings[row->shape];
    const struct limits_finding *now = &pair->now->result.findings[row->shape];
    struct limits_sentence sentence;
    limits_sentence_begin(&sentence, change, sizeof(change));
    limits_say(&sentence, "%s%s", limits_change_text(row), row->worse ? ", worse" : "");
    say_otherwise(&sentence, pair, row);
    limits_put_cell(out, limits_shape_name(row->shape), NAME_COLUMNS);
    limits_put_cell(out, limits_found_text(before, cli_shows_utf8(), found[0]), FOUND_COLUMNS);
    limits_put_cell(out, limits_found_text(now, cli_shows_utf8(), found[1]), FOUND_COLUMNS);
    limits_put_rest(out, change, CHANGE_AT);
}

static void print_changed(FILE *out, const struct limits_pair *pair)
{
    const struct limits_comparison *comparison = &pair->comparison;
    if (comparison->changed == 0) {
        return;
    }
    fputc('\n', out);
    limits_put_cell(out, "SHAPE", NAME_COLUMNS);
    limits_put_cell(out, "BEFORE", FOUND_COLUMNS);
    limits_put_cell(out, "NOW", FOUND_COLUMNS);
    fputs("CHANGE\n", out);
    for (size_t i = 0; i < comparison->row_count; i++) {
        if (limits_is_changed(&comparison->rows[i])) {
            print_row(out, pair, &comparison->rows[i]);
        }
    }
}

/* The names of those that did not change, and of those that neither measured. */
static void print_others(FILE *out, const struct limits_comparison *comparison)
{
    char names[LIMITS_SHAPES * 26];
    struct limits_sentence sentence;
    limits_sentence_begin(&sentence, names, sizeof(names));
    for (size_t i = 0; i < comparison->row_count; i++) {
        if (!limits_is_changed(&comparison->rows[i])) {
            limits_say(&sentence, "%s%s", sentence.len > 0 ? ", " : "the same: ",
                       limits_shape_name(comparison->rows[i].shape));
        }
    }
    if (sentence.len > 0) {
        fputc('\n', out);
        limits_put_rest(out, names, 0);
    }
    limits_sentence_begin(&sentence, names, sizeof(names));
    for (size_t i = 0; i < comparison->unmeasured_count; i++) {
        limits_say(&sentence, "%s%s", sentence.len > 0 ? ", " : "measured by neither: ",
                   limits_shape_name(comparison->unmeasured[i]));
    }
    if (sentence.len > 0) {
        limits_put_rest(out, names, 0);
    }
}

void limits_pair_print_text(FILE *out, const void *printed)
{
    const struct limits_pair *pair = printed;
    char message[LIMITS_MESSAGE_BYTES];
    int code = limits_pair_exit_code(pair);
    print_file(out, "before", pair->before);
    print_file(out, "now", pair->now);
    print_changed(out, pair);
    print_others(out, &pair->comparison);
    fprintf(out, "\n%s ",
            cli_mark(code == EXIT_GOOD           ? CLI_MARK_GOOD
                     : code == EXIT_CHECK_FAILED ? CLI_MARK_BAD
                                                 : CLI_MARK_WARN));
    limits_put_rest(out, limits_pair_message(pair, message), 5);
}
