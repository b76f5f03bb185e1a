/* Every complaint: its line, its field and what was expected. */
#include "route/parse.h"
#include "support.h"

#include "base/mem.h"

struct row {
    const char *yaml;
    const char *error; /* after "routes.yaml:" */
};

static void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct route_table *table = NULL;
        struct route_error error = {{0}};
        if (route_table_parse(rows[i].yaml, strlen(rows[i].yaml), "routes.yaml", &table, &error) ==
            0) {
            fail_msg("row %zu is taken: %s", i, rows[i].error);
        }
        char expected[ROUTE_ERROR_BYTES];
        snprintf(expected, sizeof(expected), "routes.yaml:%s", rows[i].error);
        assert_string_equal(error.text, expected);
    }
}

/* A rule, whose matches are on line 5 of the file, with the headers on line 7. */
#define MATCH(match)    RULES "  - matches:\n    - " match "\n"
#define HEADERS(header) RULES "  - matches:\n    - headers:\n      - " header "\n"
#define BACKEND(fields) RULES "  - backendRefs:\n    - {" fields "}\n"

static void documents(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"", " no GRPCRoute in this file: it is empty"},
        {"# nothing but\n--- # comments\n", " no GRPCRoute in this file: it is empty"},
        {"kind: Service\n", " no GRPCRoute in this file, but Service at line 1"},
        {"kind: HTTPRoute\n---\nkind: \"\\e\"\n---\nkind: HTTPRouteList\n",
         " no GRPCRoute in this file, but HTTPRoute at line 1, \\x1b at line 3, HTTPRouteList at "
         "line 5"},
        {"kind: List\nitems: []\n", " no GRPCRoute in this file: its List has no items"},
        {"kind: List\n", " no GRPCRoute in this file: its List has no items"},
        {"kind: List\nitems: [{kind: TLSRoute}]\n",
         " no GRPCRoute in this file, but TLSRoute at line 2"},
        {"{\n\"kind\": \"HTTPRoute\"\n}", " no GRPCRoute in this file, but HTTPRoute at line 1"},
        {"a: b\nkind: GrpcRoute\n",
         "2: \"GrpcRoute\" is no kind of the Gateway API; is GRPCRoute meant?"},
        {"kind: GRPCRoutes\n",
         "1: \"GRPCRoutes\" is no kind of the Gateway API; is GRPCRoute meant?"},
        {"kind: GPRCRoute\n",
         "1: \"GPRCRoute\" is no kind of the Gateway API; is GRPCRoute meant?"},
        {"kind: list\n", "1: \"list\" is no kind of the Gateway API; is GRPCRoute meant?"},
        {"kind: List\nitems:\n- metadata: {}\n",
         "3: items[0]: not a Kubernetes object: field \"kind\" is missing"},
        {"kind: List\nitems: {}\n", "2: items: expected a list, found a mapping"},
        {"- kind: GRPCRoute\n",
         "1: not a Kubernetes object, but a list; expected kind: List with items"},
        {"No resources found in default namespace.\n",
         "1: \"No resources found\", which kubectl says, not a Kubernetes object"},
        {"hunter2\n", "1: a text, not a Kubernetes object"},
        {"-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n"
         "-----END PRIVATE KEY-----\n",
         "1: a certificate or key (PEM), not a Kubernetes object"},
        {"kind: List\nitems: &i [{kind: List, items: *i}]\n",
         "2: items[0].items[0].items[0]: Lists too deep in each other"},
        {"kind: Service\n---\na: b\n", "3: not a Kubernetes object: field \"kind\" is missing"},
        {HEAD "metadata: {name: a}\nspec: {rules: [{}]}\n---\n" HEAD
              "metadata: {name: a}\nspec: {rules: [{}]}\n",
         "6: \"a\" is the name of another GRPCRoute of this file"},
        {HEAD "metadata:\n  creationTimestamp: yesterday\n",
         "4: metadata.creationTimestamp: \"yesterday\" is not a time such as "
         "2026-01-31T12:00:00Z"},
        {"kind: List\nitems:\n- "
         "apiVersion: gateway.networking.k8s.io/v1\n  kind: GRPCRoute\n"
         "  spec: {rules: [{}], hosts: []}\n",
         "5: items[0].spec: \"hosts\" is not a field; expected one of parentRefs, "
         "useDefaultGateways, hostnames, rules"},
        {"kind: GRPCRouteList\nitems:\n- spec: {rules: []}\n",
         "3: items[0].spec.rules: expected 1 to 16 rules, found none"},
        {"kind: GRPCRoute\nspec: {rules: [{}]}\n", "1: \"apiVersion\" is missing"},
        {"kind: GRPCRoute\napiVersion: gateway.networking.k8s.io/v1alpha2\n",
         "2: apiVersion: \"gateway.networking.k8s.io/v1alpha2\" is not supported by grpcroute; "
         "expected gateway.networking.k8s.io/v1"},
        {HEAD "kind: GRPCRoute\n", "3: \"kind\" is given twice"},
        {HEAD "spek: {}\n", "3: \"spek\" is not a field; expected one of apiVersion, kind, "
                            "metadata, spec, status"},
        {HEAD, "1: \"spec\" is missing"},
        {HEAD "spec:\n", "1: \"spec\" is missing"},
        {HEAD "spec: []\n", "3: spec: expected a mapping, found a list"},
        {HEAD "? [a]\n: b\n", "3: expected the name of a field, found a list"},
        {HEAD "metadata: {name: a, colour: red}\n",
         "3: metadata: \"colour\" is not a field; expected one of name, namespace, labels, "
         "annotations, creationTimestamp, deletionGracePeriodSeconds, deletionTimestamp, "
         "finalizers, generateName, generation, managedFields, ownerReferences, resourceVersion, "
         "selfLink, uid"},
        {HEAD "metadata:\n  labels:\n    a: 1\n",
         "5: metadata.labels: \"1\" is a number; put it in quotes to make it a text"},
        {HEAD "metadata:\n  annotations: text\n",
         "4: metadata.annotations: expected a mapping, found a scalar"},
        {HEAD "metadata:\n  name: A\n", "4: metadata.name: \"A\" "
                                        "is not a name of lower case letters, digits, '-' and '.', "
                                        "with a letter or digit at both ends"},
        {HEAD "metadata:\n  namespace: a.b\n",
         "4: metadata.namespace: \"a.b\" is not a name of at most 63 lower case letters, digits "
         "and '-', with a letter or digit at both ends"},
    };
    check_rows(rows, ARRAY_SIZE(rows));
}

