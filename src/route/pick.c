/* Weights: which backend of a rule takes a new stream. */
#include "route/match.h"

static uint64_t gcd(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* A step near the golden section that visits every residue once: neighbours in time land far apart.
 */
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
