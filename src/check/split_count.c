/* Counted are the streams that have a connection to themselves: a proxy that balances
 * connections, not streams, gives all streams of one to the same backend, and those would be one
 * draw, not many. */
#include "check/split_count.h"
#include "base/text.h"

#include "base/mem.h"

#include <inttypes.h>
#include <string.h>

/* ---- counting -------------------------------------------------------------------------------- */

size_t check_split_judgements(const struct check_plan *plan)
{
    size_t count = 0;
    for (size_t i = 0; i < plan->group_count; i++) {
        if (plan->groups[i].kind == CHECK_GROUP_VERSION) {
            struct split split;
            split_init(&split, &plan->groups[i].expect);
            count += split_judgements(&split);
        }
    }
    return count;
}

/* NULL: a misroute. */
static struct split_part *part_of(struct split *split, const struct role_expectation *expect,
                                  const char *version)
{
    for (size_t i = 0; i < split->part_count; i++) {
        for (size_t v = 0; v < expect->version_count; v++) {
            if ((split->parts[i].versions & UINT32_C(1) << v) != 0 &&
                strcmp(expect->versions[v], version) == 0) {
                return &split->parts[i];
            }
        }
    }
    return NULL;
}

static void count_stream(const struct check_run *run, const struct role_expectation *expect,
                         const struct check_observation *seen, struct split *split)
{
    if (seen->pong_count == 0) {
        split->unanswered++;
        return;
    }
    struct split_part *part =
        part_of(split, expect, check_names_text(&run->names, seen->pongs[0].server_version));
    bool live = seen->end == CHECK_END_DONE;
    split->streams++;
    split->live += live;
    if (part != NULL) {
        part->streams++;
        part->live += live;
    }
}

static void count_streams(const struct check_run *run, size_t group, struct split *split)
{
    const struct check_plan *plan = run->plan;
    bool one_draw_each = split_judgements(split) > 0;
    for (size_t i = 0; i < plan->stream_count; i++) {
        const struct check_stream *stream = &plan->streams[i];
        if (stream->group == group && (stream->own_connection || !one_draw_each)) {
            count_stream(run, &plan->groups[group].expect, &run->streams[i], split);
        }
    }
}

/* ---- words ----------------------------------------------------------------------------------- */

struct shown_share {
    char text[16];
};

static struct shown_share show(double share)
{
    struct shown_share shown;
    text_format_percent(shown.text, sizeof(shown.text), share);
    return shown;
}

static struct shown_share show_part(uint64_t part, uint64_t all)
{
    return show(all > 0 ? (double)part / (double)all : 0);
}

void check_explain_split(struct sentence *sentence, const struct split *split)
{
    for (size_t i = 0; i < split->part_count; i++) {
        const struct split_part *part = &split->parts[i];
        sentence_add(sentence,
                     "%s%s %" PRIu64 " of %" PRIu64 " (%s, expected %s%s, interval %s to %s)",
                     i > 0 ? ", " : "", part->names, part->streams, split->streams,
                     show_part(part->streams, split->streams).text, show(part->expected).text,
                     part->merged ? " together, as their servers have one version" : "",
                     show(part->low).text, show(part->high).text);
    }
}

void check_explain_split_power(struct sentence *sentence, const struct split *split)
{
    /* What one of two parts lacks the other has. */
    size_t told = split->part_count == 2 ? 1 : split->part_count;
    sentence_add(sentence, "%s sure to show", show(SPLIT_POWER).text);
    for (size_t i = 0; i < told; i++) {
        const struct split_part *part = &split->parts[i];
        sentence_add(sentence, "%s %s", i > 0 ? ";" : "", part->names);
        if (part->found_below >= 0) {
            sentence_add(sentence, " at %s or less", show(part->found_below).text);
        }
        if (part->found_above <= 1) {
            sentence_add(sentence, "%s at %s or more", part->found_below >= 0 ? ", or" : "",
                         show(part->found_above).text);
        }
        if (part->found_below < 0 && part->found_above > 1) {
            sentence_add(sentence, " at no share whatever");
        }
    }
}

void check_explain_split_live(struct sentence *sentence, const struct split *split)
{
    for (size_t i = 0; i < split->part_count; i++) {
        sentence_add(sentence, "%s%s %" PRIu64 " of %" PRIu64 " (%s)", i > 0 ? ", " : "",
                     split->parts[i].names, split->parts[i].live, split->live,
                     show_part(split->parts[i].live, split->live).text);
    }
}

/* ---- findings -------------------------------------------------------------------------------- */

static void find_wrong(const struct split *split, struct check_verdict *verdict)
{
    struct sentence text = check_add_finding(verdict, CHECK_SPLIT, CHECK_FAILED, split->streams);
    sentence_add(&text, "new streams are not split as the weights say: ");
    check_explain_split(&text, split);
}

static void find_too_few(const struct check_plan *plan, const struct split *split,
                         struct check_verdict *verdict)
{
    struct sentence text =
        check_add_finding(verdict, CHECK_SPLIT, CHECK_NO_EVIDENCE, split->streams);
    sentence_add(&text, "not enough evidence for the split: %" PRIu64 " new streams were answered",
                 split->streams);
    uint64_t streams = split->needed + plan->usual_streams;
    if (streams > CHECK_STREAMS_MAX) {
        sentence_add(&text, ", and more would be needed than verify opens (%d of a version)",
                     CHECK_STREAMS_MAX);
    } else if (split->needed > 0) {
        sentence_add(&text, ", %" PRIu64 " are needed (--streams %" PRIu64 ")", split->needed,
                     streams);
    }
    sentence_add(&text, " for an error of %.3g percentage points to show; ",
                 100 * split->resolution);
    check_explain_split(&text, split);
}

/* Its servers are not known by the routes, so neither are their weights; where nothing is known
 * of them, another finding says it. */
static void find_no_weights(const struct role_expectation *expect, struct check_verdict *verdict)
{
    if (expect->rule == ROLE_EXPECT_SERVER || expect->rule == ROLE_EXPECT_ANY) {
        struct sentence text = check_add_finding(verdict, CHECK_SPLIT, CHECK_NO_EVIDENCE, 1);
        sentence_add(&text,
                     "the split was not checked: --expect goes before the routes, which have "
                     "the weights");
    }
}

void check_judge_splits(struct check_report *report)
{
    const struct check_plan *plan = report->run->plan;
    size_t judgements = check_split_judgements(plan);
    report->splits = mem_calloc(plan->group_count, sizeof(struct split));
    for (size_t i = 0; i < plan->group_count; i++) {
        struct split *split = &report->splits[i];
        if (plan->groups[i].kind != CHECK_GROUP_VERSION) {
            continue;
        }
        split_init(split, &plan->groups[i].expect);
        count_streams(report->run, i, split);
        split_judge(split, judgements, plan->split_resolution);
        if (split->part_count == 0) {
            find_no_weights(&plan->groups[i].expect, &report->groups[i]);
        } else if (split->result == SPLIT_WRONG) {
            find_wrong(split, &report->groups[i]);
        } else if (split->result == SPLIT_TOO_FEW) {
            find_too_few(plan, split, &report->groups[i]);
        }
    }
}
