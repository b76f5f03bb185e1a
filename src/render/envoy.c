/* Envoy 1.36 to 1.40. */
#include "base/mem.h"
#include "render/plan.h"
#include "render/stream_log.h"
#include "render/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* More than a pod's memory holds; they only must not be what ends a fleet's growth. */
#define MAX_CONNECTIONS "100000"

/* ---- routes ---------------------------------------------------------------------------------- */

static int check_expression(const struct route_pattern *pattern,
                            char reason[static RENDER_REASON_BYTES])
{
    if (pattern->regex != NULL && !is_re2(pattern->value)) {
        snprintf(reason, RENDER_REASON_BYTES, "Envoy's expressions (RE2) cannot say \"%.100s\"",
                 pattern->value);
        return 1;
    }
    return 0;
}

static int put_header(FILE *out, const struct route_header_match *header,
                      char reason[static RENDER_REASON_BYTES])
{
    fputs("                  - name: ", out);
    put_yaml(out, header->name);
    fputs("\n                    string_match: {", out);
    /* safe_regex matches the whole value */
    fputs(header->pattern.regex != NULL ? "safe_regex: {regex: " : "exact: ", out);
    put_yaml(out, header->pattern.value);
    fputs(header->pattern.regex != NULL ? "}}\n" : "}\n", out);
    return check_expression(&header->pattern, reason);
}

static void put_path(FILE *out, const struct route_match *match)
{
    char *text;
    switch (path_of(match, &text)) {
    case PATH_ANY:
        fputs("                  prefix: /\n", out);
        break;
    case PATH_EXACT:
        fputs("                  path: ", out);
        put_yaml(out, text);
        fputc('\n', out);
        break;
    case PATH_PREFIX:
        fputs("                  prefix: ", out);
        put_yaml(out, text);
        fputc('\n', out);
        break;
    case PATH_REGEX:
        fputs("                  safe_regex: {regex: ", out);
        put_yaml(out, text);
        fputs("}\n", out);
        break;
    }
    free(text);
}

/* Envoy reads "%...%" in what it adds. */
static void put_value(FILE *out, const char *value)
{
    char *text = mem_calloc(2 * strlen(value) + 1, 1);
    char *to = text;
    for (; *value != '\0'; value++) {
        *to++ = *value;
        if (*value == '%') {
            *to++ = '%';
        }
    }
    put_yaml(out, text);
    free(text);
}

static void put_modifier(FILE *out, const struct route_modifier *modifier, const char *direction)
{
    size_t added = 0;
    size_t removed = 0;
    for (size_t i = 0; i < modifier->count; i++) {
        const struct route_change *change = &modifier->changes[i];
        if (change->kind == ROUTE_HEADER_REMOVE) {
            continue;
        }
        if (added++ == 0) {
            fprintf(out, "                %s_headers_to_add:\n", direction);
        }
        fputs("                - {header: {key: ", out);
        put_yaml(out, change->name);
        fputs(", value: ", out);
        put_value(out, change->value);
        fprintf(out, "}, append_action: %s}\n",
                change->kind == ROUTE_HEADER_ADD ? "APPEND_IF_EXISTS_OR_ADD"
                                                 : "OVERWRITE_IF_EXISTS_OR_ADD");
    }
    for (size_t i = 0; i < modifier->count; i++) {
        if (modifier->changes[i].kind != ROUTE_HEADER_REMOVE) {
            continue;
        }
        if (removed++ == 0) {
            fprintf(out, "                %s_headers_to_remove:\n", direction);
        }
        fputs("                - ", out);
        put_yaml(out, modifier->changes[i].name);
        fputc('\n', out);
    }
}

static void put_action(FILE *out, const struct route_rule *rule)
{
    fputs("                route:\n", out);
    if (rule->backend_count == 1) {
        fprintf(out, "                  cluster: %s\n", rule->backends[0].cluster->name);
    } else {
        fputs("                  weighted_clusters:\n                    clusters:\n", out);
        for (size_t i = 0; i < rule->backend_count; i++) {
            fprintf(out, "                    - {name: %s, weight: %" PRIu32 "}\n",
                    rule->backends[i].cluster->name, rule->backends[i].weight);
        }
    }
    fputs("                  timeout: 0s      # 15 s after the client's half-close\n"
          "                  idle_timeout: 0s # else stream_idle_timeout\n"
          "                  retry_policy: {retry_on: \"connect-failure,refused-stream\", "
          "num_retries: 2}\n",
          out);
}

static int put_candidate(FILE *out, const struct route_candidate *candidate,
                         char reason[static RENDER_REASON_BYTES])
{
    const struct route_match *match = candidate->match;
    int rv = 0;
    fputs("              - match:\n", out);
    put_path(out, match);
    if (match != NULL) {
        rv = check_expression(&match->service, reason) != 0 ||
             check_expression(&match->method, reason) != 0;
    }
    if (match != NULL && match->header_count > 0) {
        fputs("                  headers:\n", out);
    }
    for (size_t i = 0; match != NULL && i < match->header_count && rv == 0; i++) {
        rv = put_header(out, &match->headers[i], reason);
    }
    put_modifier(out, &candidate->rule->request, "request");
    put_modifier(out, &candidate->rule->response, "response");
    put_action(out, candidate->rule);
    return rv;
}

