/* What the dashboard remembers, and that no tick is larger than a reader may have waiting, whatever
 * there is to show. */
#include "admin/dashboard_tick.h"
#include "admin/history.h"
#include "admin/incidents.h"

#include "net/http.h"
#include "relay/state.h"

#include <arpa/inet.h>
#include <cJSON.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CLUSTERS  60
#define ENDPOINTS 40 /* of each */
#define WORKERS   4

struct world {
    struct relay relay;
    struct history history;
    struct route_table table;
    struct routing routing;
    struct cluster *clusters[CLUSTERS];
};

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    world->relay.worker_count = WORKERS;
    world->relay.config.id = "proxy";
    for (unsigned i = 0; i < WORKERS; i++) {
        streams_init(&world->relay.workers[i].streams);
    }
    world->routing.table = &world->table;
    world->routing.clusters = world->clusters;
    atomic_store(&world->routing.references, 1);
    world->relay.force.routing = &world->routing;
    history_init(&world->history, &world->relay);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    for (size_t i = 0; i < world->routing.cluster_count; i++) {
        cluster_retire(world->clusters[i]);
        cluster_unref(world->clusters[i]);
    }
    free(world);
    return 0;
}

/* A text that is twice as long in JSON, told apart by its end. */
static void awkward(char *out, size_t out_bytes, unsigned number)
{
    memset(out, '"', out_bytes);
    snprintf(out + out_bytes - 9, 9, "%08u", number);
}

static void set_flow(struct world *world, unsigned worker, unsigned index, const char *version,
                     uint64_t streams)
{
    struct flow *flow = &world->relay.workers[worker].flows.flows[index];
    snprintf(flow->version, sizeof(flow->version), "%s", version);
    atomic_store(&flow->streams, streams);
}

static cJSON *samples_above(const struct world *world, uint64_t after)
{
    cJSON *object = cJSON_CreateObject();
    history_json(&world->history, after, object);
    return object;
}

static double item(const cJSON *object, const char *column, int index)
{
    return cJSON_GetArrayItem(cJSON_GetObjectItem(object, column), index)->valuedouble;
}

static int length(const cJSON *object, const char *column)
{
    return cJSON_GetArraySize(cJSON_GetObjectItem(object, column));
}

/* ---- history --------------------------------------------------------------------------------- */

static void a_sample_counts_what_came_since_the_one_before(void **state)
{
    struct world *world = *state;
    struct worker_stats *stats = &world->relay.workers[1].stats;
    atomic_store(&stats->downstream_rq_total, 5);
    atomic_store(&stats->rq_shed, 1);
    history_take(&world->history, &world->relay);
    atomic_store(&stats->downstream_rq_total, 7);
    atomic_store(&stats->downstream_rq_active, 6);
    atomic_store(&stats->misrouted, 2);
    atomic_store(&stats->rq_no_route, 3);
    answer_time_add(&world->relay.workers[1].answer_time, 1000000);
    history_take(&world->history, &world->relay);
    cJSON *said = samples_above(world, 0);
    assert_int_equal(length(said, "number"), 2);
    assert_int_equal((int)item(said, "streams_begun", 0), 5);
    assert_int_equal((int)item(said, "streams_begun", 1), 2);
    assert_int_equal((int)item(said, "streams", 1), 6);
    assert_int_equal((int)item(said, "misrouted", 1), 2);
    assert_int_equal((int)item(said, "refused", 0), 1);
    assert_int_equal((int)item(said, "refused", 1), 3);
    assert_true(cJSON_IsNull(cJSON_GetArrayItem(cJSON_GetObjectItem(said, "p50_us"), 0)));
    assert_true(item(said, "p50_us", 1) > 900 && item(said, "p50_us", 1) < 1100);
    cJSON_Delete(said);
}

static void fifteen_minutes_are_kept(void **state)
{
    struct world *world = *state;
    for (unsigned i = 1; i <= HISTORY_SAMPLES + 5; i++) {
        atomic_store(&world->relay.workers[0].stats.downstream_rq_active, i);
        history_take(&world->history, &world->relay);
    }
    cJSON *said = samples_above(world, 0);
    assert_int_equal(length(said, "number"), HISTORY_SAMPLES);
    assert_int_equal((int)item(said, "number", 0), 6);
    assert_int_equal((int)item(said, "streams", 0), 6);
    assert_int_equal((int)item(said, "streams", HISTORY_SAMPLES - 1), HISTORY_SAMPLES + 5);
    cJSON_Delete(said);
    said = samples_above(world, HISTORY_SAMPLES + 4);
    assert_int_equal(length(said, "number"), 1);
    cJSON_Delete(said);
}

static const cJSON *flow_of(const cJSON *said, const char *version)
{
    const cJSON *flow;
    cJSON_ArrayForEach(flow, cJSON_GetObjectItem(said, "flows"))
    {
        if (strcmp(cJSON_GetObjectItem(flow, "version")->valuestring, version) == 0) {
            return flow;
        }
    }
    return NULL;
}

