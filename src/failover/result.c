#include "failover/result.h"

#include "base/text.h"

#include <stdio.h>

/* From here on, or from --max-gap on where that is less, a silence of an open stream is no pause of
 * a busy machine. */
#define HOLE_NS        UINT64_C(1000000000)
#define HOLE_INTERVALS 5

bool failover_is_interrupted(const struct failover_result *result,
                             const struct failover_stream *stream)
{
    return stream->cause[0] != '\0' || stream->gap_ns > result->max_gap_ns;
}

size_t failover_interrupted(const struct failover_result *result)
{
    size_t count = 0;
    for (size_t i = 0; i < result->stream_count; i++) {
        count += failover_is_interrupted(result, &result->streams[i]);
    }
    return count;
}

/* No later answer mends it. */
static bool is_at_fault(const struct failover_result *result, const struct failover_stream *stream)
{
    return stream->gap_ns > result->max_gap_ns || stream->misrouted > 0 || stream->repeated > 0 ||
           stream->disordered > 0 || stream->moved > 0 || stream->end == FAILOVER_END_BAD;
}

bool failover_is_good(const struct failover_result *result, const struct failover_stream *stream)
{
    return stream->back && !is_at_fault(result, stream);
}

bool failover_is_undecided(const struct failover_result *result,
                           const struct failover_stream *stream)
{
    return result->run_exit != 0 && (!result->fault_ended || !is_at_fault(result, stream));
}

bool failover_is_unchecked(const struct failover_stream *stream)
{
    return stream->expect->rule == ROLE_EXPECT_UNKNOWN || stream->unnamed > 0;
}

const char *failover_unchecked_why(const struct failover_stream *stream)
{
    return stream->expect->rule == ROLE_EXPECT_UNKNOWN ? stream->expect->reason
                                                       : stream->unnamed_why;
}

uint64_t failover_hole_ns(const struct failover_result *result)
{
    if (result->own_pace) {
        return result->max_gap_ns;
    }
    uint64_t intervals_ns = HOLE_INTERVALS * result->interval_ns;
    uint64_t ns = intervals_ns > HOLE_NS ? intervals_ns : HOLE_NS;
    return result->max_gap_ns < ns ? result->max_gap_ns : ns;
}

bool failover_is_hole(const struct failover_result *result, const struct failover_stream *stream)
{
    return stream->silence.end != FAILOVER_HOLE_NONE &&
           stream->silence.took_ns > failover_hole_ns(result);
}

const char *failover_saw(const struct failover_result *result, const struct failover_stream *stream,
                         char out[static FAILOVER_SAW_BYTES])
{
    const struct failover_silence *silence = &stream->silence;
    char took[TEXT_DURATION_BYTES];
    const char *cause = stream->cause[0] != '\0' ? stream->cause : "silence";
    text_format_duration(took, sizeof(took), silence->took_ns);
    if (!failover_is_hole(result, stream)) {
        snprintf(out, FAILOVER_SAW_BYTES, "%s", cause);
    } else if (silence->end == FAILOVER_HOLE_ENDED) {
        snprintf(out, FAILOVER_SAW_BYTES, "%s, %s %s of silence", cause,
                 silence->is_cause ? "after" : "and later", took);
    } else {
        snprintf(out, FAILOVER_SAW_BYTES, "%s%s, and %s answered nothing for %s", cause,
                 stream->cause[0] != '\0' ? "; then it was open" : ": the stream stayed open",
                 silence->pod[0] != '\0' ? silence->pod : "whoever took it", took);
    }
    return out;
}