static void put_domains(FILE *out, const struct route_host *host)
{
    fputs("              domains: [", out);
    for (size_t i = 0; i < host->name_count; i++) {
        fputs(i > 0 ? ", " : "", out);
        put_yaml(out, host->names[i]);
    }
    fputs(host->name_count == 0 ? "\"*\"]\n" : "]\n", out);
}

static int put_routes(FILE *out, const struct route_table *routes,
                      char reason[static RENDER_REASON_BYTES])
{
    int rv = 0;
    for (size_t h = 0; h < routes->host_count && rv == 0; h++) {
        const struct route_host *host = &routes->hosts[h];
        if (h == 0) {
            fputs("            - name: grpcroute\n", out);
        } else {
            fprintf(out, "            - name: grpcroute-%zu\n", h + 1);
        }
        put_domains(out, host);
        fputs("              routes:\n", out);
        for (size_t i = 0; i < host->candidate_count && rv == 0; i++) {
            rv = put_candidate(out, &host->candidates[i], reason);
        }
    }
    return rv;
}

/* ---- listener -------------------------------------------------------------------------------- */

static void put_socket(FILE *out, const struct text_address *address)
{
    fputs("{socket_address: {address: ", out);
    put_yaml(out, address->host[0] != '\0' ? address->host : "0.0.0.0");
    fprintf(out, ", port_value: %u}}", (unsigned)address->port);
}

/* Envoy's header matches look at each value of a repeated header alone, so that any of them may
 * win. */
static void put_repeated(FILE *out, const struct route_table *routes)
{
    if (routes->header_name_count == 0) {
        return;
    }
    fputs("          - name: envoy.filters.http.lua # a repeated header is not guessed at\n"
          "            typed_config:\n"
          "              \"@type\": type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua\n"
          "              default_source_code:\n"
          "                inline_string: |\n"
          "                  function envoy_on_request(request)\n",
          out);
    for (size_t i = 0; i < routes->header_name_count; i++) {
        const char *name = routes->header_names[i];
        fprintf(out,
                "                    if request:headers():getNumValues(\"%s\") > 1 then\n"
                "                      request:respond({[\":status\"] = \"400\"}, \"header %s is "
                "given more than once\")\n"
                "                      return\n"
                "                    end\n",
                name, name);
    }
    fputs("                  end\n", out);
}

/* For the board of deploy/monitoring. */
static void put_message_counts(FILE *out)
{
    fputs("          - name: envoy.filters.http.grpc_stats # messages and statuses by cluster\n"
          "            typed_config: {\"@type\": type.googleapis.com/"
          "envoy.extensions.filters.http.grpc_stats.v3.FilterConfig, "
          "stats_for_all_methods: false}\n",
          out);
}

/* Whatever a server says of itself in these headers is replaced. */
static void put_identity(FILE *out, const char *name)
{
    if (name == NULL) {
        return;
    }
    fprintf(out,
            "            response_headers_to_add: # which cluster was chosen, and which endpoint\n"
            "            - {header: {key: \"%s\", value: \"%%UPSTREAM_CLUSTER%%\"}, "
            "append_action: OVERWRITE_IF_EXISTS_OR_ADD}\n"
            "            - {header: {key: \"%s" RENDER_POD_SUFFIX
            "\", value: \"%%UPSTREAM_HOST%%\"}, append_action: OVERWRITE_IF_EXISTS_OR_ADD}\n",
            name, name);
}

/* The limit is for agents: the kubelet's probe of the admin port comes in when it is reached, too.
 */
static void put_admin(FILE *out, const struct render_plan *plan)
{
    fputs("admin:\n  ignore_global_conn_limit: true\n  address: ", out);
    put_socket(out, &plan->admin);
    fputs("\n\n"
          "overload_manager: # agents hold their connections; without a limit Envoy warns\n"
          "  resource_monitors:\n"
          "  - name: envoy.resource_monitors.global_downstream_max_connections\n"
          "    typed_config:\n"
          "      \"@type\": type.googleapis.com/envoy.extensions.resource_monitors."
          "downstream_connections.v3.DownstreamConnectionsConfig\n"
          "      max_active_downstream_connections: " MAX_CONNECTIONS "\n",
          out);
}

