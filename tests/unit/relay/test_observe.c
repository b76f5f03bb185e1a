/* Who answered a stream, and whether that was right: the first message alone, whatever a server
 * sends. */
#include "relay/observe.h"

#include "base/mem.h"
#include "h2/session.h"
#include "relay/account.h"
#include "relay/routing.h"
#include "relay/state.h"
#include "route/expect.h"
#include "route/load.h"
#include "rpc/ping.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct world {
    struct relay relay;
    struct worker worker;
    struct cluster *cluster;
    struct endpoint endpoint;
    struct route_table *routes;
    struct routing *routing;
};

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    world->worker.relay = &world->relay;
    streams_init(&world->worker.streams);
    world->cluster = cluster_new("server-v1", LB_ROUND_ROBIN);
    world->endpoint.cluster = world->cluster;
    world->routes = route_table_default();
    struct cluster *clusters[4];
    assert_true(world->routes->cluster_count <= 4);
    for (size_t i = 0; i < world->routes->cluster_count; i++) {
        clusters[i] = cluster_new(world->routes->clusters[i].name, LB_ROUND_ROBIN);
    }
    world->routing = routing_new(world->routes, clusters);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    routing_unref(world->routing);
    per_worker_deinit(&world->endpoint.loads);
    cluster_unref(world->cluster);
    streams_deinit(&world->worker.streams);
    free(world);
    return 0;
}

/* The rule that names this backend. */
static const struct route_rule *rule_of(const struct world *world, const char *backend)
{
    for (size_t i = 0; i < world->routes->rule_count; i++) {
        if (strcmp(world->routes->rules[i].backends[0].name, backend) == 0) {
            return &world->routes->rules[i];
        }
    }
    return NULL;
}

static void begin(struct world *world, struct stream_record *record, const char *version,
                  const char *path)
{
    const struct h2_header fields[] = {
        H2_HEADER(":path", path),
        H2_HEADER("content-type", "application/grpc"),
    };
    const struct h2_block block = {.fields = fields, .count = 2};
    memset(record, 0, sizeof(*record));
    snprintf(record->agent_version, sizeof(record->agent_version), "%s", version);
    observe_request(record, &block);
    observe_routed(&world->worker, record, world->routing, rule_of(world, "server-v1"));
    observe_chosen(&world->worker, record, &world->endpoint);
    observe_sending(&world->worker, record);
}

static void end(struct world *world, struct stream_record *record)
{
    observe_left(&world->worker, record);
    observe_ended(&world->worker, record);
}

/* What the endpoint got, or gave. */
#define LOAD(world, field)                                                                         \
    per_worker_sum(&(world)->endpoint.loads, offsetof(struct endpoint_load, field))
#define STAT(world, field) ((uint64_t)atomic_load(&(world)->worker.stats.field))
#define OF_RULE(world, field)                                                                      \
    per_worker_sum(&routing_account((world)->routing, rule_of(world, "server-v1"))->blocks,        \
                   offsetof(struct account_block, field))

static void down(struct world *world, struct stream_record *record, const void *bytes, size_t len)
{
    observe_down(&world->worker, record, bytes, len);
}

/* A message with its prefix; returns its length. */
static size_t answer(uint8_t *out, size_t out_bytes, const char *version, const char *id)
{
    const struct rpc_ping_response response = {.server_version = version, .server_id = id};
    size_t len = rpc_ping_response_encode(&response, out + 5, out_bytes - 5);
    const uint8_t prefix[5] = {0, 0, 0, (uint8_t)(len >> 8), (uint8_t)len};
    memcpy(out, prefix, sizeof(prefix));
    return len + 5;
}

static uint64_t checked(struct world *world)
{
    return atomic_load(&world->worker.stats.answers_checked);
}

static void a_misroute_is_a_version_that_the_rule_does_not_name(void **state)
{
    const struct world *world = *state;
    const struct route_rule *v1 = rule_of(world, "server-v1");
    const struct route_rule *v2 = rule_of(world, "server-v2");
    assert_false(observe_is_misroute(v1, "v1"));
    assert_false(observe_is_misroute(v2, "v2"));
    assert_true(observe_is_misroute(v1, "v2"));
    assert_true(observe_is_misroute(v2, "v1"));
    assert_true(observe_is_misroute(v1, "v11"));
    assert_true(observe_is_misroute(v1, ""));
    assert_true(observe_is_misroute(v1, "main"));
}

