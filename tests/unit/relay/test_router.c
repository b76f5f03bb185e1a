/* From a request to a cluster, by routes. */
#include "scene.h"

#include "base/mem.h"
#include "relay/router.h"
#include "route/table.h"

#include <stdio.h>

#define HEAD                                                                                       \
    "apiVersion: gateway.networking.k8s.io/v1\nkind: GRPCRoute\nmetadata: {name: r}\nspec:\n"      \
    "  rules:\n"
#define MATCH(type, value)                                                                         \
    "  - matches: [{headers: [{name: agent-version, type: " type ", value: '" value "'}]}]\n"

static void decide(struct scene *scene, const char *version, const char *other,
                   struct router_decision *ret)
{
    const struct h2_header fields[] = {
        H2_HEADER(":method", "POST"),        H2_HEADER(":path", "/p.S/M"),
        H2_HEADER("agent-version", version), H2_HEADER("agent-id", other != NULL ? other : "x"),
        H2_HEADER("agent-version", version),
    };
    const bool repeated = other == NULL;
    struct routing *routing = relay_routing(scene->relay);
    router_decide(scene->relay, routing, &(struct h2_block){fields, repeated ? 5 : 4}, ret);
    routing_unref(routing); /* the relay has it, too */
}

static size_t index_of(const struct scene *scene, const struct cluster *cluster)
{
    size_t i = 0;
    while (scene->clusters[i] != cluster) {
        i++;
        assert_true(i < ARRAY_SIZE(scene->clusters));
    }
    return i;
}

static void weights_are_kept_exactly_and_zero_gets_nothing(void **state)
{
    (void)state;
    static const char routes[] = HEAD MATCH(
        "Exact",
        "v1.1") "    backendRefs: [{name: server-v1, port: 1, weight: 3}, {name: server-v2, port: 1, "
                "weight: 1}, {name: server-v3, port: 1, weight: 0}]\n";
    struct scene *scene = scene_open(&(struct scene_config){.routes = routes});
    unsigned counts[3] = {0};
    struct router_decision decision;
    for (int i = 0; i < 400; i++) {
        decide(scene, "v1.1", "a", &decision);
        assert_non_null(decision.cluster);
        counts[index_of(scene, decision.cluster)]++;
    }
    assert_int_equal(counts[0], 300);
    assert_int_equal(counts[1], 100);
    assert_int_equal(counts[2], 0);
    scene_close(scene);
}

static void rules_count_their_own_tickets(void **state)
{
    (void)state;
    static const char routes[] = HEAD
        MATCH("Exact", "v1.1") "    backendRefs: [{name: server-v1, port: 1}, {name: server-v2, port: 1}]\n" MATCH(
            "Exact",
            "v1.2") "    backendRefs: [{name: server-v1, port: 1}, {name: server-v2, port: 1}]\n";
    struct scene *scene = scene_open(&(struct scene_config){.routes = routes});
    unsigned counts[2] = {0};
    struct router_decision decision;
    for (int i = 0; i < 100; i++) { /* in turns: one counter would give each one backend */
        decide(scene, "v1.1", "a", &decision);
        counts[index_of(scene, decision.cluster)]++;
        decide(scene, "v1.2", "a", &decision);
    }
    assert_int_equal(counts[0], 50);
    assert_int_equal(counts[1], 50);
    scene_close(scene);
}

static void the_hash_is_that_of_the_header_alone(void **state)
{
    (void)state;
    struct scene *scene = scene_open(&(struct scene_config){.hash_header = "agent-id"});
    struct router_decision a;
    struct router_decision b;
    decide(scene, "v1.1", "one", &a);
    decide(scene, "v1.2", "one", &b);
    assert_int_equal(a.hash, b.hash);
    assert_true(a.hash == UINT64_C(0x1a08aa1921ca5caf)); /* FNV-1a, over restarts, too */
    decide(scene, "v1.1", "two", &b);
    assert_int_not_equal(a.hash, b.hash);
    scene_close(scene);
}

static void a_hashed_agent_stays_on_its_endpoint(void **state)
{
    (void)state;
    struct scene *scene = scene_open(&(struct scene_config){.hash_header = "agent-id", .v1 = 4});
    struct peer *client = scene_client(scene);
    unsigned used = 0;
    for (int agent = 0; agent < 20; agent++) {
        char id[40];
        snprintf(id, sizeof(id), "agent-id: agent-%d\n", agent);
        scene_ask(client, id);
        const struct endpoint *home = scene_exchange(scene)->endpoint;
        for (int i = 0; i < 3; i++) {
            scene_ask(client, id);
            assert_ptr_equal(scene_exchange(scene)->endpoint, home);
        }
    }
    for (size_t i = 0; i < 4; i++) {
        used += scene->endpoints[i].peer_count > 0;
    }
    assert_true(used > 1);
    scene_close(scene);
}