static void syntax(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"a: [\n", "2: not YAML: did not find expected node content"},
        {HEAD "spec:\n\trules: []\n", "4: not YAML: found character that cannot start any token"},
        {"a: b: c\n", "1: not YAML: mapping values are not allowed in this context"},
        {HEAD "spec: *nobody\n", "3: not YAML: found undefined alias"},
        {HEAD "spec: \xff\n", "3: not YAML: invalid leading UTF-8 octet"},
        {HEAD "spec: \x01\n", "3: not YAML: control characters are not allowed"},
        {HEAD "spec: 'a\n", "4: not YAML: found unexpected end of stream"},
        {"a: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]\n", "1: nested too deeply"},
    };
    check_rows(rows, ARRAY_SIZE(rows));
}

static void spec(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {HEAD "spec: {}\n", "3: spec: \"rules\" is missing"},
        {HEAD "spec:\n  rules: null\n", "4: spec: \"rules\" is missing"},
        {HEAD "spec:\n  rules: []\n", "4: spec.rules: expected 1 to 16 rules, found none"},
        {HEAD "spec:\n  rules: {}\n", "4: spec.rules: expected a list, found a mapping"},
        {HEAD "spec:\n  rulez: []\n",
         "4: spec: \"rulez\" is not a field; expected one of parentRefs, useDefaultGateways, "
         "hostnames, rules"},
        {RULES "  - {}\n  - {}\n  - {}\n  - {}\n  - {}\n  - {}\n  - {}\n  - {}\n  - {}\n  - {}\n"
               "  - {}\n  - {}\n  - {}\n  - {}\n  - {}\n  - {}\n  - {}\n",
         "5: spec.rules: 17 items; at most 16 are allowed"},
        {HEAD "spec:\n  parentRefs: [{name: a}, {group: b}]\n",
         "4: spec.parentRefs[1]: \"name\" is missing"},
        {HEAD "spec:\n  parentRefs: [{name: a, port: 0}]\n",
         "4: spec.parentRefs[0].port: \"0\" is not a whole number from 1 to 65535"},
        {HEAD "spec:\n  parentRefs: [{name: a, section: b}]\n",
         "4: spec.parentRefs[0]: \"section\" is not a field; expected one of group, kind, "
         "namespace, name, sectionName, port"},
        {HEAD "spec:\n  parentRefs: {name: a}\n",
         "4: spec.parentRefs: expected a list, found a mapping"},
        {HEAD "spec:\n  hostnames:\n  - a.b\n  - 10.0.0.1\n",
         "6: spec.hostnames[1]: \"10.0.0.1\" is not a host name; expected lower case labels, the "
         "first may be \"*\""},
        {HEAD "spec:\n  hostnames: [true]\n",
         "4: spec.hostnames[0]: \"true\" is a boolean; put it in quotes to make it a text"},
        {HEAD "spec:\n  hostnames: [a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a]\n",
         "4: spec.hostnames: 17 items; at most 16 are allowed"},
    };
    check_rows(rows, ARRAY_SIZE(rows));
}

