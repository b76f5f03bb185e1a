#include "route/expect.h"

#include <stdio.h>
#include <string.h>

#define VALUES_MAX 8

struct route_expectation route_expect(const struct route_table *table,
                                      const char *const *agent_versions, size_t count)
{
    struct h2_header fields[2 + VALUES_MAX] = {
        H2_HEADER(":path", "/ping.PingService/PingPong"),
        H2_HEADER(":authority", "localhost"),
    };
    size_t field_count = 2;
    for (size_t i = 0; i < count && i < VALUES_MAX; i++) {
        fields[field_count++] = H2_HEADER("agent-version", agent_versions[i]);
    }
    if (table->hostname_count > 0) { /* a route for some hosts only: ask as one of them */
        fields[1] = H2_HEADER(":authority", table->hostnames[0]);
    }
    const struct h2_block block = {fields, field_count};
    struct route_expectation expectation = {0};
    const char *header;
    expectation.outcome = route_table_match(table, &block, &expectation.rule, &header);
    return expectation;
}

bool route_backend_version(const char *name, char out[static ROUTE_VERSION_BYTES])
{
    const char *dash = NULL;
    for (const char *at = strstr(name, "-v"); at != NULL; at = strstr(at + 1, "-v")) {
        dash = at;
    }
    if (dash == NULL) {
        return false;
    }
    const char *digits = dash + 2;
    size_t len = strspn(digits, "0123456789");
    if (len == 0 || digits[len] != '\0' || len + 2 > ROUTE_VERSION_BYTES) {
        return false;
    }
    snprintf(out, ROUTE_VERSION_BYTES, "v%s", digits);
    return true;
}

bool route_expects_version(const struct route_rule *rule, const char *server_version)
{
    for (size_t i = 0; i < rule->backend_count; i++) {
        char version[ROUTE_VERSION_BYTES];
        if (rule->backends[i].weight > 0 &&
            route_backend_version(rule->backends[i].name, version) &&
            strcmp(version, server_version) == 0) {
            return true;
        }
    }
    return false;
}
