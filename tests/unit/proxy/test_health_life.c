/* When an endpoint is checked, and what a check does to the streams beside it. */
#include "../relay/scene.h"

#include "base/mem.h"
#include "h2/session.h"
#include "proxy/health.h"
#include "relay/upstream.h"
#include "rpc/health.h"

#include <stdio.h>

#define INTERVAL_MS SCENE_CHECK_INTERVAL_MS

static bool is_check(const struct peer_stream *stream)
{
    const char *path = peer_value(stream, ":path");
    return path != NULL && strcmp(path, RPC_HEALTH_CHECK_PATH) == 0;
}

static unsigned count_checks(const struct scene *scene, size_t endpoint)
{
    unsigned count = 0;
    for (size_t i = 0; i < scene->endpoints[endpoint].peer_count; i++) {
        struct list *node;
        struct list *next;
        list_each(node, next, &scene->endpoints[endpoint].peers[i]->streams)
        {
            count += is_check(container_of(node, struct peer_stream, node));
        }
    }
    return count;
}

static const uint8_t serving[] = {0, 0, 0, 0, 2, 8, 1};
static const uint8_t not_serving[] = {0, 0, 0, 0, 2, 8, 2};
static bool serves;
static unsigned refusals; /* of checks to come */

static void answer_check(struct peer_stream *stream)
{
    if (!is_check(stream)) {
        return;
    }
    if (refusals > 0) {
        refusals--;
        peer_reset(stream, H2_REFUSED_STREAM);
        return;
    }
    peer_begin(stream);
    peer_send(stream, serves ? serving : not_serving, sizeof(serving));
    peer_trailers(stream, "grpc-status: 0\n");
}

static struct scene *open_checked(struct proxy_health **ret_health)
{
    struct scene *scene = scene_open(&(struct scene_config){.unchecked = true, .drain_ms = 2000});
    serves = true;
    refusals = 0;
    scene->endpoints[0].config.on_end = answer_check;
    *ret_health = proxy_health_start(scene->relay);
    return scene;
}

static struct scene *open_thresholds(unsigned unhealthy, unsigned healthy,
                                     struct proxy_health **ret_health)
{
    struct scene *scene = scene_open(&(struct scene_config){.unchecked = true, .drain_ms = 2000});
    serves = true;
    refusals = 0;
    scene->endpoints[0].config.on_end = answer_check;
    scene->relay->config.health.unhealthy_threshold = unhealthy;
    scene->relay->config.health.healthy_threshold = healthy;
    *ret_health = proxy_health_start(scene->relay);
    return scene;
}

static enum endpoint_health health_of(struct scene *scene)
{
    return (enum endpoint_health)atomic_load(&scene_view(scene, 0)->health);
}

static void the_first_check_is_made_at_once_and_then_at_intervals(void **state)
{
    (void)state;
    struct proxy_health *health;
    struct scene *scene = open_checked(&health);
    scene_run(2 * NET_TICK_MS);
    assert_int_equal(count_checks(scene, 0), 1);
    assert_int_equal(health_of(scene), ENDPOINT_HEALTHY);
    scene_run(10 * INTERVAL_MS);
    assert_in_range(count_checks(scene, 0), 10, 11);
    serves = false;
    scene_run(INTERVAL_MS + NET_TICK_MS);
    assert_int_equal(health_of(scene), ENDPOINT_UNHEALTHY);
    unsigned before = count_checks(scene, 0);
    scene_run(10 * PROXY_HEALTH_RETRY_MS);
    assert_in_range(count_checks(scene, 0) - before, 8, 10);
    serves = true;
    scene_run(PROXY_HEALTH_RETRY_MS + NET_TICK_MS);
    assert_int_equal(health_of(scene), ENDPOINT_HEALTHY);
    assert_int_equal(scene->endpoints[0].peer_count, 1); /* that of the streams */
    proxy_health_stop(health);
    scene_close(scene);
}

