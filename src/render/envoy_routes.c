/* Virtual hosts, matches and what is done with them. */
#include "render/envoy_routes.h"

#include "base/mem.h"
#include "render/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

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

int envoy_put_routes(FILE *out, const struct route_table *routes,
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
