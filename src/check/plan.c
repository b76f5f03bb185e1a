/* Lays out groups, streams and connections. */
#include "check/plan.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Many connections at once take their time on a busy machine: for each of them ... */
#define CONNECT_MS 100
/* ... and for the answers to everything. */
#define SLACK_MS 10000

void check_plan_deinit(struct check_plan *plan)
{
    free(plan->groups);
    free(plan->streams);
    *plan = (struct check_plan){0};
}

struct check_group *check_plan_add_group(struct check_plan *plan, enum check_group_kind kind,
                                         enum check_header header, const char *agent_version)
{
    plan->groups = mem_realloc(plan->groups, (plan->group_count + 1) * sizeof(struct check_group));
    struct check_group *group = &plan->groups[plan->group_count++];
    *group = (struct check_group){.kind = kind, .header = header};
    snprintf(group->agent_version, sizeof(group->agent_version), "%s", agent_version);
    return group;
}

static struct check_stream *add_stream(struct check_plan *plan, size_t group, size_t connection)
{
    plan->streams =
        mem_realloc(plan->streams, (plan->stream_count + 1) * sizeof(struct check_stream));
    struct check_stream *stream = &plan->streams[plan->stream_count++];
    *stream = (struct check_stream){.group = group, .connection = connection};
    if (connection >= plan->connection_count) {
        plan->connection_count = connection + 1;
    }
    return stream;
}

static size_t separate_streams(size_t per_version)
{
    size_t quarter = (per_version + 2) / 4;
    if (quarter == 0) {
        quarter = per_version > 1 ? 1 : 0;
    }
    return quarter < CHECK_SEPARATE_MAX ? quarter : CHECK_SEPARATE_MAX;
}

void check_plan_add_version_streams(struct check_plan *plan, size_t per_version, const char *run_id)
{
    size_t separate = separate_streams(per_version);
    size_t shared = per_version - separate;
    size_t first = plan->connection_count;
    size_t next_own = first + (shared > 1 ? CHECK_SHARED_CONNECTIONS : 1);
    for (size_t i = 0; i < per_version; i++) {
        for (size_t g = 0; g < plan->group_count; g++) {
            if (plan->groups[g].kind != CHECK_GROUP_VERSION) {
                continue;
            }
            size_t connection = i < shared ? first + i % CHECK_SHARED_CONNECTIONS : next_own++;
            struct check_stream *stream = add_stream(plan, g, connection);
            snprintf(stream->agent_id, sizeof(stream->agent_id), "verify-%s-%s-%zu", run_id,
                     plan->groups[g].agent_version, i + 1);
        }
    }
}

void check_plan_add_own_streams(struct check_plan *plan, size_t group, size_t count,
                                const char *run_id)
{
    for (size_t i = 0; i < count; i++) {
        struct check_stream *stream = add_stream(plan, group, plan->connection_count);
        stream->own_connection = true;
        snprintf(stream->agent_id, sizeof(stream->agent_id), "verify-%s-%s-split-%zu", run_id,
                 plan->groups[group].agent_version, i + 1);
    }
}

void check_plan_add_boundary_streams(struct check_plan *plan, const char *run_id)
{
    size_t number = 0;
    for (size_t g = 0; g < plan->group_count; g++) {
        if (plan->groups[g].kind == CHECK_GROUP_BOUNDARY) {
            struct check_stream *stream = add_stream(plan, g, plan->connection_count);
            snprintf(stream->agent_id, sizeof(stream->agent_id), "verify-%s-boundary-%zu", run_id,
                     ++number);
        }
    }
}

/* The order in which connections are opened is that of their numbers. */
static void renumber_connections(struct check_plan *plan, uint64_t *seed)
{
    size_t *numbers = mem_calloc(plan->connection_count, sizeof(size_t));
    for (size_t i = 0; i < plan->connection_count; i++) {
        numbers[i] = i;
    }
    random_shuffle(seed, numbers, plan->connection_count, sizeof(size_t));
    for (size_t i = 0; i < plan->stream_count; i++) {
        plan->streams[i].connection = numbers[plan->streams[i].connection];
    }
    free(numbers);
}

void check_plan_shuffle(struct check_plan *plan, uint64_t seed)
{
    plan->shuffled = true;
    plan->seed = seed;
    random_shuffle(&seed, plan->streams, plan->stream_count, sizeof(struct check_stream));
    renumber_connections(plan, &seed);
}

void check_plan_add_agents(struct check_plan *plan, const char *agent_version, const char *id,
                           size_t agents)
{
    for (size_t i = 0; i < agents; i++) {
        struct check_group *group =
            check_plan_add_group(plan, CHECK_GROUP_AGENT, CHECK_HEADER_ONCE, agent_version);
        group->expect.rule = ROLE_EXPECT_ANY;
        struct check_stream *stream = add_stream(plan, plan->group_count - 1, 0);
        if (agents == 1) {
            snprintf(stream->agent_id, sizeof(stream->agent_id), "%s", id);
        } else {
            snprintf(stream->agent_id, sizeof(stream->agent_id), "%s-%zu", id, i + 1);
        }
    }
}

uint64_t check_plan_timeout_ns(const struct check_plan *plan, uint64_t given_ns)
{
    uint64_t pings_ms = (plan->messages - 1) * (plan->interval_ms > 0 ? plan->interval_ms : 1);
    uint64_t connecting_ms = plan->connection_count * CONNECT_MS;
    return given_ns > 0 ? given_ns : (pings_ms + connecting_ms + SLACK_MS) * NS_PER_MS;
}

char *check_group_label(const struct check_group *group, char *out, size_t out_bytes)
{
    char version[4 * CHECK_VERSION_BYTES];
    text_escape(version, sizeof(version), group->agent_version, strlen(group->agent_version));
    const char *what = group->kind == CHECK_GROUP_BOUNDARY ? "Boundary" : "Agent";
    if (group->header == CHECK_HEADER_MISSING) {
        snprintf(out, out_bytes, "%s (header missing)", what);
    } else if (group->header == CHECK_HEADER_TWICE) {
        snprintf(out, out_bytes, "%s (header twice: " CHECK_TWICE_FIRST ", " CHECK_TWICE_SECOND ")",
                 what);
    } else if (version[0] == '\0') {
        snprintf(out, out_bytes, "%s (header empty)", what);
    } else {
        snprintf(out, out_bytes, "%s %s", what, version);
    }
    return out;
}
