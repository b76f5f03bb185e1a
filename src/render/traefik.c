/* Traefik v3.6, file provider. */
#include "base/mem.h"
#include "render/plan.h"
#include "render/stream_log.h"
#include "render/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Of the first router, where there are no more than so many. */
#define TOP_PRIORITY 1000

/* ---- routers --------------------------------------------------------------------------------- */

/* Strings of a rule stand in backticks, which know no escapes. */
static int put_rule_text(FILE *out, const char *before, const char *text, const char *after,
                         char reason[static RENDER_REASON_BYTES])
{
    if (strchr(text, '`') != NULL) {
        snprintf(reason, RENDER_REASON_BYTES,
                 "Traefik's rules cannot say \"%.100s\", for its backtick", text);
        return 1;
    }
    put_yaml_part(out, before);
    put_yaml_part(out, text);
    put_yaml_part(out, after);
    return 0;
}

/* Go's regexp is not anchored by itself. */
static int put_pattern(FILE *out, const struct route_pattern *pattern,
                       char reason[static RENDER_REASON_BYTES])
{
    if (pattern->regex == NULL) {
        return put_rule_text(out, "`", pattern->value, "`)", reason);
    }
    if (!is_re2(pattern->value)) {
        snprintf(reason, RENDER_REASON_BYTES,
                 "Traefik's expressions (Go regexp) cannot say \"%.100s\"", pattern->value);
        return 1;
    }
    return put_rule_text(out, "`^(?:", pattern->value, ")$`)", reason);
}

static int put_path(FILE *out, const struct route_match *match,
                    char reason[static RENDER_REASON_BYTES])
{
    static const char *const before[] = {
        [PATH_EXACT] = "Path(`", [PATH_PREFIX] = "PathPrefix(`", [PATH_REGEX] = "PathRegexp(`^"};
    static const char *const after[] = {
        [PATH_EXACT] = "`)", [PATH_PREFIX] = "`)", [PATH_REGEX] = "$`)"};
    char *text;
    enum path_kind kind = path_of(match, &text);
    int rv = 0;
    if (kind == PATH_ANY) {
        fputs("PathPrefix(`/`)", out);
    } else if (kind == PATH_REGEX && !is_re2(text)) {
        snprintf(reason, RENDER_REASON_BYTES,
                 "Traefik's expressions (Go regexp) cannot say \"%.100s\"", text);
        rv = 1;
    } else {
        rv = put_rule_text(out, before[kind], text, after[kind], reason);
    }
    free(text);
    return rv;
}

static void put_hosts(FILE *out, const struct route_host *host)
{
    for (size_t i = 0; i < host->name_count; i++) {
        const char *name = host->names[i];
        fputs(i == 0 ? " && (" : " || ", out);
        if (name[0] == '*') {
            fputs("HostRegexp(`^.+", out);
            char *text = NULL;
            size_t len = 0;
            FILE *literal = open_memstream(&text, &len);
            if (literal == NULL) {
                abort(); /* no memory */
            }
            put_literal(literal, name + 1);
            fclose(literal);
            put_yaml_part(out, text);
            free(text);
            fputs("$`)", out);
        } else {
            fprintf(out, "Host(`%s`)", name);
        }
    }
    fputs(host->name_count > 0 ? ")" : "", out);
}

static bool is_modified(const struct route_rule *rule)
{
    return rule->request.count + rule->response.count > 0;
}

/* The first has the last word on the answer. Which of several services a rule's stream went to is
 * decided later, and not told. */
static void put_chain(FILE *out, const struct render_plan *plan, const struct route_rule *rule)
{
    bool both = plan->identity != NULL && is_modified(rule);
    if (plan->identity == NULL && !is_modified(rule)) {
        return;
    }
    fputs("      middlewares: [", out);
    if (plan->identity != NULL && rule->backend_count == 1) {
        fprintf(out, "\"identity-of-%s\"", rule->backends[0].cluster->name);
    } else if (plan->identity != NULL) {
        fputs("identity-unknown", out);
    }
    if (is_modified(rule)) {
        fprintf(out, "%srule-%zu", both ? ", " : "", render_rule_index(plan->routes, rule) + 1);
    }
    fputs(plan->identity != NULL && rule->backend_count != 1
              ? "] # it cannot say which of the services it chose\n"
              : "]\n",
          out);
}

static void put_target(FILE *out, const struct render_plan *plan, const struct route_rule *rule)
{
    put_chain(out, plan, rule);
    if (rule->backend_count == 1) {
        fprintf(out, "      service: \"%s\"\n", rule->backends[0].cluster->name);
    } else {
        fprintf(out, "      service: rule-%zu\n", render_rule_index(plan->routes, rule) + 1);
    }
}

