/* Names, their addresses, and the endpoints that these become. */
#include "../relay/scene.h"

#include "base/mem.h"
#include "proxy/discovery.h"

#include <stdio.h>

#define REFRESH_MS 5000

/* The endpoints of a cluster, "10.0.0.1:50051 10.0.0.2:50051". */
static const char *endpoints_of(const struct cluster *cluster)
{
    static char text[512];
    size_t at = 0;
    text[0] = '\0';
    for (size_t i = 0; i < cluster->endpoint_count; i++) {
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s", i > 0 ? " " : "",
                               cluster->endpoints[i]->name);
    }
    return text;
}

static void addresses_come_and_go(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct cluster *cluster = scene_cluster(scene, "server-v1");
    fake_resolve("server-v1", "10.0.0.1 10.0.0.2");
    fake_resolve("server-v2", "10.0.1.1");
    struct endpoint *first = endpoint_ref(scene_view(scene, 0));
    struct proxy_discovery *discovery = proxy_discovery_start(scene->relay, REFRESH_MS);
    assert_false(proxy_discovery_done_once(discovery));
    scene_settle();
    assert_true(proxy_discovery_done_once(discovery));
    assert_string_equal(endpoints_of(cluster), "10.0.0.1:50051 10.0.0.2:50051");
    assert_string_equal(endpoints_of(scene_cluster(scene, "server-v2")), "10.0.1.1:50051");
    assert_ptr_equal(scene_view(scene, 0), first); /* with its health and counters */
    assert_int_equal(atomic_load(&cluster->endpoints[1]->health), ENDPOINT_UNKNOWN);
    fake_resolve("server-v1", "10.0.0.2 10.0.0.3");
    scene_run(REFRESH_MS - 2 * NET_TICK_MS);
    assert_string_equal(endpoints_of(cluster), "10.0.0.1:50051 10.0.0.2:50051");
    scene_run(3 * NET_TICK_MS);
    assert_string_equal(endpoints_of(cluster), "10.0.0.2:50051 10.0.0.3:50051");
    assert_true(atomic_load(&first->removed));
    endpoint_unref(first);
    proxy_discovery_stop(discovery);
    scene_close(scene);
}

static void a_look_up_that_fails_keeps_the_old_addresses(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct cluster *cluster = scene_cluster(scene, "server-v1");
    struct scene_bystander bystander = scene_bystander(scene);
    fake_resolve("server-v1", "10.0.0.1 10.0.0.2");
    struct proxy_discovery *discovery = proxy_discovery_start(scene->relay, REFRESH_MS);
    scene_settle();
    assert_true(proxy_discovery_done_once(discovery)); /* no address is an answer, too */
    fake_resolve("server-v1", NULL);
    scene_run(4 * REFRESH_MS);
    assert_string_equal(endpoints_of(cluster), "10.0.0.1:50051 10.0.0.2:50051");
    scene_check(&bystander);
    fake_resolve("server-v1", "10.0.0.1");
    scene_run(2 * REFRESH_MS);
    assert_string_equal(endpoints_of(cluster), "10.0.0.1:50051");
    scene_check(&bystander);
    struct peer_stream *near = scene_ask_v2(scene_client(scene), "");
    scene_assert_status(near, 14, "no address for server-v2:50051");
    proxy_discovery_stop(discovery);
    scene_close(scene);
}

static void an_address_that_goes_keeps_its_streams(void **state)
{
    (void)state;
    struct scene *scene = scene_open(&(struct scene_config){.v1 = 2});
    struct scene_bystander bystander = scene_bystander(scene);
    fake_resolve("server-v1", "10.0.0.2");
    struct proxy_discovery *discovery = proxy_discovery_start(scene->relay, REFRESH_MS);
    scene_run(60000);
    assert_string_equal(endpoints_of(scene_cluster(scene, "server-v1")), "10.0.0.2:50051");
    scene_check(&bystander);
    struct peer *client = scene_client(scene);
    for (int i = 0; i < 4; i++) {
        scene_ask(client, "");
    }
    assert_int_equal(scene_conn(scene, 1, 0)->stream_count, 4);
    proxy_discovery_stop(discovery);
    scene_close(scene);
}

static void a_lost_connection_asks_for_addresses_once_a_second(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    fake_resolve("server-v1", "10.0.0.1");
    fake_resolve("server-v2", "10.0.1.1");
    struct proxy_discovery *discovery = proxy_discovery_start(scene->relay, 3600000);
    scene_run(2000);
    size_t names = scene->routes->cluster_count;
    assert_int_equal(fake_resolve_count(), names);
    struct peer *client = scene_client(scene);
    for (int i = 0; i < 20; i++) { /* five a second */
        endpoint_set_health(scene_view(scene, 0), ENDPOINT_HEALTHY, NULL);
        scene_ask(client, "");
        peer_abort(scene_conn(scene, 0, scene->endpoints[0].peer_count - 1));
        scene_run(200);
        if (i == 1) {
            assert_int_equal(fake_resolve_count(), 2 * names); /* the first one at once */
        }
    }
    assert_in_range(fake_resolve_count() / names, 4, 5);
    scene_run(60000); /* and then it is quiet again */
    assert_in_range(fake_resolve_count() / names, 4, 6);
    proxy_discovery_stop(discovery);
    scene_close(scene);
}