static void an_endpoint_that_turns_unhealthy_keeps_its_streams(void **state)
{
    (void)state;
    struct proxy_health *health;
    struct scene *scene = open_checked(&health);
    scene_run(2 * NET_TICK_MS);
    struct scene_bystander bystander = scene_bystander(scene);
    serves = false;
    scene_run(60000);
    assert_int_equal(health_of(scene), ENDPOINT_UNHEALTHY);
    scene_check(&bystander);
    struct peer_stream *fresh = scene_ask(scene_client(scene), "");
    scene_assert_status(fresh, 14, "health check answered NOT_SERVING");
    serves = true;
    scene_run(2000);
    assert_false(scene_ask(scene->clients[1], "")->closed);
    scene_check(&bystander);
    proxy_health_stop(health);
    scene_close(scene);
}

static void ignore(struct peer_stream *stream)
{
    (void)stream;
}

static void refuse_check(struct peer_stream *stream)
{
    if (is_check(stream)) {
        peer_status(stream, 13, "");
    }
}

/* Time for one check that is not answered, and for it to begin. */
#define LATE_MS (SCENE_CHECK_TIMEOUT_MS + 2 * NET_TICK_MS)

static void a_first_answer_that_is_late_decides_and_is_then_harmless(void **state)
{
    (void)state;
    struct proxy_health *health;
    struct scene *scene = open_checked(&health);
    scene->endpoints[0].config.on_end = ignore;
    scene_run(NET_TICK_MS);
    struct scene_bystander bystander = scene_bystander(scene);
    struct peer *conn = scene_conn(scene, 0, 0);
    scene_run(SCENE_CHECK_TIMEOUT_MS + NET_TICK_MS);
    assert_int_equal(health_of(scene), ENDPOINT_UNHEALTHY);
    assert_string_equal(scene_view(scene, 0)->cause, "health check was not answered in time");
    struct peer_stream *check = peer_stream(conn, 0);
    assert_true(check->closed);
    assert_int_equal(check->error, H2_CANCEL);
    conn->config.on_end = answer_check;
    scene_run(3000);
    assert_int_equal(health_of(scene), ENDPOINT_HEALTHY);
    scene_check(&bystander);
    proxy_health_stop(health);
    scene_close(scene);
}

static bool has_failed_once(void *user)
{
    return atomic_load(&scene_view(user, 0)->check_failures) == 1;
}

static void one_late_answer_takes_no_endpoint_out_but_two_do(void **state)
{
    (void)state;
    struct proxy_health *health;
    struct scene *scene = open_checked(&health);
    scene_run(2 * NET_TICK_MS);
    struct scene_bystander bystander = scene_bystander(scene);
    struct peer *conn = scene_conn(scene, 0, 0);
    const struct endpoint *view = scene_view(scene, 0);
    for (int i = 0; i < 5; i++) { /* late once, again and again */
        conn->config.on_end = ignore;
        assert_true(fake_advance_until(has_failed_once, scene, INTERVAL_MS + LATE_MS));
        assert_int_equal(health_of(scene), ENDPOINT_HEALTHY);
        assert_string_equal(view->cause, "health check was not answered in time");
        assert_false(scene_ask(scene->clients[0], "")->closed);
        conn->config.on_end = answer_check;
        scene_run(PROXY_HEALTH_RETRY_MS + 2 * NET_TICK_MS);
        assert_int_equal(atomic_load(&view->check_failures), 0);
        assert_string_equal(view->cause, "");
    }
    conn->config.on_end = ignore;
    scene_run(INTERVAL_MS + PROXY_HEALTH_RETRY_MS + 2 * LATE_MS);
    assert_int_equal(health_of(scene), ENDPOINT_UNHEALTHY);
    assert_int_equal(atomic_load(&view->check_failures), 2);
    scene_check(&bystander);
    proxy_health_stop(health);
    scene_close(scene);
}

