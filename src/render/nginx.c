/* nginx 1.22. */
#include "base/mem.h"
#include "render/plan.h"
#include "render/stream_log.h"
#include "render/text.h"
#include "route/regex.h"

#include <stdlib.h>
#include <string.h>

/* A variable for each stands in one word of the configuration, which has 4 KiB at most. */
#define MATCHES_MAX 250

/* ---- conditions ------------------------------------------------------------------------------ */

/* An expression of a map for a whole value, in double quotes. */
static void put_expression(FILE *out, const struct route_pattern *pattern)
{
    char *text = NULL;
    size_t len = 0;
    FILE *plain = open_memstream(&text, &len);
    if (plain == NULL) {
        abort(); /* no memory */
    }
    if (pattern->regex != NULL) {
        fprintf(plain, "~^(?:%s)$", pattern->value);
    } else {
        fputs("~^", plain); /* texts of a map ignore case, expressions do not */
        put_literal(plain, pattern->value);
        fputc('$', plain);
    }
    fclose(plain);
    put_yaml(out, text); /* the same escapes */
    free(text);
}

/* "$http_agent_version"; nginx has variables only for letters, digits and dashes. */
static int put_variable(FILE *out, const char *header, char reason[static RENDER_REASON_BYTES])
{
    fputs("$http_", out);
    for (const char *at = header; *at != '\0'; at++) {
        if (strchr("abcdefghijklmnopqrstuvwxyz0123456789-", *at) == NULL) {
            snprintf(reason, RENDER_REASON_BYTES, "nginx has no variable for the header \"%.100s\"",
                     header);
            return 1;
        }
        fputc(*at == '-' ? '_' : *at, out);
    }
    return 0;
}

/* render puts "^(?:" and ")$" around an expression, and nginx makes a variable of a named group. */
static int check_expression(const struct route_pattern *pattern,
                            char reason[static RENDER_REASON_BYTES])
{
    if (pattern->regex == NULL) {
        return 0;
    }
    struct route_regex_facts facts = route_regex_wrapped(pattern->value, true);
    if (!facts.compiles || facts.names > 0) {
        snprintf(reason, RENDER_REASON_BYTES, "nginx's maps cannot say \"%.100s\"", pattern->value);
        return 1;
    }
    return 0;
}

/* Service and method become one expression, where groups count through. */
static int check_path(const struct route_match *match, char reason[static RENDER_REASON_BYTES])
{
    if (match == NULL) {
        return 0;
    }
    if (check_expression(&match->service, reason) != 0 ||
        check_expression(&match->method, reason) != 0) {
        return 1;
    }
    if (match->service.regex != NULL && match->method.regex != NULL &&
        route_regex_wrapped(match->service.value, true).groups > 0 &&
        route_regex_wrapped(match->method.value, true).back_references > 0) {
        snprintf(reason, RENDER_REASON_BYTES,
                 "nginx's maps cannot say \"%.100s\" behind a service with groups",
                 match->method.value);
        return 1;
    }
    return 0;
}

/* One map for each condition of a match, 1 when it holds. */
static int put_conditions(FILE *out, size_t index, const struct route_match *match,
                          char reason[static RENDER_REASON_BYTES])
{
    char *path = path_expression(match);
    int rv = check_path(match, reason);
    if (path != NULL) {
        fprintf(out, "    map $uri $match%zu_path { default 0; ", index);
        const struct route_pattern whole = {.value = path, .regex = (struct route_regex *)path};
        put_expression(out, &whole);
        fputs(" 1; }\n", out);
    }
    for (size_t i = 0; match != NULL && i < match->header_count && rv == 0; i++) {
        fputs("    map ", out);
        rv = put_variable(out, match->headers[i].name, reason) != 0 ||
             check_expression(&match->headers[i].pattern, reason) != 0;
        fprintf(out, " $match%zu_header%zu { default 0; ", index, i);
        put_expression(out, &match->headers[i].pattern);
        fputs(" 1; }\n", out);
    }
    free(path);
    return rv;
}