static void rules(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {RULES "  - text\n", "5: spec.rules[0]: expected a mapping, found a scalar"},
        {RULES "  - backends: []\n",
         "5: spec.rules[0]: \"backends\" is not a field; expected one of name, matches, "
         "backendRefs, filters, sessionPersistence"},
        {RULES "  - sessionPersistence: {}\n",
         "5: spec.rules[0].sessionPersistence: this field of GRPCRoute is not supported by "
         "grpcroute"},
        {RULES "  - name: a\n  - name: b\n  - name: a\n",
         "7: spec.rules[2].name: \"a\" is the name of another rule already"},
        {RULES "  - name: \"\"\n",
         "5: spec.rules[0].name: \"\" is not a name of lower case letters, digits, '-' and '.', "
         "with a letter or digit at both ends"},
        {RULES "  - name: a\n    name: b\n", "6: spec.rules[0]: \"name\" is given twice"},
        {RULES "  - name:\n    name: b\n", "6: spec.rules[0]: \"name\" is given twice"},
        {RULES "  - <<: {nome: a}\n",
         "5: spec.rules[0]: \"nome\" is not a field; expected one of name, matches, backendRefs, "
         "filters, sessionPersistence"},
        {RULES "  - '<<': {name: a}\n",
         "5: spec.rules[0]: \"<<\" is not a field; expected one of name, matches, backendRefs, "
         "filters, sessionPersistence"},
        {RULES "  - <<: text\n",
         "5: spec.rules[0]: << takes a mapping or a list of them, found a scalar"},
        {RULES "  - <<: [[{name: a}]]\n", "5: spec.rules[0]: << takes a mapping or a list of them, "
                                          "found a list with a list in it"},
        {RULES "  - <<: {}\n    <<: {}\n", "6: spec.rules[0]: \"<<\" is given twice"},
        {RULES "  - &r\n    <<: *r\n", "5: spec.rules[0]: too many merge keys (<<), or too deep in "
                                       "each other"},
        {RULES "  - name: !mine a\n",
         "5: spec.rules[0].name: \"!mine\" is a YAML tag that is not supported"},
        {RULES "  - name: !!binary YQ==\n",
         "5: spec.rules[0].name: \"tag:yaml.org,2002:binary\" is a YAML tag that is not supported"},
        {RULES "  - name: !!int a\n",
         "5: spec.rules[0].name: \"a\" is a number; put it in quotes to make it a text"},
        {RULES "  - !!set {name}\n",
         "5: spec.rules[0]: \"tag:yaml.org,2002:set\" is a YAML tag that is not supported"},
        {RULES "  - matches: !mine []\n",
         "5: spec.rules[0].matches: \"!mine\" is a YAML tag that is not supported"},
    };
    check_rows(rows, ARRAY_SIZE(rows));
}

