/* Which endpoints came and which went, in words. */
#include "proxy/endpoint_names.h"

#include "relay/cluster.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Endpoints 127.0.0.1:FIRST and the ports that follow. */
static void update(struct cluster *cluster, unsigned first, size_t count)
{
    struct sockaddr_storage addresses[20];
    size_t added;
    size_t removed;
    memset(addresses, 0, sizeof(addresses));
    for (size_t i = 0; i < count; i++) {
        struct sockaddr_in *in = (struct sockaddr_in *)&addresses[i];
        in->sin_family = AF_INET;
        in->sin_port = htons((uint16_t)(first + i));
        in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    }
    cluster_update(cluster, addresses, count, &added, &removed);
}

static void changes_are_named_a_few_of_each_kind(void **state)
{
    (void)state;
    static const struct {
        unsigned first;
        size_t count;
        const char *changes;
    } steps[] = {
        {1, 2, "; new 127.0.0.1:1, 127.0.0.1:2"},
        {1, 2, ""},
        {2, 2, "; new 127.0.0.1:3; gone 127.0.0.1:1"},
        {3, 1, "; gone 127.0.0.1:2"},
        {4, 5, "; new 127.0.0.1:4, 127.0.0.1:5, 127.0.0.1:6, ...; gone 127.0.0.1:3"},
    };
    struct cluster *cluster = cluster_new("server-v1", LB_ROUND_ROBIN);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        char text[400];
        struct proxy_endpoint_names before;
        struct proxy_endpoint_names after;
        proxy_endpoint_names_take(&before, cluster);
        update(cluster, steps[i].first, steps[i].count);
        proxy_endpoint_names_take(&after, cluster);
        assert_string_equal(proxy_endpoint_names_changes(&before, &after, text, sizeof(text)),
                            steps[i].changes);
        char small[20]; /* too small is cut */
        assert_true(strlen(proxy_endpoint_names_changes(&before, &after, small, sizeof(small))) <
                    20);
        assert_memory_equal(small, text, strlen(small));
        proxy_endpoint_names_free(&before);
        proxy_endpoint_names_free(&after);
    }
    cluster_retire(cluster);
    cluster_unref(cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_are_named_a_few_of_each_kind),
    };
    return cmocka_run_group_tests_name("proxy/endpoint_names", tests, NULL, NULL);
}
