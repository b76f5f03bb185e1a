/* A small world for verdict tests: a plan, and observations written by hand. */
#ifndef GRPCROUTE_TESTS_CHECK_SCENE_H
#define GRPCROUTE_TESTS_CHECK_SCENE_H

#include "check/verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SCENE_MESSAGES 5

struct scene {
    struct check_plan plan;
    struct check_run run;
    struct check_report report;
};

/* Fields of one answer; what is left out is filled as a good server would. */
struct answer {
    uint64_t sequence;
    const char *version; /* NULL: the right one */
    const char *pod;     /* NULL: the stream's own */
    const char *agent_id;
    const char *agent_version;
    uint64_t send_time_ns; /* 0: that of the ping */
    bool old_server;       /* knows only fields 1 to 3 */
};

static inline void scene_begin(struct scene *scene)
{
    check_run_init(&scene->run, &scene->plan, "localhost:8443", UINT64_C(10000000000));
    scene->run.connections_ready = 1;
    for (size_t i = 0; i < scene->plan.stream_count; i++) {
        scene->run.streams[i].opened = true;
        scene->run.streams[i].ended = true; /* with OK */
        scene->run.streams[i].idle_ns = UINT64_C(5000000000);
    }
}

/* Two versions, v1.1 (group 0) and v2.1 (group 1), each with `per_version` streams; even stream
 * numbers are v1.1's. */
static inline void scene_versions(struct scene *scene, size_t per_version)
{
    memset(scene, 0, sizeof(*scene));
    scene->plan.messages = SCENE_MESSAGES;
    const char *const versions[][2] = {{"v1.1", "v1"}, {"v2.1", "v2"}};
    for (size_t i = 0; i < 2; i++) {
        struct check_group *group = check_plan_add_group(&scene->plan, CHECK_GROUP_VERSION,
                                                         CHECK_HEADER_ONCE, versions[i][0]);
        group->expect.rule = ROLE_EXPECT_SERVER;
        group->expect.version_count = 1;
        strcpy(group->expect.versions[0], versions[i][1]);
    }
    check_plan_add_version_streams(&scene->plan, per_version, "test");
    scene_begin(scene);
}

/* One boundary group with one stream. */
static inline void scene_boundary(struct scene *scene, enum check_header header,
                                  const char *agent_version, enum role_expect_rule rule)
{
    memset(scene, 0, sizeof(*scene));
    scene->plan.messages = SCENE_MESSAGES;
    struct check_group *group =
        check_plan_add_group(&scene->plan, CHECK_GROUP_BOUNDARY, header, agent_version);
    group->expect.rule = rule;
    if (rule == ROLE_EXPECT_SERVER) {
        group->expect.version_count = 1;
        strcpy(group->expect.versions[0], "v1");
    }
    check_plan_add_boundary_streams(&scene->plan, "test");
    scene_begin(scene);
}

static inline void scene_sticky(struct scene *scene, size_t agents)
{
    memset(scene, 0, sizeof(*scene));
    scene->plan.command = CHECK_STICKY;
    scene->plan.messages = SCENE_MESSAGES;
    check_plan_add_agents(&scene->plan, "v1.1", "agent-v1-1", agents);
    scene_begin(scene);
}

static inline void scene_end(struct scene *scene)
{
    check_report_deinit(&scene->report);
    check_run_deinit(&scene->run);
    check_plan_deinit(&scene->plan);
}

static inline void scene_send(struct scene *scene, size_t stream, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        check_run_sent(&scene->run, stream, 1000 * (stream + 1) + scene->run.streams[stream].sent);
    }
}

static inline void scene_answer(struct scene *scene, size_t stream, const struct answer *answer)
{
    const struct check_stream *planned = &scene->plan.streams[stream];
    const char *version = scene->plan.groups[planned->group].agent_version;
    const struct check_observation *seen = &scene->run.streams[stream];
    char major[8];
    char pod[32];
    snprintf(major, sizeof(major), "%.2s", version[0] != '\0' ? version : "v1");
    snprintf(pod, sizeof(pod), "server-%s-a", major);
    struct rpc_ping_response response = {
        .message = "pong",
        .server_version = answer->version != NULL ? answer->version : major,
        .server_id = answer->pod != NULL ? answer->pod : pod,
        .agent_id = "",
        .agent_version = "",
    };
    if (!answer->old_server) {
        response.sequence = answer->sequence;
        response.agent_id = answer->agent_id != NULL ? answer->agent_id : planned->agent_id;
        response.agent_version = answer->agent_version != NULL ? answer->agent_version : version;
        response.send_time_ns = answer->send_time_ns;
        if (response.send_time_ns == 0 && answer->sequence > 0 && answer->sequence <= seen->sent) {
            response.send_time_ns = seen->sent_ns[answer->sequence - 1];
        }
    }
    assert_true(check_run_received(&scene->run, stream, &response));
}

/* Sends all pings of a stream and answers them well, `except` those from sequence `from` on. */
static inline void scene_run_until(struct scene *scene, size_t stream, uint64_t from)
{
    scene_send(scene, stream, SCENE_MESSAGES);
    for (uint64_t sequence = 1; sequence < from; sequence++) {
        scene_answer(scene, stream, &(struct answer){.sequence = sequence});
    }
}

static inline void scene_good(struct scene *scene, size_t stream)
{
    scene_run_until(scene, stream, SCENE_MESSAGES + 1);
    scene->run.streams[stream].end = CHECK_END_DONE;
}

/* All streams but `but` answer well. */
static inline void scene_good_but(struct scene *scene, size_t but)
{
    for (size_t i = 0; i < scene->plan.stream_count; i++) {
        if (i != but) {
            scene_good(scene, i);
        }
    }
}

static inline void scene_good_all(struct scene *scene)
{
    scene_good_but(scene, CHECK_ANSWERS_MAX * 1000);
}

static inline void scene_ended(struct scene *scene, size_t stream, enum rpc_code code,
                               enum rpc_status_origin origin)
{
    struct check_observation *seen = &scene->run.streams[stream];
    seen->end = CHECK_END_BY_PEER;
    rpc_status_set(&seen->status, code, "the cause");
    seen->status.origin = origin;
}

static inline const struct check_report *scene_judge(struct scene *scene)
{
    check_judge(&scene->run, &scene->report);
    return &scene->report;
}

/* The finding of that kind in the group; the test fails when there is none. */
static inline const struct check_finding *scene_finding(const struct scene *scene, size_t group,
                                                        enum check_kind kind)
{
    const struct check_verdict *verdict = &scene->report.groups[group];
    for (size_t i = 0; i < verdict->finding_count; i++) {
        if (verdict->findings[i].kind == kind) {
            return &verdict->findings[i];
        }
    }
    fail_msg("no %s finding in group %zu", check_kind_label(kind), group);
    return NULL;
}

static inline void assert_contains(const char *text, const char *part)
{
    if (text == NULL || strstr(text, part) == NULL) {
        fail_msg("\"%s\" does not contain \"%s\"", text != NULL ? text : "nothing", part);
    }
}

#endif
