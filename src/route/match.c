#include "route/match.h"

#include "route/regex.h"

#include <string.h>
#include <strings.h>

struct text {
    const char *bytes; /* borrowed; NULL: not there */
    size_t len;
};

/* A request as rules see it. */
struct request {
    struct text service;
    struct text method;
    struct text host;
    struct text headers[ROUTE_HEADER_NAMES_MAX]; /* as the table's header_names */
};

enum answer { NO, YES, UNDECIDED };

/* ---- the request ----------------------------------------------------------------------------- */

static struct text find(const struct h2_block *block, const char *name)
{
    const struct h2_header *field = h2_block_find(block, name, NULL);
    return field != NULL ? (struct text){field->value, field->value_len} : (struct text){NULL, 0};
}

/* "/package.Service/Method"; without a second slash there is neither. */
static void split_path(const struct h2_block *block, struct request *request)
{
    struct text path = find(block, ":path");
    const char *slash = path.bytes != NULL ? memrchr(path.bytes, '/', path.len) : NULL;
    if (slash == NULL || path.bytes[0] != '/' || slash == path.bytes) {
        return;
    }
    request->service = (struct text){path.bytes + 1, (size_t)(slash - path.bytes) - 1};
    request->method = (struct text){slash + 1, path.len - request->service.len - 2};
}

/* :authority, or host, without the port. */
static struct text host_of(const struct h2_block *block)
{
    struct text host = find(block, ":authority");
    if (host.bytes == NULL) {
        host = find(block, "host");
    }
    const char *colon = host.bytes != NULL ? memrchr(host.bytes, ':', host.len) : NULL;
    /* the colons in "[::1]" are no port's */
    if (colon != NULL && memchr(colon, ']', host.len - (size_t)(colon - host.bytes)) == NULL) {
        host.len = (size_t)(colon - host.bytes);
    }
    return host;
}

/* Finds the headers that rules look at. Returns NULL, or the name of one that is repeated: proxies
 * disagree on which value counts. */
static const char *collect_headers(const struct route_table *table, const struct h2_block *block,
                                   struct request *request)
{
    for (size_t i = 0; i < table->header_name_count; i++) {
        size_t count;
        const struct h2_header *field = h2_block_find(block, table->header_names[i], &count);
        if (count > 1) {
            return table->header_names[i];
        }
        if (field != NULL) {
            request->headers[i] = (struct text){field->value, field->value_len};
        }
    }
    return NULL;
}

/* ---- conditions ------------------------------------------------------------------------------ */

static bool host_matches(struct text host, const char *hostname)
{
    size_t len = strlen(hostname);
    if (hostname[0] != '*') {
        return len == host.len && strncasecmp(hostname, host.bytes, len) == 0;
    }
    /* "*.example.com" stands for one or more labels in front */
    return host.len > len - 1 &&
           strncasecmp(hostname + 1, host.bytes + host.len - (len - 1), len - 1) == 0;
}

/* The most specific entry for the host; NULL when the routes are for others. */
static const struct route_host *find_host(const struct route_table *table, struct text host)
{
    for (size_t i = 0; i < table->host_count; i++) {
        const struct route_host *entry = &table->hosts[i];
        for (size_t k = 0; host.bytes != NULL && k < entry->name_count; k++) {
            if (host_matches(host, entry->names[k])) {
                return entry;
            }
        }
        if (entry->name_count == 0) {
            return entry;
        }
    }
    return NULL;
}

static enum answer pattern_matches(const struct route_pattern *pattern, struct text text)
{
    if (pattern->value == NULL) {
        return YES;
    }
    if (text.bytes == NULL) {
        return NO;
    }
    if (pattern->regex == NULL) {
        return strlen(pattern->value) == text.len &&
                       memcmp(pattern->value, text.bytes, text.len) == 0
                   ? YES
                   : NO;
    }
    switch (route_regex_matches(pattern->regex, text.bytes, text.len)) {
    case ROUTE_REGEX_YES:
        return YES;
    case ROUTE_REGEX_NO:
        return NO;
    default:
        return UNDECIDED;
    }
}

/* All conditions of a match. With UNDECIDED, `ret_header` names what could not be decided. */
static enum answer match_matches(const struct route_match *match, const struct request *request,
                                 const char **ret_header)
{
    *ret_header = ":path";
    enum answer answer = pattern_matches(&match->service, request->service);
    if (answer == YES) {
        answer = pattern_matches(&match->method, request->method);
    }
    for (size_t i = 0; answer == YES && i < match->header_count; i++) {
        const struct route_header_match *header = &match->headers[i];
        *ret_header = header->name;
        answer = pattern_matches(&header->pattern, request->headers[header->index]);
    }
    return answer;
}

/* ---- the decision ---------------------------------------------------------------------------- */

/* The candidates stand in the order of their rank, so the first that matches wins. One that cannot
 * be decided ends the search: what comes behind it may be the wrong backend. */
static int first_match(const struct route_host *host, const struct request *request,
                       const struct route_rule **ret_rule, const char **ret_header)
{
    for (size_t i = 0; i < host->candidate_count; i++) {
        const struct route_candidate *candidate = &host->candidates[i];
        const char *header = NULL;
        enum answer answer =
            candidate->match != NULL ? match_matches(candidate->match, request, &header) : YES;
        if (answer == UNDECIDED) {
            *ret_header = header;
            return ROUTE_E_UNDECIDED;
        }
        if (answer == YES) {
            *ret_rule = candidate->rule;
            return 0;
        }
    }
    return ROUTE_E_NO_ROUTE;
}

bool route_table_is_for(const struct route_table *table, const struct h2_block *request)
{
    return find_host(table, host_of(request)) != NULL;
}

int route_table_match(const struct route_table *table, const struct h2_block *block,
                      const struct route_rule **ret_rule, const char **ret_header)
{
    struct request request = {0};
    const char *repeated = collect_headers(table, block, &request);
    if (repeated != NULL) {
        *ret_header = repeated;
        return ROUTE_E_REPEATED_HEADER;
    }
    const struct route_host *host = find_host(table, host_of(block));
    if (host == NULL) {
        return ROUTE_E_NO_ROUTE;
    }
    split_path(block, &request);
    return first_match(host, &request, ret_rule, ret_header);
}