static void a_rule_whose_backends_name_no_version_judges_nothing(void **state)
{
    struct world *world = *state;
    struct route_rule rule = *rule_of(world, "server-v1");
    uint8_t bytes[256];
    struct stream_record record;
    rule.backends[0].name = mem_unconst("blue");
    rule.version_count = route_rule_versions(&rule, rule.versions);
    begin(world, &record, "v1.1", RPC_PING_PATH);
    record.rule = &rule;
    down(world, &record, bytes, answer(bytes, sizeof(bytes), "v7", "pod"));
    assert_string_equal(record.server_version, "v7");
    assert_int_equal(checked(world), 0);
    assert_int_equal(atomic_load(&world->worker.stats.misrouted), 0);
    end(world, &record);
}

static void an_answer_that_tells_no_version_is_not_judged(void **state)
{
    struct world *world = *state;
    uint8_t bytes[256];
    struct stream_record record;
    begin(world, &record, "v1.1", RPC_PING_PATH);
    record.rule = rule_of(world, "server-v1");
    down(world, &record, bytes, answer(bytes, sizeof(bytes), "", "pod"));
    assert_string_equal(record.server_id, "pod");
    assert_false(record.misrouted);
    assert_int_equal(checked(world), 0);
    assert_int_equal(atomic_load(&world->worker.stats.misrouted), 0);
    end(world, &record);
}

/* A client chooses what it calls itself. */
static void what_the_client_calls_itself_raises_no_alarm(void **state)
{
    struct world *world = *state;
    uint8_t bytes[256];
    size_t len = answer(bytes, sizeof(bytes), "v1", "pod");
    static const char *const versions[] = {"v9.1", "v2.1", "", "latest", "v1.1.1", "\\x00"};
    for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
        struct stream_record record;
        begin(world, &record, versions[i], RPC_PING_PATH);
        down(world, &record, bytes, len);
        end(world, &record);
    }
    assert_int_equal(checked(world), ARRAY_SIZE(versions));
    assert_int_equal(atomic_load(&world->worker.stats.misrouted), 0);
}

static void the_first_answer_tells_pod_and_misroute(void **state)
{
    struct world *world = *state;
    struct stream_record record;
    uint8_t bytes[256];
    begin(world, &record, "v1.1", RPC_PING_PATH);
    size_t len = answer(bytes, sizeof(bytes), "v2", "pod\n\x1b");
    down(world, &record, bytes, len);
    assert_string_equal(record.server_version, "v2");
    assert_string_equal(record.server_id, "pod\\x0a\\x1b");
    assert_string_equal(world->endpoint.pod, record.server_id);
    assert_int_equal(atomic_load(&world->worker.stats.misrouted), 1);
    assert_int_equal(atomic_load(&world->endpoint.misrouted), 1);
    len = answer(bytes, sizeof(bytes), "v1", "other");
    down(world, &record, bytes, len); /* not the first */
    assert_string_equal(record.server_version, "v2");
    assert_int_equal(checked(world), 1);
    assert_int_equal(atomic_load(&world->worker.stats.messages_down), 2);
    end(world, &record);
    assert_int_equal(atomic_load(&world->endpoint.misrouted), 0);
    assert_int_equal(atomic_load(&world->worker.stats.misrouted), 1);
}

static void what_is_not_a_whole_small_plain_message_is_skipped(void **state)
{
    struct world *world = *state;
    struct stream_record record;
    static uint8_t bytes[OBSERVE_MESSAGE_BYTES + 100];
    static char long_id[OBSERVE_MESSAGE_BYTES + 1];
    memset(long_id, 'x', OBSERVE_MESSAGE_BYTES);
    size_t len = answer(bytes, sizeof(bytes), "v1", "pod");
    for (size_t cut = 0; cut < len; cut++) {
        begin(world, &record, "v1.1", RPC_PING_PATH);
        down(world, &record, bytes, cut);
        end(world, &record);
    }
    bytes[0] = 1; /* compressed */
    begin(world, &record, "v1.1", RPC_PING_PATH);
    down(world, &record, bytes, len);
    end(world, &record);
    begin(world, &record, "v1.1", RPC_PING_PATH);
    down(world, &record, "\0\0\0\0\x02\xff\xff", 7);
    end(world, &record);
    begin(world, &record, "v1.1", RPC_PING_PATH);
    down(world, &record, bytes, answer(bytes, sizeof(bytes), "v1", long_id));
    end(world, &record);
    begin(world, &record, "v1.1", "/other.Service/Call");
    down(world, &record, bytes, answer(bytes, sizeof(bytes), "v1", "pod"));
    end(world, &record);
    assert_int_equal(checked(world), 0);
}

