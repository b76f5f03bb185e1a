#include "base/mem.h"
#include "render/output.h"
#include "render/plan.h"
#include "route/parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka needs those first */
#include <cmocka.h>

#define ROUTE(rules)                                                                               \
    "apiVersion: gateway.networking.k8s.io/v1\nkind: GRPCRoute\nmetadata: {name: r}\nspec:\n  "    \
    "rules:\n" rules
#define BACKEND "    backendRefs: [{name: one, port: 1}]\n"

static char reason[RENDER_REASON_BYTES];
static const char *identity; /* the header in which proxies name what they chose */

/* The configuration for these rules, for free(); NULL with `reason`. */
static char *rendered(render_fn *render, const char *yaml)
{
    struct route_table *routes;
    struct route_error error;
    if (route_table_parse(yaml, strlen(yaml), "routes", &routes, &error) != 0) {
        fail_msg("%s", error.text);
    }
    struct text_address endpoint = {.host = "127.0.0.1", .port = 5};
    struct render_cluster clusters[4];
    assert_true(routes->cluster_count <= ARRAY_SIZE(clusters));
    for (size_t i = 0; i < routes->cluster_count; i++) {
        clusters[i] = (struct render_cluster){&routes->clusters[i], &endpoint, 1, true};
    }
    const struct render_plan plan = {
        .routes = routes,
        .clusters = clusters,
        .listen = {.port = 8443},
        .admin = {.port = 9901},
        .cert = "c",
        .key = "k",
        .dynamic = "/d",
        .health_checks = true,
        .identity = identity,
    };
    char *text = output_render(render, &plan, reason);
    route_table_free(routes);
    return text;
}

static const struct {
    const char *name;
    render_fn *render;
} PROXIES[] = {{"envoy", render_envoy},
               {"traefik", render_traefik},
               {"haproxy", render_haproxy},
               {"nginx", render_nginx}};

static void expect(const char *proxy, const char *yaml, const char *wanted)
{
    for (size_t i = 0; i < ARRAY_SIZE(PROXIES); i++) {
        if (strcmp(PROXIES[i].name, proxy) == 0) {
            char *text = rendered(PROXIES[i].render, yaml);
            if (text == NULL || strstr(text, wanted) == NULL) {
                fail_msg("%s: no \"%s\" in\n%s", proxy, wanted, text != NULL ? text : reason);
            }
            free(text);
        }
    }
}

static void whole_values_must_match(void **state)
{
    (void)state;
    const char *yaml = ROUTE(
        "  - matches: [{headers: [{name: h, type: RegularExpression, value: 'v1.*'}]}]\n" BACKEND);
    expect("envoy", yaml, "safe_regex: {regex: \"v1.*\"}"); /* always the whole value */
    expect("traefik", yaml, "HeaderRegexp(`h`, `^(?:v1.*)$`)");
    expect("haproxy", yaml, "{ req.fhdr(h) -m reg '^(?:v1.*)$' }");
    expect("nginx", yaml, "map $http_h $match0_header0 { default 0; \"~^(?:v1.*)$\" 1; }");
}

static void exact_values_are_no_expressions(void **state)
{
    (void)state;
    const char *yaml = ROUTE("  - matches: [{headers: [{name: h, value: 'v1.*'}]}]\n" BACKEND);
    expect("envoy", yaml, "exact: \"v1.*\"");
    expect("traefik", yaml, "Header(`h`, `v1.*`)");
    expect("haproxy", yaml, "{ req.fhdr(h) -m str 'v1.*' }");
    expect("nginx", yaml, "\"~^v1\\\\.\\\\*$\" 1;");
}

static void weights_share_the_streams(void **state)
{
    (void)state;
    const char *yaml = ROUTE(
        "  - backendRefs: [{name: one, port: 1, weight: 1}, {name: two, port: 1, weight: 3}]\n");
    expect("envoy", yaml, "{name: two, weight: 3}");
    expect("traefik", yaml, "{name: \"two\", weight: 3}");
    expect("haproxy", yaml, "use_backend one if { rand(4) -m int lt 1 }");
    expect("nginx", yaml, "25.00% one;");
    /* every draw is its own, so the second backend takes a third of what the first left */
    expect("haproxy",
           ROUTE("  - backendRefs: [{name: one, port: 1, weight: 1}, {name: two, port: 1, weight: "
                 "1}, {name: three, "
                 "port: 1, weight: 2}]\n"),
           "use_backend one if { rand(4) -m int lt 1 }\n    use_backend two if { rand(3) -m int lt "
           "1 }\n");
}

