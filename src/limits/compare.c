#include "limits/compare.h"

#include "base/clock.h"
#include "limits/words.h"

#include <assert.h>

/* Two runs agree on a time within that, as two streams of a run do. */
#define AGREED_NS    (NS_PER_S / 2)
#define AGREED_SHARE 33 /* one in so many: 3 % */

/* ---- what changed ---------------------------------------------------------------------------- */

static bool has_value(const struct limits_finding *finding)
{
    return finding->kind != LIMITS_FACT &&
           (finding->state == LIMITS_FOUND || finding->state == LIMITS_BY_OTHER);
}

static uint64_t tolerance(const struct limits_finding *before, const struct limits_finding *now)
{
    uint64_t larger = before->value > now->value ? before->value : now->value;
    uint64_t sum = before->resolution + now->resolution;
    uint64_t share = larger / AGREED_SHARE;
    if (before->kind == LIMITS_COUNT) { /* what lies one beyond was refused: that is exact */
        return sum > 2 ? sum : 0;
    }
    uint64_t least = before->kind == LIMITS_DURATION ? AGREED_NS : 0;
    uint64_t most = sum > share ? sum : share;
    return most > least ? most : least;
}

static enum limits_change compare_values(const struct limits_finding *before,
                                         const struct limits_finding *now)
{
    bool lower = now->value < before->value;
    uint64_t apart = lower ? before->value - now->value : now->value - before->value;
    return apart <= tolerance(before, now) ? LIMITS_CHANGE_SAME
           : lower                         ? LIMITS_CHANGE_LOWER
                                           : LIMITS_CHANGE_HIGHER;
}

/* Whether `finding`, which met nothing, would have met that value. */
static bool looked_at(const struct limits_finding *finding, uint64_t value)
{
    return finding->looked >= value;
}

/* A path that took all that was sent holds more than one that stopped. */
static enum limits_change compare_held(const struct limits_finding *before,
                                       const struct limits_finding *now)
{
    return has_value(before) ? LIMITS_CHANGE_HIGHER
           : has_value(now)  ? LIMITS_CHANGE_LOWER
                             : LIMITS_CHANGE_SAME;
}

/* The shortest interval that is taken lies above the one and is the other at most. */
static uint64_t refused_ns(const struct limits_finding *pings)
{
    return has_value(pings) ? pings->looked : 0;
}

static uint64_t taken_ns(const struct limits_finding *pings)
{
    return has_value(pings) ? pings->value : pings->looked;
}

static enum limits_change compare_pings(const struct limits_finding *before,
                                        const struct limits_finding *now)
{
    if (refused_ns(now) >= taken_ns(before)) {
        return has_value(before) ? LIMITS_CHANGE_HIGHER : LIMITS_CHANGE_NEW;
    }
    if (refused_ns(before) >= taken_ns(now)) {
        return has_value(now) ? LIMITS_CHANGE_LOWER : LIMITS_CHANGE_GONE;
    }
    return refused_ns(before) == refused_ns(now) && taken_ns(before) == taken_ns(now)
               ? LIMITS_CHANGE_SAME
               : LIMITS_CHANGE_NOT_FAR_ENOUGH;
}

static enum limits_change compare_states(const struct limits_finding *before,
                                         const struct limits_finding *now)
{
    if (before->shape == LIMITS_PING_INTERVAL) {
        return compare_pings(before, now);
    }
    if (has_value(before) && has_value(now)) {
        return compare_values(before, now);
    }
    if (before->shape == LIMITS_BUFFERED) {
        return compare_held(before, now);
    }
    if (has_value(before)) {
        return looked_at(now, before->value + before->resolution) ? LIMITS_CHANGE_GONE
                                                                  : LIMITS_CHANGE_NOT_FAR_ENOUGH;
    }
    if (has_value(now)) { /* where the one before did not look as far, it may have been there */
        return looked_at(before, now->value) ? LIMITS_CHANGE_NEW : LIMITS_CHANGE_NOT_FAR_ENOUGH;
    }
    return looked_at(now, before->looked) ? LIMITS_CHANGE_SAME : LIMITS_CHANGE_NOT_FAR_ENOUGH;
}

static bool is_measured(const struct limits_finding *finding)
{
    return finding->wanted && finding->state != LIMITS_NOT_MEASURED;
}

static enum limits_change change_of(const struct limits_finding *before,
                                    const struct limits_finding *now)
{
    if (!is_measured(before) || !is_measured(now)) {
        return LIMITS_CHANGE_NOT_MEASURED;
    }
    if (before->state == LIMITS_UNSTEADY || now->state == LIMITS_UNSTEADY) {
        return LIMITS_CHANGE_UNSTEADY;
    }
    if (before->kind == LIMITS_FACT) {
        return before->fact == now->fact ? LIMITS_CHANGE_SAME
               : now->fact               ? LIMITS_CHANGE_GAINED
                                         : LIMITS_CHANGE_LOST;
    }
    return compare_states(before, now);
}

