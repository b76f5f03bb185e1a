/* Balancing over endpoints: evenness, health, removal, stability of the hash. */
#include "base/mem.h"
#include "relay/cluster.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define ENDPOINTS 4

static struct cluster *cluster;

static void set_addresses(unsigned first, unsigned count)
{
    struct sockaddr_storage addresses[ENDPOINTS + 1];
    memset(addresses, 0, sizeof(addresses));
    for (unsigned i = 0; i < count; i++) {
        struct sockaddr_in *address = (struct sockaddr_in *)&addresses[i];
        address->sin_family = AF_INET;
        address->sin_port = htons((uint16_t)(first + i));
        address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    }
    size_t added;
    size_t removed;
    cluster_update(cluster, addresses, count, &added, &removed);
}

static void begin(enum lb_policy policy)
{
    cluster = cluster_new("server-v1", policy);
    set_addresses(1, ENDPOINTS);
}

static void end(void)
{
    cluster_retire(cluster);
    cluster_unref(cluster);
}

static size_t index_of(const struct endpoint *endpoint)
{
    for (size_t i = 0; i < cluster->endpoint_count; i++) {
        if (cluster->endpoints[i] == endpoint) {
            return i;
        }
    }
    fail_msg("not an endpoint of the cluster");
    return 0;
}

static void count_picks(unsigned times, unsigned counts[static ENDPOINTS])
{
    memset(counts, 0, ENDPOINTS * sizeof(*counts));
    for (unsigned i = 0; i < times; i++) {
        struct endpoint *endpoint = cluster_pick(cluster, i, NULL);
        counts[index_of(endpoint)]++;
        endpoint_unref(endpoint);
    }
}

static void round_robin_is_even_also_when_one_is_unhealthy(void **state)
{
    (void)state;
    unsigned counts[ENDPOINTS];
    begin(LB_ROUND_ROBIN);
    count_picks(40, counts);
    for (size_t i = 0; i < ENDPOINTS; i++) {
        assert_int_equal(counts[i], 10);
        endpoint_set_health(cluster->endpoints[i], ENDPOINT_HEALTHY, NULL);
    }
    endpoint_set_health(cluster->endpoints[1], ENDPOINT_UNHEALTHY, "refused");
    count_picks(30, counts);
    assert_int_equal(counts[0], 10);
    assert_int_equal(counts[1], 0);
    assert_int_equal(counts[2], 10);
    assert_int_equal(counts[3], 10);
    end();
}

static void unknown_is_used_only_while_none_is_healthy(void **state)
{
    (void)state;
    unsigned counts[ENDPOINTS];
    begin(LB_ROUND_ROBIN);
    endpoint_set_health(cluster->endpoints[2], ENDPOINT_HEALTHY, NULL);
    count_picks(8, counts);
    assert_int_equal(counts[2], 8);
    end();
}

static void nothing_healthy_gives_nothing_and_a_reason(void **state)
{
    (void)state;
    char text[ENDPOINT_CAUSE_BYTES];
    begin(LB_ROUND_ROBIN);
    for (size_t i = 0; i < ENDPOINTS; i++) {
        endpoint_set_health(cluster->endpoints[i], ENDPOINT_UNHEALTHY, "connection refused");
    }
    assert_null(cluster_pick(cluster, 0, NULL));
    assert_non_null(strstr(cluster_explain(cluster, text, sizeof(text)), "connection refused"));
    set_addresses(1, 0);
    assert_null(cluster_pick(cluster, 0, NULL));
    assert_non_null(strstr(cluster_explain(cluster, text, sizeof(text)), "no address"));
    end();
}

static void avoided_endpoint_is_taken_only_when_it_is_the_last(void **state)
{
    (void)state;
    begin(LB_ROUND_ROBIN);
    struct endpoint *avoid = cluster->endpoints[0];
    for (int i = 0; i < 12; i++) {
        struct endpoint *endpoint = cluster_pick(cluster, 0, avoid);
        assert_ptr_not_equal(endpoint, avoid);
        endpoint_unref(endpoint);
    }
    for (size_t i = 1; i < ENDPOINTS; i++) {
        endpoint_set_health(cluster->endpoints[i], ENDPOINT_UNHEALTHY, "gone");
    }
    struct endpoint *last = cluster_pick(cluster, 0, avoid);
    assert_ptr_equal(last, avoid);
    endpoint_unref(last);
    end();
}

