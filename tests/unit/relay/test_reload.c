/* What is in force changes while streams live. */
#include "scene.h"

#include "base/mem.h"
#include "relay/relay.h"
#include "route/load.h"
#include "route/parse.h"

#define NAMED(backend)                                                                             \
    "apiVersion: gateway.networking.k8s.io/v1\nkind: GRPCRoute\nmetadata: {name: r}\n"             \
    "spec:\n  rules:\n  - backendRefs: [{name: " backend ", port: 50051}]\n"

static struct route_table *parse(const char *text)
{
    struct route_table *table;
    struct route_error error;
    assert_int_equal(route_table_parse(text, strlen(text), "routes", &table, &error), 0);
    return table;
}

/* A routing with the clusters of the scene, and with new ones where it has none of that name. */
static struct routing *routing_of(struct scene *scene, const char *routes)
{
    struct route_table *table = parse(routes);
    struct routing *current = relay_routing(scene->relay);
    struct cluster *clusters[4];
    for (size_t i = 0; i < table->cluster_count; i++) {
        struct cluster *known = routing_find(current, table->clusters[i].name);
        clusters[i] = known != NULL ? cluster_ref(known)
                                    : cluster_new(table->clusters[i].name, LB_ROUND_ROBIN);
    }
    routing_unref(current);
    return routing_new(table, clusters);
}

static void put_in_force(struct scene *scene, struct routing *routing)
{
    relay_replace(scene->relay, routing, NULL);
    scene_run(1);
}

static void a_live_stream_keeps_its_endpoint_and_a_new_one_follows(void **state)
{
    (void)state;
    struct scene *scene = scene_open(&(struct scene_config){.v1 = 1, .v2 = 1});
    struct peer *client = scene_client(scene);
    struct peer_stream *old = scene_ask(client, "");
    peer_begin(peer_stream(scene_conn(scene, 0, 0), 0));
    scene_settle();
    put_in_force(scene, routing_of(scene, NAMED("server-v2")));
    struct peer_stream *fresh = scene_ask(client, "");
    assert_int_equal(scene->endpoints[1].peer_count, 1); /* of server-v2 */
    peer_begin(peer_stream(scene_conn(scene, 1, 0), 0));
    peer_send(old, "old", 3);
    peer_send(fresh, "new", 3);
    scene_settle();
    assert_true(peer_took(peer_stream(scene_conn(scene, 0, 0), 0), "old"));
    assert_true(peer_took(peer_stream(scene_conn(scene, 1, 0), 0), "new"));
    assert_false(old->closed);
    scene_close(scene);
}

static void count_endpoint(void *ctx, struct endpoint *endpoint)
{
    assert_true(atomic_load(&endpoint->removed));
    ++*(size_t *)ctx;
}

static void count_left(void *ctx, struct cluster *cluster)
{
    cluster_each_left(cluster, count_endpoint, ctx);
}

/* Endpoints in sight of clusters that are no longer led to. */
static size_t left_endpoints(struct relay *relay)
{
    size_t count = 0;
    relay_forget_left(relay);
    relay_each_left_cluster(relay, count_left, &count);
    return count;
}

static void a_cluster_that_went_ends_with_its_last_stream(void **state)
{
    (void)state;
    struct scene *scene = scene_open(&(struct scene_config){.v1 = 1, .v2 = 1});
    struct peer *client = scene_client(scene);
    struct peer_stream *near = scene_ask(client, "");
    struct cluster *cluster = cluster_ref(scene_cluster(scene, "server-v1"));
    put_in_force(scene, routing_of(scene, NAMED("server-v2")));
    assert_int_equal(cluster->endpoint_count, 0);
    assert_false(near->closed);
    assert_true(atomic_load(&cluster->references) > 1);
    assert_int_equal(left_endpoints(scene->relay), 1);
    scene_serve(peer_stream(scene_conn(scene, 0, 0), 0));
    scene_run(120000); /* and with the connection, which nobody needs any more */
    assert_true(near->closed);
    assert_int_equal(left_endpoints(scene->relay), 0);
    assert_int_equal(atomic_load(&cluster->references), 1);
    cluster_unref(cluster);
    scene_close(scene);
}