static void flows_come_go_and_give_their_place_to_others(void **state)
{
    struct world *world = *state;
    set_flow(world, 0, 0, "v1.1", 3);
    set_flow(world, 1, 5, "v1.1", 4);
    history_take(&world->history, &world->relay);
    set_flow(world, 0, 0, "v1.1", 0);
    set_flow(world, 1, 5, "v1.1", 0);
    history_take(&world->history, &world->relay);
    cJSON *said = samples_above(world, 0);
    const cJSON *flow = flow_of(said, "v1.1");
    assert_int_equal((int)item(flow, "streams", 0), 7); /* of two workers */
    assert_int_equal((int)item(flow, "streams", 1), 0);
    cJSON_Delete(said);
    for (unsigned i = 0; i < HISTORY_SAMPLES; i++) {
        history_take(&world->history, &world->relay);
    }
    said = samples_above(world, 0);
    assert_int_equal(length(said, "flows"), 0);
    cJSON_Delete(said);
}

static void flows_beyond_the_table_are_counted_together(void **state)
{
    struct world *world = *state;
    for (unsigned i = 0; i < FLOWS_MAX; i++) {
        char version[16];
        snprintf(version, sizeof(version), "v1.%u", i);
        set_flow(world, 0, i, version, 1);
    }
    history_take(&world->history, &world->relay);
    cJSON *said = samples_above(world, 0);
    assert_int_equal(length(said, "flows"), HISTORY_SERIES + 1);
    assert_int_equal((int)item(flow_of(said, FLOW_MORE), "streams", 0), FLOWS_MAX - HISTORY_SERIES);
    cJSON_Delete(said);
}

/* ---- what happened --------------------------------------------------------------------------- */

static void counters_that_moved_are_told_once_with_their_number(void **state)
{
    struct world *world = *state;
    struct incidents incidents = {0};
    static struct event_entry found[EVENTS_MAX];
    incidents_look(&incidents, &world->relay);
    assert_int_equal(events_copy(&world->relay.events, 0, found), 0);
    for (int round = 1; round <= 3; round++) {
        atomic_fetch_add(&world->relay.workers[2].stats.misrouted, 4);
        set_flow(world, 2, 0, "v2.1", 4);
        atomic_store(&world->relay.workers[2].flows.flows[0].misrouted, 4);
        incidents_look(&incidents, &world->relay);
        incidents_look(&incidents, &world->relay);
    }
    assert_int_equal(events_copy(&world->relay.events, 0, found), 1);
    assert_string_equal(found[0].name, "misrouted");
    assert_int_equal(found[0].count, 12);
    assert_non_null(strstr(found[0].text, "agents v2.1 on cluster"));
}

/* A version is what its client calls itself: it may end with the name of another flow. */
static void each_misrouted_flow_is_named_once_and_none_within_another(void **state)
{
    struct world *world = *state;
    struct incidents incidents = {0};
    static struct event_entry found[EVENTS_MAX];
    static const char *const versions[WORKERS] = {"x agents v1", "v1", "v1 on cluster", "v1"};
    for (unsigned i = 0; i < WORKERS; i++) {
        set_flow(world, i, 0, versions[i], 1);
        atomic_store(&world->relay.workers[i].flows.flows[0].misrouted, 1);
    }
    atomic_store(&world->relay.workers[0].stats.misrouted, 4);
    incidents_look(&incidents, &world->relay);
    assert_int_equal(events_copy(&world->relay.events, 0, found), 1);
    const char *names = strchr(found[0].text, ':');
    assert_non_null(names);
    assert_string_equal(names,
                        ": agents x agents v1 on cluster , agents v1 on cluster , agents v1 on "
                        "cluster on cluster "); /* flows of no cluster */
}

/* ---- a tick ---------------------------------------------------------------------------------- */

static struct sockaddr_storage address_of(unsigned number)
{
    struct sockaddr_storage address = {0};
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&address;
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(50051);
    memset(&in6->sin6_addr, 0xfd, sizeof(in6->sin6_addr));
    in6->sin6_addr.s6_addr[15] = (uint8_t)number;
    return address;
}

static void make_awkward(void *ctx, struct endpoint *endpoint)
{
    unsigned *number = ctx;
    awkward(endpoint->pod, sizeof(endpoint->pod), *number);
    awkward(endpoint->cause, sizeof(endpoint->cause), ++*number);
    atomic_store(&endpoint->rq_total, UINT64_C(1000000000000));
}