static void least_request_takes_the_idlest(void **state)
{
    (void)state;
    unsigned counts[ENDPOINTS];
    begin(LB_LEAST_REQUEST);
    for (size_t i = 0; i < ENDPOINTS; i++) {
        atomic_store(&cluster->endpoints[i]->rq_active, i == 3 ? 1 : 5);
    }
    count_picks(6, counts);
    assert_int_equal(counts[3], 6);
    for (size_t i = 0; i < ENDPOINTS; i++) { /* who is freed has no streams */
        atomic_store(&cluster->endpoints[i]->rq_active, 0);
    }
    end();
}

static void hash_moves_only_the_keys_of_a_lost_endpoint(void **state)
{
    (void)state;
    begin(LB_HASH);
    size_t before[100];
    for (uint64_t key = 0; key < 100; key++) {
        struct endpoint *endpoint = cluster_pick(cluster, key * 7919, NULL);
        before[key] = index_of(endpoint);
        endpoint_unref(endpoint);
    }
    endpoint_set_health(cluster->endpoints[0], ENDPOINT_UNHEALTHY, "gone");
    unsigned moved = 0;
    for (uint64_t key = 0; key < 100; key++) {
        struct endpoint *endpoint = cluster_pick(cluster, key * 7919, NULL);
        moved += before[key] == 0;
        assert_true(before[key] == 0 || index_of(endpoint) == before[key]);
        endpoint_unref(endpoint);
    }
    assert_in_range(moved, 10, 45);
    end();
}

static void endpoints_that_stay_keep_health_and_counters(void **state)
{
    (void)state;
    begin(LB_ROUND_ROBIN);
    struct endpoint *stays = endpoint_ref(cluster->endpoints[3]);
    struct endpoint *goes = endpoint_ref(cluster->endpoints[0]);
    endpoint_set_health(stays, ENDPOINT_HEALTHY, NULL);
    atomic_store(&stays->rq_total, 17);
    set_addresses(4, 2);
    assert_int_equal(cluster->endpoint_count, 2);
    assert_ptr_equal(cluster->endpoints[0], stays);
    assert_int_equal(atomic_load(&stays->rq_total), 17);
    assert_false(atomic_load(&stays->removed));
    assert_true(atomic_load(&goes->removed));
    endpoint_unref(stays);
    endpoint_unref(goes);
    end();
}

static uint64_t count_of(size_t offset)
{
    return cluster_count_number(cluster, offset);
}

static void what_endpoints_counted_stays_when_they_leave(void **state)
{
    (void)state;
    begin(LB_ROUND_ROBIN);
    size_t total = offsetof(struct endpoint, rq_total);
    size_t bytes = offsetof(struct endpoint_load, bytes_up);
    for (size_t i = 0; i < ENDPOINTS; i++) {
        atomic_store(&cluster->endpoints[i]->rq_total, 10);
        atomic_store(&endpoint_load(cluster->endpoints[i], 0)->bytes_up, 100);
    }
    struct endpoint *lingers = endpoint_ref(cluster->endpoints[0]);
    set_addresses(3, ENDPOINTS); /* two go, two come */
    assert_int_equal(count_of(total), 40);
    atomic_store(&lingers->rq_total, 15); /* its streams go on */
    assert_int_equal(count_of(total), 45);
    endpoint_unref(lingers);
    assert_int_equal(count_of(total), 45);
    assert_int_equal(cluster_count_load(cluster, bytes), 400);
    set_addresses(1, ENDPOINTS); /* those that come again begin anew */
    assert_int_equal(count_of(total), 45);
    atomic_store(&cluster->endpoints[0]->rq_total, 1);
    atomic_store(&endpoint_load(cluster->endpoints[0], 3)->bytes_up, 1);
    assert_int_equal(count_of(total), 46);
    assert_int_equal(cluster_count_load(cluster, bytes), 401);
    assert_int_equal(count_of(offsetof(struct endpoint, faults)), 0);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_robin_is_even_also_when_one_is_unhealthy),
        cmocka_unit_test(unknown_is_used_only_while_none_is_healthy),
        cmocka_unit_test(nothing_healthy_gives_nothing_and_a_reason),
        cmocka_unit_test(avoided_endpoint_is_taken_only_when_it_is_the_last),
        cmocka_unit_test(least_request_takes_the_idlest),
        cmocka_unit_test(hash_moves_only_the_keys_of_a_lost_endpoint),
        cmocka_unit_test(endpoints_that_stay_keep_health_and_counters),
        cmocka_unit_test(what_endpoints_counted_stays_when_they_leave),
    };
    return cmocka_run_group_tests_name("relay/cluster", tests, NULL, NULL);
}
