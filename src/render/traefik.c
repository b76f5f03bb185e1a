/* Traefik v3.2 and newer, file provider. */
#include "base/mem.h"
#include "render/plan.h"
#include "render/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

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

static void put_hosts(FILE *out, const struct route_table *routes)
{
    for (size_t i = 0; i < routes->hostname_count; i++) {
        const char *name = routes->hostnames[i];
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
    fputs(routes->hostname_count > 0 ? ")" : "", out);
}

/* Which of several services a rule's stream went to is decided later, and not told. */
static void put_middleware(FILE *out, const struct render_plan *plan, const struct route_rule *rule)
{
    if (plan->identity == NULL) {
        return;
    }
    if (rule->backend_count == 1) {
        fprintf(out, "      middlewares: [\"identity-of-%s\"]\n", rule->backends[0].cluster->name);
    } else {
        fputs("      middlewares: [identity-unknown] # it cannot say which of the services it "
              "chose\n",
              out);
    }
}

/* Candidates stand in the order of their rank; the highest priority goes first. */
static int put_router(FILE *out, const struct render_plan *plan, size_t index,
                      char reason[static RENDER_REASON_BYTES])
{
    const struct route_table *routes = plan->routes;
    const struct route_candidate *candidate = &routes->candidates[index];
    const struct route_match *match = candidate->match;
    fprintf(out,
            "    route-%zu:\n      entryPoints: [grpc]\n      tls: {}\n      priority: %zu\n      "
            "rule: \"",
            index + 1, 1000 - index);
    int rv = put_path(out, match, reason);
    for (size_t i = 0; rv == 0 && match != NULL && i < match->header_count; i++) {
        const struct route_header_match *header = &match->headers[i];
        fprintf(out, " && %s(`%s`, ", header->pattern.regex != NULL ? "HeaderRegexp" : "Header",
                header->name);
        rv = put_pattern(out, &header->pattern, reason);
    }
    put_hosts(out, routes);
    fputs("\"\n", out);
    put_middleware(out, plan, candidate->rule);
    if (candidate->rule->backend_count == 1) {
        fprintf(out, "      service: \"%s\"\n", candidate->rule->backends[0].cluster->name);
    } else {
        fprintf(out, "      service: rule-%zu\n", (size_t)(candidate->rule - routes->rules) + 1);
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

/* Whatever a server says of itself in these headers is replaced, or, by an empty value, dropped. */
static void put_identity(FILE *out, const struct render_plan *plan)
{
    if (plan->identity == NULL) {
        return;
    }
    fputs("  middlewares: # which service was chosen; which of its servers, this proxy cannot "
          "say\n",
          out);
    fprintf(out,
            "    identity-unknown: {headers: {customResponseHeaders: {\"%s\": \"\", "
            "\"%s" RENDER_POD_SUFFIX "\": \"\"}}}\n",
            plan->identity, plan->identity);
    for (size_t i = 0; i < plan->routes->cluster_count; i++) {
        const char *name = plan->clusters[i].route->name;
        fprintf(out,
                "    \"identity-of-%s\": {headers: {customResponseHeaders: {\"%s\": \"%s\", \"%s"
                RENDER_POD_SUFFIX "\": \"\"}}}\n",
                name, plan->identity, name, plan->identity);
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
    int rv = 0;
    fputs("# Written by `grpcroute render traefik` from a GRPCRoute: the dynamic configuration, "
          "for Traefik v3.2 and newer.\n"
          "# A server is one address and one connection, so each pod has to be listed; --resolve "
          "and --watch keep the list true.\n"
          "# Of a repeated header any value may match: this proxy cannot reject it.\n"
          "http:\n  routers:\n",
          out);
    for (size_t i = 0; i < routes->candidate_count && rv == 0; i++) {
        rv = put_router(out, plan, i, reason);
    }
    put_identity(out, plan);
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
    (void)reason;
    fputs("# Written by `grpcroute render traefik --static`: the static configuration, for Traefik "
          "v3.2 and newer.\n"
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
          "metrics: {prometheus: {entryPoint: traefik}}\n"
          "global: {checkNewVersion: false, sendAnonymousUsage: false}\n"
          "log: {level: INFO}\n"
          "providers:\n"
          "  providersThrottleDuration: 100ms\n"
          "  file: {watch: true, directory: ",
          out);
    put_yaml(out, plan->dynamic);
    fputs("}\n", out);
    return 0;
}