/* Routers stand in the order of their rank; the highest priority goes first. */
static int put_router(FILE *out, const struct render_plan *plan, const struct route_host *host,
                      const struct route_candidate *candidate, size_t index, size_t priority,
                      char reason[static RENDER_REASON_BYTES])
{
    const struct route_match *match = candidate->match;
    fprintf(out,
            "    route-%zu:\n      entryPoints: [grpc]\n      tls: {}\n      priority: %zu\n      "
            "rule: \"",
            index + 1, priority);
    int rv = put_path(out, match, reason);
    for (size_t i = 0; rv == 0 && match != NULL && i < match->header_count; i++) {
        const struct route_header_match *header = &match->headers[i];
        rv = put_rule_text(out,
                           header->pattern.regex != NULL ? " && HeaderRegexp(`" : " && Header(`",
                           header->name, "`, ", reason) != 0 ||
             put_pattern(out, &header->pattern, reason) != 0;
    }
    put_hosts(out, host);
    fputs("\"\n", out);
    put_target(out, plan, candidate->rule);
    return rv;
}

static int put_routers(FILE *out, const struct render_plan *plan,
                       char reason[static RENDER_REASON_BYTES])
{
    size_t total = render_candidates(plan->routes);
    size_t top = total > TOP_PRIORITY ? total : TOP_PRIORITY;
    size_t index = 0;
    int rv = 0;
    for (size_t h = 0; h < plan->routes->host_count; h++) {
        const struct route_host *host = &plan->routes->hosts[h];
        for (size_t i = 0; i < host->candidate_count && rv == 0; i++, index++) {
            rv = put_router(out, plan, host, &host->candidates[i], index, top - index, reason);
        }
    }
    return rv;
}

/* ---- middlewares ----------------------------------------------------------------------------- */

/* An empty value removes the header. */
static int put_modifier(FILE *out, const struct render_plan *plan, const struct route_rule *rule,
                        bool request, char reason[static RENDER_REASON_BYTES])
{
    const struct route_modifier *modifier = request ? &rule->request : &rule->response;
    if (modifier->count > 0) {
        fprintf(out, "        custom%sHeaders:\n", request ? "Request" : "Response");
    }
    for (size_t i = 0; i < modifier->count; i++) {
        const struct route_change *change = &modifier->changes[i];
        if (change->kind == ROUTE_HEADER_ADD) {
            char shown[RENDER_RULE_BYTES];
            snprintf(reason, RENDER_REASON_BYTES,
                     "%s: Traefik cannot add a value to the header \"%.100s\" "
                     "(%sHeaderModifier, add); it can set one",
                     render_rule_name(plan->routes, rule, shown), change->name,
                     request ? "Request" : "Response");
            return 1;
        }
        fputs("          ", out);
        put_yaml(out, change->name);
        fputs(": ", out);
        put_yaml(out, change->value != NULL ? change->value : "");
        fputc('\n', out);
    }
    return 0;
}

/* Whatever a server says of itself in these headers is replaced, or, by an empty value, dropped. */
static void put_identity(FILE *out, const struct render_plan *plan)
{
    if (plan->identity == NULL) {
        return;
    }
    fputs("    # which service was chosen; which of its servers, this proxy cannot say\n", out);
    fprintf(out,
            "    identity-unknown: {headers: {customResponseHeaders: {\"%s\": \"\", "
            "\"%s" RENDER_POD_SUFFIX "\": \"\"}}}\n",
            plan->identity, plan->identity);
    for (size_t i = 0; i < plan->routes->cluster_count; i++) {
        const char *name = plan->clusters[i].route->name;
        fprintf(
            out,
            "    \"identity-of-%s\": {headers: {customResponseHeaders: {\"%s\": \"%s\", \"%s" RENDER_POD_SUFFIX
            "\": \"\"}}}\n",
            name, plan->identity, name, plan->identity);
    }
}

static int put_middlewares(FILE *out, const struct render_plan *plan,
                           char reason[static RENDER_REASON_BYTES])
{
    int rv = 0;
    if (route_table_has_modifiers(plan->routes) || plan->identity != NULL) {
        fputs("  middlewares:\n", out);
    }
    put_identity(out, plan);
    for (size_t i = 0; i < plan->routes->rule_count && rv == 0; i++) {
        const struct route_rule *rule = &plan->routes->rules[i];
        if (is_modified(rule)) {
            fprintf(out, "    rule-%zu:\n      headers:\n", i + 1);
            rv = put_modifier(out, plan, rule, true, reason);
        }
        if (rv == 0) {
            rv = put_modifier(out, plan, rule, false, reason);
        }
    }
    return rv;
}

