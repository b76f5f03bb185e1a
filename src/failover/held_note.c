#include "failover/held_note.h"

#include "base/text.h"
#include "failover/pod.h"

#include <stdio.h>
#include <string.h>

bool failover_fault_began(const struct failover_held *held)
{
    return held->result->history.fault_ns != 0;
}

/* The longest silence that lies behind the fault. Who answered at its ends is told of the
 * interruption where there was one, for a longer silence later on may only be a slow machine. */
void failover_note_gap(struct failover_held_stream *stream, uint64_t now_ns, const char *server)
{
    struct failover_stream *seen = stream->seen;
    if (!failover_fault_began(stream->held)) {
        return;
    }
    bool longest = now_ns - stream->last_pong_ns >= seen->gap_ns;
    if (longest) {
        seen->gap_ns = now_ns - stream->last_pong_ns;
    }
    if (seen->cause[0] != '\0' && seen->after[0] == '\0') {
        snprintf(seen->after, sizeof(seen->after), "%s", server);
    } else if (seen->cause[0] == '\0' && longest) {
        snprintf(seen->before, sizeof(seen->before), "%s", stream->server);
        snprintf(seen->after, sizeof(seen->after), "%s", server);
    }
}

/* The open call was silent until now. */
void failover_note_silence(struct failover_held_stream *stream, uint64_t now_ns,
                           enum failover_hole_end end)
{
    struct failover_stream *seen = stream->seen;
    const struct failover_history *history = &stream->held->result->history;
    const struct failover_lanes *lanes = &seen->lanes;
    uint64_t took_ns = now_ns - stream->call_heard_ns;
    if (!failover_fault_began(stream->held) || took_ns <= seen->silence.took_ns) {
        return;
    }
    if (stream->call_answered == 0 && end != FAILOVER_HOLE_OPEN) {
        return; /* the target was still looking for a pod */
    }
    const struct failover_pod *pod = stream->call_answered > 0 && lanes->count > 0
                                         ? &history->pods[lanes->all[lanes->count - 1].pod]
                                         : NULL;
    seen->silence = (struct failover_silence){
        .from_ns = stream->call_heard_ns,
        .took_ns = took_ns,
        .pod = pod != NULL ? pod->name : "",
        .version = pod != NULL ? pod->version : "",
        .end = end,
        .is_cause = end == FAILOVER_HOLE_ENDED && seen->cause[0] == '\0',
    };
}

void failover_note_cause(struct failover_held_stream *stream, const char *text)
{
    struct failover_stream *seen = stream->seen;
    if (failover_fault_began(stream->held) && seen->cause[0] == '\0' &&
        stream->held->stage != FAILOVER_HELD_CLOSING) {
        text_escape(seen->cause, sizeof(seen->cause), text, strlen(text));
        snprintf(seen->before, sizeof(seen->before), "%s", stream->server);
        seen->after[0] = '\0';
    }
}

/* A stream that was half-closed is over: trailers that say OK are the one good end. */
void failover_note_end(struct failover_held_stream *stream, const struct rpc_status *status)
{
    struct failover_stream *seen = stream->seen;
    char end[FAILOVER_CAUSE_BYTES];
    seen->lost += stream->call_sent - stream->call_answered;
    seen->end = status->code == RPC_OK ? FAILOVER_END_GOOD : FAILOVER_END_BAD;
    if (seen->end == FAILOVER_END_BAD) {
        rpc_status_describe(status, end, sizeof(end));
        text_escape(seen->end_cause, sizeof(seen->end_cause), end, strlen(end));
    }
}

/* What this answer says of its server, and whether it may. */
void failover_note_answer(struct failover_held_stream *stream, const struct rpc_ping_response *pong,
                          uint64_t now_ns)
{
    struct failover_held *held = stream->held;
    struct failover_stream *seen = stream->seen;
    struct failover_pod pod;
    bool unnamed = role_is_unnamed(held->target->service, pong);
    bool wrong = !unnamed && role_expectation_forbids(seen->expect, pong->server_version);
    failover_pod_take(&pod, held->target->service, pong);
    failover_note_gap(stream, now_ns, pod.name);
    failover_note_silence(stream, now_ns, FAILOVER_HOLE_ANSWERED);
    if (held->stage < FAILOVER_HELD_FINISHING) { /* the picture ends there */
        failover_lanes_answer(&held->result->history, &seen->lanes, now_ns, &pod,
                              stream->call_answered == 0, wrong);
    }
    seen->moved += stream->call_answered > 0 && pong->server_id[0] != '\0' &&
                   strcmp(stream->server, pod.name) != 0;
    memcpy(stream->server, pod.name, sizeof(stream->server));
    seen->podless += pong->server_id[0] == '\0';
    seen->unnamed += unnamed;
    seen->misrouted += failover_fault_began(held) && wrong;
}