/* 1 when all conditions of the match hold; `host`: the number of the host's map, 0: any host. */
static void put_and(FILE *out, size_t index, size_t host, const struct route_match *match)
{
    bool has_path = match != NULL && (match->service.value != NULL || match->method.value != NULL);
    size_t count = has_path + (size_t)(host > 0) + (match != NULL ? match->header_count : 0);
    fputs("    map \"", out);
    if (host > 0) {
        fprintf(out, "${host%zu}", host);
    }
    if (has_path) {
        fprintf(out, "${match%zu_path}", index);
    }
    for (size_t i = 0; match != NULL && i < match->header_count; i++) {
        fprintf(out, "${match%zu_header%zu}", index, i);
    }
    fprintf(out, "\" $match%zu { default 0; \"", index);
    for (size_t i = 0; i < count; i++) {
        fputc('1', out);
    }
    fputs("\" 1; }\n", out);
}

/* A map for the hosts of an entry, 1 when the request is for one. Returns its number, or 0. */
static size_t put_host(FILE *out, const struct route_table *routes, size_t index)
{
    const struct route_host *host = &routes->hosts[index];
    if (host->name_count == 0) {
        return 0;
    }
    fprintf(out, "    map $host $host%zu { hostnames; default 0;", index + 1);
    for (size_t i = 0; i < host->name_count; i++) {
        fprintf(out, " %s 1;", host->names[i]);
    }
    fputs(" }\n", out);
    return index + 1;
}

/* ---- decision -------------------------------------------------------------------------------- */

/* A variable with the upstream of a rule that splits its streams. */
static void put_split(FILE *out, const struct route_table *routes, size_t index)
{
    const struct route_rule *rule = &routes->rules[index];
    if (rule->backend_count == 1) {
        fprintf(out, "    map \"\" $rule%zu { default %s; }\n", index,
                rule->backends[0].cluster->name);
        return;
    }
    fprintf(out, "    split_clients $request_id $rule%zu {\n", index);
    for (size_t i = 0; i < rule->backend_count; i++) {
        double percent = 100.0 * rule->backends[i].weight / (double)render_weight(rule);
        if (i + 1 == rule->backend_count) {
            fprintf(out, "        * %s;\n", rule->backends[i].cluster->name);
        } else if (percent >= 0.01) {
            fprintf(out, "        %.2f%% %s;\n", percent, rule->backends[i].cluster->name);
        }
    }
    fputs("    }\n", out);
}

/* A map from the first candidate that matches to what its rule is called: `prefix` and the rule's
 * index. */
static void put_first(FILE *out, const struct route_table *routes, const char *variable,
                      const char *none, const char *prefix)
{
    size_t count = render_candidates(routes);
    size_t index = 0;
    fputs("    map \"", out);
    for (size_t i = 0; i < count; i++) {
        fprintf(out, "${match%zu}", i);
    }
    fprintf(out, "\" %s {\n        default %s;\n", variable, none);
    for (size_t h = 0; h < routes->host_count; h++) {
        const struct route_host *host = &routes->hosts[h];
        for (size_t i = 0; i < host->candidate_count; i++, index++) {
            fputs("        \"~^", out);
            for (size_t before = 0; before < index; before++) {
                fputc('0', out);
            }
            fprintf(out, "1\" %s%zu;\n", prefix,
                    render_rule_index(routes, host->candidates[i].rule));
        }
    }
    fputs("    }\n", out);
}

static int put_matches(FILE *out, const struct route_table *routes,
                       char reason[static RENDER_REASON_BYTES])
{
    size_t index = 0;
    int rv = 0;
    for (size_t h = 0; h < routes->host_count; h++) {
        const struct route_host *host = &routes->hosts[h];
        size_t number = put_host(out, routes, h);
        for (size_t i = 0; i < host->candidate_count && rv == 0; i++, index++) {
            rv = put_conditions(out, index, host->candidates[i].match, reason);
            put_and(out, index, number, host->candidates[i].match);
        }
    }
    return rv;
}

static int put_routes(FILE *out, const struct route_table *routes,
                      char reason[static RENDER_REASON_BYTES])
{
    if (render_candidates(routes) > MATCHES_MAX) {
        snprintf(reason, RENDER_REASON_BYTES,
                 "nginx's configuration cannot say more than %d combinations of hosts and matches",
                 MATCHES_MAX);
        return 1;
    }
    int rv = put_matches(out, routes, reason);
    for (size_t i = 0; i < routes->rule_count; i++) {
        put_split(out, routes, i);
    }
    put_first(out, routes, "$backend", "no-route", "$rule");
    if (route_table_has_modifiers(routes)) {
        put_first(out, routes, "$rule", "none", "rule-");
    }
    return rv;
}

