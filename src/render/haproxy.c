/* HAProxy 2.6. */
#include "base/mem.h"
#include "render/haproxy_match.h"
#include "render/plan.h"
#include "render/stream_log.h"
#include "render/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* DNS answers of one name that become servers. */
#define SERVER_TEMPLATE 64

/* ---- hosts ----------------------------------------------------------------------------------- */

static bool has_one_host(const struct route_table *routes)
{
    return routes->host_count == 1;
}

static void put_hosts(FILE *out, const struct route_table *routes)
{
    for (size_t h = 0; h < routes->host_count; h++) {
        const struct route_host *host = &routes->hosts[h];
        for (size_t i = 0; i < host->name_count; i++) {
            const char *name = host->names[i];
            fprintf(out, "    acl host-%zu req.hdr(host),field(1,:) -i -m %s %s\n", h + 1,
                    name[0] == '*' ? "end" : "str", name + (name[0] == '*'));
        }
    }
    if (has_one_host(routes) && routes->hosts[0].name_count > 0) {
        fputs("    http-request return status 404 unless host-1\n", out);
    }
}

/* Where there are several: a later one takes nothing that an earlier one does not. */
static void put_host(FILE *out, const struct route_table *routes, const struct route_host *host)
{
    if (!has_one_host(routes) && host->name_count > 0) {
        fprintf(out, " host-%zu", (size_t)(host - routes->hosts) + 1);
    }
}

/* ---- decision -------------------------------------------------------------------------------- */

/* One way into a rule, as the conditions of a line. */
struct way {
    const struct route_table *routes;
    const struct route_host *host;
    const struct route_candidate *candidate;
    size_t index;
};

static bool takes_everything(const struct way *way)
{
    const struct route_match *match = way->candidate->match;
    bool any_match = match == NULL || (match->header_count == 0 && match->service.value == NULL &&
                                       match->method.value == NULL);
    return any_match && (has_one_host(way->routes) || way->host->name_count == 0);
}

static void put_way(FILE *out, const struct way *way)
{
    put_host(out, way->routes, way->host);
    haproxy_put_match(out, way->candidate->match, way->index);
}

/* Each backend but the last takes its share by chance; what `put` says comes before that. */
static void put_use(FILE *out, const struct way *way, void (*put)(FILE *out, const struct way *way),
                    bool always)
{
    const struct route_rule *rule = way->candidate->rule;
    uint64_t below = 0;
    for (size_t i = 0; i < rule->backend_count; i++) {
        bool last = i + 1 == rule->backend_count;
        below += rule->backends[i].weight;
        fprintf(out, "    use_backend %s if", rule->backends[i].cluster->name);
        put(out, way);
        if (!last) {
            /* of what those before left */
            uint64_t left = render_weight(rule) - (below - rule->backends[i].weight);
            fprintf(out, " { rand(%" PRIu64 ") -m int lt %" PRIu32 " }", left,
                    rule->backends[i].weight);
        } else if (always) {
            fputs(" TRUE", out);
        }
        fputc('\n', out);
    }
}

/* Calls `put` for all ways in their order. */
static void for_each_way(FILE *out, const struct route_table *routes,
                         void (*put)(FILE *out, const struct way *way))
{
    size_t index = 0;
    for (size_t h = 0; h < routes->host_count; h++) {
        const struct route_host *host = &routes->hosts[h];
        for (size_t i = 0; i < host->candidate_count; i++) {
            const struct way way = {routes, host, &host->candidates[i], index++};
            put(out, &way);
        }
    }
}

static void put_way_names(FILE *out, const struct way *way)
{
    haproxy_put_names(out, way->candidate->match, way->index);
}

static void put_direct_use(FILE *out, const struct way *way)
{
    put_use(out, way, put_way, takes_everything(way));
}

/* ---- filters --------------------------------------------------------------------------------- */

/* Where headers are changed the rule is decided before, and kept in a variable of the stream. */

static void put_decision(FILE *out, const struct way *way)
{
    fprintf(out, "    http-request set-var(txn.rule) int(%zu) if !{ var(txn.rule) -m found }",
            render_rule_index(way->routes, way->candidate->rule) + 1);
    put_way(out, way);
    fputc('\n', out);
}

static void put_is_rule(FILE *out, const struct way *way)
{
    fprintf(out, " { var(txn.rule) -m int eq %zu }",
            render_rule_index(way->routes, way->candidate->rule) + 1);
}

/* HAProxy reads "%" in what it adds. */
static void put_format(FILE *out, const char *value)
{
    char *text = mem_calloc(2 * strlen(value) + 1, 1);
    char *to = text;
    for (; *value != '\0'; value++) {
        *to++ = *value;
        if (*value == '%') {
            *to++ = '%';
        }
    }
    put_haproxy(out, text);
    free(text);
}

static void put_modifier(FILE *out, const struct way *way, const struct route_modifier *modifier,
                         const char *direction)
{
    static const char *const verbs[] = {
        [ROUTE_HEADER_SET] = "set-header",
        [ROUTE_HEADER_ADD] = "add-header",
        [ROUTE_HEADER_REMOVE] = "del-header",
    };
    for (size_t i = 0; i < modifier->count; i++) {
        const struct route_change *change = &modifier->changes[i];
        fprintf(out, "    %s %s %s", direction, verbs[change->kind], change->name);
        if (change->value != NULL) {
            fputc(' ', out);
            put_format(out, change->value);
        }
        fputs(" if", out);
        put_is_rule(out, way);
        fputc('\n', out);
    }
}

