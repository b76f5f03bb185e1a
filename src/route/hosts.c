/* Which candidates a request for a host has, in the order that the Gateway API sets for rules of
 * several GRPCRoutes: the hostname, then the match, then the age and name of the object, then the
 * place in it. A request that no rule of the most specific hostname takes goes on to the next. */
#include "route/hosts.h"

#include "base/mem.h"
#include "route/table.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* ---- hostnames ------------------------------------------------------------------------------- */

static bool is_wildcard(const char *hostname)
{
    return hostname[0] == '*';
}

/* Whether all hosts of `narrow` are hosts of `wide`. */
static bool covers(const char *wide, const char *narrow)
{
    if (!is_wildcard(wide)) {
        return strcmp(wide, narrow) == 0;
    }
    size_t suffix = strlen(wide) - 1;
    size_t len = strlen(narrow);
    return len >= suffix + 1 && strcmp(narrow + len - suffix, wide + 1) == 0;
}

/* Below 0 when `a` is more specific: characters of a hostname without wildcard, then characters;
 * NULL, any host, comes last. */
static int compare_hostnames(const char *a, const char *b)
{
    if (a == NULL || b == NULL) {
        return (a == NULL) - (b == NULL);
    }
    if (is_wildcard(a) != is_wildcard(b)) {
        return is_wildcard(a) ? 1 : -1;
    }
    size_t len_a = strlen(a);
    size_t len_b = strlen(b);
    return len_a > len_b ? -1 : len_a < len_b;
}

static int compare_for_sort(const void *a, const void *b)
{
    const char *const *name_a = a;
    const char *const *name_b = b;
    int order = compare_hostnames(*name_a, *name_b);
    return order != 0 || *name_a == NULL ? order : strcmp(*name_a, *name_b);
}

/* All hostnames, each once, the most specific first; NULL for any host. Owned by the caller. */
static const char **list_hostnames(const struct route_table *table, size_t *ret_count)
{
    const char **names = mem_calloc(table->object_count * ROUTE_HOSTNAMES_MAX + 1, sizeof(*names));
    size_t count = 0;
    size_t distinct = 0;
    for (size_t i = 0; i < table->object_count; i++) {
        const struct route_object *object = table->objects[i];
        for (size_t k = 0; k < object->hostname_count; k++) {
            names[count++] = object->hostnames[k];
        }
        if (object->hostname_count == 0) {
            names[count++] = NULL;
        }
    }
    qsort(names, count, sizeof(*names), compare_for_sort);
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || compare_for_sort(&names[i], &names[distinct - 1]) != 0) {
            names[distinct++] = names[i];
        }
    }
    *ret_count = distinct;
    return names;
}

/* The hostname by which an object is for `host`, the most specific one. Returns false when it is
 * not. */
static bool find_hostname(const struct route_object *object, const char *host, const char **ret)
{
    bool found = object->hostname_count == 0;
    *ret = NULL;
    for (size_t i = 0; host != NULL && i < object->hostname_count; i++) {
        const char *hostname = object->hostnames[i];
        if (covers(hostname, host) && (!found || compare_hostnames(hostname, *ret) < 0)) {
            *ret = hostname;
            found = true;
        }
    }
    return found;
}

/* ---- order ----------------------------------------------------------------------------------- */

/* How specific a pattern is: longer is more, and any exact one more than any regular expression,
 * whose length says little. */
static size_t specificity(const struct route_pattern *pattern)
{
    if (pattern->value == NULL) {
        return 0;
    }
    return strlen(pattern->value) + (pattern->regex == NULL ? ROUTE_METHOD_MAX : 0);
}

static int more_first(size_t a, size_t b)
{
    return a > b ? -1 : a < b;
}

static int compare_matches(const struct route_match *a, const struct route_match *b)
{
    static const struct route_match everything;
    a = a != NULL ? a : &everything;
    b = b != NULL ? b : &everything;
    int order = more_first(specificity(&a->service), specificity(&b->service));
    order = order != 0 ? order : more_first(specificity(&a->method), specificity(&b->method));
    return order != 0 ? order : more_first(a->header_count, b->header_count);
}