/* ---- server ---------------------------------------------------------------------------------- */

/* Never marked as down: an answer that nginx does not take counts as a failure of its server, so
 * one client could take all servers from the others. */
static void put_upstream(FILE *out, const struct render_cluster *cluster)
{
    char address[TEXT_ADDRESS_BYTES];
    fprintf(out, "    upstream %s {\n", cluster->route->name);
    for (size_t i = 0; i < cluster->endpoint_count; i++) {
        fprintf(out, "        server %s max_fails=0;\n",
                render_address(&cluster->endpoints[i], "", address));
    }
    fputs("    }\n", out);
}

/* The last address of those that were tried. Whatever a server says of itself in these headers is
 * replaced. */
static void put_identity_map(FILE *out, const char *name)
{
    if (name != NULL) {
        fputs("    map $upstream_addr $chosen { default $upstream_addr; "
              "\"~(?<last>[^, ]+)$\" $last; }\n",
              out);
    }
}

static void put_identity(FILE *out, const char *name)
{
    if (name != NULL) {
        fprintf(out,
                "            grpc_hide_header %s;\n"
                "            grpc_hide_header %s" RENDER_POD_SUFFIX ";\n"
                "            add_header %s $backend always; # which upstream was chosen, and which "
                "server\n"
                "            add_header %s" RENDER_POD_SUFFIX " $chosen always;\n",
                name, name, name, name);
    }
}

static void put_pass(FILE *out, const char *identity)
{
    fputs("            grpc_pass grpc://$backend;\n"
          "            grpc_read_timeout 24d;   # 60 s between two messages of the server\n"
          "            grpc_send_timeout 24d;\n"
          "            grpc_buffer_size 16k;    # 4 or 8k for the server's metadata\n"
          "            grpc_socket_keepalive on;\n"
          "            grpc_connect_timeout 5s; # then the next server\n"
          "            grpc_next_upstream error timeout;\n",
          out);
    put_identity(out, identity);
}

static void put_server(FILE *out, const struct render_plan *plan)
{
    char address[TEXT_ADDRESS_BYTES];
    fprintf(out,
            "    server {\n        listen %s;\n        location = /ready { return 200; }\n"
            "        location = /stats { stub_status; }\n    }\n",
            render_address(&plan->admin, "*", address));
    fprintf(out, "    server {\n        listen %s ssl http2;\n",
            render_address(&plan->listen, "*", address));
    fputs("        ssl_certificate ", out);
    put_yaml(out, plan->cert);
    fputs(";\n        ssl_certificate_key ", out);
    put_yaml(out, plan->key);
    fputs(";\n        ssl_protocols TLSv1.2 TLSv1.3;\n"
          "        client_max_body_size 0;      # 1 MB over the whole life of a stream\n"
          "        client_body_timeout 24d;     # 60 s between two messages of the client\n"
          "        large_client_header_buffers 4 16k; # 8k; more costs a client its connection\n"
          "        keepalive_timeout 1h;        # 75 s without a stream\n"
          "        keepalive_requests 100000;   # streams of one connection\n"
          "        http2_max_concurrent_streams 1000;\n",
          out);
    stream_log_nginx_server(out, plan);
}

/* ---- filters --------------------------------------------------------------------------------- */

static bool is_modified(const struct route_rule *rule)
{
    return rule->request.count + rule->response.count > 0;
}

static int complain(const struct route_table *routes, const struct route_rule *rule,
                    const char *filter, const char *what, const char *name,
                    char reason[static RENDER_REASON_BYTES])
{
    char shown[RENDER_RULE_BYTES];
    snprintf(reason, RENDER_REASON_BYTES, "%s: nginx cannot %s the header \"%.100s\" (%s)",
             render_rule_name(routes, rule, shown), what, name, filter);
    return 1;
}

