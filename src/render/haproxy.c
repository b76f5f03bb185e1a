/* HAProxy 2.4 and newer. */
#include "base/mem.h"
#include "render/plan.h"
#include "render/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* DNS answers of one name that become servers. */
#define SERVER_TEMPLATE 64

/* ---- conditions ------------------------------------------------------------------------------ */

static void put_condition(FILE *out, const char *sample, const char *method, const char *text)
{
    fprintf(out, " { %s -m %s ", sample, method);
    put_haproxy(out, text);
    fputs(" }", out);
}

/* Expressions are PCRE2 as ours, but not anchored. */
static void put_whole(FILE *out, const char *sample, const char *expression)
{
    size_t len = strlen(expression) + sizeof("^(?:)$");
    char *whole = mem_calloc(1, len);
    snprintf(whole, len, "^(?:%s)$", expression);
    put_condition(out, sample, "reg", whole);
    free(whole);
}

static void put_path(FILE *out, const struct route_match *match)
{
    char *text;
    switch (path_of(match, &text)) {
    case PATH_ANY:
        break;
    case PATH_EXACT:
        put_condition(out, "path", "str", text);
        break;
    case PATH_PREFIX:
        put_condition(out, "path", "beg", text);
        break;
    case PATH_REGEX:
        put_whole(out, "path", text);
        break;
    }
    free(text);
}

static void put_match(FILE *out, const struct route_match *match)
{
    put_path(out, match);
    for (size_t i = 0; match != NULL && i < match->header_count; i++) {
        const struct route_header_match *header = &match->headers[i];
        char sample[ROUTE_VALUE_MAX];
        snprintf(sample, sizeof(sample), "req.fhdr(%s)", header->name);
        if (header->pattern.regex != NULL) {
            put_whole(out, sample, header->pattern.value);
        } else {
            put_condition(out, sample, "str", header->pattern.value);
        }
    }
}

/* ---- frontend -------------------------------------------------------------------------------- */

static bool takes_everything(const struct route_match *match)
{
    return match == NULL || (match->header_count == 0 && match->service.value == NULL &&
                             match->method.value == NULL);
}

/* Each backend but the last takes its share by chance. */
static void put_use(FILE *out, const struct route_candidate *candidate)
{
    const struct route_rule *rule = candidate->rule;
    uint64_t below = 0;
    for (size_t i = 0; i < rule->backend_count; i++) {
        bool last = i + 1 == rule->backend_count;
        below += rule->backends[i].weight;
        fprintf(out, "    use_backend %s if", rule->backends[i].cluster->name);
        put_match(out, candidate->match);
        if (!last) {
            /* of what those before left */
            uint64_t left = render_weight(rule) - (below - rule->backends[i].weight);
            fprintf(out, " { rand(%" PRIu64 ") -m int lt %" PRIu32 " }", left,
                    rule->backends[i].weight);
        } else if (takes_everything(candidate->match)) {
            fputs(" TRUE", out);
        }
        fputc('\n', out);
    }
}

static void put_hosts(FILE *out, const struct route_table *routes)
{
    for (size_t i = 0; i < routes->hostname_count; i++) {
        const char *name = routes->hostnames[i];
        fprintf(out, "    acl our_host req.hdr(host),field(1,:) -i -m %s %s\n",
                name[0] == '*' ? "end" : "str", name + (name[0] == '*'));
    }
    if (routes->hostname_count > 0) {
        fputs("    http-request return status 404 unless our_host\n", out);
    }
}

static void put_frontend(FILE *out, const struct render_plan *plan)
{
    char address[TEXT_ADDRESS_BYTES];
    fprintf(out, "frontend grpc\n    bind %s ssl crt ",
            render_address(&plan->listen, "*", address));
    put_haproxy(out, plan->cert);
    fputs(" alpn h2 ssl-min-ver TLSv1.2\n", out);
    for (size_t i = 0; i < plan->routes->header_name_count; i++) {
        fprintf(
            out,
            "    http-request return status 400 if { req.fhdr_cnt(%s) gt 1 } # not guessed at\n",
            plan->routes->header_names[i]);
    }
    put_hosts(out, plan->routes);
    for (size_t i = 0; i < plan->routes->candidate_count; i++) {
        put_use(out, &plan->routes->candidates[i]);
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
    (void)reason;
    fputs(
        "# Written by `grpcroute render haproxy` from a GRPCRoute; for HAProxy 2.4 and newer.\n"
        "# The file behind crt holds the certificate chain and the key. Checks are TCP: this "
        "version has none for gRPC.\n"
        "global\n    tune.h2.max-concurrent-streams 1000\n\n"
        "defaults\n"
        "    mode http\n"
        "    timeout connect 5s\n"
        "    timeout http-request 10s\n"
        "    timeout client 24d # ends a stream on which neither side says anything for so long; 0 "
        "would warn\n"
        "    timeout server 24d\n"
        "    timeout tunnel 24d\n"
        "    retry-on conn-failure\n\n"
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
