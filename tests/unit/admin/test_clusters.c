/* /clusters: every key of its text is told once, whatever comes and goes under the same address. */
#include "admin/clusters.h"

#include "base/buf.h"
#include "base/mem.h"
#include "relay/cluster.h"
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

#define LINES_MAX 512

struct world {
    struct relay relay;
    struct routing routing;
    struct cluster *clusters[1];
    struct cluster *left[2];
};

/* Its endpoints are 127.0.0.1 with ports from 1 on. */
static void set_addresses(struct cluster *cluster, unsigned count)
{
    struct sockaddr_storage addresses[4] = {{0}};
    size_t added;
    size_t removed;
    for (unsigned i = 0; i < count; i++) {
        struct sockaddr_in *address = (struct sockaddr_in *)&addresses[i];
        address->sin_family = AF_INET;
        address->sin_port = htons((uint16_t)(1 + i));
        address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    }
    cluster_update(cluster, addresses, count, &added, &removed);
}

/* Endpoints that have a stream go, and others of the same address come. */
static void replace(struct cluster *cluster, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        atomic_store(&cluster->endpoints[i]->rq_active, 1);
    }
    set_addresses(cluster, 0);
    set_addresses(cluster, count);
}

static int setup(void **state)
{
    struct world *world = mem_new(struct world);
    world->relay.worker_count = 1;
    world->clusters[0] = cluster_new("server-v1", LB_ROUND_ROBIN);
    world->routing.clusters = world->clusters;
    world->routing.cluster_count = 1;
    atomic_store(&world->routing.references, 1);
    world->relay.force.routing = &world->routing;
    world->relay.force.left = world->left;
    set_addresses(world->clusters[0], 2);
    *state = world;
    return 0;
}

static void end_left(struct cluster *cluster)
{
    for (size_t i = 0; i < cluster->left_count; i++) {
        atomic_store(&cluster->left[i]->rq_active, 0);
    }
    cluster_forget_left(cluster);
    cluster_retire(cluster);
    cluster_unref(cluster);
}

static int teardown(void **state)
{
    struct world *world = *state;
    end_left(world->clusters[0]);
    for (size_t i = 0; i < world->relay.force.left_count; i++) {
        end_left(world->left[i]);
    }
    free(world);
    return 0;
}

/* What is before the value; fails on one that was told before. Owned. */
static char *keys_of(struct world *world)
{
    struct buf out = {0};
    admin_clusters_text(&world->relay, &out);
    (void)buf_append(&out, "", 1, SIZE_MAX);
    char *text = strdup((const char *)buf_data(&out));
    char *keys[LINES_MAX];
    size_t count = 0;
    char *rest = text;
    for (char *line = strsep(&rest, "\n"); line != NULL && line[0] != '\0';
         line = strsep(&rest, "\n")) {
        assert_true(count < LINES_MAX);
        keys[count] = line;
        for (char *next = strstr(line, "::"); next != NULL; next = strstr(next + 2, "::")) {
            line = next;
        }
        *line = '\0';
        for (size_t i = 0; i < count; i++) {
            assert_string_not_equal(keys[i], keys[count]);
        }
        count++;
    }
    free(text);
    text = strdup((const char *)buf_data(&out));
    buf_deinit(&out);
    return text;
}

static void assert_told(char *text, size_t count, const char *const *parts)
{
    for (size_t i = 0; i < count; i++) {
        if (strstr(text, parts[i]) == NULL) {
            fail_msg("no \"%s\" in: %s", parts[i], text);
        }
    }
    free(text);
}

#define ASSERT_TOLD(text, ...)                                                                     \
    assert_told(text, ARRAY_SIZE(((const char *const[]){__VA_ARGS__})),                            \
                (const char *const[]){__VA_ARGS__})

static void who_leaves_alone_keeps_its_name(void **state)
{
    struct world *world = *state;
    atomic_store(&world->clusters[0]->endpoints[1]->rq_active, 1);
    set_addresses(world->clusters[0], 1);
    ASSERT_TOLD(keys_of(world), "server-v1::127.0.0.1:1::rq_active::0\n",
                "server-v1::127.0.0.1:2::rq_active::1\n",
                "server-v1::127.0.0.1:2::leaving::true\n");
}

static void who_leaves_is_told_apart_from_who_came(void **state)
{
    struct world *world = *state;
    replace(world->clusters[0], 2);
    replace(world->clusters[0], 1);
    ASSERT_TOLD(keys_of(world), "server-v1::127.0.0.1:1::rq_active::0\n",
                "server-v1::127.0.0.1:1 (leaving)::rq_active::1\n",
                "server-v1::127.0.0.1:1 (leaving)::leaving::true\n",
                "server-v1::127.0.0.1:1 (leaving 2)::rq_active::1\n",
                "server-v1::127.0.0.1:2::leaving::true\n");
}

