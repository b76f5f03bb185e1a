/* Names and texts of findings. */
#include "limits/finding.h"

#include "base/mem.h"
#include "base/text.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    const char *text;
    enum limits_kind kind;
} SHAPES[] = {
#define X(enumerator, name, kind, text) {name, text, LIMITS_##kind},
    LIMITS_SHAPE_LIST(X)
#undef X
};

const char *limits_shape_name(enum limits_shape shape)
{
    assert(shape < LIMITS_SHAPES);
    return SHAPES[shape].name;
}

const char *limits_shape_text(enum limits_shape shape)
{
    assert(shape < LIMITS_SHAPES);
    return SHAPES[shape].text;
}

enum limits_kind limits_shape_kind(enum limits_shape shape)
{
    assert(shape < LIMITS_SHAPES);
    return SHAPES[shape].kind;
}

enum limits_shape limits_shape_find(const char *name, size_t len)
{
    for (unsigned i = 0; i < LIMITS_SHAPES; i++) {
        if (strlen(SHAPES[i].name) == len && memcmp(SHAPES[i].name, name, len) == 0) {
            return i;
        }
    }
    return LIMITS_SHAPES;
}

const char *limits_state_name(enum limits_state state)
{
    static const char *const names[] = {
        [LIMITS_NOT_MEASURED] = "not_measured",
        [LIMITS_NONE_WITHIN] = "none_within",
        [LIMITS_FOUND] = "found",
        [LIMITS_UNSTEADY] = "unsteady",
        [LIMITS_BY_OTHER] = "by_other",
    };
    assert(state < ARRAY_SIZE(names));
    return names[state];
}

const char *limits_side_name(enum limits_side side)
{
    static const char *const names[] = {
        [LIMITS_SIDE_UNKNOWN] = "unknown",       [LIMITS_SIDE_CLIENT_HOP] = "client_hop",
        [LIMITS_SIDE_SERVER_HOP] = "server_hop", [LIMITS_SIDE_BOTH] = "both_hops",
        [LIMITS_SIDE_SERVER] = "server",         [LIMITS_SIDE_NO_HOP] = "server_no_hop",
    };
    assert(side < ARRAY_SIZE(names));
    return names[side];
}

const char *limits_side_text(enum limits_side side)
{
    static const char *const texts[] = {
        [LIMITS_SIDE_UNKNOWN] = "undecided",        [LIMITS_SIDE_CLIENT_HOP] = "client's hop",
        [LIMITS_SIDE_SERVER_HOP] = "server's hop",  [LIMITS_SIDE_BOTH] = "both hops at once",
        [LIMITS_SIDE_SERVER] = "the server itself", [LIMITS_SIDE_NO_HOP] = "the server, no hop",
    };
    assert(side < ARRAY_SIZE(texts));
    return texts[side];
}

void limits_finding_init(struct limits_finding *finding, enum limits_shape shape)
{
    *finding = (struct limits_finding){
        .shape = shape,
        .kind = limits_shape_kind(shape),
        .state = LIMITS_NOT_MEASURED,
    };
}

char *limits_value_text(enum limits_kind kind, uint64_t value, char *out, size_t out_bytes)
{
    if (value == LIMITS_VALUE_NONE) {
        snprintf(out, out_bytes, "none that was tried");
        return out;
    }
    switch (kind) {
    case LIMITS_DURATION:
        return text_format_duration(out, out_bytes, value);
    case LIMITS_BYTES:
        return text_format_size(out, out_bytes, (double)value);
    case LIMITS_COUNT:
    case LIMITS_FACT:
        snprintf(out, out_bytes, "%" PRIu64, value);
        return out;
    }
    return out;
}