static void versions_beyond_the_table_are_counted_together(void **state)
{
    struct world *world = *state;
    static struct stream_record records[FLOWS_MAX + 10];
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < FLOWS_MAX + 10; i++) {
            char version[16];
            snprintf(version, sizeof(version), "v1.%d%zu", round, i);
            begin(world, &records[i], version, RPC_PING_PATH);
        }
        const struct flow *flows = world->worker.flows.flows;
        assert_int_equal(atomic_load(&flows[FLOWS_MAX].streams), 10);
        for (size_t i = 0; i < FLOWS_MAX; i++) {
            assert_int_equal(atomic_load(&flows[i].streams), 1);
        }
        for (size_t i = 0; i < FLOWS_MAX + 10; i++) {
            end(world, &records[i]);
        }
        assert_int_equal(atomic_load(&flows[FLOWS_MAX].streams), 0);
    }
}

/* A message up, or its answer. */
static void pass(struct world *world, struct stream_record *record, bool is_up)
{
    if (is_up) {
        observe_up(&world->worker, record, (const uint8_t *)"\0\0\0\0\0", 5);
    } else {
        down(world, record, "\0\0\0\0\0", 5);
    }
}

static uint64_t timed(const struct world *world)
{
    uint64_t sums[ANSWER_TIME_BUCKETS] = {0};
    uint64_t total = 0;
    answer_time_sum(&world->worker.answer_time, sums);
    for (size_t i = 0; i < ANSWER_TIME_BUCKETS; i++) {
        total += sums[i];
    }
    return total;
}

static uint64_t timed_of_rule(const struct world *world)
{
    struct tally_sum sum;
    uint64_t total = 0;
    account_answers(routing_account(world->routing, rule_of(world, "server-v1")), &sum);
    for (size_t i = 0; i <= TALLY_BOUNDS; i++) {
        total += sum.counts[i];
    }
    return total;
}

static void as_many_answers_are_timed_as_are_wanted(void **state)
{
    struct world *world = *state;
    struct stream_record record;
    begin(world, &record, "v1.1", "/other.Service/Call");
    for (unsigned wanted = 0; wanted < 5; wanted += 2) {
        uint64_t before = timed(world);
        atomic_store(&world->worker.answers_wanted, wanted);
        for (int i = 0; i < 10; i++) {
            pass(world, &record, true);
            pass(world, &record, false);
        }
        assert_int_equal(timed(world) - before, wanted);
        assert_int_equal(timed_of_rule(world), timed(world));
    }
    end(world, &record);
}

static void a_message_behind_one_that_waits_is_not_timed(void **state)
{
    struct world *world = *state;
    struct stream_record record;
    begin(world, &record, "v1.1", "/other.Service/Call");
    pass(world, &record, true);
    atomic_store(&world->worker.answers_wanted, 10);
    pass(world, &record, true);
    pass(world, &record, false);
    pass(world, &record, false);
    assert_int_equal(timed(world), 0);
    pass(world, &record, true);
    pass(world, &record, false);
    assert_int_equal(timed(world), 1);
    end(world, &record);
}

static void messages_count_for_the_endpoint_while_the_stream_lives(void **state)
{
    struct world *world = *state;
    struct stream_record record;
    begin(world, &record, "v1.1", "/other.Service/Call");
    observe_up(&world->worker, &record, (const uint8_t *)"\0\0\0\0\2ab\0\0", 9);
    assert_int_equal(LOAD(world, messages_up), 1); /* the second has not quite begun */
    assert_int_equal(LOAD(world, bytes_up), 9);
    observe_up(&world->worker, &record, (const uint8_t *)"\0\0\0", 3);
    down(world, &record, "\0\0\0\0\0", 5);
    assert_int_equal(atomic_load(&world->endpoint.rq_active), 1);
    assert_int_equal(LOAD(world, messages_up), 2);
    assert_int_equal(LOAD(world, bytes_up), 12);
    assert_int_equal(LOAD(world, messages_down), 1);
    assert_int_equal(LOAD(world, bytes_down), 5);
    end(world, &record);
    assert_int_equal(atomic_load(&world->endpoint.rq_active), 0);
    assert_int_equal(atomic_load(&world->endpoint.rq_total), 1);
    assert_int_equal(LOAD(world, messages_up), 2); /* its end adds nothing */
    assert_int_equal(LOAD(world, messages_up), STAT(world, messages_up));
    assert_int_equal(LOAD(world, messages_down), STAT(world, messages_down));
}

