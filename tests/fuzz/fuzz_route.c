/* Any bytes as a GRPCRoute file, and the table that comes out matched against a request. */
#include "route/expect.h"
#include "route/match.h"
#include "route/parse.h"
#include "route/table.h"

#define PATH "/ping.PingService/PingPong"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct route_table *table;
    struct route_error error;
    if (route_table_parse_for_checks((const char *)data, size, "fuzz", &table, &error) == 0) {
        route_table_free(table);
    }
    if (route_table_parse((const char *)data, size, "fuzz", &table, &error) != 0) {
        return 0;
    }
    const char *versions[] = {"v1.1", "v2.1"};
    struct route_expectation one = route_expect(table, PATH, NULL, "agent-version", versions, 1);
    route_expect(table, PATH, NULL, "agent-version", versions, 2);
    route_expect(table, PATH, NULL, "agent-version", NULL, 0);
    for (uint64_t ticket = 0; one.outcome == 0 && ticket < 3; ticket++) {
        route_rule_pick(one.rule, ticket);
    }
    for (size_t i = 0; i < table->host_count; i++) {
        const char *host = table->hosts[i].name_count > 0 ? table->hosts[i].names[0] : "x";
        route_expect(table, PATH, host, "agent-version", versions, 1);
    }
    route_table_free(table);
    return 0;
}
