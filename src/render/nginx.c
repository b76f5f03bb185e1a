/* nginx 1.18 and newer. */
#include "base/mem.h"
#include "render/plan.h"
#include "render/text.h"

#include <stdlib.h>
#include <string.h>

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

/* One map for each condition of a match, 1 when it holds. */
static int put_conditions(FILE *out, size_t index, const struct route_match *match,
                          char reason[static RENDER_REASON_BYTES])
{
    char *path = path_expression(match);
    int rv = 0;
    if (path != NULL) {
        fprintf(out, "    map $uri $match%zu_path { default 0; ", index);
        const struct route_pattern whole = {.value = path, .regex = (struct route_regex *)path};
        put_expression(out, &whole);
        fputs(" 1; }\n", out);
    }
    for (size_t i = 0; match != NULL && i < match->header_count && rv == 0; i++) {
        fputs("    map ", out);
        rv = put_variable(out, match->headers[i].name, reason);
        fprintf(out, " $match%zu_header%zu { default 0; ", index, i);
        put_expression(out, &match->headers[i].pattern);
        fputs(" 1; }\n", out);
    }
    free(path);
    return rv;
}

/* 1 when all conditions of the match hold. */
static void put_and(FILE *out, size_t index, const struct route_match *match)
{
    bool has_path = match != NULL && (match->service.value != NULL || match->method.value != NULL);
    size_t count = has_path + (match != NULL ? match->header_count : 0);
    fputs("    map \"", out);
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

/* The first candidate that matches wins. */
static void put_decision(FILE *out, const struct route_table *routes)
{
    fputs("    map \"", out);
    for (size_t i = 0; i < routes->candidate_count; i++) {
        fprintf(out, "${match%zu}", i);
    }
    fputs("\" $backend {\n        default no-route;\n", out);
    for (size_t i = 0; i < routes->candidate_count; i++) {
        fputs("        \"~^", out);
        for (size_t before = 0; before < i; before++) {
            fputc('0', out);
        }
        fprintf(out, "1\" $rule%zu;\n", (size_t)(routes->candidates[i].rule - routes->rules));
    }
    fputs("    }\n", out);
}

static int put_routes(FILE *out, const struct route_table *routes,
                      char reason[static RENDER_REASON_BYTES])
{
    int rv = 0;
    for (size_t i = 0; i < routes->candidate_count && rv == 0; i++) {
        rv = put_conditions(out, i, routes->candidates[i].match, reason);
        put_and(out, i, routes->candidates[i].match);
    }
    for (size_t i = 0; i < routes->rule_count; i++) {
        put_split(out, routes, i);
    }
    put_decision(out, routes);
    return rv;
}

/* ---- server ---------------------------------------------------------------------------------- */

static void put_upstream(FILE *out, const struct render_cluster *cluster)
{
    char address[TEXT_ADDRESS_BYTES];
    fprintf(out, "    upstream %s {\n", cluster->route->name);
    for (size_t i = 0; i < cluster->endpoint_count; i++) {
        fprintf(out, "        server %s max_fails=1 fail_timeout=2s;\n",
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

static void put_server(FILE *out, const struct render_plan *plan)
{
    char address[TEXT_ADDRESS_BYTES];
    fprintf(out,
            "    server {\n        listen %s;\n        location = /ready { return 200; }\n"
            "        location = /stats { stub_status; }\n    }\n",
            render_address(&plan->admin, "*", address));
    fprintf(out, "    server {\n        listen %s ssl http2;\n",
            render_address(&plan->listen, "*", address));
    if (plan->routes->hostname_count > 0) {
        fputs("        server_name", out);
        for (size_t i = 0; i < plan->routes->hostname_count; i++) {
            fprintf(out, " %s", plan->routes->hostnames[i]);
        }
        fputs(";\n", out);
    }
    fputs("        ssl_certificate ", out);
    put_yaml(out, plan->cert);
    fputs(";\n        ssl_certificate_key ", out);
    put_yaml(out, plan->key);
    fputs(";\n        ssl_protocols TLSv1.2 TLSv1.3;\n"
          "        client_max_body_size 0;      # 1 MB over the whole life of a stream\n"
          "        client_body_timeout 24d;     # 60 s between two messages of the client\n"
          "        keepalive_requests 100000;   # streams of one connection\n"
          "        http2_max_concurrent_streams 1000;\n"
          "        location / {\n"
          "            if ($backend = no-route) { return 404; } # UNIMPLEMENTED to a gRPC client\n"
          "            grpc_pass grpc://$backend;\n"
          "            grpc_read_timeout 24d;   # 60 s between two messages of the server\n"
          "            grpc_send_timeout 24d;\n"
          "            grpc_socket_keepalive on;\n"
          "            grpc_next_upstream error;\n",
          out);
    put_identity(out, plan->identity);
    fputs("        }\n    }\n", out);
}

int render_nginx(FILE *out, const struct render_plan *plan, char reason[static RENDER_REASON_BYTES])
{
    fputs("# Written by `grpcroute render nginx` from a GRPCRoute; for nginx 1.18 and newer.\n"
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
    put_server(out, plan);
    fputs("}\n", out);
    return rv;
}