static void backends(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {BACKEND("name: a"), "6: spec.rules[0].backendRefs[0]: \"port\" is missing"},
        {BACKEND("port: 1"), "6: spec.rules[0].backendRefs[0]: \"name\" is missing"},
        {BACKEND("name: Server, port: 1"),
         "6: spec.rules[0].backendRefs[0].name: \"Server\" is not a name of at most 63 lower case "
         "letters, digits and '-', with a letter or digit at both ends"},
        {BACKEND("name: \"\\e[31m\\n\", port: 1"),
         "6: spec.rules[0].backendRefs[0].name: \"\\x1b[31m\\x0a\" is not a name of at most 63 "
         "lower case letters, digits and '-', with a letter or digit at both ends"},
        {BACKEND("name: \"a\\0b\", port: 1"),
         "6: spec.rules[0].backendRefs[0].name: the text holds a NUL byte"},
        {BACKEND("name: 1, port: 1"),
         "6: spec.rules[0].backendRefs[0].name: \"1\" is a number; put it in quotes to make it a "
         "text"},
        {BACKEND("name: [a], port: 1"),
         "6: spec.rules[0].backendRefs[0].name: expected a text, found a list"},
        {BACKEND("name: a, port: 0"), "6: spec.rules[0].backendRefs[0].port: \"0\" is not a whole "
                                      "number from 1 to 65535"},
        {BACKEND("name: a, port: 65536"), "6: spec.rules[0].backendRefs[0].port: \"65536\" is not "
                                          "a whole number from 1 to 65535"},
        {BACKEND("name: a, port: http"), "6: spec.rules[0].backendRefs[0].port: \"http\" is not a "
                                         "whole number from 1 to 65535"},
        {BACKEND("name: a, port: \"1\""), "6: spec.rules[0].backendRefs[0].port: \"1\" is a text; "
                                          "expected a number without quotes"},
        {BACKEND("name: a, port: !!str 1"),
         "6: spec.rules[0].backendRefs[0].port: \"1\" is a text; expected a number without quotes"},
        {BACKEND("name: a, port: !!int \"x\""),
         "6: spec.rules[0].backendRefs[0].port: \"x\" is not a whole number from 1 to 65535"},
        {BACKEND("name: a, port: {}"),
         "6: spec.rules[0].backendRefs[0].port: expected a number, found a mapping"},
        {BACKEND("name: a, port: 1, weight: -1"), "6: spec.rules[0].backendRefs[0].weight: \"-1\" "
                                                  "is not a whole number from 0 to 1000000"},
        {BACKEND("name: a, port: 1, weight: 1000001"),
         "6: spec.rules[0].backendRefs[0].weight: \"1000001\" is not a whole number from 0 to "
         "1000000"},
        {BACKEND("name: a, port: 1, weight: 1.5"),
         "6: spec.rules[0].backendRefs[0].weight: "
         "\"1.5\" is not a whole number from 0 to 1000000"},
        {BACKEND("name: a, port: 1, kind: ServiceImport"),
         "6: spec.rules[0].backendRefs[0].kind: \"ServiceImport\" is not supported by grpcroute; "
         "expected Service"},
        {BACKEND("name: a, port: 1, group: multicluster.x-k8s.io"),
         "6: spec.rules[0].backendRefs[0].group: \"multicluster.x-k8s.io\" is not supported by "
         "grpcroute; expected \"\", the group of Service"},
        {BACKEND("name: a, port: 1, namespace: -"),
         "6: spec.rules[0].backendRefs[0].namespace: \"-\" is not a name of at most 63 lower case "
         "letters, digits and '-', with a letter or digit at both ends"},
        {BACKEND("name: a, port: 1, filters: []"),
         "6: spec.rules[0].backendRefs[0].filters: this field of GRPCRoute is not supported by "
         "grpcroute"},
        {BACKEND("name: a, port: 1, wait: 1"),
         "6: spec.rules[0].backendRefs[0]: \"wait\" is not a field; expected one of name, port, "
         "weight, namespace, kind, group, filters"},
    };
    check_rows(rows, ARRAY_SIZE(rows));
}

