#include "route/expect.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

struct route_expectation route_expect(const struct route_table *table,
                                      const char *const *agent_versions, size_t count)
{
    struct h2_header fields[2 + ROUTE_EXPECT_VALUES_MAX] = {
        H2_HEADER(":path", "/ping.PingService/PingPong"),
        H2_HEADER(":authority", table->hostname_count > 0 ? table->hostnames[0] : "localhost"),
    };
    size_t field_count = 2;
    for (size_t i = 0; i < count && i < ROUTE_EXPECT_VALUES_MAX; i++) {
        fields[field_count++] = H2_HEADER("agent-version", agent_versions[i]);
    }
    const struct h2_block block = {fields, field_count};
    struct route_expectation expectation = {0};
    const char *header;
    expectation.outcome = route_table_match(table, &block, &expectation.rule, &header);
    if (expectation.outcome == 0 && route_rule_pick(expectation.rule, 0) == NULL) {
        expectation.outcome = ROUTE_E_NO_BACKEND;
    }
    return expectation;
}

/* The version in a backend's name: what follows its last "-v" if that is a number ("server-v1"
 * gives "v1"). Returns false when there is none. */
static bool version_of(const char *name, char out[static ROUTE_VERSION_BYTES])
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
        if (!version_of(rule->backends[i].name, version)) {
            return 0;
        }
        if (!contains(out, count, version)) {
            snprintf(out[count++], ROUTE_VERSION_BYTES, "%s", version);
        }
    }
    return count;
}
