/* Each size is a stream of its own: its message or metadata goes to the other end, which answers.
 * What arrived is told by the answer, and by what the server says it saw. Whose a refusal is, the
 * server is asked at the first: the others are the same limit's. */
#include "limits/shape_sizes.h"

#include "limits/counted.h"
#include "limits/lane.h"
#include "limits/sizes.h"
#include "rpc/conn.h"

#include <string.h>

#define MESSAGE_FIRST  1024
#define MESSAGE_MOST   RPC_PROBE_PAYLOAD_BYTES
#define MESSAGE_GAP    256
#define METADATA_FIRST 1024
#define METADATA_MOST  (64 * 1024)
#define PAD_BYTES_MAX  (60 * 1024) /* that the server puts into one field */
#define METADATA_GAP   64
#define FIELDS_FIRST   8 /* above what any call has */
#define FIELDS_MOST    200
#define FIELDS_GAP     1
/* For a message of the largest size at LIMITS_BYTES_PER_SECOND, and then some. */
#define PATIENCE_MS 5000
/* A stream that no server knows is one that never came to any: more than a few pods are asked. */
#define ASK_TIMES 8
/* Of the bytes that a run may send, for the messages of one direction. */
#define BYTES_PER_SECOND (LIMITS_BYTES_PER_SECOND / 4)

enum what { MESSAGE, METADATA, FIELDS };

struct size_shape {
    enum what what;
    bool down;
    uint64_t first;
    uint64_t most;
    uint64_t gap;
};

struct state {
    bool begun;
    bool again; /* the same size, since its end was doubtful */
    struct limits_search search;
    struct limits_sample refused;
};

static const struct size_shape *shape_of(const struct limits_lane *lane)
{
    return lane->ops->what;
}

/* Metadata goes with a message and its answer: there are paths on which it waits for one. */
static void ask_up(const struct size_shape *shape, uint64_t size, struct limits_trial_setup *setup)
{
    setup->sends = true;
    if (shape->what == MESSAGE) {
        setup->script.headers_at_once = true; /* a stream without a script would be an echo */
        setup->half_closes = true;            /* and the server's OK says that it has all */
        setup->send_bytes = size;
        setup->until = LIMITS_UNTIL_END;
        return;
    }
    setup->script.echo = true;
    setup->until = LIMITS_UNTIL_ANSWER;
    setup->metadata_bytes = shape->what == METADATA ? size : 0;
    setup->metadata_fields = shape->what == FIELDS ? size : 0;
}

static void ask_down(const struct size_shape *shape, uint64_t size,
                     struct limits_trial_setup *setup)
{
    setup->until = LIMITS_UNTIL_ANSWER;
    if (shape->what == MESSAGE) {
        setup->script.send_every_ms = 1;
        setup->script.send_count = 1;
        setup->script.send_bytes = (uint32_t)size;
        return;
    }
    setup->sends = true;
    setup->script.echo = true;
    setup->script.pad_fields = shape->what == FIELDS  ? (uint32_t)size
                               : size > PAD_BYTES_MAX ? 2
                                                      : 1;
    setup->script.pad_bytes = shape->what == METADATA ? (uint32_t)size : 0;
}

static bool next(struct limits_lane *lane, struct limits_trial_setup *setup)
{
    const struct size_shape *shape = shape_of(lane);
    struct state *state = lane->state;
    if (!state->begun) {
        limits_search_init(&state->search, shape->first, shape->most, shape->gap);
        state->begun = true;
    }
    uint64_t size = limits_search_next(&state->search);
    if (size == 0) {
        return false;
    }
    (shape->down ? ask_down : ask_up)(shape, size, setup);
    setup->patience_ms = PATIENCE_MS;
    bool first = state->search.refused == 0;
    setup->asking = shape->down ? (first ? LIMITS_ASK_UNLESS_MET : LIMITS_ASK_NOT)
                                : (first ? LIMITS_ASK_UNTIL_ENDED : LIMITS_ASK_IF_MET);
    setup->ask_times = ASK_TIMES;
    lane->cost_bytes = size;
    return true;
}

static bool has_arrived(const struct size_shape *shape, uint64_t size,
                        const struct limits_trial_seen *seen)
{
    bool unasked = !seen->seen_found;
    switch (shape->what) {
    case MESSAGE:
        return shape->down
                   ? seen->answer_bytes >= size
                   : seen->sample.end == LIMITS_END_TRAILERS && seen->status.code == RPC_OK &&
                         (unasked || seen->told.messages > 0);
    case METADATA:
        return seen->met && (shape->down ? seen->pad_bytes >= size
                                         : unasked || seen->seen_metadata_bytes >= size);
    case FIELDS:
        return seen->met &&
               (shape->down ? seen->pad_fields >= size : unasked || seen->seen_fields >= size);
    }
    return false;
}