static void without_a_route_the_answer_is_unimplemented(void **state)
{
    (void)state;
    static const char routes[] =
        HEAD MATCH("Exact", "v1.1") "    backendRefs: [{name: server-v1, port: 1}]\n";
    struct scene *scene = scene_open(&(struct scene_config){.routes = routes});
    struct peer_stream *near = scene_ask_v2(scene_client(scene), "");
    scene_assert_status(near, 12, "no route matches this request");
    assert_int_equal(scene_stat(scene, rq_no_route), 1);
    assert_int_equal(scene->endpoints[0].peer_count, 0);
    scene_close(scene);
}

static void a_repeated_routing_header_is_not_guessed_at(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct peer_stream *near = scene_ask(scene_client(scene), "agent-version: v2.1\n");
    scene_assert_status(near, 3, "header is given more than once: agent-version");
    assert_int_equal(scene_stat(scene, rq_rejected), 1);
    struct router_decision decision;
    decide(scene, "v1.1", NULL, &decision); /* of the same value, too */
    assert_null(decision.cluster);
    assert_int_equal(decision.code, RPC_INVALID_ARGUMENT);
    scene_close(scene);
}

static void a_rule_without_backends_is_unavailable(void **state)
{
    (void)state;
    static const char routes[] = HEAD
        MATCH("Exact", "v1.1") "    backendRefs: [{name: server-v1, port: 1, weight: 0}]\n" MATCH(
            "Exact", "v2.1") "    backendRefs: []\n";
    struct scene *scene = scene_open(&(struct scene_config){.routes = routes});
    struct peer *client = scene_client(scene);
    scene_assert_status(scene_ask(client, ""), 14, "no backend of the matching rule has a weight");
    scene_assert_status(scene_ask_v2(client, ""), 14,
                        "no backend of the matching rule has a weight");
    assert_int_equal(scene_stat(scene, rq_unavailable), 2);
    scene_close(scene);
}

/* Catastrophic backtracking that a client chooses costs it its own stream, in bounded time. */
static void a_regular_expression_that_gives_up_is_said(void **state)
{
    (void)state;
    static const char routes[] = HEAD MATCH(
        "RegularExpression", "(x+)+[yz]") "    backendRefs: [{name: server-v1, port: 1}]\n";
    struct scene *scene = scene_open(&(struct scene_config){.routes = routes});
    const char *value = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    struct router_decision decision;
    decide(scene, value, "a", &decision);
    assert_null(decision.cluster);
    assert_int_equal(decision.code, RPC_INVALID_ARGUMENT);
    assert_non_null(strstr(decision.reason, "reached its limits on agent-version"));
    scene_close(scene);
}

/* In HTTP, for who does not speak gRPC: none of these is a success. */
static void refusals_have_a_status_of_http(void **state)
{
    (void)state;
    static const char routes[] = HEAD
        MATCH("RegularExpression", "(x+)+[yz]") "    backendRefs: [{name: server-v1, port: 1}]\n" MATCH(
            "Exact", "v2.1") "    backendRefs: []\n";
    static const struct {
        const char *fields;
        const char *status;
    } rows[] = {
        {"agent-version: v3\n", "404"},
        {"agent-version: v3\nagent-version: v3\n", "400"},
        {"agent-version: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n", "400"},
        {"agent-version: v2.1\n", "503"},
    };
    struct scene *scene = scene_open(&(struct scene_config){.routes = routes});
    struct peer *client = scene_client(scene);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char fields[256];
        snprintf(fields, sizeof(fields),
                 ":method: POST\n:scheme: http\n:authority: a\n:path: /x\n"
                 "content-type: application/json\n%s",
                 rows[i].fields);
        struct peer_stream *near = peer_ask(client, fields, true);
        scene_settle();
        assert_string_equal(peer_value(near, ":status"), rows[i].status);
        assert_null(peer_value(near, "grpc-status"));
        assert_true(near->ended);
    }
    scene_close(scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_are_kept_exactly_and_zero_gets_nothing),
        cmocka_unit_test(rules_count_their_own_tickets),
        cmocka_unit_test(the_hash_is_that_of_the_header_alone),
        cmocka_unit_test(a_hashed_agent_stays_on_its_endpoint),
        cmocka_unit_test(without_a_route_the_answer_is_unimplemented),
        cmocka_unit_test(a_repeated_routing_header_is_not_guessed_at),
        cmocka_unit_test(a_rule_without_backends_is_unavailable),
        cmocka_unit_test(a_regular_expression_that_gives_up_is_said),
        cmocka_unit_test(refusals_have_a_status_of_http),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