static void thresholds_are_what_was_asked_for(void **state)
{
    (void)state;
    struct proxy_health *health;
    struct scene *scene = open_thresholds(4, 3, &health);
    scene_run(2 * NET_TICK_MS);
    assert_int_equal(health_of(scene), ENDPOINT_HEALTHY); /* the first one needs no others */
    scene_bystander(scene);
    struct peer *conn = scene_conn(scene, 0, 0);
    conn->config.on_end = refuse_check;
    scene_run(INTERVAL_MS + NET_TICK_MS);
    for (unsigned failed = 1; failed < 4; failed++) {
        assert_int_equal(atomic_load(&scene_view(scene, 0)->check_failures), failed);
        assert_int_equal(health_of(scene), ENDPOINT_HEALTHY);
        scene_run(PROXY_HEALTH_RETRY_MS);
    }
    assert_int_equal(health_of(scene), ENDPOINT_UNHEALTHY);
    assert_string_equal(scene_view(scene, 0)->cause, "health check failed with INTERNAL");
    conn->config.on_end = answer_check;
    scene_run(2 * PROXY_HEALTH_RETRY_MS);
    assert_int_equal(health_of(scene), ENDPOINT_UNHEALTHY);
    assert_string_equal(scene_view(scene, 0)->cause, "health check failed with INTERNAL");
    scene_run(PROXY_HEALTH_RETRY_MS + NET_TICK_MS);
    assert_int_equal(health_of(scene), ENDPOINT_HEALTHY);
    proxy_health_stop(health);
    scene_close(scene);
}

/* It is an answer, whatever the threshold. */
static void not_serving_counts_at_once(void **state)
{
    (void)state;
    struct proxy_health *health;
    struct scene *scene = open_thresholds(1000, 1, &health);
    scene_run(2 * NET_TICK_MS);
    struct scene_bystander bystander = scene_bystander(scene);
    serves = false;
    scene_run(INTERVAL_MS + NET_TICK_MS);
    assert_int_equal(health_of(scene), ENDPOINT_UNHEALTHY);
    scene_assert_status(scene_ask(scene_client(scene), ""), 14,
                        "health check answered NOT_SERVING");
    scene_run(60000);
    scene_check(&bystander);
    proxy_health_stop(health);
    scene_close(scene);
}

static void without_checks_a_connection_is_all_that_is_asked(void **state)
{
    (void)state;
    struct scene *scene = scene_open(&(struct scene_config){.unchecked = true});
    scene->relay->config.health.checks = false;
    scene->endpoints[0].config.on_end = answer_check;
    serves = false;
    struct proxy_health *health = proxy_health_start(scene->relay);
    scene_run(2 * NET_TICK_MS);
    assert_true(proxy_health_done_once(health));
    assert_int_equal(health_of(scene), ENDPOINT_HEALTHY);
    struct scene_bystander bystander = scene_bystander(scene);
    scene_run(20 * INTERVAL_MS);
    scene_check(&bystander);
    assert_int_equal(count_checks(scene, 0), 0);
    assert_int_equal(scene->endpoints[0].peer_count, 1);
    scene->endpoints[0].dial = SCENE_REFUSES;
    peer_abort(scene_conn(scene, 0, 0));
    scene_run(5 * PROXY_HEALTH_RETRY_MS);
    assert_int_equal(health_of(scene), ENDPOINT_UNHEALTHY);
    assert_non_null(strstr(scene_view(scene, 0)->cause, "connection refused"));
    scene->endpoints[0].dial = SCENE_ACCEPTS;
    scene_run(PROXY_HEALTH_RETRY_MS + 2 * NET_TICK_MS);
    assert_int_equal(health_of(scene), ENDPOINT_HEALTHY);
    proxy_health_stop(health);
    scene_close(scene);
}

/* The resets of such checks wait for nothing, else checks would end, and nobody is charged. */
static void checks_that_are_never_answered_are_nobodys_trouble(void **state)
{
    (void)state;
    struct proxy_health *health;
    struct scene *scene = open_checked(&health);
    scene->endpoints[0].config.on_end = ignore;
    scene_run(NET_TICK_MS);
    struct scene_bystander bystander = scene_bystander(scene);
    for (int i = 0; i < 600; i++) {
        scene_run(1000);
        scene_check(&bystander); /* which shows that it lives */
    }
    assert_in_range(count_checks(scene, 0), 150, 210);
    assert_int_equal(scene_conn(scene, 0, 0)->young_resets, 0);
    assert_int_equal(scene_stat(scene, clients_apart), 0);
    assert_int_equal(scene->endpoints[0].peer_count, 1);
    proxy_health_stop(health);
    scene_close(scene);
}