/* ---- services -------------------------------------------------------------------------------- */

static void put_service(FILE *out, const struct render_cluster *cluster, bool health_checks)
{
    char address[TEXT_ADDRESS_BYTES];
    fprintf(out,
            "    \"%s\":\n      loadBalancer:\n        serversTransport: h2c\n        servers:",
            cluster->route->name);
    fputs(cluster->endpoint_count == 0 ? " []\n" : "\n", out);
    for (size_t i = 0; i < cluster->endpoint_count; i++) {
        fprintf(out, "        - url: \"h2c://%s\"\n",
                render_address(&cluster->endpoints[i], "", address));
    }
    if (health_checks) {
        fputs(
            "        healthCheck: {mode: grpc, scheme: h2c, path: /, interval: 2s, timeout: 1s}\n",
            out);
    }
}

static void put_weighted(FILE *out, const struct route_table *routes, size_t index)
{
    const struct route_rule *rule = &routes->rules[index];
    fprintf(out, "    rule-%zu:\n      weighted:\n        services:\n", index + 1);
    for (size_t i = 0; i < rule->backend_count; i++) {
        fprintf(out, "        - {name: \"%s\", weight: %" PRIu32 "}\n",
                rule->backends[i].cluster->name, rule->backends[i].weight);
    }
}

int render_traefik(FILE *out, const struct render_plan *plan,
                   char reason[static RENDER_REASON_BYTES])
{
    const struct route_table *routes = plan->routes;
    fputs("# Written by `grpcroute render traefik` from a GRPCRoute: the dynamic configuration, "
          "tested with Traefik v3.6.\n"
          "# A server is one address and one connection, so each pod has to be listed; --resolve "
          "and --watch keep the list true.\n"
          "# Of a repeated header any value may match: this proxy cannot reject it. When a server "
          "ends a stream, the client\n"
          "# hears of it at its next message, so let clients send one every now and then.\n"
          "http:\n  routers:\n",
          out);
    int rv = put_routers(out, plan, reason);
    if (rv == 0) {
        rv = put_middlewares(out, plan, reason);
    }
    fputs("  services:\n", out);
    for (size_t i = 0; i < routes->cluster_count; i++) {
        put_service(out, &plan->clusters[i], plan->health_checks);
    }
    for (size_t i = 0; i < routes->rule_count; i++) {
        if (routes->rules[i].backend_count > 1) {
            put_weighted(out, routes, i);
        }
    }
    fputs("  serversTransports:\n"
          "    h2c:\n"
          "      forwardingTimeouts: {dialTimeout: 5s, readIdleTimeout: 300s, pingTimeout: 20s} # "
          "HTTP/2 PING to servers\n"
          "tls:\n"
          "  options:\n"
          "    default: {minVersion: VersionTLS12, alpnProtocols: [h2]}\n"
          "  certificates:\n"
          "  - certFile: ",
          out);
    put_yaml(out, plan->cert);
    fputs("\n    keyFile: ", out);
    put_yaml(out, plan->key);
    fputc('\n', out);
    return rv;
}

int render_traefik_static(FILE *out, const struct render_plan *plan,
                          char reason[static RENDER_REASON_BYTES])
{
    char address[TEXT_ADDRESS_BYTES];
    fputs("# Written by `grpcroute render traefik --static`: the static configuration, tested with "
          "Traefik v3.6.\n"
          "entryPoints:\n  grpc:\n    address: ",
          out);
    put_yaml(out, render_address(&plan->listen, "", address));
    fputs("\n"
          "    http2: {maxConcurrentStreams: 1000}\n"
          "    transport:\n"
          "      respondingTimeouts: {readTimeout: 0s, writeTimeout: 0s, idleTimeout: 3600s} # "
          "readTimeout ends every stream after 60 s\n"
          "      lifeCycle: {requestAcceptGraceTimeout: 0s, graceTimeOut: 10s}\n"
          "  traefik: # the admin port must have this name\n    address: ",
          out);
    put_yaml(out, render_address(&plan->admin, "", address));
    fputs("\n"
          "api: {dashboard: true, insecure: true} # on the admin port, without authentication\n"
          "ping: {entryPoint: traefik}\n"
          "metrics: {prometheus: {entryPoint: traefik, addRoutersLabels: true}}\n"
          "global: {checkNewVersion: false, sendAnonymousUsage: false}\n"
          "log: {level: INFO}\n",
          out);
    int rv = stream_log_traefik(out, plan, reason);
    fputs("providers:\n"
          "  providersThrottleDuration: 100ms\n"
          "  file: {watch: true, directory: ",
          out);
    put_yaml(out, plan->dynamic);
    fputs("}\n", out);
    return rv;
}
