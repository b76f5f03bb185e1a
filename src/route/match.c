#include "route/match.h"

#include "route/regex.h"

#include <string.h>
#include <strings.h>

/* A request as rules see it. */
struct request {
    const struct h2_block *block;
    const char *service;
    size_t service_len;
    const char *method;
    size_t method_len;
    const char *host;
    size_t host_len;
};

/* How specific a match is; compared field by field. */
struct rank {
    size_t service_len;
    size_t method_len;
    size_t header_count;
};

static void split_path(struct request *request)
{
    const struct h2_header *path = h2_block_find(request->block, ":path", NULL);
    if (path == NULL || path->value_len == 0 || path->value[0] != '/') {
        return;
    }
    const char *start = path->value + 1;
    size_t len = path->value_len - 1;
    const char *slash = memrchr(start, '/', len);
    request->service = start;
    request->service_len = slash != NULL ? (size_t)(slash - start) : len;
    if (slash != NULL) {
        request->method = slash + 1;
        request->method_len = len - request->service_len - 1;
    }
}

/* :authority without its port. */
static void split_host(struct request *request)
{
    const struct h2_header *authority = h2_block_find(request->block, ":authority", NULL);
    if (authority == NULL) {
        return;
    }
    request->host = authority->value;
    request->host_len = authority->value_len;
    const char *colon = memrchr(authority->value, ':', authority->value_len);
    if (colon != NULL && memchr(colon, ']', strlen(colon)) == NULL) {
        request->host_len = (size_t)(colon - authority->value);
    }
}

static bool host_matches(const struct request *request, const char *hostname)
{
    size_t len = strlen(hostname);
    if (hostname[0] != '*') {
        return len == request->host_len && strncasecmp(hostname, request->host, len) == 0;
    }
    /* "*.example.com" stands for one or more labels in front */
    return request->host_len > len - 1 &&
           strncasecmp(hostname + 1, request->host + request->host_len - (len - 1), len - 1) == 0;
}

static bool any_host_matches(const struct route_table *table, const struct request *request)
{
    for (size_t i = 0; i < table->hostname_count; i++) {
        if (request->host != NULL && host_matches(request, table->hostnames[i])) {
            return true;
        }
    }
    return table->hostname_count == 0;
}

static bool pattern_matches(const struct route_pattern *pattern, const char *value, size_t len)
{
    if (pattern->value == NULL) {
        return true;
    }
    if (value == NULL) {
        return false;
    }
    if (pattern->regex != NULL) {
        return route_regex_matches(pattern->regex, value, len);
    }
    return strlen(pattern->value) == len && memcmp(pattern->value, value, len) == 0;
}

static bool match_matches(const struct route_match *match, const struct request *request)
{
    if (!pattern_matches(&match->service, request->service, request->service_len) ||
        !pattern_matches(&match->method, request->method, request->method_len)) {
        return false;
    }
    for (size_t i = 0; i < match->header_count; i++) {
        const struct route_header_match *header = &match->headers[i];
        const struct h2_header *field = h2_block_find(request->block, header->name, NULL);
        if (field == NULL || !pattern_matches(&header->pattern, field->value, field->value_len)) {
            return false;
        }
    }
    return true;
}

static size_t exact_len(const struct route_pattern *pattern)
{
    return pattern->value != NULL && pattern->regex == NULL ? strlen(pattern->value) : 0;
}

static bool outranks(const struct rank *a, const struct rank *b)
{
    if (a->service_len != b->service_len) {
        return a->service_len > b->service_len;
    }
    if (a->method_len != b->method_len) {
        return a->method_len > b->method_len;
    }
    return a->header_count > b->header_count;
}

/* The best rank with which a rule takes the request. Returns false when it does not. */
static bool rank_rule(const struct route_rule *rule, const struct request *request,
                      struct rank *ret_rank)
{
    bool found = rule->match_count == 0;
    *ret_rank = (struct rank){0};
    for (size_t i = 0; i < rule->match_count; i++) {
        const struct route_match *match = &rule->matches[i];
        const struct rank rank = {exact_len(&match->service), exact_len(&match->method),
                                  match->header_count};
        if ((!found || outranks(&rank, ret_rank)) && match_matches(match, request)) {
            found = true;
            *ret_rank = rank;
        }
    }
    return found;
}

/* A header that decides must not be said twice: proxies disagree on which value counts. */
static const char *repeated_header(const struct route_table *table, const struct h2_block *block)
{
    for (size_t i = 0; i < table->rule_count; i++) {
        for (size_t k = 0; k < table->rules[i].match_count; k++) {
            const struct route_match *match = &table->rules[i].matches[k];
            for (size_t h = 0; h < match->header_count; h++) {
                size_t count;
                h2_block_find(block, match->headers[h].name, &count);
                if (count > 1) {
                    return match->headers[h].name;
                }
            }
        }
    }
    return NULL;
}

int route_table_match(const struct route_table *table, const struct h2_block *block,
                      const struct route_rule **ret_rule, const char **ret_header)
{
    const char *repeated = repeated_header(table, block);
    if (repeated != NULL) {
        *ret_header = repeated;
        return ROUTE_E_REPEATED_HEADER;
    }
    struct request request = {.block = block};
    split_path(&request);
    split_host(&request);
    const struct route_rule *best = NULL;
    struct rank best_rank = {0};
    for (size_t i = 0; i < table->rule_count && any_host_matches(table, &request); i++) {
        struct rank rank;
        if (rank_rule(&table->rules[i], &request, &rank) &&
            (best == NULL || outranks(&rank, &best_rank))) {
            best = &table->rules[i];
            best_rank = rank;
        }
    }
    if (best == NULL) {
        return ROUTE_E_NO_ROUTE;
    }
    *ret_rule = best;
    return 0;
}

/* ---- weights --------------------------------------------------------------------------------- */

static uint64_t gcd(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* A step near the golden section that visits every residue once: neighbours in time land far apart. */
static uint64_t spreading_step(uint64_t total)
{
    uint64_t step = (uint64_t)((double)total * 0.618) | 1;
    while (gcd(step, total) != 1) {
        step += 2;
    }
    return step;
}

const struct route_backend *route_rule_pick(const struct route_rule *rule, uint64_t ticket)
{
    uint64_t total = 0;
    uint64_t divisor = 0;
    for (size_t i = 0; i < rule->backend_count; i++) {
        total += rule->backends[i].weight;
        divisor = gcd(divisor, rule->backends[i].weight);
    }
    if (total == 0) {
        return NULL;
    }
    total /= divisor;
    uint64_t point = ticket % total * spreading_step(total) % total;
    for (size_t i = 0; i < rule->backend_count; i++) {
        uint64_t share = rule->backends[i].weight / divisor;
        if (point < share) {
            return &rule->backends[i];
        }
        point -= share;
    }
    return NULL;
}
