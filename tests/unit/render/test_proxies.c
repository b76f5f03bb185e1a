#include "base/mem.h"
#include "render/output.h"
#include "render/plan.h"
#include "route/parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
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
    expect("envoy", yaml,
           "{key: \"x-up\", value: \"%UPSTREAM_CLUSTER%\"}, append_action: OVERWRITE");
    expect("envoy", yaml,
           "{key: \"x-up-pod\", value: \"%UPSTREAM_HOST%\"}, append_action: OVERWRITE");
    expect("haproxy", yaml, "http-response set-header x-up %b");
    expect("haproxy", yaml, "http-response set-header x-up-pod %si:%sp");
    expect("nginx", yaml, "grpc_hide_header x-up;\n            grpc_hide_header x-up-pod;");
    expect("nginx", yaml, "add_header x-up $backend always;");
    expect("nginx", yaml, "add_header x-up-pod $chosen always;");
    expect("traefik", yaml, "middlewares: [\"identity-of-one\"]\n      service: \"one\"");
    expect("traefik", yaml, "{\"x-up\": \"one\", \"x-up-pod\": \"\"}");
    expect("traefik", yaml,
           "middlewares: [identity-unknown] # it cannot say which of the services");
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

/* Names may hold what opens a text or a comment elsewhere (RFC 9110 section 5.6.2). */
static void so_is_a_header_that_it_cannot_name(void **state)
{
    (void)state;
    const char *quote = ROUTE("  - matches: [{headers: [{name: \"h'x\", value: a}]}]\n" BACKEND);
    const char *number = ROUTE("  - matches: [{headers: [{name: 'h#x', value: a}]}]\n" BACKEND);
    const char *tick = ROUTE("  - matches: [{headers: [{name: 'h`x', value: a}]}]\n" BACKEND);
    assert_null(rendered(render_haproxy, quote));
    assert_string_equal(reason, "HAProxy's expressions cannot say the header \"h'x\"");
    assert_null(rendered(render_haproxy, number));
    assert_null(rendered(render_traefik, tick));
    assert_non_null(strstr(reason, "\"h`x\", for its backtick"));
    expect("envoy", quote, "- name: \"h'x\"");
    expect("haproxy", tick, "req.fhdr(h`x) -m str 'a'");
    expect("traefik", quote, "Header(`h'x`, `a`)");
}

#define FILTERED(filter, changes)                                                                  \
    ROUTE("  - filters: [{type: " filter "HeaderModifier, " changes "}]\n" BACKEND)
#define ON_REQUEST(changes)  FILTERED("Request", "requestHeaderModifier: {" changes "}")
#define ON_RESPONSE(changes) FILTERED("Response", "responseHeaderModifier: {" changes "}")

static void filters_become_what_each_proxy_has_for_them(void **state)
{
    (void)state;
    const char *request = ON_REQUEST("set: [{name: A, value: 'x%y\"'}], remove: [B]");
    expect("envoy", request,
           "key: \"a\", value: \"x%%y\\\"\"}, append_action: OVERWRITE_IF_EXISTS_OR_ADD");
    expect("envoy", request, "request_headers_to_remove:\n                - \"b\"\n");
    expect("haproxy", request,
           "http-request set-header a 'x%%y\"' if { var(txn.rule) -m int eq 1 }");
    expect("haproxy", request, "http-request del-header b if");
    expect("nginx", request, "grpc_set_header a \"x%y\\\"\";\n            grpc_set_header b \"\";");
    expect("traefik", request,
           "customRequestHeaders:\n          \"a\": \"x%y\\\"\"\n          \"b\": \"\"");
    const char *response = ON_RESPONSE("set: [{name: a, value: x}], remove: [b]");
    expect("envoy", response, "response_headers_to_add:\n                - {header: {key: \"a\"");
    expect("haproxy", response, "http-response set-header a 'x' if");
    expect("nginx", response,
           "grpc_hide_header a;\n            add_header a \"x\" always;\n"
           "            grpc_hide_header b;");
    expect("traefik", response,
           "customResponseHeaders:\n          \"a\": \"x\"\n          \"b\": \"\"");
    expect("envoy", ON_REQUEST("add: [{name: a, value: x}]"), "APPEND_IF_EXISTS_OR_ADD");
    expect("haproxy", ON_REQUEST("add: [{name: a, value: x}]"), "http-request add-header a 'x'");
    expect("nginx", ON_RESPONSE("add: [{name: a, value: x}]"), "  add_header a \"x\" always;");
}