static void headers(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {HEADERS("{name: a, type: Prefix, value: b}"),
         "7: spec.rules[0].matches[0].headers[0].type: \"Prefix\" is not a header match type; "
         "expected Exact or RegularExpression"},
        {HEADERS("{value: b}"), "7: spec.rules[0].matches[0].headers[0]: \"name\" is missing"},
        {HEADERS("{name: a}"), "7: spec.rules[0].matches[0].headers[0]: \"value\" is missing"},
        {HEADERS("{name: a, value: ~}"),
         "7: spec.rules[0].matches[0].headers[0]: \"value\" is missing"},
        {HEADERS("{name: a, value: ''}"),
         "7: spec.rules[0].matches[0].headers[0]: value has 0 characters; expected 1 to 4096"},
        {HEADERS("{name: a, value: 1.0}"),
         "7: spec.rules[0].matches[0].headers[0].value: \"1.0\" is a number; put it in quotes to "
         "make it a text"},
        {HEADERS("{name: a, value: yes}"),
         "7: spec.rules[0].matches[0].headers[0].value: \"yes\" is a boolean; put it in quotes to "
         "make it a text"},
        {HEADERS("{name: 'a b', value: c}"),
         "7: spec.rules[0].matches[0].headers[0].name: \"a b\" is not a header name"},
        {HEADERS("{name: ':path', value: c}"),
         "7: spec.rules[0].matches[0].headers[0].name: \":path\" is not a header name"},
        {HEADERS("{name: a, value: b}\n      - {name: A, value: c}"),
         "8: spec.rules[0].matches[0].headers[1].name: \"a\" is matched already; header names "
         "ignore case"},
        {HEADERS("name: a\n        type: RegularExpression\n        value: v1(\n"),
         "9: spec.rules[0].matches[0].headers[0]: value is a bad regular expression: missing "
         "closing parenthesis at offset 3"},
        {HEADERS("value: '['\n        type: RegularExpression\n        name: a\n"),
         "7: spec.rules[0].matches[0].headers[0]: value is a bad regular expression: missing "
         "terminating ] for character class at offset 1"},
        {HEADERS("{name: a, value: b, regex: true}"),
         "7: spec.rules[0].matches[0].headers[0]: \"regex\" is not a field; expected one of name, "
         "type, value"},
        {MATCH("headers: {name: a}"),
         "6: spec.rules[0].matches[0].headers: expected a list, found a mapping"},
        {MATCH("headers: [{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}]"),
         "6: spec.rules[0].matches[0].headers: 17 items; at most 16 are allowed"},
        {MATCH("path: /a"), "6: spec.rules[0].matches[0]: \"path\" is not a field; expected one of "
                            "method, headers"},
        {RULES "  - matches: {headers: []}\n",
         "5: spec.rules[0].matches: expected a list, found a mapping"},
    };
    check_rows(rows, ARRAY_SIZE(rows));
}

static void methods(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {MATCH("method: {}"),
         "6: spec.rules[0].matches[0].method: service or method must be given"},
        {MATCH("method: {type: Exact}"),
         "6: spec.rules[0].matches[0].method: service or method must be given"},
        {MATCH("method: {type: Prefix, service: a}"),
         "6: spec.rules[0].matches[0].method.type: \"Prefix\" is not a method match type; expected "
         "Exact or RegularExpression"},
        {MATCH("method: {service: a/b}"),
         "6: spec.rules[0].matches[0].method: \"a/b\" is not a gRPC service such as "
         "package.Service"},
        {MATCH("method: {service: a, method: 'b.*'}"),
         "6: spec.rules[0].matches[0].method: \"b.*\" is not a gRPC method"},
        {MATCH("method: {service: ''}"),
         "6: spec.rules[0].matches[0].method: service has 0 characters; expected 1 to 1024"},
        {MATCH("method: {type: RegularExpression, method: '*'}"),
         "6: spec.rules[0].matches[0].method: method is a bad regular expression: quantifier does "
         "not follow a repeatable item at offset 0"},
        {MATCH("method: PingPong"),
         "6: spec.rules[0].matches[0].method: expected a mapping, found a scalar"},
    };
    check_rows(rows, ARRAY_SIZE(rows));
}

/* The changes of a filter are on line 8. */
#define REQUEST(changes)                                                                              \
    RULES                                                                                             \
    "  - filters:\n    - type: RequestHeaderModifier\n      requestHeaderModifier:\n        " changes \
    "\n"
#define IN_REQUEST "8: spec.rules[0].filters[0].requestHeaderModifier"

