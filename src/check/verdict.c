/* Judges a whole run: the heaviest result of its groups, and the exit code. */
#include "check/verdict.h"

#include "base/mem.h"
#include "base/text.h"
#include "check/group.h"
#include "check/sentence.h"
#include "check/split_count.h"
#include "cli/exit.h"

#include <stdlib.h>

static bool never_connected(const struct check_run *run)
{
    return run->connections_ready == 0 && run->plan->connection_count > 0;
}

static void judge_connection(const struct check_run *run, struct check_report *report)
{
    struct sentence text = sentence_begin(report->reason, sizeof(report->reason));
    if (run->connection_failed) {
        sentence_add(&text, "%s", run->error.text);
    } else {
        char limit[32];
        sentence_add(&text, "no connection to %s within %s (--timeout)", run->target,
                     text_format_duration(limit, sizeof(limit), run->timeout_ns));
    }
    report->result = CHECK_NOT_CONNECTED;
}

static int exit_code_of(const struct check_run *run, enum check_result result)
{
    switch (result) {
    case CHECK_PASSED:
        return EXIT_GOOD;
    case CHECK_NO_EVIDENCE:
        return EXIT_NO_EVIDENCE;
    case CHECK_NOT_CONNECTED:
        return EXIT_NO_CONNECTION;
    case CHECK_FAILED:
        return EXIT_CHECK_FAILED;
    case CHECK_INTERRUPTED:
        break;
    }
    return 128 + run->interrupted_by; /* EXIT_INTERRUPTED, EXIT_TERMINATED */
}

void check_report_interrupted(struct check_report *report)
{
    if (report->run->interrupted_by != 0) {
        report->result = CHECK_INTERRUPTED;
        report->exit_code = exit_code_of(report->run, report->result);
    }
}

void check_judge(const struct check_run *run, struct check_report *ret_report)
{
    *ret_report = (struct check_report){
        .run = run,
        .result = CHECK_PASSED,
        .groups = mem_calloc(run->plan->group_count, sizeof(struct check_verdict)),
    };
    for (size_t i = 0; i < run->plan->group_count; i++) {
        check_judge_group(run, i, &ret_report->groups[i]);
    }
    if (run->plan->split) {
        check_judge_splits(ret_report);
    }
    for (size_t i = 0; i < run->plan->group_count; i++) {
        if (ret_report->groups[i].result > ret_report->result) {
            ret_report->result = ret_report->groups[i].result;
        }
    }
    if (run->interrupted_by == 0 && never_connected(run)) {
        judge_connection(run, ret_report);
    }
    ret_report->exit_code = exit_code_of(run, ret_report->result);
    check_report_interrupted(ret_report);
}

void check_report_judge_unknown(struct check_report *report)
{
    for (size_t i = 0; i < report->run->plan->group_count; i++) {
        check_judge_unknown(report->run, i, &report->groups[i]);
        if (report->groups[i].result > report->result) {
            report->result = report->groups[i].result;
            report->exit_code = exit_code_of(report->run, report->result);
        }
    }
}

void check_report_deinit(struct check_report *report)
{
    free(report->groups);
    free(report->splits);
    report->splits = NULL;
    report->groups = NULL;
}
