#include "role/expect.h"

#include "base/text.h"
#include "route/expect.h"

#include <stdio.h>
#include <string.h>

static void allow(struct role_expectation *expect, const char *version)
{
    expect->rule = ROLE_EXPECT_SERVER;
    if (expect->version_count < ROLE_EXPECT_MAX) {
        snprintf(expect->versions[expect->version_count++], ROLE_VERSION_BYTES, "%s", version);
    }
}

struct role_expectation role_expect_of_version(const char *agent_version)
{
    struct role_expectation expect = {.rule = ROLE_EXPECT_ANY};
    struct text_version version;
    const char *reason;
    char major[ROLE_VERSION_BYTES];
    if (text_parse_version(agent_version, &version, &reason) == 0) {
        snprintf(major, sizeof(major), "v%u", (unsigned)version.major);
        allow(&expect, major);
    }
    return expect;
}

struct role_expectation role_expect_of_routes(const struct route_table *routes,
                                              const char *const *agent_versions, size_t count)
{
    struct role_expectation expect = {.rule = ROLE_EXPECT_ANY};
    struct route_expectation promised = route_expect(routes, agent_versions, count);
    if (promised.outcome != 0) {
        /* What a repeated header means is nowhere specified: it is told, not judged. */
        expect.rule = count > 1 ? ROLE_EXPECT_REPORT : ROLE_EXPECT_REJECTED;
        return expect;
    }
    /* The servers of the rule's backends, as far as their names carry a version. */
    char versions[ROUTE_BACKENDS_MAX][ROUTE_VERSION_BYTES];
    size_t version_count = route_rule_versions(promised.rule, versions);
    for (size_t i = 0; i < version_count; i++) {
        allow(&expect, versions[i]);
    }
    return expect;
}

bool role_expectation_allows(const struct role_expectation *expect, const char *version)
{
    for (size_t i = 0; i < expect->version_count; i++) {
        if (strcmp(expect->versions[i], version) == 0) {
            return true;
        }
    }
    return false;
}

char *role_expectation_text(const struct role_expectation *expect, char *out, size_t out_bytes)
{
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; i < expect->version_count && len < out_bytes; i++) {
        const char *joint = i == 0 ? "" : " or ";
        len += (size_t)snprintf(out + len, out_bytes - len, "%s%s", joint, expect->versions[i]);
    }
    return out;
}