static bool all_refused(void *user)
{
    (void)user;
    return refusals == 0;
}

static void a_check_that_was_not_looked_at_is_made_once_more(void **state)
{
    (void)state;
    struct proxy_health *health;
    struct scene *scene = open_checked(&health);
    scene_run(2 * NET_TICK_MS);
    refusals = 1;
    unsigned before = count_checks(scene, 0);
    assert_true(fake_advance_until(all_refused, NULL, 2 * INTERVAL_MS));
    assert_int_equal(health_of(scene), ENDPOINT_HEALTHY); /* it tells nothing */
    scene_run(2 * NET_TICK_MS);
    assert_int_equal(health_of(scene), ENDPOINT_HEALTHY);
    assert_int_equal(count_checks(scene, 0) - before, 2);
    refusals = 2;
    assert_true(fake_advance_until(all_refused, NULL, 2 * INTERVAL_MS));
    assert_int_equal(atomic_load(&scene_view(scene, 0)->check_failures), 1);
    assert_non_null(strstr(scene_view(scene, 0)->cause, "health check ended with REFUSED_STREAM"));
    scene_run(2000);
    refusals = 4;
    assert_true(fake_advance_until(all_refused, NULL, 2 * INTERVAL_MS));
    assert_int_equal(health_of(scene), ENDPOINT_UNHEALTHY);
    scene_run(2000);
    assert_int_equal(health_of(scene), ENDPOINT_HEALTHY);
    proxy_health_stop(health);
    scene_close(scene);
}

static void a_goaway_asks_for_a_check_at_once(void **state)
{
    (void)state;
    struct proxy_health *health;
    struct scene *scene = open_checked(&health);
    scene_run(2 * NET_TICK_MS);
    scene_bystander(scene);
    serves = false;
    struct peer *conn = scene_conn(scene, 0, 0);
    peer_goaway(conn, peer_stream(conn, 1)->id, H2_NO_ERROR, "");
    scene_run(2 * NET_TICK_MS); /* well before the interval */
    assert_int_equal(health_of(scene), ENDPOINT_UNHEALTHY);
    assert_int_equal(scene->endpoints[0].peer_count, 2);
    proxy_health_stop(health);
    scene_close(scene);
}

static void an_endpoint_that_cannot_be_reached_is_asked_again(void **state)
{
    (void)state;
    struct proxy_health *health;
    struct scene *scene = open_checked(&health);
    scene->endpoints[0].dial = SCENE_REFUSES;
    scene_run(10 * PROXY_HEALTH_RETRY_MS);
    assert_int_equal(health_of(scene), ENDPOINT_UNHEALTHY);
    assert_non_null(strstr(scene_view(scene, 0)->cause, "connection refused"));
    assert_in_range(fake_dial_count(), 8, 10);
    scene->endpoints[0].dial = SCENE_ACCEPTS;
    scene_run(PROXY_HEALTH_RETRY_MS + 2 * NET_TICK_MS);
    assert_int_equal(health_of(scene), ENDPOINT_HEALTHY);
    proxy_health_stop(health);
    scene_close(scene);
}

/* That the process has no descriptor left says nothing of the endpoint. */
static void a_check_that_could_not_be_made_tells_nothing(void **state)
{
    (void)state;
    struct proxy_health *health;
    struct scene *scene = open_checked(&health);
    scene->endpoints[0].dial = SCENE_NO_DESCRIPTOR;
    scene_run(10 * PROXY_HEALTH_RETRY_MS);
    assert_int_equal(health_of(scene), ENDPOINT_UNKNOWN);
    assert_in_range(fake_dial_count(), 8, 10);
    scene->endpoints[0].dial = SCENE_ACCEPTS;
    scene_run(PROXY_HEALTH_RETRY_MS + 2 * NET_TICK_MS);
    assert_int_equal(health_of(scene), ENDPOINT_HEALTHY);
    proxy_health_stop(health);
    scene_close(scene);
}

