/* Envoy 1.36 to 1.40. */
#include "base/mem.h"
#include "render/envoy_routes.h"
#include "render/plan.h"
#include "render/stream_log.h"
#include "render/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* More than a pod's memory holds; they only must not be what ends a fleet's growth. */
#define MAX_CONNECTIONS "100000"

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
    put_envoy_lua(out, "a repeated header is not guessed at");
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
    int rv = envoy_put_routes(out, plan->routes, reason);
    fputs("\n  clusters:\n", out);
    for (size_t i = 0; i < plan->routes->cluster_count; i++) {
        put_cluster(out, &plan->clusters[i], plan->health_checks);
    }
    return rv;
}