static void a_filter_that_a_proxy_has_nothing_for_is_named(void **state)
{
    (void)state;
    static const struct {
        render_fn *render;
        const char *yaml;
        const char *named;
    } rows[] = {
        {render_traefik, ON_REQUEST("add: [{name: a, value: x}]"),
         "spec.rules[0]: Traefik cannot add a value to the header \"a\" (RequestHeaderModifier"},
        {render_traefik, ON_RESPONSE("add: [{name: a, value: x}]"), "(ResponseHeaderModifier"},
        {render_nginx, ON_REQUEST("add: [{name: a, value: x}]"),
         "spec.rules[0]: nginx cannot add a value to the header \"a\" (RequestHeaderModifier)"},
        {render_nginx, ON_REQUEST("set: [{name: a, value: $x}]"), "nginx cannot say the \"$\""},
        {render_nginx, ON_RESPONSE("set: [{name: a, value: $x}]"), "(ResponseHeaderModifier)"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_null(rendered(rows[i].render, rows[i].yaml));
        if (strstr(reason, rows[i].named) == NULL) {
            fail_msg("%s", reason);
        }
    }
}

/* HAProxy compiles without groups that are only numbered, and a configuration is lines. */
static void expressions_that_haproxy_reads_otherwise_are_errors(void **state)
{
    (void)state;
    static const struct {
        const char *value; /* of a YAML string in single quotes */
        bool fits;
    } rows[] = {
        {"v1\\.([0-9])\\1", false}, {"(a)(?<n>b)\\1", false}, {"(a)(?1)", false},
        {"(a)?(?(1)b|c)", false},   {"(?x)a # b", false},     {"(?x)a # b\n\n      ", false},
        {"(a|b)+", true},           {"(?<n>a)\\k<n>", true},  {"(?:a|b)c", true},
        {"(?i)v1", true},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char yaml[500];
        snprintf(
            yaml, sizeof(yaml),
            ROUTE(
                "  - matches: [{headers: [{name: h, type: RegularExpression, value: '%s'}]}]\n" BACKEND),
            rows[i].value);
        char *text = rendered(render_haproxy, yaml);
        if ((text != NULL) != rows[i].fits) {
            fail_msg("%s", rows[i].value);
        }
        free(text);
    }
    assert_null(
        rendered(render_haproxy,
                 ROUTE("  - matches: [{headers: [{name: h, value: \"a\\nb\"}]}]\n" BACKEND)));
    expect("haproxy", ROUTE("  - matches: [{headers: [{name: h, value: '-i'}]}]\n" BACKEND),
           "-m str -- '-i'");
}

static void several_hosts_are_told_apart(void **state)
{
    (void)state;
    const char *yaml =
        "apiVersion: gateway.networking.k8s.io/v1\nkind: GRPCRoute\n"
        "spec: {hostnames: ['*.a.org', b.org], rules: [{backendRefs: [{name: one, port: "
        "1}]}]}\n---\n"
        "apiVersion: gateway.networking.k8s.io/v1\nkind: GRPCRoute\n"
        "spec: {rules: [{backendRefs: [{name: two, port: 1}]}]}\n";
    expect("envoy", yaml, "domains: [\"b.org\", \"*.a.org\"]");
    expect("envoy", yaml, "- name: grpcroute-2\n              domains: [\"*\"]");
    expect("haproxy", yaml, "use_backend one if host-1\n");
    expect("haproxy", yaml, "use_backend two if TRUE\n");
    expect("nginx", yaml, "map $host $host1 { hostnames; default 0; b.org 1; *.a.org 1; }");
    expect("nginx", yaml, "map \"${host1}\" $match0 {");
    expect("traefik", yaml, " && (Host(`b.org`) || HostRegexp(`^.+");
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
        cmocka_unit_test(so_is_a_header_that_it_cannot_name),
        cmocka_unit_test(filters_become_what_each_proxy_has_for_them),
        cmocka_unit_test(a_filter_that_a_proxy_has_nothing_for_is_named),
        cmocka_unit_test(expressions_that_haproxy_reads_otherwise_are_errors),
        cmocka_unit_test(several_hosts_are_told_apart),
        cmocka_unit_test(no_text_of_the_routes_leaves_its_quotes),
        cmocka_unit_test(timeouts_that_end_long_streams_are_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