/* ---- whether that is worse ------------------------------------------------------------------- */

/* How much a path holds for a slow reader is neither good nor bad in itself. */
static bool is_worse(enum limits_shape shape, enum limits_change change)
{
    if (shape == LIMITS_BUFFERED) {
        return false;
    }
    return change == LIMITS_CHANGE_NEW || change == LIMITS_CHANGE_LOST ||
           change == (limits_less_is_better(shape) ? LIMITS_CHANGE_HIGHER : LIMITS_CHANGE_LOWER);
}

static bool is_missing(enum limits_change change)
{
    return change == LIMITS_CHANGE_UNSTEADY || change == LIMITS_CHANGE_NOT_MEASURED ||
           change == LIMITS_CHANGE_NOT_FAR_ENOUGH;
}

static bool ends_elsewhere(const struct limits_finding *before, const struct limits_finding *now)
{
    return has_value(before) && has_value(now) && before->side != now->side &&
           before->side != LIMITS_SIDE_UNKNOWN && now->side != LIMITS_SIDE_UNKNOWN;
}

static bool looks_otherwise(const struct limits_finding *before, const struct limits_finding *now)
{
    const struct limits_sample *a = &before->samples[0];
    const struct limits_sample *b = &now->samples[0];
    return has_value(before) && has_value(now) && before->sample_count > 0 &&
           now->sample_count > 0 && a->opened && b->opened &&
           (a->end != b->end || a->code != b->code);
}

static void add_row(struct limits_comparison *comparison, enum limits_shape shape)
{
    const struct limits_finding *before = &comparison->before->findings[shape];
    const struct limits_finding *now = &comparison->now->findings[shape];
    struct limits_compared row = {.shape = shape, .change = change_of(before, now)};
    row.worse = is_worse(shape, row.change);
    row.missing = is_missing(row.change);
    row.other_side = !row.missing && ends_elsewhere(before, now);
    row.other_look = !row.missing && looks_otherwise(before, now);
    comparison->worse += row.worse;
    comparison->missing += row.missing;
    comparison->changed += limits_is_changed(&row);
    comparison->rows[comparison->row_count++] = row;
}

void limits_compare_results(const struct limits_result *before, const struct limits_result *now,
                            struct limits_comparison *ret)
{
    *ret = (struct limits_comparison){.before = before, .now = now};
    for (unsigned shape = 0; shape < LIMITS_SHAPES; shape++) {
        bool wanted = before->findings[shape].wanted || now->findings[shape].wanted;
        if (is_measured(&before->findings[shape]) || is_measured(&now->findings[shape])) {
            add_row(ret, shape);
        } else if (wanted) {
            ret->unmeasured[ret->unmeasured_count++] = shape;
        }
    }
}

/* ---- words ----------------------------------------------------------------------------------- */

const char *limits_change_name(enum limits_change change)
{
    static const char *const names[] = {
#define X(enumerator, name) [LIMITS_CHANGE_##enumerator] = name,
        LIMITS_CHANGE_LIST(X)
#undef X
    };
    assert(change < LIMITS_CHANGES);
    return names[change];
}

const char *limits_change_text(const struct limits_compared *row)
{
    static const char *const lower[] = {"shorter", "smaller", "fewer", ""};
    static const char *const higher[] = {"longer", "larger", "more", ""};
    enum limits_kind kind = limits_shape_kind(row->shape);
    switch (row->change) {
    case LIMITS_CHANGE_SAME:
        return row->other_side   ? "the same, but ended elsewhere"
               : row->other_look ? "the same, but looks otherwise"
                                 : "the same";
    case LIMITS_CHANGE_LOWER:
        return lower[kind];
    case LIMITS_CHANGE_HIGHER:
        return higher[kind];
    case LIMITS_CHANGE_NEW:
        return "a new limit";
    case LIMITS_CHANGE_GONE:
        return "no limit any more";
    case LIMITS_CHANGE_LOST:
        return "no longer so";
    case LIMITS_CHANGE_GAINED:
        return "now so";
    case LIMITS_CHANGE_UNSTEADY:
        return "unsteady, not compared";
    case LIMITS_CHANGE_NOT_MEASURED:
        return "measured in one alone, not compared";
    case LIMITS_CHANGE_NOT_FAR_ENOUGH:
        return "not looked as far, not compared";
    case LIMITS_CHANGES:
        break;
    }
    return "";
}

bool limits_is_changed(const struct limits_compared *row)
{
    return row->change != LIMITS_CHANGE_SAME || row->other_side || row->other_look;
}
