/* Two results side by side: what an upgrade, another configuration or another gateway changes.
 * Pure. */
#ifndef GRPCROUTE_LIMITS_COMPARE_H
#define GRPCROUTE_LIMITS_COMPARE_H

#include "limits/finding.h"

/* enumerator, name in JSON */
#define LIMITS_CHANGE_LIST(X)                                                                      \
    X(SAME, "same")                                                                                \
    X(LOWER, "lower") /* shorter, smaller, fewer */                                                \
    X(HIGHER, "higher")                                                                            \
    X(NEW, "new") /* a limit where there was none */                                               \
    X(GONE, "gone")                                                                                \
    X(LOST, "lost")                     /* a fact that held */                                     \
    X(GAINED, "gained")                 /* one that did not */                                     \
    X(UNSTEADY, "unsteady")             /* on one side at least */                                 \
    X(NOT_MEASURED, "not_measured")     /* on one side */                                          \
    X(NOT_FAR_ENOUGH, "not_far_enough") /* one side did not look as far as the other found */

enum limits_change {
#define X(enumerator, name) LIMITS_CHANGE_##enumerator,
    LIMITS_CHANGE_LIST(X)
#undef X
        LIMITS_CHANGES
};

struct limits_compared {
    enum limits_shape shape;
    enum limits_change change;
    bool worse;
    bool missing;    /* it could not be compared, and might be worse */
    bool other_side; /* it ends elsewhere than before: both sides are known and differ */
    bool other_look; /* it looks otherwise to a client: another kind of end or code */
};

struct limits_comparison {
    const struct limits_result *before; /* borrowed, as the next */
    const struct limits_result *now;
    struct limits_compared rows[LIMITS_SHAPES]; /* what one of the two looked for at least, but not
                                                   what neither measured */
    size_t row_count;
    enum limits_shape unmeasured[LIMITS_SHAPES]; /* by neither */
    size_t unmeasured_count;
    size_t worse;
    size_t missing;
    size_t changed; /* rows that are not SAME, or end or look otherwise */
};

void limits_compare_results(const struct limits_result *before, const struct limits_result *now,
                            struct limits_comparison *ret);

/* "same", "lower", ...: one word for scripts. */
const char *limits_change_name(enum limits_change change);
/* For people: "shorter", "fewer", "now a limit", "no limit any more", ... */
const char *limits_change_text(const struct limits_compared *row);
/* Whether anything of the row is to be told. */
bool limits_is_changed(const struct limits_compared *row);

#endif