static void so_is_a_cluster_that_left(void **state)
{
    struct world *world = *state;
    for (size_t i = 0; i < ARRAY_SIZE(world->left); i++) {
        world->left[i] = cluster_new(i == 0 ? "server-v1" : "server-v3", LB_ROUND_ROBIN);
        set_addresses(world->left[i], 1);
        replace(world->left[i], 1);
    }
    world->relay.force.left_count = ARRAY_SIZE(world->left);
    ASSERT_TOLD(keys_of(world), "server-v1::lb_policy::",
                "server-v1 (leaving)::leaving::true\nserver-v1 (leaving)::lb_policy::",
                "server-v3::leaving::true\nserver-v3::lb_policy::",
                "server-v1 (leaving)::127.0.0.1:1 (leaving)::rq_active::1\n",
                "server-v3::127.0.0.1:1 (leaving)::rq_active::1\n");
}

static void json_has_them_all(void **state)
{
    struct world *world = *state;
    struct buf out = {0};
    replace(world->clusters[0], 2);
    admin_clusters_json(&world->relay, &out);
    cJSON *root = cJSON_ParseWithLength((const char *)buf_data(&out), out.len);
    cJSON *ends = cJSON_GetObjectItem(cJSON_GetArrayItem(cJSON_GetObjectItem(root, "clusters"), 0),
                                      "endpoints");
    assert_int_equal(cJSON_GetArraySize(ends), 4);
    for (int i = 0; i < 4; i++) {
        cJSON *end = cJSON_GetArrayItem(ends, i);
        assert_string_equal(cJSON_GetObjectItem(end, "address")->valuestring,
                            i % 2 == 0 ? "127.0.0.1:1" : "127.0.0.1:2");
        assert_int_equal(cJSON_IsTrue(cJSON_GetObjectItem(end, "leaving")), i >= 2);
    }
    cJSON_Delete(root);
    buf_deinit(&out);
}

/* Both endpoints are asked about; the first one is unwell. */
static void make_unwell(struct world *world)
{
    struct endpoint *endpoint = world->clusters[0]->endpoints[0];
    endpoint_set_health(endpoint, ENDPOINT_UNHEALTHY, "connection refused");
    endpoint_note_fault(endpoint, "broke HTTP/2", 1);
}

static void who_is_unwell_says_why(void **state)
{
    struct world *world = *state;
    make_unwell(world);
    char *text = keys_of(world);
    assert_null(strstr(text, "127.0.0.1:2::cause"));
    assert_null(strstr(text, "127.0.0.1:2::last_fault"));
    ASSERT_TOLD(text, "server-v1::127.0.0.1:1::health_flags::unhealthy\n",
                "server-v1::127.0.0.1:1::cause::connection refused\n",
                "server-v1::127.0.0.1:1::last_fault::broke HTTP/2\n");
}

static const char *text_at(const cJSON *object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItem(object, key);
    return item != NULL ? item->valuestring : "(none)";
}

static void so_it_does_in_json(void **state)
{
    struct world *world = *state;
    struct buf out = {0};
    make_unwell(world);
    admin_clusters_json(&world->relay, &out);
    cJSON *root = cJSON_ParseWithLength((const char *)buf_data(&out), out.len);
    cJSON *ends = cJSON_GetObjectItem(cJSON_GetArrayItem(cJSON_GetObjectItem(root, "clusters"), 0),
                                      "endpoints");
    assert_string_equal(text_at(cJSON_GetArrayItem(ends, 0), "health"), "unhealthy");
    assert_string_equal(text_at(cJSON_GetArrayItem(ends, 0), "cause"), "connection refused");
    assert_string_equal(text_at(cJSON_GetArrayItem(ends, 0), "last_fault"), "broke HTTP/2");
    assert_string_equal(text_at(cJSON_GetArrayItem(ends, 1), "cause"), "(none)");
    assert_string_equal(text_at(cJSON_GetArrayItem(ends, 1), "last_fault"), "(none)");
    cJSON_Delete(root);
    buf_deinit(&out);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_leaves_alone_keeps_its_name), TEST(who_leaves_is_told_apart_from_who_came),
        TEST(so_is_a_cluster_that_left),       TEST(json_has_them_all),
        TEST(who_is_unwell_says_why),          TEST(so_it_does_in_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