/* Each endpoint tells what it was sent, the sum over them is the proxy's, and what was sent in vain
 * is told. */
static void what_is_sent_again_counts_for_both_endpoints(void **state)
{
    struct world *world = *state;
    struct stream_record record;
    struct endpoint second = {.cluster = world->cluster};
    begin(world, &record, "v1.1", "/other.Service/Call");
    observe_up(&world->worker, &record, (const uint8_t *)"\0\0\0\0\0\0\0\0\0\0", 10);
    observe_left(&world->worker, &record);
    observe_chosen(&world->worker, &record, &second);
    observe_up(&world->worker, &record, (const uint8_t *)"\0\0\0\0\0", 5); /* waits */
    assert_int_equal(LOAD(world, messages_up), 2);
    assert_int_equal(STAT(world, messages_up), 2);
    observe_sending(&world->worker, &record);
    assert_int_equal(LOAD(world, messages_up), 2);
    assert_int_equal(per_worker_sum(&second.loads, offsetof(struct endpoint_load, messages_up)), 3);
    assert_int_equal(per_worker_sum(&second.loads, offsetof(struct endpoint_load, bytes_up)), 15);
    assert_int_equal(STAT(world, messages_up), 5);
    assert_int_equal(STAT(world, messages_resent), 2);
    end(world, &record);
    per_worker_deinit(&second.loads);
}

static void what_never_got_to_an_endpoint_counts_for_none(void **state)
{
    struct world *world = *state;
    struct stream_record record = {0};
    observe_routed(&world->worker, &record, world->routing, rule_of(world, "server-v1"));
    observe_chosen(&world->worker, &record, &world->endpoint);
    observe_up(&world->worker, &record, (const uint8_t *)"\0\0\0\0\0", 5);
    end(world, &record);
    assert_int_equal(LOAD(world, messages_up), 0);
    assert_int_equal(STAT(world, messages_up), 0);
}

/* Of the flows of all versions. */
static uint64_t live_misroutes(const struct world *world)
{
    uint64_t sum = 0;
    for (size_t i = 0; i <= FLOWS_MAX; i++) {
        sum += atomic_load(&world->worker.flows.flows[i].misrouted);
    }
    return sum;
}

static void a_rule_tells_its_streams_and_misroutes(void **state)
{
    struct world *world = *state;
    struct stream_record records[2];
    uint8_t bytes[128];
    begin(world, &records[0], "v1.1", RPC_PING_PATH);
    begin(world, &records[1], "v1.1", RPC_PING_PATH);
    assert_int_equal(OF_RULE(world, streams_active), 2);
    down(world, &records[0], bytes, answer(bytes, sizeof(bytes), "v1", "pod"));
    down(world, &records[1], bytes, answer(bytes, sizeof(bytes), "v2", "pod"));
    assert_int_equal(live_misroutes(world), 1);
    assert_int_equal(atomic_load(&world->endpoint.misrouted), 1);
    end(world, &records[0]);
    end(world, &records[1]);
    assert_int_equal(live_misroutes(world), 0);
    assert_int_equal(atomic_load(&world->endpoint.misrouted), 0);
    assert_int_equal(OF_RULE(world, streams_active), 0);
    assert_int_equal(OF_RULE(world, answers_checked), 2);
    assert_int_equal(OF_RULE(world, misrouted), 1);
    const struct account *other = routing_account(world->routing, rule_of(world, "server-v2"));
    assert_int_equal(
        per_worker_sum(&other->blocks, offsetof(struct account_block, answers_checked)), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_misroute_is_a_version_that_the_rule_does_not_name),
        TEST(a_rule_whose_backends_name_no_version_judges_nothing),
        TEST(an_answer_that_tells_no_version_is_not_judged),
        TEST(what_the_client_calls_itself_raises_no_alarm),
        TEST(the_first_answer_tells_pod_and_misroute),
        TEST(what_is_not_a_whole_small_plain_message_is_skipped),
        TEST(versions_beyond_the_table_are_counted_together),
        TEST(as_many_answers_are_timed_as_are_wanted),
        TEST(a_message_behind_one_that_waits_is_not_timed),
        TEST(messages_count_for_the_endpoint_while_the_stream_lives),
        TEST(what_is_sent_again_counts_for_both_endpoints),
        TEST(what_never_got_to_an_endpoint_counts_for_none),
        TEST(a_rule_tells_its_streams_and_misroutes),
    };
    return cmocka_run_group_tests_name("relay/observe", tests, NULL, NULL);
}