static void filters(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {RULES "  - filters: {}\n", "5: spec.rules[0].filters: expected a list, found a mapping"},
        {RULES "  - filters: [{}]\n", "5: spec.rules[0].filters[0]: \"type\" is missing"},
        {RULES "  - filters:\n    - type: RequestMirror\n      requestMirror: {}\n",
         "6: spec.rules[0].filters[0]: the filter RequestMirror is not supported by grpcroute; "
         "RequestHeaderModifier and ResponseHeaderModifier are"},
        {RULES "  - filters:\n    - type: ExtensionRef\n",
         "6: spec.rules[0].filters[0]: the filter ExtensionRef is not supported by grpcroute; "
         "RequestHeaderModifier and ResponseHeaderModifier are"},
        {RULES "  - filters:\n    - type: URLRewrite\n",
         "6: spec.rules[0].filters[0]: \"URLRewrite\" is not a filter of GRPCRoute; expected "
         "RequestHeaderModifier or ResponseHeaderModifier"},
        {RULES "  - filters:\n    - {type: RequestHeaderModifier}\n",
         "6: spec.rules[0].filters[0]: \"requestHeaderModifier\" is missing"},
        {RULES "  - filters:\n    - {type: ResponseHeaderModifier, responseHeaderModifier: {},\n"
               "       requestHeaderModifier: {}}\n",
         "7: spec.rules[0].filters[0].requestHeaderModifier: \"ResponseHeaderModifier\" is not the "
         "type of this filter, whose fields are others"},
        {RULES "  - filters:\n    - {type: RequestHeaderModifier, requestHeaderModifier: {}}\n"
               "    - {type: RequestHeaderModifier, requestHeaderModifier: {}}\n",
         "7: spec.rules[0].filters[1]: \"RequestHeaderModifier\" is a filter of this rule already"},
        {REQUEST("replace: []"),
         IN_REQUEST ": \"replace\" is not a field; expected one of set, add, "
                    "remove"},
        {REQUEST("set: [{name: a}]"), IN_REQUEST ".set[0]: \"value\" is missing"},
        {REQUEST("set: [{value: a}]"), IN_REQUEST ".set[0]: \"name\" is missing"},
        {REQUEST("set: [{name: a, value: ''}]"),
         IN_REQUEST ".set[0].value: value has 0 characters; expected 1 to 4096"},
        {REQUEST("set: [{name: a, value: 'b '}]"), IN_REQUEST
         ".set[0].value: \"b \" is no value of gRPC metadata: visible ASCII, no blank at "
         "its ends"},
        {REQUEST("set: [{name: a, value: \"b\\nc\"}]"),
         IN_REQUEST ".set[0].value: \"b\\x0ac\" is no value of gRPC metadata: visible ASCII, no "
                    "blank at its ends"},
        {REQUEST("add: [{name: a, value: \"\xc3\xbc\"}]"),
         IN_REQUEST ".add[0].value: \"\\xc3\\xbc\" is no value of gRPC metadata: visible ASCII, no "
                    "blank at its ends"},
        {REQUEST("set: [{name: 'a b', value: c}]"),
         IN_REQUEST ".set[0].name: \"a b\" is not a header name"},
        {REQUEST("set: [{name: 'a!', value: c}]"),
         IN_REQUEST ".set[0].name: \"a!\" is no name of gRPC metadata: letters, digits, '-', '_', "
                    "'.'"},
        {REQUEST("set: [{name: a-bin, value: '%%'}]"),
         IN_REQUEST ".set[0]: \"a-bin\" is binary metadata, whose value must be base64"},
        {REQUEST("set: [{name: a, value: b}]\n        remove: [A]"),
         "9: spec.rules[0].filters[0].requestHeaderModifier.remove[0]: \"a\" is changed already by "
         "this filter; header names ignore case, and proxies differ in what goes first"},
        {REQUEST("remove: [{name: a}]"), IN_REQUEST ".remove[0]: expected a text, found a mapping"},
    };
    check_rows(rows, ARRAY_SIZE(rows));
}