/* The oldest first: one without a time was not created yet. RFC 3339 in UTC sorts as text. */
static int compare_objects(const struct route_object *a, const struct route_object *b)
{
    int order = 0;
    if (a == b) {
        return 0;
    }
    if (a->created == NULL || b->created == NULL) {
        order = (a->created == NULL) - (b->created == NULL);
    } else {
        order = strcmp(a->created, b->created);
    }
    order = order != 0 ? order : strcmp(a->id, b->id);
    return order != 0 ? order : more_first(b->order, a->order);
}

static int compare_candidates(const void *left, const void *right)
{
    const struct route_candidate *a = left;
    const struct route_candidate *b = right;
    int order = compare_hostnames(a->hostname, b->hostname);
    order = order != 0 ? order : compare_matches(a->match, b->match);
    order = order != 0 ? order : compare_objects(a->rule->object, b->rule->object);
    order = order != 0 ? order : more_first(b->rule->number, a->rule->number);
    return order != 0 ? order : more_first((size_t)b->match, (size_t)a->match);
}

/* ---- hosts ----------------------------------------------------------------------------------- */

static size_t candidates_of(const struct route_rule *rule)
{
    return rule->match_count > 0 ? rule->match_count : 1;
}

static void add_rule(struct route_host *host, const struct route_rule *rule, const char *hostname)
{
    for (size_t k = 0; k < candidates_of(rule); k++) {
        host->candidates[host->candidate_count++] = (struct route_candidate){
            rule, rule->match_count > 0 ? &rule->matches[k] : NULL, hostname};
    }
}

static size_t count_candidates(const struct route_table *table, const char *name)
{
    size_t count = 0;
    const char *hostname;
    for (size_t i = 0; i < table->rule_count; i++) {
        const struct route_rule *rule = &table->rules[i];
        count += find_hostname(rule->object, name, &hostname) ? candidates_of(rule) : 0;
    }
    return count;
}

static void fill(const struct route_table *table, struct route_host *host, const char *name)
{
    host->candidates = mem_calloc(count_candidates(table, name) + 1, sizeof(*host->candidates));
    for (size_t i = 0; i < table->rule_count; i++) {
        const struct route_rule *rule = &table->rules[i];
        const char *hostname;
        if (find_hostname(rule->object, name, &hostname)) {
            add_rule(host, rule, hostname);
        }
    }
    qsort(host->candidates, host->candidate_count, sizeof(*host->candidates), compare_candidates);
}

static bool decide_alike(const struct route_host *a, const struct route_host *b)
{
    bool alike = a->candidate_count == b->candidate_count;
    for (size_t i = 0; alike && i < a->candidate_count; i++) {
        alike = a->candidates[i].rule == b->candidates[i].rule &&
                a->candidates[i].match == b->candidates[i].match;
    }
    return alike;
}

static void add_name(struct route_host *host, const char *name)
{
    if (name != NULL) {
        host->names = mem_realloc(host->names, (host->name_count + 1) * sizeof(*host->names));
        host->names[host->name_count++] = name;
    }
}

/* The entry that may have the name of `host` as well, or NULL: the order of wildcards stays, names
 * without one exclude each other, and one for any host stays alone. */
static struct route_host *find_alike(struct route_table *table, const struct route_host *host,
                                     const char *name)
{
    for (size_t i = table->host_count; name != NULL && i > 0; i--) {
        if (decide_alike(&table->hosts[i - 1], host)) {
            return &table->hosts[i - 1];
        }
        if (is_wildcard(name)) {
            return NULL;
        }
    }
    return NULL;
}

static void add_host(struct route_table *table, const char *name)
{
    struct route_host *host = &table->hosts[table->host_count];
    fill(table, host, name);
    struct route_host *alike = find_alike(table, host, name);
    if (alike != NULL) {
        free(host->candidates);
        *host = (struct route_host){0};
        add_name(alike, name);
        return;
    }
    add_name(host, name);
    table->host_count++;
}

int route_hosts_derive(struct route_table *table)
{
    size_t name_count;
    size_t total = 0;
    const char **names = list_hostnames(table, &name_count);
    table->hosts = mem_calloc(name_count + 1, sizeof(*table->hosts));
    for (size_t i = 0; i < name_count && total <= ROUTE_CANDIDATES_MAX; i++) {
        size_t before = table->host_count;
        add_host(table, names[i]);
        total += table->host_count > before ? table->hosts[before].candidate_count : 0;
    }
    free(names);
    return total > ROUTE_CANDIDATES_MAX;
}