static void several_names_of_a_cluster_are_one_set(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct cluster *cluster = scene_cluster(scene, "server-v1");
    static const struct text_address targets[] = {{"a", 1}, {"b", 2}, {"c", 3}};
    cluster_set_targets(cluster, targets, ARRAY_SIZE(targets));
    fake_resolve("a", "10.0.0.1");
    fake_resolve("b", "10.0.0.1 10.0.0.2");
    struct proxy_discovery *discovery = proxy_discovery_start(scene->relay, REFRESH_MS);
    scene_settle();
    assert_string_equal(endpoints_of(cluster), "10.0.0.1:1 10.0.0.1:2 10.0.0.2:2");
    fake_resolve("a", NULL); /* keeps what it had */
    fake_resolve("b", "10.0.0.2");
    fake_resolve("c", "10.0.0.9");
    scene_run(REFRESH_MS + 2 * NET_TICK_MS);
    assert_string_equal(endpoints_of(cluster), "10.0.0.1:1 10.0.0.2:2 10.0.0.9:3");
    proxy_discovery_stop(discovery);
    scene_close(scene);
}

static void other_names_take_over_when_all_have_answered(void **state)
{
    (void)state;
    static const struct text_address targets[] = {{"a", 1}, {"b", 2}, {"c", 3}};
    struct scene *scene = scene_open(NULL);
    struct cluster *cluster = scene_cluster(scene, "server-v1");
    fake_resolve("server-v1", "10.0.0.1");
    struct proxy_discovery *discovery = proxy_discovery_start(scene->relay, REFRESH_MS);
    scene_settle();
    fake_resolve("a", "10.0.0.7"); /* b and c have no address */
    fake_resolve_delay(3 * NET_TICK_MS);
    cluster_set_targets(cluster, targets, ARRAY_SIZE(targets));
    proxy_discovery_update(discovery);
    assert_false(proxy_discovery_done_once(discovery));
    assert_string_equal(endpoints_of(cluster), "10.0.0.1:50051");
    scene_run(4 * NET_TICK_MS);
    assert_true(proxy_discovery_done_once(discovery));
    assert_string_equal(endpoints_of(cluster), "10.0.0.7:1");
    cluster_set_targets(cluster, targets + 1, 2); /* nothing is known of these */
    proxy_discovery_update(discovery);
    scene_run(4 * NET_TICK_MS);
    assert_string_equal(endpoints_of(cluster), "10.0.0.7:1");
    proxy_discovery_stop(discovery);
    scene_close(scene);
}

static void the_same_address_of_two_names_is_one_endpoint(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct cluster *cluster = scene_cluster(scene, "server-v1");
    static const struct text_address targets[] = {{"server-v1", 50051}, {"alias", 50051}};
    cluster_set_targets(cluster, targets, ARRAY_SIZE(targets));
    fake_resolve("server-v1", "10.0.0.1 10.0.0.2");
    fake_resolve("alias", "10.0.0.2 10.0.0.3");
    struct proxy_discovery *discovery = proxy_discovery_start(scene->relay, REFRESH_MS);
    scene_settle();
    assert_string_equal(endpoints_of(cluster), "10.0.0.1:50051 10.0.0.2:50051 10.0.0.3:50051");
    proxy_discovery_stop(discovery);
    scene_close(scene);
}

static void a_slow_look_up_is_not_started_twice_and_may_be_stopped(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    fake_resolve("server-v1", "10.0.0.7");
    fake_resolve_delay(7 * REFRESH_MS);
    struct proxy_discovery *discovery = proxy_discovery_start(scene->relay, REFRESH_MS);
    scene_run(5 * REFRESH_MS);
    assert_int_equal(fake_resolve_count(), scene->routes->cluster_count);
    assert_false(proxy_discovery_done_once(discovery));
    assert_string_equal(endpoints_of(scene_cluster(scene, "server-v1")), "10.0.0.1:50051");
    proxy_discovery_stop(discovery);
    scene_run(5 * REFRESH_MS);
    assert_string_equal(endpoints_of(scene_cluster(scene, "server-v1")), "10.0.0.1:50051");
    scene_close(scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_come_and_go),
        cmocka_unit_test(a_look_up_that_fails_keeps_the_old_addresses),
        cmocka_unit_test(an_address_that_goes_keeps_its_streams),
        cmocka_unit_test(a_lost_connection_asks_for_addresses_once_a_second),
        cmocka_unit_test(several_names_of_a_cluster_are_one_set),
        cmocka_unit_test(other_names_take_over_when_all_have_answered),
        cmocka_unit_test(the_same_address_of_two_names_is_one_endpoint),
        cmocka_unit_test(a_slow_look_up_is_not_started_twice_and_may_be_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