static uint32_t announced_bytes(const struct limits_lane *lane)
{
    struct rpc_conn *conn =
        lane->link != NULL ? rpc_client_conn(limits_link_client(lane->link)) : NULL;
    return conn != NULL ? h2_session_peer_header_bytes(rpc_conn_session(conn)) : 0;
}

/* Whose it is, is known from the first. */
static void note_refusal(struct state *state, const struct limits_size_try *try)
{
    const struct limits_sample first = state->refused;
    limits_size_refused(try, &state->refused);
    if (state->search.refused != 0) {
        state->refused.side = first.side;
        state->refused.server_told = first.server_told;
        state->refused.server_end = first.server_end;
        state->refused.server_code = first.server_code;
        memcpy(state->refused.server_saw, first.server_saw, sizeof(first.server_saw));
    }
}

static void told(struct limits_lane *lane, const struct limits_trial_seen *seen)
{
    struct state *state = lane->state;
    uint64_t size = limits_search_next(&state->search);
    const struct limits_size_try try = {
        .unsent = seen->refused != 0,
        .announced = announced_bytes(lane),
        .down = shape_of(lane)->down,
        .given_up = seen->given_up,
        .lessened = seen->met,
        .waited_ms = PATIENCE_MS,
        .end = seen->sample,
        .told = seen->asked ? &seen->told : NULL,
    };
    bool arrived = seen->refused == 0 && has_arrived(shape_of(lane), size, seen);
    if (!arrived && !state->again && limits_size_is_doubtful(&try)) {
        state->again = true;
        return;
    }
    state->again = false;
    if (!arrived) {
        note_refusal(state, &try);
    }
    limits_search_told(&state->search, arrived);
}

static void sum(const struct limits_lane *lane, struct limits_sample *sample)
{
    const struct state *state = lane->state;
    limits_size_sample(&state->search, &state->refused, sample);
}

/* ---- the shapes ------------------------------------------------------------------------------ */

#define SHAPE(name, what_, down_, first_, most_, gap_, rate_)                                      \
    static const struct size_shape name##_shape = {                                                \
        .what = (what_), .down = (down_), .first = (first_), .most = (most_), .gap = (gap_)};      \
    static const struct limits_lane_ops name = {.next = next,                                      \
                                                .told = told,                                      \
                                                .sum = sum,                                        \
                                                .judge = limits_counted_judge,                     \
                                                .state_bytes = sizeof(struct state),               \
                                                .looked = (most_),                                 \
                                                .bytes_per_second = (rate_),                       \
                                                .what = &name##_shape}

SHAPE(message_up, MESSAGE, false, MESSAGE_FIRST, MESSAGE_MOST, MESSAGE_GAP, BYTES_PER_SECOND);
SHAPE(message_down, MESSAGE, true, MESSAGE_FIRST, MESSAGE_MOST, MESSAGE_GAP, BYTES_PER_SECOND);
SHAPE(metadata_up, METADATA, false, METADATA_FIRST, METADATA_MOST, METADATA_GAP, 0);
SHAPE(metadata_down, METADATA, true, METADATA_FIRST, METADATA_MOST, METADATA_GAP, 0);
SHAPE(fields_up, FIELDS, false, FIELDS_FIRST, FIELDS_MOST, FIELDS_GAP, 0);
SHAPE(fields_down, FIELDS, true, FIELDS_FIRST, FIELDS_MOST, FIELDS_GAP, 0);

const struct limits_plan limits_sizes_plans[LIMITS_SIZES_PLANS] = {
    LIMITS_LANES_PLAN(LIMITS_MESSAGE_UP, LIMITS_TURN_MESSAGES, true, &message_up),
    LIMITS_LANES_PLAN(LIMITS_MESSAGE_DOWN, LIMITS_TURN_MESSAGES, true, &message_down),
    LIMITS_LANES_PLAN(LIMITS_METADATA_UP, LIMITS_TURN_METADATA_UP, true, &metadata_up),
    LIMITS_LANES_PLAN(LIMITS_METADATA_DOWN, LIMITS_TURN_METADATA_DOWN, true, &metadata_down),
    LIMITS_LANES_PLAN(LIMITS_METADATA_FIELDS_UP, LIMITS_TURN_FIELDS_UP, true, &fields_up),
    LIMITS_LANES_PLAN(LIMITS_METADATA_FIELDS_DOWN, LIMITS_TURN_FIELDS_DOWN, true, &fields_down),
};
