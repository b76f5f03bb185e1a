/* Findings of a path that is none: the server saw the client's own address, so no hop that speaks
 * HTTP is between, and what was sent to the client is the server's. */
#include "limits/judge.h"

/* What a device below HTTP can bring about, too, stays undecided. */
static bool is_sent(const struct limits_finding *finding)
{
    switch (finding->samples[0].end) {
    case LIMITS_END_TRAILERS:
    case LIMITS_END_HTTP:
    case LIMITS_END_RESET:
    case LIMITS_END_CUT:
    case LIMITS_END_GOAWAY:
    case LIMITS_END_BROKEN:
        return true;
    case LIMITS_END_HERE: /* SETTINGS allow no more */
        return finding->kind == LIMITS_COUNT || finding->kind == LIMITS_BYTES;
    case LIMITS_END_OPEN:
    case LIMITS_END_CONNECTION:
    case LIMITS_END_UNTOLD:
    case LIMITS_END_DEAD:
        break;
    }
    return false;
}

void limits_judge_direct(struct limits_finding findings[static LIMITS_SHAPES])
{
    for (size_t i = 0; i < LIMITS_SHAPES; i++) {
        struct limits_finding *finding = &findings[i];
        for (size_t s = 0; s < finding->sample_count; s++) {
            if (finding->samples[s].side != LIMITS_SIDE_SERVER) {
                finding->samples[s].side = LIMITS_SIDE_UNKNOWN;
            }
        }
        bool ended = finding->state == LIMITS_FOUND || finding->state == LIMITS_BY_OTHER;
        if (!finding->wanted || !ended || finding->side == LIMITS_SIDE_SERVER ||
            (finding->kind == LIMITS_FACT && finding->fact)) {
            continue;
        }
        finding->side = finding->sample_count > 0 && is_sent(finding) ? LIMITS_SIDE_NO_HOP
                                                                      : LIMITS_SIDE_UNKNOWN;
        for (size_t s = 0; s < finding->sample_count; s++) {
            finding->samples[s].side = finding->side;
        }
    }
}