static void put_filtered(FILE *out, const struct route_table *routes)
{
    for_each_way(out, routes, put_decision);
    for (size_t i = 0; i < routes->rule_count; i++) {
        const struct route_candidate candidate = {.rule = &routes->rules[i]};
        const struct way way = {.routes = routes, .candidate = &candidate};
        put_modifier(out, &way, &candidate.rule->request, "http-request");
        put_modifier(out, &way, &candidate.rule->response, "http-response");
        put_use(out, &way, put_is_rule, false);
    }
}

/* ---- frontend -------------------------------------------------------------------------------- */

static void put_frontend(FILE *out, const struct render_plan *plan)
{
    const struct route_table *routes = plan->routes;
    char address[TEXT_ADDRESS_BYTES];
    fprintf(out, "frontend grpc\n    bind %s ssl crt ",
            render_address(&plan->listen, "*", address));
    put_haproxy(out, plan->cert);
    fputs(" alpn h2 ssl-min-ver TLSv1.2\n", out);
    stream_log_haproxy(out, plan);
    for (size_t i = 0; i < routes->header_name_count; i++) {
        fprintf(
            out,
            "    http-request return status 400 if { req.fhdr_cnt(%s) gt 1 } # not guessed at\n",
            routes->header_names[i]);
    }
    put_hosts(out, routes);
    for_each_way(out, routes, put_way_names);
    if (route_table_has_modifiers(routes)) {
        put_filtered(out, routes);
    } else {
        for_each_way(out, routes, put_direct_use);
    }
    fputs(
        "    default_backend no-route\n\n"
        "backend no-route\n    http-request return status 404 # UNIMPLEMENTED to a gRPC client\n\n",
        out);
}

/* ---- backends -------------------------------------------------------------------------------- */

/* Whatever a server says of itself in these headers is replaced. */
static void put_identity(FILE *out, const char *name)
{
    if (name != NULL) {
        fprintf(out,
                "    http-response set-header %s %%b # which backend was chosen, and which server\n"
                "    http-response set-header %s" RENDER_POD_SUFFIX " %%si:%%sp\n",
                name, name);
    }
}

static void put_backend(FILE *out, const struct render_cluster *cluster,
                        const struct render_plan *plan)
{
    char address[TEXT_ADDRESS_BYTES];
    const char *check = plan->health_checks ? " check inter 2s" : "";
    fprintf(out, "backend %s\n    balance roundrobin\n", cluster->route->name);
    fputs("    http-reuse always # streams share connections; without it each has one\n", out);
    put_identity(out, plan->identity);
    stream_log_haproxy_backend(out, plan, cluster->route->name);
    for (size_t i = 0; i < cluster->endpoint_count; i++) {
        render_address(&cluster->endpoints[i], "", address);
        if (cluster->given) {
            fprintf(out, "    server %s-%zu %s proto h2%s\n", cluster->route->host, i + 1, address,
                    check);
        } else {
            fprintf(out,
                    "    server-template %s- %d %s proto h2%s resolvers system init-addr none\n",
                    cluster->route->host, SERVER_TEMPLATE, address, check);
        }
    }
    fputc('\n', out);
}

int render_haproxy(FILE *out, const struct render_plan *plan,
                   char reason[static RENDER_REASON_BYTES])
{
    char address[TEXT_ADDRESS_BYTES];
    if (haproxy_check(plan->routes, reason) != 0) {
        return 1;
    }
    fputs("# Written by `grpcroute render haproxy` from a GRPCRoute; tested with HAProxy 2.6.\n"
          "# The file behind crt holds the certificate chain and the key. Checks are TCP: this "
          "version has none for gRPC.\n"
          "global\n    tune.h2.max-concurrent-streams 1000\n",
          out);
    stream_log_haproxy_global(out, plan);
    fputs(
        "\n"
        "defaults\n"
        "    mode http\n"
        "    timeout connect 5s\n"
        "    timeout http-request 10s\n"
        "    timeout http-keep-alive 1h # without a stream; else timeout http-request\n"
        "    timeout client 24d # ends a stream on which neither side says anything for so long; 0 "
        "would warn\n"
        "    timeout server 24d\n"
        "    timeout tunnel 24d\n"
        "    retry-on conn-failure\n"
        "    option redispatch 1 # not three seconds at a server that is gone\n\n"
        "resolvers system # every address of a name is a server, so the Services must be headless\n"
        "    parse-resolv-conf\n    hold valid 2s\n    accepted_payload_size 8192\n\n",
        out);
    fprintf(out,
            "frontend admin\n    bind %s\n    stats enable\n    stats uri /stats\n"
            "    http-request return status 200 if { path /ready }\n\n",
            render_address(&plan->admin, "*", address));
    put_frontend(out, plan);
    for (size_t i = 0; i < plan->routes->cluster_count; i++) {
        put_backend(out, &plan->clusters[i], plan);
    }
    return 0;
}