/* Whatever the case, the action and the direction. */
static void no_filter_touches_what_is_not_the_users(void **state)
{
    (void)state;
    static const char *const names[] = {
        ":path",
        ":authority",
        ":status",
        "te",
        "TE",
        "Content-Type",
        "grpc-timeout",
        "Grpc-Status",
        "grpc-encoding",
        "grpc-message",
        "host",
        "Connection",
        "keep-alive",
        "proxy-connection",
        "Proxy-Authorization",
        "transfer-encoding",
        "Upgrade",
        "trailer",
        "content-length",
        "http2-settings",
    };
    static const char *const actions[][2] = {
        {"set: [{value: x, name: '", "'}]"},
        {"add: [{value: x, name: '", "'}]"},
        {"remove: ['", "']"},
    };
    static const char *const directions[][2] = {
        {"RequestHeaderModifier", "requestHeaderModifier"},
        {"ResponseHeaderModifier", "responseHeaderModifier"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(names) * 6; i++) {
        char yaml[500];
        struct route_table *table = NULL;
        struct route_error error = {{0}};
        const char *const *direction = directions[i % 2];
        const char *const *action = actions[i / 2 % 3];
        snprintf(yaml, sizeof(yaml),
                 RULES "  - filters:\n    - type: %s\n      %s:\n        %s%s%s\n", direction[0],
                 direction[1], action[0], names[i / 6], action[1]);
        if (route_table_parse(yaml, strlen(yaml), "routes.yaml", &table, &error) == 0) {
            fail_msg("taken: %s", yaml);
        }
        if (strncmp(error.text, "routes.yaml:8: ", 15) != 0 ||
            strstr(error.text, "no filter may change") == NULL) {
            fail_msg("%s", error.text);
        }
    }
}

/* ---- what checks pass over ------------------------------------------------------------------- */

static const char odd[] =
    HEAD "more: 1\nmetadata: {colour: red}\nspec:\n  timeouts: 1\n  rules:\n"
         "  - sessionPersistence: {}\n    retry: {}\n"
         "    filters: [{type: RequestMirror, requestMirror: {}}]\n"
         "    backendRefs:\n"
         "    - {name: a, port: 1, kind: ServiceImport, group: x.io, filters: "
         "[], zone: b}\n";

static void checks_pass_over_what_bears_on_no_streams_way(void **state)
{
    (void)state;
    struct route_table *table = NULL;
    struct route_error error = {{0}};
    if (route_table_parse_for_checks(odd, strlen(odd), "routes.yaml", &table, &error) != 0) {
        fail_msg("%s", error.text);
    }
    static const char *const begins[] = {
        "routes.yaml:3: \"more\" is not a field",
        "routes.yaml:4: metadata: \"colour\" is not a field",
        "routes.yaml:6: spec: \"timeouts\" is not a field",
        "routes.yaml:8: spec.rules[0].sessionPersistence: this field",
        "routes.yaml:9: spec.rules[0]: \"retry\" is not a field",
        "routes.yaml:10: spec.rules[0].filters[0]: the filter RequestMirror",
        "routes.yaml:12: spec.rules[0].backendRefs[0].kind: \"ServiceImport\"",
        "routes.yaml:12: spec.rules[0].backendRefs[0].group: \"x.io\"",
        "routes.yaml:12: spec.rules[0].backendRefs[0].filters: this field",
        "routes.yaml:12: spec.rules[0].backendRefs[0]: \"zone\" is not a field",
    };
    assert_int_equal(table->notes.count, ARRAY_SIZE(begins));
    for (size_t i = 0; i < ARRAY_SIZE(begins); i++) {
        if (strncmp(table->notes.texts[i], begins[i], strlen(begins[i])) != 0) {
            fail_msg("%s", table->notes.texts[i]);
        }
    }
    route_table_free(table);
    assert_int_equal(route_table_parse(odd, strlen(odd), "routes.yaml", &table, &error), 1);
}

/* What may be a slip of the pen, or narrows a match. */
static void checks_refuse_what_may_bear_on_it(void **state)
{
    (void)state;
    static const char *const texts[] = {
        RULES "  - match: []\n",
        RULES "  - matchez: []\n",
        RULES "  - backendRef: []\n",
        RULES "  - backends: []\n",
        HEAD "spec: {hostname: [a], rules: [{}]}\n",
        MATCH("queryParams: []"),
        HEADERS("{name: a, value: b, invert: true}"),
        MATCH("method: {service: a, path: b}"),
        BACKEND("name: a, port: 1, wieght: 0"),
        BACKEND("name: a, port: 1, weights: 0"),
        RULES "  - filters: [{type: URLRewrite}]\n",
    };
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct route_table *table = NULL;
        struct route_error error = {{0}};
        if (route_table_parse_for_checks(texts[i], strlen(texts[i]), "r", &table, &error) == 0) {
            fail_msg("taken: %s", texts[i]);
        }
    }
}

static void notes_are_bounded(void **state)
{
    (void)state;
    char yaml[4000] = HEAD "spec:\n  rules: [{}]\n";
    for (int i = 0; i < ROUTE_NOTES_MAX + 5; i++) {
        snprintf(yaml + strlen(yaml), sizeof(yaml) - strlen(yaml), "odd%d: 1\n", i);
    }
    struct route_table *table = NULL;
    struct route_error error;
    assert_int_equal(route_table_parse_for_checks(yaml, strlen(yaml), "r", &table, &error), 0);
    assert_int_equal(table->notes.count, ROUTE_NOTES_MAX);
    assert_int_equal(table->notes.more, 5);
    route_table_free(table);
}

