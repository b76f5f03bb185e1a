#include "render/stream_log.h"

#include "render/text.h"

#include <string.h>

/* Bytes kept of what a client chose. */
#define VALUE_BYTES 256
/* HAProxy's lines: four such values with each byte escaped to six, and the rest. */
#define LINE_BYTES 16384

static bool is_rewritten(const struct route_table *routes, const char *header)
{
    for (size_t i = 0; i < routes->rule_count; i++) {
        const struct route_modifier *modifier = &routes->rules[i].request;
        for (size_t c = 0; c < modifier->count; c++) {
            if (strcmp(modifier->changes[c].name, header) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* ---- Envoy ----------------------------------------------------------------------------------- */

/* Cut here, as not every Envoy can cut metadata in its log. */
static void keep_envoy_header(FILE *out, const char *key, const char *header)
{
    fprintf(out,
            "                    local value = request:headers():get(\"%s\")\n"
            "                    if value ~= nil then\n"
            "                      request:streamInfo():dynamicMetadata():set(\"grpcroute\", "
            "\"%s\", string.sub(value, 1, %d))\n"
            "                    end\n",
            header, key, VALUE_BYTES);
}

/* Its log sees headers as the rules left them, so that what the client sent has to be kept. */
void stream_log_envoy_filter(FILE *out, const struct render_plan *plan)
{
    const struct render_log *log = plan->log;
    bool version = log != NULL && is_rewritten(plan->routes, log->version_header);
    bool id = log != NULL && is_rewritten(plan->routes, log->id_header);
    if (!version && !id) {
        return;
    }
    put_envoy_lua(out, "for the log: as the client sent it");
    if (version) {
        keep_envoy_header(out, "agent_version", log->version_header);
    }
    if (id) {
        keep_envoy_header(out, "agent_id", log->id_header);
    }
    fputs("                  end\n", out);
}

static void put_envoy_header(FILE *out, const struct render_plan *plan, const char *key,
                             const char *header)
{
    if (is_rewritten(plan->routes, header)) {
        fprintf(out, "                  %s: \"%%DYNAMIC_METADATA(grpcroute:%s)%%\"\n", key, key);
    } else {
        fprintf(out, "                  %s: \"%%REQ(%s):%d%%\"\n", key, header, VALUE_BYTES);
    }
}

void stream_log_envoy(FILE *out, const struct render_plan *plan)
{
    if (plan->log == NULL) {
        return;
    }
    fputs("          access_log: # a line when a stream has ended, for grpcroute verify --logs\n"
          "          - name: envoy.access_loggers.stdout\n"
          "            typed_config:\n"
          "              \"@type\": type.googleapis.com/"
          "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog\n"
          "              log_format:\n"
          "                omit_empty_values: true\n"
          "                json_format:\n"
          "                  log: grpcroute.stream\n"
          "                  event: end\n"
          "                  start_time: \"%START_TIME%\"\n"
          "                  client: \"%DOWNSTREAM_REMOTE_ADDRESS%\"\n",
          out);
    put_envoy_header(out, plan, "agent_id", plan->log->id_header);
    put_envoy_header(out, plan, "agent_version", plan->log->version_header);
    fprintf(out,
            "                  authority: \"%%REQ(:authority):%d%%\"\n"
            "                  path: \"%%REQ(:path):%d%%\"\n",
            VALUE_BYTES, VALUE_BYTES);
    fputs("                  cluster: \"%UPSTREAM_CLUSTER%\"\n"
          "                  endpoint: \"%UPSTREAM_HOST%\"\n"
          "                  tls_version: \"%DOWNSTREAM_TLS_VERSION%\"\n"
          "                  grpc_status: \"%GRPC_STATUS_NUMBER%\"\n"
          "                  http_status: \"%RESPONSE_CODE%\"\n"
          "                  detail: \"%RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%\"\n"
          "                  age_ms: \"%DURATION%\"\n"
          "                  bytes_up: \"%BYTES_RECEIVED%\"\n"
          "                  bytes_down: \"%BYTES_SENT%\"\n",
          out);
}

/* ---- HAProxy --------------------------------------------------------------------------------- */

void stream_log_haproxy_global(FILE *out, const struct render_plan *plan)
{
    if (plan->log != NULL) {
        fprintf(out, "    log stdout len %d format raw local0\n", LINE_BYTES);
    }
}

/* Headers are gone when the stream ends. A request that is refused has no backend of the routes. */
void stream_log_haproxy(FILE *out, const struct render_plan *plan)
{
    if (plan->log == NULL) {
        return;
    }
    fputs("    option dontlognull\n"
          "    log global # a line when a stream has ended, for grpcroute verify --logs\n",
          out);
    const struct {
        const char *variable;
        const char *header;
    } kept[] = {{"agent_id", plan->log->id_header},
                {"agent_version", plan->log->version_header},
                {"authority", "host"}};
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        fprintf(out, "    http-request set-var(txn.%s) req.fhdr(%s),bytes(0,%d)\n",
                kept[i].variable, kept[i].header, VALUE_BYTES);
    }
    fprintf(out, "    http-request set-var(txn.path) path,bytes(0,%d)\n", VALUE_BYTES);
    fputs("    http-response set-var(txn.grpc_status) res.fhdr(grpc-status),bytes(0,2)\n"
          "    log-format '{\"log\":\"grpcroute.stream\",\"event\":\"end\","
          "\"time\":\"%[date,utime(%Y-%m-%dT%H:%M:%SZ)]\",\"client\":\"%ci:%cp\"",
          out);
    static const char *const values[] = {"agent_id", "agent_version", "authority",
                                         "path",     "cluster",       "grpc_status"};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        fprintf(out, ",\"%s\":%%{+Q}[var(txn.%s),json(utf8s)]", values[i], values[i]);
    }
    fputs(",\"endpoint\":\"%si:%sp\",\"tls_version\":\"%sslv\",\"http_status\":%ST,"
          "\"detail\":\"%ts\",\"age_ms\":%Ta}'\n",
          out);
}

void stream_log_haproxy_backend(FILE *out, const struct render_plan *plan, const char *cluster)
{
    if (plan->log != NULL) {
        fprintf(out, "    http-request set-var(txn.cluster) str(%s)\n", cluster);
    }
}

/* ---- nginx ----------------------------------------------------------------------------------- */

/* nginx's own escapes leave bytes alone that are no UTF-8. Of several addresses that were tried the
 * last one counts; where none was, it names the upstream instead. */
void stream_log_nginx(FILE *out, const struct render_plan *plan)
{
    if (plan->log == NULL) {
        return;
    }
    fputs("    map $backend $log_cluster { default $backend; no-route \"\"; }\n"
          "    map $upstream_addr $log_endpoint { default \"\"; "
          "\"~(?<log_last>[^, ]+:[0-9]+)$\" $log_last; }\n"
          "    log_format stream_log escape=json '{\"log\":\"grpcroute.stream\",\"event\":\"end\","
          "\"time\":\"$time_iso8601\",\"client\":\"$remote_addr:$remote_port\"",
          out);
    const struct {
        const char *key;
        const char *header;
    } headers[] = {{"agent_id", plan->log->id_header},
                   {"agent_version", plan->log->version_header}};
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        fprintf(out, ",\"%s\":\"$http_", headers[i].key);
        for (const char *at = headers[i].header; *at != '\0'; at++) {
            fputc(*at == '-' ? '_' : *at, out);
        }
        fputc('"', out);
    }
    fputs(",\"authority\":\"$host\",\"path\":\"$uri\",\"cluster\":\"$log_cluster\","
          "\"endpoint\":\"$log_endpoint\",\"tls_version\":\"$ssl_protocol\","
          "\"grpc_status\":\"$upstream_trailer_grpc_status\",\"http_status\":$status,"
          "\"age_ms\":${request_time}e3,\"bytes_down\":$body_bytes_sent}';\n",
          out);
}

void stream_log_nginx_server(FILE *out, const struct render_plan *plan)
{
    if (plan->log != NULL) {
        fputs("        access_log /dev/stdout stream_log; # a line when a stream has ended, for "
              "grpcroute verify --logs\n",
              out);
    }
}

/* ---- Traefik --------------------------------------------------------------------------------- */

int stream_log_traefik(FILE *out, const struct render_plan *plan,
                       char reason[static RENDER_REASON_BYTES])
{
    if (plan->log == NULL) {
        return 0;
    }
    const char *const headers[] = {plan->log->version_header, plan->log->id_header};
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        if (is_rewritten(plan->routes, headers[i])) {
            snprintf(reason, RENDER_REASON_BYTES,
                     "Traefik cannot log the header \"%.100s\" as clients sent it, since a rule "
                     "rewrites it (--access-log)",
                     headers[i]);
            return 1;
        }
    }
    fputs("accessLog: # a line when a stream has ended, for grpcroute verify --logs\n"
          "  format: json\n"
          "  fields: {headers: {defaultMode: drop, names: {",
          out);
    put_yaml(out, plan->log->version_header);
    fputs(": keep, ", out);
    put_yaml(out, plan->log->id_header);
    fputs(": keep}}}\n", out);
    return 0;
}