static void fill_clusters(struct world *world)
{
    unsigned number = 0;
    for (unsigned i = 0; i < CLUSTERS; i++) {
        char name[CLUSTER_NAME_BYTES];
        struct sockaddr_storage addresses[ENDPOINTS];
        size_t added;
        size_t removed;
        awkward(name, sizeof(name), i);
        world->clusters[i] = cluster_new(name, LB_ROUND_ROBIN);
        for (unsigned k = 0; k < ENDPOINTS; k++) {
            addresses[k] = address_of(k);
        }
        cluster_update(world->clusters[i], addresses, ENDPOINTS, &added, &removed);
        cluster_each(world->clusters[i], make_awkward, &number);
        world->routing.cluster_count = i + 1;
    }
}

static void fill_flows(struct world *world)
{
    for (unsigned worker = 0; worker < WORKERS; worker++) {
        for (unsigned i = 0; i < FLOWS_MAX; i++) {
            char version[FLOW_LABEL_BYTES];
            awkward(version, sizeof(version), worker * FLOWS_MAX + i);
            set_flow(world, worker, i, version, 1000000);
            world->relay.workers[worker].flows.flows[i].cluster = world->clusters[i % CLUSTERS];
        }
    }
}

static void fill_events(struct world *world)
{
    for (unsigned i = 0; i < EVENTS_MAX; i++) {
        char text[EVENT_TEXT_BYTES];
        awkward(text, sizeof(text), i);
        events_add(&world->relay.events, LOG_ERROR, "an event with a long name", NULL, 1, text);
    }
}

static char *tick(struct world *world, bool whole)
{
    static struct dashboard_sample sample;
    dashboard_sample_take(&world->relay, &sample);
    return dashboard_tick_json(&(struct dashboard_view){
        .relay = &world->relay,
        .now = &sample,
        .before = &sample,
        .window = &sample,
        .history = &world->history,
        .whole = whole,
        .told_samples = world->history.last_number - 1,
        .told_events = events_last(&world->relay.events),
    });
}

static void no_tick_is_too_large_for_its_reader(void **state)
{
    struct world *world = *state;
    fill_clusters(world);
    fill_flows(world);
    fill_events(world);
    for (unsigned i = 0; i < HISTORY_SAMPLES; i++) {
        history_take(&world->history, &world->relay);
    }
    char *text = tick(world, false);
    assert_in_range(strlen(text), 1, NET_HTTP_EVENTS_BYTES / 2);
    cJSON *said = cJSON_Parse(text);
    assert_int_equal(length(said, "clusters"), DASHBOARD_CLUSTERS_MAX);
    assert_int_equal(length(said, "flows"), DASHBOARD_FLOWS_MAX + 1);
    assert_int_equal(length(said, "events"), 0);
    assert_int_equal(cJSON_GetObjectItem(said, "endpoints")->valueint, CLUSTERS * ENDPOINTS);
    assert_int_equal(cJSON_GetObjectItem(said, "endpoints_more")->valueint,
                     CLUSTERS * ENDPOINTS - DASHBOARD_ENDPOINTS_MAX);
    assert_int_equal(cJSON_GetObjectItem(said, "clusters_more")->valueint,
                     CLUSTERS - DASHBOARD_CLUSTERS_MAX);
    cJSON_Delete(said);
    cJSON_free(text);
    text = tick(world, true);
    assert_in_range(strlen(text), 1, NET_HTTP_EVENTS_BYTES);
    cJSON_free(text);
}

static void make_well(void *ctx, struct endpoint *endpoint)
{
    (void)ctx;
    endpoint->cause[0] = '\0';
    atomic_store(&endpoint->health, ENDPOINT_HEALTHY);
}

static void fall_ill(void *ctx, struct endpoint *endpoint)
{
    *(struct endpoint **)ctx = endpoint;
}

static void who_is_unwell_is_named_before_the_others(void **state)
{
    struct world *world = *state;
    struct endpoint *last = NULL;
    fill_clusters(world);
    for (size_t i = 0; i < CLUSTERS; i++) {
        cluster_each(world->clusters[i], make_well, NULL);
    }
    cluster_each(world->clusters[DASHBOARD_CLUSTERS_MAX - 1], fall_ill, &last);
    atomic_store(&last->health, ENDPOINT_UNHEALTHY);
    char *text = tick(world, false);
    assert_non_null(strstr(text, "unhealthy"));
    cJSON *said = cJSON_Parse(text);
    assert_int_equal(cJSON_GetObjectItem(said, "healthy")->valueint, CLUSTERS * ENDPOINTS - 1);
    cJSON_Delete(said);
    cJSON_free(text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_sample_counts_what_came_since_the_one_before),
        TEST(fifteen_minutes_are_kept),
        TEST(flows_come_go_and_give_their_place_to_others),
        TEST(flows_beyond_the_table_are_counted_together),
        TEST(counters_that_moved_are_told_once_with_their_number),
        TEST(each_misrouted_flow_is_named_once_and_none_within_another),
        TEST(no_tick_is_too_large_for_its_reader),
        TEST(who_is_unwell_is_named_before_the_others),
    };
    return cmocka_run_group_tests_name("admin/dashboard", tests, NULL, NULL);
}