/* ---- limits that need long texts ------------------------------------------------------------- */

static void expect_error(const char *yaml, const char *part)
{
    struct route_table *table = NULL;
    struct route_error error = {{0}};
    assert_int_equal(route_table_parse(yaml, strlen(yaml), "routes.yaml", &table, &error), 1);
    if (strstr(error.text, part) == NULL) {
        fail_msg("%s", error.text);
    }
}

static void long_values_are_counted(void **state)
{
    (void)state;
    char value[ROUTE_VALUE_MAX + 2];
    char yaml[ROUTE_VALUE_MAX + 400];
    memset(value, 'x', sizeof(value));
    value[ROUTE_VALUE_MAX] = '\0';
    snprintf(yaml, sizeof(yaml), HEADERS("{name: a, value: %s}"), value);
    route_table_free(parse(yaml));
    value[ROUTE_VALUE_MAX] = 'x';
    value[ROUTE_VALUE_MAX + 1] = '\0';
    snprintf(yaml, sizeof(yaml), HEADERS("{name: a, value: %s}"), value);
    expect_error(yaml, "routes.yaml:7: spec.rules[0].matches[0].headers[0]: value has 4097 "
                       "characters; expected 1 to 4096");
    value[ROUTE_METHOD_MAX + 1] = '\0';
    snprintf(yaml, sizeof(yaml), MATCH("method: {type: RegularExpression, method: %s}"), value);
    expect_error(yaml, "method has 1025 characters; expected 1 to 1024");
    snprintf(yaml, sizeof(yaml), BACKEND("name: %s, port: 1"), value);
    expect_error(yaml, "xxx...\" is not a name"); /* cut, in one line */
}

static void matches_and_header_names_are_counted(void **state)
{
    (void)state;
    char yaml[64 * 1024];
    size_t len = (size_t)snprintf(yaml, sizeof(yaml), "%s", RULES);
    for (int r = 0; r < 3; r++) {
        len += (size_t)snprintf(yaml + len, sizeof(yaml) - len, "  - matches:\n");
        for (int m = 0; m < (r < 2 ? 64 : 1); m++) {
            len += (size_t)snprintf(yaml + len, sizeof(yaml) - len,
                                    "    - headers: [{name: a, value: b}]\n");
        }
    }
    expect_error(yaml, "routes.yaml:136: spec.rules[2].matches[0]: all rules together may have at "
                       "most 128 matches");
    yaml[strstr(yaml, "  - matches:\n") - yaml] = '\0';
    len = strlen(yaml);
    len += (size_t)snprintf(yaml + len, sizeof(yaml) - len, "  - matches:\n");
    for (int m = 0; m < 65; m++) {
        len += (size_t)snprintf(yaml + len, sizeof(yaml) - len, "    - {}\n");
    }
    expect_error(yaml, "routes.yaml:6: spec.rules[0].matches: 65 items; at most 64 are allowed");

    len = (size_t)snprintf(yaml, sizeof(yaml), "%s  - matches:\n", RULES);
    for (int m = 0; m < 64; m++) {
        len += (size_t)snprintf(yaml + len, sizeof(yaml) - len,
                                "    - headers: [{name: h%d, value: b}]\n", m);
    }
    route_table_free(parse(yaml));
    snprintf(yaml + len, sizeof(yaml) - len,
             "  - matches:\n    - headers: [{name: h64, value: b}]\n");
    expect_error(yaml, "routes.yaml: the rules match on more than 64 different headers");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents),
        cmocka_unit_test(syntax),
        cmocka_unit_test(spec),
        cmocka_unit_test(rules),
        cmocka_unit_test(backends),
        cmocka_unit_test(headers),
        cmocka_unit_test(methods),
        cmocka_unit_test(filters),
        cmocka_unit_test(no_filter_touches_what_is_not_the_users),
        cmocka_unit_test(checks_pass_over_what_bears_on_no_streams_way),
        cmocka_unit_test(checks_refuse_what_may_bear_on_it),
        cmocka_unit_test(notes_are_bounded),
        cmocka_unit_test(long_values_are_counted),
        cmocka_unit_test(matches_and_header_names_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
