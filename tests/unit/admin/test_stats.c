/* /stats: what is counted is told under its own name, in both forms. */
#include "admin/stats.h"

#include "base/mem.h"
#include "base/metrics.h"
#include "relay/cluster.h"
#include "relay/state.h"
#include "route/load.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* What the two directions, or what is and what was in all, are easily taken for each other. */
#define WORKER_NAMES(X)                                                                            \
    X(downstream_cx_active, "downstream_cx_active", "downstream_connections_active")               \
    X(downstream_cx_total, "downstream_cx_total", "downstream_connections_total")                  \
    X(downstream_rq_active, "downstream_rq_active", "streams_active")                              \
    X(downstream_rq_total, "downstream_rq_total", "streams_total")                                 \
    X(messages_up, "messages_up", "messages_up_total")                                             \
    X(messages_down, "messages_down", "messages_down_total")                                       \
    X(messages_resent, "messages_resent", "messages_resent_total")                                 \
    X(rq_unavailable, "rq_unavailable", "unavailable_total")                                       \
    X(rq_rejected, "rq_rejected", "rejected_total")                                                \
    X(rq_no_route, "no_route", "no_route_total")                                                   \
    X(rq_reset, "rq_reset", "upstream_resets_total")                                               \
    X(rq_shed, "rq_shed", "shed_total")                                                            \
    X(answers_checked, "answers_checked", "answers_checked_total")                                 \
    X(misrouted, "misrouted", "misrouted_total")
#define ENDPOINT_NAMES(X)                                                                          \
    X(rq_active, "rq_active", "streams_active")                                                    \
    X(rq_total, "rq_total", "streams_total")                                                       \
    X(cx_active, "cx_active", "connections_active")                                                \
    X(cx_total, "cx_total", "connections_total")
#define LOAD_NAMES(X)                                                                              \
    X(messages_up, "messages_up", "messages_up_total")                                             \
    X(messages_down, "messages_down", "messages_down_total")                                       \
    X(bytes_up, "bytes_up", "bytes_up_total")                                                      \
    X(bytes_down, "bytes_down", "bytes_down_total")

struct world {
    struct relay relay;
    struct cluster *clusters[4]; /* borrowed from the routing */
    struct endpoint *endpoint;   /* of the first one */
};

static int setup(void **state)
{
    struct world *world = mem_new(struct world);
    struct sockaddr_storage address = {0};
    struct sockaddr_in *in = (struct sockaddr_in *)&address;
    struct route_table *routes = route_table_default();
    size_t added;
    size_t removed;
    assert_true(routes->cluster_count <= ARRAY_SIZE(world->clusters));
    for (size_t i = 0; i < routes->cluster_count; i++) {
        world->clusters[i] = cluster_new(routes->clusters[i].name, LB_ROUND_ROBIN);
    }
    world->relay.worker_count = 1;
    world->relay.force.routing = routing_new(routes, world->clusters);
    streams_init(&world->relay.workers[0].streams);
    in->sin_family = AF_INET;
    in->sin_port = htons(1);
    in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    cluster_update(world->clusters[0], &address, 1, &added, &removed);
    world->endpoint = world->clusters[0]->endpoints[0];
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    atomic_store(&world->endpoint->rq_active, 0); /* who is freed has nothing */
    atomic_store(&world->endpoint->cx_active, 0);
    cluster_retire(world->clusters[0]);
    routing_unref(world->relay.force.routing);
    streams_deinit(&world->relay.workers[0].streams);
    free(world);
    return 0;
}

/* Another number for each. */
static void count_all(struct world *world)
{
    struct worker_stats *stats = &world->relay.workers[0].stats;
    struct endpoint *endpoint = world->endpoint;
    struct endpoint_load *load = endpoint_load(endpoint, 0);
    uint64_t number = 100;
#define SET_STAT(field, ...)     atomic_store(&stats->field, number++);
#define SET_ENDPOINT(field, ...) atomic_store(&endpoint->field, number++);
#define SET_LOAD(field, ...)     atomic_store(&load->field, number++);
    WORKER_NAMES(SET_STAT)
    ENDPOINT_NAMES(SET_ENDPOINT)
    LOAD_NAMES(SET_LOAD)
}

static void assert_line(const char *text, const char *name, uint64_t number, const char *before)
{
    char line[256];
    snprintf(line, sizeof(line), "\n%s%s %llu\n", before, name, (unsigned long long)number);
    if (strstr(text, line) == NULL) {
        fail_msg("no line%sin: %s", line, text);
    }
}

static void envoys_form_tells_each_under_its_own_name(void **state)
{
    struct world *world = *state;
    struct buf out = {0};
    uint64_t number = 100;
    count_all(world);
    (void)buf_append(&out, "\n", 1, SIZE_MAX);
    admin_stats_text(&world->relay, &out);
    (void)buf_append(&out, "", 1, SIZE_MAX);
    const char *text = (const char *)buf_data(&out);
#define OF_WORKER(field, envoy, metric)   assert_line(text, envoy ":", number++, "http.grpc.");
#define OF_ENDPOINT(field, envoy, metric) assert_line(text, envoy ":", number++, before);
    char before[CLUSTER_NAME_BYTES + 32];
    snprintf(before, sizeof(before), "cluster.%s.upstream_", world->clusters[0]->name);
    WORKER_NAMES(OF_WORKER)
    ENDPOINT_NAMES(OF_ENDPOINT)
    LOAD_NAMES(OF_ENDPOINT)
#undef OF_WORKER
#undef OF_ENDPOINT
    buf_deinit(&out);
}

static void prometheus_form_tells_each_under_its_own_name(void **state)
{
    struct world *world = *state;
    struct metrics out = {0};
    uint64_t number = 100;
    count_all(world);
    admin_stats_prometheus(&world->relay, &out);
    (void)buf_append(&out.text, "", 1, SIZE_MAX);
    const char *text = (const char *)buf_data(&out.text);
    char labels[CLUSTER_NAME_BYTES + 64];
    char name[sizeof(labels) + 64];
    snprintf(labels, sizeof(labels), "{cluster=\"%s\",endpoint=\"127.0.0.1:1\"}",
             world->clusters[0]->name);
#define OF_WORKER(field, envoy, metric) assert_line(text, metric, number++, "grpcroute_proxy_");
#define OF_ENDPOINT(field, envoy, metric)                                                          \
    snprintf(name, sizeof(name), metric "%s", labels);                                             \
    assert_line(text, name, number++, "grpcroute_proxy_endpoint_");
    WORKER_NAMES(OF_WORKER)
    ENDPOINT_NAMES(OF_ENDPOINT)
    LOAD_NAMES(OF_ENDPOINT)
#undef OF_WORKER
#undef OF_ENDPOINT
    buf_deinit(&out.text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(envoys_form_tells_each_under_its_own_name),
        TEST(prometheus_form_tells_each_under_its_own_name),
    };
    return cmocka_run_group_tests_name("admin/stats", tests, NULL, NULL);
}