/* An empty value takes the header out. */
static int put_request(FILE *out, const struct route_table *routes, const struct route_rule *rule,
                       char reason[static RENDER_REASON_BYTES])
{
    static const char filter[] = "RequestHeaderModifier";
    for (size_t i = 0; i < rule->request.count; i++) {
        const struct route_change *change = &rule->request.changes[i];
        if (change->kind == ROUTE_HEADER_ADD) {
            return complain(routes, rule, filter, "add a value to", change->name, reason);
        }
        if (change->value != NULL && strchr(change->value, '$') != NULL) {
            return complain(routes, rule, filter, "say the \"$\" in the value of", change->name,
                            reason);
        }
        fprintf(out, "            grpc_set_header %s ", change->name);
        put_yaml(out, change->value != NULL ? change->value : "");
        fputs(";\n", out);
    }
    return 0;
}

static int put_response(FILE *out, const struct route_table *routes, const struct route_rule *rule,
                        char reason[static RENDER_REASON_BYTES])
{
    for (size_t i = 0; i < rule->response.count; i++) {
        const struct route_change *change = &rule->response.changes[i];
        if (change->value != NULL && strchr(change->value, '$') != NULL) {
            return complain(routes, rule, "ResponseHeaderModifier", "say the \"$\" in the value of",
                            change->name, reason);
        }
        if (change->kind != ROUTE_HEADER_ADD) {
            fprintf(out, "            grpc_hide_header %s;\n", change->name);
        }
        if (change->value != NULL) {
            fprintf(out, "            add_header %s ", change->name);
            put_yaml(out, change->value);
            fputs(" always;\n", out);
        }
    }
    return 0;
}

/* ---- locations ------------------------------------------------------------------------------- */

/* Headers can be changed in a location alone, and a rule gets to its own by way of an error. */
static int put_locations(FILE *out, const struct route_table *routes, const char *identity,
                         char reason[static RENDER_REASON_BYTES])
{
    int rv = 0;
    if (route_table_has_modifiers(routes)) {
        fputs("        error_page 418 = @$rule;\n", out);
    }
    fputs("        location / {\n"
          "            if ($backend = no-route) { return 404; } # UNIMPLEMENTED to a gRPC client\n",
          out);
    for (size_t i = 0; i < routes->rule_count; i++) {
        if (is_modified(&routes->rules[i])) {
            fprintf(out, "            if ($rule = rule-%zu) { return 418; }\n", i);
        }
    }
    put_pass(out, identity);
    fputs("        }\n", out);
    for (size_t i = 0; i < routes->rule_count && rv == 0; i++) {
        if (is_modified(&routes->rules[i])) {
            fprintf(out, "        location @rule-%zu {\n", i);
            rv = put_request(out, routes, &routes->rules[i], reason) != 0 ||
                 put_response(out, routes, &routes->rules[i], reason) != 0;
            put_pass(out, identity);
            fputs("        }\n", out);
        }
    }
    fputs("    }\n", out);
    return rv;
}

int render_nginx(FILE *out, const struct render_plan *plan, char reason[static RENDER_REASON_BYTES])
{
    fputs("# Written by `grpcroute render nginx` from a GRPCRoute; tested with nginx 1.22.\n"
          "# Names are resolved once, when nginx starts: reload it when servers come or go. It has "
          "no gRPC health checks, and\n"
          "# sees only the first of a repeated header: it cannot reject that.\n"
          "worker_processes auto;\n"
          "pid nginx.pid;\n"
          "error_log stderr warn;\n"
          "events { worker_connections 10000; }\n"
          "http {\n"
          "    access_log off;\n"
          "    client_body_temp_path temp; proxy_temp_path temp; fastcgi_temp_path temp; "
          "uwsgi_temp_path temp; scgi_temp_path temp;\n"
          "    map_hash_bucket_size 256;\n",
          out);
    for (size_t i = 0; i < plan->routes->cluster_count; i++) {
        put_upstream(out, &plan->clusters[i]);
    }
    int rv = put_routes(out, plan->routes, reason);
    put_identity_map(out, plan->identity);
    stream_log_nginx(out, plan);
    put_server(out, plan);
    rv = rv != 0 ? rv : put_locations(out, plan->routes, plan->identity, reason);
    fputs("}\n", out);
    return rv;
}
