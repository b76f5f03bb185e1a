#include "check/split.h"

#include "check/binomial.h"

#include <stdio.h>
#include <string.h>

/* Halvings in the search for a share that would be found: to a millionth. */
#define HALVINGS 20

/* ---- parts ----------------------------------------------------------------------------------- */

static void join(struct split_part *into, const struct split_part *from)
{
    size_t len = strlen(into->names);
    snprintf(into->names + len, sizeof(into->names) - len, " + %s", from->names);
    into->merged = true;
    into->weight += from->weight;
    into->versions |= from->versions;
}

/* A part of its own, with all the parts that its servers' versions cannot be told from. */
static void add(struct split *split, const struct role_share *share)
{
    struct split_part part = {.weight = share->weight, .versions = share->versions};
    snprintf(part.names, sizeof(part.names), "%s", share->backend);
    size_t kept = 0;
    for (size_t i = 0; i < split->part_count; i++) {
        if ((split->parts[i].versions & share->versions) != 0) {
            struct split_part joined = split->parts[i];
            join(&joined, &part);
            part = joined;
        } else {
            split->parts[kept++] = split->parts[i];
        }
    }
    split->parts[kept] = part;
    split->part_count = kept + 1;
}

void split_init(struct split *split, const struct role_expectation *expect)
{
    *split = (struct split){0};
    uint64_t total = 0;
    for (size_t i = 0; i < expect->share_count; i++) {
        add(split, &expect->shares[i]);
        total += expect->shares[i].weight;
    }
    for (size_t i = 0; i < split->part_count; i++) {
        split->parts[i].expected = (double)split->parts[i].weight / (double)total;
    }
}

size_t split_judgements(const struct split *split)
{
    return split->part_count < 2 ? 0 : split->part_count == 2 ? 1 : split->part_count;
}

/* ---- one share ------------------------------------------------------------------------------- */

/* The counts of `n` streams that rule a share out: up to `below`, and from `above` on. */
struct bounds {
    uint64_t n;
    bool has_below;
    uint64_t below;
    uint64_t above; /* n + 1: none */
};

static uint64_t first_above(uint64_t n, double p, double rare)
{
    uint64_t low = 0; /* is not rare */
    uint64_t high = n + 1;
    while (high - low > 1) {
        uint64_t middle = low + (high - low) / 2;
        if (binomial_at_least(n, middle, p) < rare) {
            high = middle;
        } else {
            low = middle;
        }
    }
    return high;
}

static struct bounds bounds_of(uint64_t n, double p, double alpha)
{
    struct bounds bounds = {.n = n, .above = first_above(n, p, alpha / 2)};
    /* As few hits as this are that many misses. */
    uint64_t misses = first_above(n, 1 - p, alpha / 2);
    bounds.has_below = misses <= n;
    bounds.below = bounds.has_below ? n - misses : 0;
    return bounds;
}

/* How likely the bounds find a true share of `p`. */
static double power_at(const struct bounds *bounds, double p)
{
    double found = bounds->has_below ? binomial_at_most(bounds->n, bounds->below, p) : 0;
    return bounds->above <= bounds->n ? found + binomial_at_least(bounds->n, bounds->above, p)
                                      : found;
}

/* The share nearest to `from` towards `to` (0 or 1) that is found; beyond `to` where none is. */
static double nearest_found(const struct bounds *bounds, double from, double to)
{
    double missed = from;
    double found = to;
    if (power_at(bounds, to) < SPLIT_POWER) {
        return to > 0 ? 2 : -1;
    }
    for (int i = 0; i < HALVINGS; i++) {
        double middle = (missed + found) / 2;
        if (power_at(bounds, middle) >= SPLIT_POWER) {
            found = middle;
        } else {
            missed = middle;
        }
    }
    return found;
}

/* Whether `n` streams find an error of `resolution`, up and down. */
static bool suffices(const struct split_part *part, uint64_t n, double alpha, double resolution,
                     double power)
{
    struct bounds bounds = bounds_of(n, part->expected, alpha);
    return power_at(&bounds, part->expected - resolution) >= power &&
           power_at(&bounds, part->expected + resolution) >= power;
}

/* ---- all shares ------------------------------------------------------------------------------ */

static double alpha_of(size_t judgements)
{
    return SPLIT_ALARM / (double)(judgements > 0 ? judgements : 1);
}

/* No share can be off by more than itself, or by more than the rest. */
static double smallest_error(const struct split *split, double resolution)
{
    for (size_t i = 0; i < split->part_count; i++) {
        double p = split->parts[i].expected;
        resolution = p < resolution ? p : resolution;
        resolution = 1 - p < resolution ? 1 - p : resolution;
    }
    return resolution;
}

static bool all_suffice(const struct split *split, uint64_t n, double alpha, double resolution,
                        double power)
{
    double error = smallest_error(split, resolution);
    for (size_t i = 0; i < split->part_count; i++) {
        if (!suffices(&split->parts[i], n, alpha, error, power)) {
            return false;
        }
    }
    return true;
}

uint64_t split_streams_needed(const struct split *split, size_t judgements, double resolution)
{
    double alpha = alpha_of(judgements);
    uint64_t few = 0;
    uint64_t enough = 1;
    if (split_judgements(split) == 0) {
        return 0;
    }
    while (!all_suffice(split, enough, alpha, resolution, SPLIT_POWER_PLANNED)) {
        few = enough;
        enough *= 2;
        if (enough > SPLIT_STREAMS_MAX) {
            return SPLIT_STREAMS_MAX;
        }
    }
    while (enough - few > 1) {
        uint64_t middle = few + (enough - few) / 2;
        if (all_suffice(split, middle, alpha, resolution, SPLIT_POWER_PLANNED)) {
            enough = middle;
        } else {
            few = middle;
        }
    }
    return enough;
}

static void judge_part(struct split *split, struct split_part *part)
{
    uint64_t n = split->streams;
    struct bounds bounds = bounds_of(n, part->expected, split->alpha);
    part->wrong =
        (bounds.has_below && part->streams <= bounds.below) || part->streams >= bounds.above;
    part->found_below = nearest_found(&bounds, part->expected, 0);
    part->found_above = nearest_found(&bounds, part->expected, 1);
    binomial_interval(n, part->streams, split->alpha, &part->low, &part->high);
}

void split_judge(struct split *split, size_t judgements, double resolution)
{
    split->alpha = alpha_of(judgements);
    split->resolution = smallest_error(split, resolution);
    split->result = SPLIT_RIGHT;
    for (size_t i = 0; i < split->part_count && split->streams > 0; i++) {
        judge_part(split, &split->parts[i]);
        if (split->parts[i].wrong) {
            split->result = SPLIT_WRONG;
        }
    }
    bool few = split->streams == 0 ||
               (split_judgements(split) > 0 &&
                !all_suffice(split, split->streams, split->alpha, resolution, SPLIT_POWER));
    if (split->result == SPLIT_RIGHT && few) {
        split->result = SPLIT_TOO_FEW;
        split->needed = split_streams_needed(split, judgements, resolution);
    }
}
