/* Any header block against routes of every kind of match: what is found does not depend on the
 * order of the fields, is found again, and agrees with the rules read one after the other. The
 * input is the fields, each a name and a value behind a byte of length; the first two are the path
 * and the host. */
#include "fuzz.h"

#include "route/match.h"
#include "route/parse.h"

#define FIELDS_MAX 24

static const char ROUTES[] =
    "apiVersion: gateway.networking.k8s.io/v1\n"
    "kind: GRPCRoute\n"
    "metadata: {name: one}\n"
    "spec:\n"
    "  hostnames: [a.example, '*.b.example']\n"
    "  rules:\n"
    "  - matches:\n"
    "    - {method: {service: p.S, method: M}, headers: [{name: v, value: x}]}\n"
    "    - headers: [{name: v, type: RegularExpression, value: 'v1\\..*'}]\n"
    "    backendRefs: [{name: first, port: 1, weight: 3}, {name: third, port: 1, weight: 1}]\n"
    "  - matches: [{method: {type: RegularExpression, service: 'p[.].*', method: 'M|N'}}]\n"
    "    backendRefs: [{name: second, port: 1}]\n"
    "---\n"
    "apiVersion: gateway.networking.k8s.io/v1\n"
    "kind: GRPCRoute\n"
    "metadata: {name: other}\n"
    "spec:\n"
    "  rules:\n"
    "  - matches: [{headers: [{name: v, value: x}, {name: w, value: z}]}]\n"
    "    backendRefs: [{name: both, port: 1}]\n"
    "  - backendRefs: [{name: default, port: 1}]\n";

struct input {
    const uint8_t *bytes;
    size_t len;
};

/* The next text; what is left when it is cut. */
static struct h2_header take(struct input *input, const char *name)
{
    size_t len = input->len > 0 ? input->bytes[0] : 0;
    const uint8_t *text = input->len > 0 ? input->bytes + 1 : input->bytes;
    size_t left = input->len > 0 ? input->len - 1 : 0;
    len = len < left ? len : left;
    *input = (struct input){text + len, left - len};
    return (struct h2_header){
        .name = name, .name_len = strlen(name), .value = (const char *)text, .value_len = len};
}

static struct h2_header take_field(struct input *input)
{
    static const char *const names[] = {"v", "w", "agent-id", "x-other"};
    size_t which = input->len > 0 ? input->bytes[0] % 4u : 0;
    if (input->len > 0) {
        *input = (struct input){input->bytes + 1, input->len - 1};
    }
    return take(input, names[which]);
}

static int match(const struct route_table *table, const struct h2_header *fields, size_t count,
                 const struct route_rule **ret_rule)
{
    const char *header = NULL;
    *ret_rule = NULL;
    int outcome = route_table_match(table, &(struct h2_block){fields, count}, ret_rule, &header);
    FUZZ_CHECK((outcome == 0) == (*ret_rule != NULL));
    FUZZ_CHECK(outcome == 0 || outcome == ROUTE_E_NO_ROUTE || outcome == ROUTE_E_REPEATED_HEADER ||
               outcome == ROUTE_E_UNDECIDED);
    FUZZ_CHECK((outcome == ROUTE_E_REPEATED_HEADER || outcome == ROUTE_E_UNDECIDED) ==
               (header != NULL));
    return outcome;
}

static void check_shares(const struct route_rule *rule)
{
    uint64_t sum = 0;
    size_t first = 0;
    for (size_t i = 0; i < rule->backend_count; i++) {
        sum += rule->backends[i].weight;
    }
    for (uint64_t ticket = 0; ticket < sum; ticket++) {
        first += route_rule_pick(rule, ticket) == &rule->backends[0];
    }
    FUZZ_CHECK(first == rule->backends[0].weight);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct route_table *table;
    struct route_error error;
    if (table == NULL) {
        FUZZ_CHECK(route_table_parse(ROUTES, sizeof(ROUTES) - 1, "fuzz", &table, &error) == 0);
    }
    struct input input = {data, size};
    struct h2_header fields[FIELDS_MAX];
    struct h2_header turned[FIELDS_MAX];
    const struct route_rule *rule;
    const struct route_rule *again;
    fields[0] = take(&input, ":path");
    fields[1] = take(&input, ":authority");
    size_t count = 2;
    while (input.len > 0 && count < FIELDS_MAX) {
        fields[count++] = take_field(&input);
    }
    turned[0] = fields[0];
    turned[1] = fields[1];
    for (size_t i = 2; i < count; i++) {
        turned[i] = fields[count + 1 - i];
    }
    int outcome = match(table, fields, count, &rule);
    FUZZ_CHECK(match(table, fields, count, &again) == outcome && again == rule);
    FUZZ_CHECK(match(table, turned, count, &again) == outcome && again == rule);
    route_table_is_for(table, &(struct h2_block){fields, count});
    if (rule != NULL) {
        check_shares(rule);
    }
    return 0;
}
