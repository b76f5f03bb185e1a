#include "role/routes.h"

#include "base/mem.h"
#include "capture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define MAX 3

static struct capture capture;

/* What was taken, by cluster. */
struct taken {
    struct text_address addresses[2][MAX];
    size_t counts[2];
};

static void take(void *user, size_t cluster, const struct text_address *addresses, size_t count)
{
    struct taken *taken = user;
    assert_in_range(cluster, 0, 1);
    memcpy(taken->addresses[cluster], addresses, count * sizeof(*addresses));
    taken->counts[cluster] = count;
}

/* Applies values, ended by NULL, to the built-in routes; `*ret_told` is what is complained of. */
static int apply(struct taken *taken, const char **ret_told, const char *first, ...)
{
    struct cli_list values = {0};
    va_list words;
    va_start(words, first);
    for (const char *word = first; word != NULL; word = va_arg(words, const char *)) {
        values.values[values.count++] = word;
    }
    va_end(words);
    struct route_table *routes = role_routes_load("proxy", NULL);
    *taken = (struct taken){0};
    static struct route_error error;
    error = (struct route_error){0};
    int rv = role_endpoints_apply(&values, routes, false, MAX, take, taken, &error);
    *ret_told = error.text;
    route_table_free(routes);
    return rv;
}

static size_t cluster_named(const char *name)
{
    struct route_table *routes = role_routes_load("proxy", NULL);
    size_t i = 0;
    while (strcmp(routes->clusters[i].name, name) != 0) {
        i++;
    }
    route_table_free(routes);
    return i;
}

static void endpoints_reach_their_cluster(void **state)
{
    (void)state;
    struct taken taken;
    const char *told;
    size_t v1 = cluster_named("server-v1");
    size_t v2 = cluster_named("server-v2");
    assert_int_equal(apply(&taken, &told, "server-v2=[::1]:1", "server-v1=a:1,b:2,d:4", NULL), 0);
    assert_int_equal(taken.counts[v1], 3);
    assert_string_equal(taken.addresses[v1][2].host, "d");
    assert_int_equal(taken.addresses[v1][2].port, 4);
    assert_int_equal(taken.counts[v2], 1);
    assert_string_equal(taken.addresses[v2][0].host, "::1");
    assert_string_equal(told, "");
}

static void endpoints_that_mean_nothing_are_one_line(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        const char *complaint;
    } bad[] = {
        {"server-v1", "no \"=\""},
        {"server-v1=", "--endpoints"},
        {"server-v1=:1", "missing host"},
        {"server-v1=a:1,", "--endpoints"},
        {"server-v1=a:0", "nothing listens on port 0"},
        {"server-v1=a:1,b:1,c:1,d:1", "too many addresses, 3 are the limit"},
        {"server-v=a:1", "no rule of the routes has a backend of that name"},
        {"server-v11=a:1", "no rule of the routes has a backend of that name"},
        {"=a:1", "no rule of the routes has a backend of that name"},
        {"\x1b[2J=a:1", "\\x1b[2J=a:1"},
        {"server-v1=@file", "@FILE is a value of its own, with NAME= in the lines of the file"},
        {"server-v1=a:1,@file", "@FILE is a value of its own"},
        {"server-v1", "expected NAME=HOST:PORT[,HOST:PORT...] or @FILE"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct taken taken;
        const char *told;
        assert_int_equal(apply(&taken, &told, bad[i].value, NULL), -1);
        assert_non_null(strstr(told, bad[i].complaint));
        assert_null(strchr(told, '\n'));
        assert_int_equal(taken.counts[0] + taken.counts[1], 0);
    }
}

static const char *write_file(const char *text)
{
    static char path[64];
    static char value[80];
    snprintf(path, sizeof(path), "endpoints-%d.txt", (int)getpid());
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    snprintf(value, sizeof(value), "@%s", path);
    return value;
}

static void endpoints_may_stand_in_a_file(void **state)
{
    (void)state;
    struct taken taken;
    const char *told;
    size_t v1 = cluster_named("server-v1");
    const char *value = write_file("# ours\n\n  server-v1=a:1,b:2  # two\r\nserver-v2=[::1]:1");
    assert_int_equal(apply(&taken, &told, value, NULL), 0);
    assert_int_equal(taken.counts[v1], 2);
    assert_string_equal(taken.addresses[v1][1].host, "b");
    assert_int_equal(taken.counts[cluster_named("server-v2")], 1);
    assert_int_equal(apply(&taken, &told, write_file("server-v1=a:1\n\nserver-v1\n"), NULL), -1);
    assert_non_null(strstr(told, ".txt:3: \"server-v1\": no \"=\""));
    assert_int_equal(apply(&taken, &told, write_file("server-v1=@other\n"), NULL), -1);
    assert_non_null(strstr(told, ".txt:1: \"server-v1=@other\": @FILE is a value of its own"));
    assert_null(strstr(told, "or @FILE")); /* no file holds files */
    unlink(value + 1);
    assert_int_equal(apply(&taken, &told, value, NULL), -1);
    assert_non_null(strstr(told, "No such file"));
}

static void a_backend_is_said_once(void **state)
{
    (void)state;
    struct taken taken;
    const char *told;
    static const char complaint[] = "\"server-v1=b:2\": that backend was said before; join its "
                                    "addresses with commas; expected NAME=HOST:PORT";
    assert_int_equal(apply(&taken, &told, "server-v1=a:1", "server-v1=b:2", NULL), -1);
    assert_non_null(strstr(told, "--endpoints: "));
    assert_non_null(strstr(told, complaint));
    const char *file = write_file("server-v1=a:1\nserver-v1=b:2\n");
    assert_int_equal(apply(&taken, &told, file, NULL), -1);
    assert_non_null(strstr(told, ".txt:2: \"server-v1=b:2\": that backend was said before"));
    write_file("server-v1=a:1\n");
    assert_int_equal(apply(&taken, &told, file, "server-v2=b:2", NULL), 0);
    assert_int_equal(apply(&taken, &told, file, "server-v1=b:2", NULL), -1); /* of both places */
    assert_non_null(strstr(told, complaint));
    unlink(file + 1);
}

static void routes_that_cannot_be_read_are_one_line(void **state)
{
    (void)state;
    capture_begin(&capture, stderr);
    struct route_table *routes = role_routes_load("verify", "/no/such/routes.yaml");
    const char *told = capture_end(&capture);
    assert_null(routes);
    assert_string_equal(told,
                        "grpcroute verify: /no/such/routes.yaml: No such file or directory\n");
}

static void a_certificate_that_cannot_be_read_is_one_line(void **state)
{
    (void)state;
    capture_begin(&capture, stderr);
    struct net_tls *tls = role_certificate_load("proxy", "/no/cert.pem", "/no/key.pem");
    const char *told = capture_end(&capture);
    assert_null(tls);
    assert_non_null(strstr(told, "/no/cert.pem"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(endpoints_reach_their_cluster),
        cmocka_unit_test(endpoints_that_mean_nothing_are_one_line),
        cmocka_unit_test(endpoints_may_stand_in_a_file),
        cmocka_unit_test(a_backend_is_said_once),
        cmocka_unit_test(routes_that_cannot_be_read_are_one_line),
        cmocka_unit_test(a_certificate_that_cannot_be_read_is_one_line),
    };
    return cmocka_run_group_tests_name("role/routes", tests, NULL, NULL);
}
