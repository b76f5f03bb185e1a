#include "failover/hole.h"

#include "base/mem.h"
#include "failover/result.h"

#include <stdlib.h>
#include <string.h>

static struct failover_hole *hole_of(struct failover_holes *holes,
                                     const struct failover_silence *silence)
{
    for (size_t i = 0; i < holes->count; i++) {
        struct failover_hole *hole = &holes->all[i];
        if (strcmp(hole->pod, silence->pod) == 0 && strcmp(hole->version, silence->version) == 0) {
            return hole;
        }
    }
    holes->all = mem_realloc(holes->all, (holes->count + 1) * sizeof(*holes->all));
    holes->all[holes->count] = (struct failover_hole){
        .pod = silence->pod, .version = silence->version, .from_ns = silence->from_ns};
    return &holes->all[holes->count++];
}

void failover_holes_find(const struct failover_result *result, struct failover_holes *ret)
{
    *ret = (struct failover_holes){0};
    for (size_t i = 0; i < result->stream_count; i++) {
        const struct failover_silence *silence = &result->streams[i].silence;
        if (!failover_is_hole(result, &result->streams[i])) {
            continue;
        }
        struct failover_hole *hole = hole_of(ret, silence);
        hole->streams++;
        hole->ends[silence->end]++;
        hole->from_ns = silence->from_ns < hole->from_ns ? silence->from_ns : hole->from_ns;
        hole->longest_ns =
            silence->took_ns > hole->longest_ns ? silence->took_ns : hole->longest_ns;
    }
}

void failover_holes_deinit(struct failover_holes *holes)
{
    free(holes->all);
}

bool failover_is_all_silent(const struct failover_result *result)
{
    const struct failover_holes *holes = &result->found.holes;
    size_t ends[FAILOVER_HOLE_ENDS] = {0};
    for (size_t i = 0; i < holes->count; i++) {
        for (size_t end = 0; end < FAILOVER_HOLE_ENDS; end++) {
            ends[end] += holes->all[i].ends[end];
        }
    }
    for (size_t end = 0; end < FAILOVER_HOLE_ENDS; end++) {
        if (holes->count > 1 && ends[end] == result->stream_count) {
            return true;
        }
    }
    return false;
}