static void put_listener(FILE *out, const struct render_plan *plan)
{
    fputs("\nstatic_resources:\n  listeners:\n  - name: grpc\n    address: ", out);
    put_socket(out, &plan->listen);
    fputs(
        "\n"
        "    per_connection_buffer_limit_bytes: 65536\n"
        "    connection_balance_config: {exact_balance: {}} # few long connections, many workers\n"
        "    filter_chains:\n"
        "    - transport_socket:\n"
        "        name: envoy.transport_sockets.tls\n"
        "        typed_config:\n"
        "          \"@type\": "
        "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext\n"
        "          common_tls_context:\n"
        "            tls_params: {tls_minimum_protocol_version: TLSv1_2}\n"
        "            alpn_protocols: [h2]\n"
        "            tls_certificates:\n"
        "            - certificate_chain: {filename: ",
        out);
    put_yaml(out, plan->cert);
    fputs("}\n              private_key: {filename: ", out);
    put_yaml(out, plan->key);
    fputs("}\n"
          "      filters:\n"
          "      - name: envoy.filters.network.http_connection_manager\n"
          "        typed_config:\n"
          "          \"@type\": "
          "type.googleapis.com/"
          "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager\n"
          "          stat_prefix: grpc\n"
          "          codec_type: HTTP2\n"
          "          stream_idle_timeout: 0s # 5 min; would end every idle stream\n"
          "          request_timeout: 0s\n"
          "          strip_any_host_port: true\n"
          "          http2_protocol_options:\n"
          "            max_concurrent_streams: 1024\n"
          "            initial_stream_window_size: 65536\n"
          "            initial_connection_window_size: 1048576\n"
          "            connection_keepalive: {interval: 60s, timeout: 20s} # finds dead agents\n",
          out);
    stream_log_envoy(out, plan);
    fputs("          http_filters:\n", out);
    stream_log_envoy_filter(out, plan);
    put_repeated(out, plan->routes);
    put_message_counts(out);
    fputs("          - name: envoy.filters.http.router\n"
          "            typed_config: {\"@type\": "
          "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}\n"
          "          route_config:\n"
          "            name: grpcroute\n",
          out);
    put_identity(out, plan->identity);
    fputs("            virtual_hosts:\n", out);
}

/* ---- clusters -------------------------------------------------------------------------------- */

static void put_cluster(FILE *out, const struct render_cluster *cluster, bool health_checks)
{
    fprintf(out, "  - name: %s\n", cluster->route->name);
    fputs(
        "    cluster_type: # every address of the name is an endpoint, so the Service must be "
        "headless\n"
        "      name: envoy.cluster.dns\n"
        "      typed_config: {\"@type\": type.googleapis.com/"
        "envoy.extensions.clusters.dns.v3.DnsCluster, dns_refresh_rate: 2s}\n"
        "    ignore_health_on_host_removal: true\n"
        "    connect_timeout: 5s\n"
        "    lb_policy: ROUND_ROBIN\n"
        "    common_lb_config: {healthy_panic_threshold: {value: 0}}\n"
        "    track_cluster_stats: {per_endpoint_stats: true} # in /stats/prometheus\n"
        "    circuit_breakers: # 1024 each, and a stream is a request for as long as it lives\n"
        "      thresholds: [{max_connections: " MAX_CONNECTIONS ", max_pending_requests: 100000, "
        "max_requests: 10000000, max_retries: 1000}]\n"
        "    typed_extension_protocol_options:\n"
        "      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:\n"
        "        \"@type\": "
        "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions\n"
        "        explicit_http_config:\n"
        "          http2_protocol_options:\n"
        "            initial_stream_window_size: 65536 # what Envoy holds for a slow reader\n"
        "            initial_connection_window_size: 67108864 # of all streams: none stalls others\n"
        "            max_concurrent_streams: 1024\n"
        "            connection_keepalive: {interval: 300s, timeout: 20s} # more often is "
        "against the policy of gRPC servers\n",
        out);
    if (health_checks) {
        fputs("    health_checks:\n"
              "    - {timeout: 2s, interval: 2s, no_traffic_interval: 2s, unhealthy_threshold: 2, "
              "healthy_threshold: 1, grpc_health_check: {}}\n",
              out);
    }
    fprintf(
        out,
        "    load_assignment:\n      cluster_name: %s\n      endpoints:\n      - lb_endpoints:\n",
        cluster->route->name);
    for (size_t i = 0; i < cluster->endpoint_count; i++) {
        fputs("        - endpoint: {address: ", out);
        put_socket(out, &cluster->endpoints[i]);
        fputs("}\n", out);
    }
}

int render_envoy(FILE *out, const struct render_plan *plan, char reason[static RENDER_REASON_BYTES])
{
    fputs("# Written by `grpcroute render envoy` from a GRPCRoute; tested with Envoy 1.36 to "
          "1.40.\n",
          out);
    put_admin(out, plan);
    put_listener(out, plan);
    int rv = put_routes(out, plan->routes, reason);
    fputs("\n  clusters:\n", out);
    for (size_t i = 0; i < plan->routes->cluster_count; i++) {
        put_cluster(out, &plan->clusters[i], plan->health_checks);
    }
    return rv;
}
