#include "route/expect.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

static struct route_expectation expect_at(const struct route_table *table, const char *path,
                                          const char *authority, const char *name,
                                          const char *const *values, size_t count)
{
    struct h2_header fields[2 + ROUTE_EXPECT_VALUES_MAX] = {
        H2_HEADER(":path", path),
        H2_HEADER(":authority", authority),
    };
    size_t field_count = 2;
    for (size_t i = 0; i < count && i < ROUTE_EXPECT_VALUES_MAX; i++) {
        fields[field_count++] = H2_HEADER(name, values[i]);
    }
    const struct h2_block block = {fields, field_count};
    struct route_expectation expectation = {0};
    const char *header;
    if (!route_table_is_for(table, &block)) {
        expectation.outcome = ROUTE_E_NO_HOST;
        return expectation;
    }
    expectation.outcome = route_table_match(table, &block, &expectation.rule, &header);
    if (expectation.outcome == 0 && route_rule_pick(expectation.rule, 0) == NULL) {
        expectation.outcome = ROUTE_E_NO_BACKEND;
    }
    return expectation;
}

/* ---- a host that nobody told ----------------------------------------------------------------- */

static bool has_backend(const struct route_rule *rule, const struct route_backend *backend)
{
    for (size_t i = 0; i < rule->backend_count; i++) {
        if (rule->backends[i].weight > 0 && strcmp(rule->backends[i].name, backend->name) == 0) {
            return true;
        }
    }
    return false;
}

static bool has_backends_of(const struct route_rule *rule, const struct route_rule *other)
{
    for (size_t i = 0; i < other->backend_count; i++) {
        if (other->backends[i].weight > 0 && !has_backend(rule, &other->backends[i])) {
            return false;
        }
    }
    return true;
}

static bool is_alike(const struct route_expectation *a, const struct route_expectation *b)
{
    return a->outcome == b->outcome && (a->rule == b->rule || (a->rule != NULL && b->rule != NULL &&
                                                               has_backends_of(a->rule, b->rule) &&
                                                               has_backends_of(b->rule, a->rule)));
}

/* A host of the entry; of one for any host, a name that no other entry is likely to have. */
static const char *usual_name(const struct route_host *host)
{
    return host->name_count > 0 ? host->names[0] : "localhost";
}

struct route_expectation route_expect(const struct route_table *table, const char *path,
                                      const char *authority, const char *name,
                                      const char *const *values, size_t count)
{
    const char *usual = usual_name(&table->hosts[0]);
    struct route_expectation expectation =
        expect_at(table, path, authority != NULL ? authority : usual, name, values, count);
    for (size_t i = 1; authority == NULL && i < table->host_count; i++) {
        struct route_expectation other =
            expect_at(table, path, usual_name(&table->hosts[i]), name, values, count);
        if (!is_alike(&expectation, &other)) {
            return (struct route_expectation){.outcome = ROUTE_E_HOST_UNKNOWN};
        }
    }
    return expectation;
}

/* ---- versions -------------------------------------------------------------------------------- */

bool route_backend_version(const char *name, char out[static ROUTE_VERSION_BYTES])
{
    const char *dash = NULL;
    for (const char *at = strstr(name, "-v"); at != NULL; at = strstr(at + 1, "-v")) {
        dash = at;
    }
    struct text_version version;
    const char *reason;
    if (dash == NULL || text_parse_version(dash + 1, &version, &reason) != 0 || version.has_minor) {
        return false;
    }
    snprintf(out, ROUTE_VERSION_BYTES, "v%u", (unsigned)version.major);
    return true;
}

static bool contains(char versions[][ROUTE_VERSION_BYTES], size_t count, const char *version)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(versions[i], version) == 0) {
            return true;
        }
    }
    return false;
}

size_t route_rule_versions(const struct route_rule *rule,
                           char out[static ROUTE_BACKENDS_MAX][ROUTE_VERSION_BYTES])
{
    size_t count = 0;
    for (size_t i = 0; i < rule->backend_count; i++) {
        char version[ROUTE_VERSION_BYTES];
        if (rule->backends[i].weight == 0) {
            continue;
        }
        if (!route_backend_version(rule->backends[i].name, version)) {
            return 0;
        }
        if (!contains(out, count, version)) {
            snprintf(out[count++], ROUTE_VERSION_BYTES, "%s", version);
        }
    }
    return count;
}