static void a_removed_endpoint_is_checked_no_more(void **state)
{
    (void)state;
    for (int in_flight = 0; in_flight < 3; in_flight++) { /* idle, waiting for SETTINGS, open */
        struct proxy_health *health;
        struct scene *scene = open_checked(&health);
        scene->endpoints[0].config.silent = in_flight == 1;
        scene->endpoints[0].config.on_end = in_flight == 2 ? ignore : answer_check;
        scene_run(2 * NET_TICK_MS);
        struct cluster *cluster = scene_view(scene, 0)->cluster;
        size_t added;
        size_t removed;
        cluster_update(cluster, NULL, 0, &added, &removed);
        scene_run(10000);
        assert_int_equal(count_checks(scene, 0), in_flight == 1 ? 0 : 1);
        assert_true(proxy_health_done_once(health)); /* there is nothing to wait for */
        assert_true(list_empty(&scene->worker->upstreams));
        proxy_health_stop(health);
        scene_close(scene);
    }
}

static void health_may_stop_with_a_check_in_flight(void **state)
{
    (void)state;
    for (int answered = 0; answered < 3; answered++) {
        struct proxy_health *health;
        struct scene *scene = open_checked(&health);
        scene->endpoints[0].config.on_end = ignore;
        scene->endpoints[0].config.silent = answered == 2;
        scene_run(2 * NET_TICK_MS);
        proxy_health_stop(health);
        if (answered == 1) { /* crosses the reset */
            answer_check(peer_stream(scene_conn(scene, 0, 0), 0));
        }
        relay_drain(scene->relay);
        scene_run(5000);
        assert_true(scene->worker->ended);
        scene_close(scene);
    }
}

/* Not even the one that a client's reset would wait for. */
static void a_fleet_of_resets_does_not_delay_checks(void **state)
{
    (void)state;
    struct proxy_health *health;
    struct scene *scene = open_checked(&health);
    scene_run(2 * NET_TICK_MS);
    for (int i = 0; i < 4; i++) {
        struct peer *client = scene_client(scene);
        for (int k = 0; k < 45; k++) {
            peer_reset(scene_ask(client, ""), H2_CANCEL);
        }
    }
    scene_settle();
    unsigned before = count_checks(scene, 0);
    scene_run(3 * INTERVAL_MS);
    assert_in_range(count_checks(scene, 0) - before, 2, 3);
    assert_int_equal(health_of(scene), ENDPOINT_HEALTHY);
    proxy_health_stop(health);
    scene_close(scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_check_is_made_at_once_and_then_at_intervals),
        cmocka_unit_test(an_endpoint_that_turns_unhealthy_keeps_its_streams),
        cmocka_unit_test(a_first_answer_that_is_late_decides_and_is_then_harmless),
        cmocka_unit_test(one_late_answer_takes_no_endpoint_out_but_two_do),
        cmocka_unit_test(thresholds_are_what_was_asked_for),
        cmocka_unit_test(not_serving_counts_at_once),
        cmocka_unit_test(without_checks_a_connection_is_all_that_is_asked),
        cmocka_unit_test(checks_that_are_never_answered_are_nobodys_trouble),
        cmocka_unit_test(a_check_that_was_not_looked_at_is_made_once_more),
        cmocka_unit_test(a_goaway_asks_for_a_check_at_once),
        cmocka_unit_test(an_endpoint_that_cannot_be_reached_is_asked_again),
        cmocka_unit_test(a_check_that_could_not_be_made_tells_nothing),
        cmocka_unit_test(a_removed_endpoint_is_checked_no_more),
        cmocka_unit_test(health_may_stop_with_a_check_in_flight),
        cmocka_unit_test(a_fleet_of_resets_does_not_delay_checks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