static void the_more_specific_rule_comes_first(void **state)
{
    (void)state;
    const char *yaml = ROUTE("  - backendRefs: [{name: any, port: 1}]\n"
                             "  - matches: [{method: {service: a.B, method: C}}]\n"
                             "    backendRefs: [{name: special, port: 1}]\n");
    for (size_t i = 0; i < ARRAY_SIZE(PROXIES); i++) {
        char *text = rendered(PROXIES[i].render, yaml);
        assert_non_null(text);
        free(text);
    }
    expect("envoy", yaml, "path: \"/a.B/C\"");
    expect("traefik", yaml,
           "priority: 1000\n      rule: \"Path(`/a.B/C`)\"\n      service: \"special\"");
    expect("haproxy", yaml,
           "use_backend special if { path -m str '/a.B/C' }\n    use_backend any if TRUE");
    expect("nginx", yaml, "\"~^1\" $rule1;\n        \"~^01\" $rule0;");
}

static void each_proxy_names_what_it_chose_where_that_is_asked_for(void **state)
{
    (void)state;
    const char *yaml = ROUTE("  - matches: [{method: {service: a.B}}]\n" BACKEND
                             "  - backendRefs: [{name: one, port: 1}, {name: two, port: 1}]\n");
    for (size_t i = 0; i < ARRAY_SIZE(PROXIES); i++) {
        char *text = rendered(PROXIES[i].render, yaml);
        assert_non_null(text);
        assert_null(strstr(text, "identity"));
        assert_null(strstr(text, "header x-up"));
        free(text);
    }
    identity = "x-up";
    expect("envoy", yaml, "{key: \"x-up\", value: \"%UPSTREAM_CLUSTER%\"}, append_action: OVERWRITE");
    expect("envoy", yaml, "{key: \"x-up-pod\", value: \"%UPSTREAM_HOST%\"}, append_action: OVERWRITE");
    expect("haproxy", yaml, "http-response set-header x-up %b");
    expect("haproxy", yaml, "http-response set-header x-up-pod %si:%sp");
    expect("nginx", yaml, "grpc_hide_header x-up;\n            grpc_hide_header x-up-pod;");
    expect("nginx", yaml, "add_header x-up $backend always;");
    expect("nginx", yaml, "add_header x-up-pod $chosen always;");
    expect("traefik", yaml, "middlewares: [\"identity-of-one\"]\n      service: \"one\"");
    expect("traefik", yaml, "{\"x-up\": \"one\", \"x-up-pod\": \"\"}");
    expect("traefik", yaml, "middlewares: [identity-unknown] # it cannot say which of the services");
    identity = NULL;
}

static void what_a_proxy_cannot_say_is_an_error(void **state)
{
    (void)state;
    const char *ahead = ROUTE("  - matches: [{headers: [{name: h, type: RegularExpression, value: "
                              "'(?!x)v1.*'}]}]\n" BACKEND);
    assert_null(rendered(render_envoy, ahead));
    assert_non_null(strstr(reason, "Envoy"));
    assert_null(rendered(render_traefik, ahead));
    assert_non_null(strstr(reason, "Traefik"));
    char *haproxy = rendered(render_haproxy, ahead); /* PCRE2, as we */
    assert_non_null(haproxy);
    free(haproxy);
    assert_null(rendered(render_traefik,
                         ROUTE("  - matches: [{headers: [{name: h, value: 'a`b'}]}]\n" BACKEND)));
    assert_null(rendered(render_nginx,
                         ROUTE("  - matches: [{headers: [{name: h.x, value: a}]}]\n" BACKEND)));
}

static void no_text_of_the_routes_leaves_its_quotes(void **state)
{
    (void)state;
    const char *yaml =
        ROUTE("  - matches: [{headers: [{name: h, value: \"a' \\\"b\"}]}]\n" BACKEND);
    expect("envoy", yaml, "exact: \"a' \\\"b\"");
    expect("haproxy", yaml, "-m str 'a'\\'' \"b'");
    expect("nginx", yaml, "\"~^a' \\\"b$\" 1;");
    expect("traefik", yaml, "Header(`h`, `a' \\\"b`)");
}

static void timeouts_that_end_long_streams_are_off(void **state)
{
    (void)state;
    const char *yaml = ROUTE("  - backendRefs: [{name: one, port: 1}]\n");
    expect("envoy", yaml, "stream_idle_timeout: 0s");
    expect("envoy", yaml, "max_requests: 10000000");
    expect("haproxy", yaml, "timeout client 24d");
    expect("nginx", yaml, "grpc_read_timeout 24d");
    expect("nginx", yaml, "client_max_body_size 0");
    char *text = rendered(render_traefik_static, yaml);
    assert_non_null(strstr(text, "readTimeout: 0s"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_values_must_match),
        cmocka_unit_test(exact_values_are_no_expressions),
        cmocka_unit_test(weights_share_the_streams),
        cmocka_unit_test(the_more_specific_rule_comes_first),
        cmocka_unit_test(each_proxy_names_what_it_chose_where_that_is_asked_for),
        cmocka_unit_test(what_a_proxy_cannot_say_is_an_error),
        cmocka_unit_test(no_text_of_the_routes_leaves_its_quotes),
        cmocka_unit_test(timeouts_that_end_long_streams_are_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
