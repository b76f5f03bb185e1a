#include "check/pods.h"

#include <string.h>

static bool same_servers(const struct role_expectation *a, const struct role_expectation *b)
{
    bool same = a->rule == ROLE_EXPECT_SERVER && b->rule == ROLE_EXPECT_SERVER &&
                a->version_count == b->version_count;
    for (size_t i = 0; i < a->version_count && same; i++) {
        same = role_expectation_allows(b, a->versions[i]);
    }
    return same;
}

static bool holds(const uint32_t *pods, size_t count, uint32_t pod)
{
    for (size_t i = 0; i < count; i++) {
        if (pods[i] == pod) {
            return true;
        }
    }
    return false;
}

static bool is_met(const struct check_verdict *verdict, uint32_t pod)
{
    for (size_t i = 0; i < verdict->answer_count; i++) {
        if (verdict->answers[i].server_id == pod) {
            return true;
        }
    }
    return false;
}

static void add_pods(const struct check_report *report, size_t group, struct check_pods *pods)
{
    const struct check_verdict *verdict = &report->groups[group];
    const struct role_expectation *expect = &report->run->plan->groups[group].expect;
    for (size_t i = 0; i < verdict->answer_count; i++) {
        const struct check_answer *answer = &verdict->answers[i];
        const char *version = check_names_text(&report->run->names, answer->server_version);
        if (answer->server_id != CHECK_NAME_EMPTY && pods->count < CHECK_ANSWERS_MAX &&
            role_expectation_allows(expect, version) &&
            !holds(pods->all, pods->count, answer->server_id)) {
            pods->all[pods->count++] = answer->server_id;
        }
    }
}

void check_report_pods(const struct check_report *report, size_t group, struct check_pods *ret_pods)
{
    const struct check_group *groups = report->run->plan->groups;
    *ret_pods = (struct check_pods){.first_of_servers = true};
    for (size_t i = 0; i < report->run->plan->group_count; i++) {
        if (!same_servers(&groups[i].expect, &groups[group].expect)) {
            continue;
        }
        add_pods(report, i, ret_pods);
        ret_pods->streams += report->groups[i].streams_done;
        ret_pods->first_of_servers =
            ret_pods->first_of_servers && (i >= group || report->groups[i].answer_count == 0);
    }
    for (size_t i = 0; i < ret_pods->count; i++) {
        if (!is_met(&report->groups[group], ret_pods->all[i])) {
            ret_pods->missed[ret_pods->missed_count++] = ret_pods->all[i];
        }
    }
}

/* Row by row: how likely so many different pods were met after one stream more. */
double check_coverage(size_t streams, size_t pods)
{
    double met[CHECK_ANSWERS_MAX + 1] = {1};
    if (pods > CHECK_ANSWERS_MAX) {
        return 0;
    }
    for (size_t s = 0; s < streams; s++) {
        for (size_t k = pods; k > 0; k--) {
            met[k] = met[k] * (double)k / (double)pods +
                     met[k - 1] * (double)(pods - k + 1) / (double)pods;
        }
        met[0] = 0;
    }
    return met[pods];
}