static void a_stream_that_waits_for_its_endpoint_gets_there(void **state)
{
    (void)state;
    struct scene *scene = scene_open(&(struct scene_config){.v1 = 1, .v2 = 1});
    scene->endpoints[0].dial = SCENE_HANGS;
    struct peer_stream *near = scene_ask(scene_client(scene), "");
    put_in_force(scene, routing_of(scene, NAMED("server-v2")));
    scene_run(60000);
    scene_assert_status(near, 14, "server-v1"); /* its routing is still what it was */
    scene_close(scene);
}

static void an_endpoint_that_went_is_in_sight_until_its_last_stream_ends(void **state)
{
    (void)state;
    struct scene *scene = scene_open(&(struct scene_config){.v1 = 2, .v2 = 1});
    struct peer *client = scene_client(scene);
    size_t count = 0;
    size_t added;
    size_t removed;
    scene_ask(client, "");
    scene_ask(client, "");
    struct cluster *cluster = scene_cluster(scene, "server-v1");
    cluster_update(cluster, &scene->endpoints[0].address, 1, &added, &removed);
    assert_int_equal(removed, 1);
    relay_forget_left(scene->relay);
    count_left(&count, cluster);
    assert_int_equal(count, 1);
    scene_serve(peer_stream(scene_conn(scene, 1, 0), 0));
    scene_settle();
    relay_forget_left(scene->relay);
    count = 0;
    count_left(&count, cluster);
    assert_int_equal(count, 0);
    scene_close(scene);
}

static void a_cluster_that_stays_keeps_its_counters(void **state)
{
    (void)state;
    struct scene *scene = scene_open(&(struct scene_config){.v1 = 2, .v2 = 1});
    struct peer *client = scene_client(scene);
    for (int i = 0; i < 4; i++) {
        scene_ask(client, "");
        put_in_force(scene, routing_of(scene, NAMED("server-v1")));
    }
    assert_int_equal(atomic_load(&scene_view(scene, 0)->rq_total), 2); /* and its turn */
    assert_int_equal(atomic_load(&scene_view(scene, 1)->rq_total), 2);
    scene_close(scene);
}

static void what_is_coming_is_visited_and_leaves_nothing_when_it_does_not_come(void **state)
{
    (void)state;
    struct scene *scene = scene_open(&(struct scene_config){.v1 = 1, .v2 = 1});
    struct routing *coming = routing_of(scene, NAMED("server-v3"));
    struct cluster *cluster = cluster_ref(coming->clusters[0]);
    struct sockaddr_storage address = scene->endpoints[0].address;
    size_t added;
    size_t removed;
    relay_expect(scene->relay, coming);
    cluster_update(cluster, &address, 1, &added, &removed);
    relay_expect(scene->relay, NULL);
    assert_int_equal(cluster->endpoint_count, 0);
    assert_int_equal(atomic_load(&cluster->references), 1);
    cluster_unref(cluster);
    scene_close(scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_live_stream_keeps_its_endpoint_and_a_new_one_follows),
        cmocka_unit_test(a_cluster_that_went_ends_with_its_last_stream),
        cmocka_unit_test(a_stream_that_waits_for_its_endpoint_gets_there),
        cmocka_unit_test(an_endpoint_that_went_is_in_sight_until_its_last_stream_ends),
        cmocka_unit_test(a_cluster_that_stays_keeps_its_counters),
        cmocka_unit_test(what_is_coming_is_visited_and_leaves_nothing_when_it_does_not_come),
    };
    return cmocka_run_group_tests_name("relay/reload", tests, NULL, NULL);
}
