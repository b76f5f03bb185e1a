#include "failover/met.h"

#include "base/mem.h"
#include "failover/result.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WANTED      0.99
#define FACTORS_MAX 64

/* ---- chances --------------------------------------------------------------------------------- */

static double log_ways(double all, double taken)
{
    return lgamma(all + 1) - lgamma(taken + 1) - lgamma(all - taken + 1);
}

/* That `drawn` of `all` take none of `some`. */
static double chance_of_none(size_t all, size_t some, size_t drawn)
{
    if (drawn > all - some) {
        return 0;
    }
    return exp(log_ways((double)(all - some), (double)drawn) -
               log_ways((double)all, (double)drawn));
}

/* That the end of a pod which holds `held` of its backend's streams meets all of its versions; of
 * `factor` times as many streams. */
static double chance_to_meet(const struct failover_mets *mets, const char *backend, size_t held,
                             size_t factor)
{
    double missed = 0;
    for (size_t i = 0; i < mets->count; i++) {
        const struct failover_met *met = &mets->all[i];
        if (strcmp(met->backend, backend) == 0) {
            missed +=
                chance_of_none(factor * met->backend_streams, factor * met->streams, factor * held);
        }
    }
    return fmax(0, 1 - missed);
}

/* The lowest of all pods that hold one. */
static double lowest_chance(const struct failover_result *result, const struct failover_mets *mets,
                            const size_t *held, size_t factor)
{
    double lowest = 1;
    for (size_t i = 0; i < result->history.pod_count; i++) {
        if (held[i] > 0) {
            lowest = fmin(lowest,
                          chance_to_meet(mets, result->history.pods[i].version, held[i], factor));
        }
    }
    return lowest;
}

static void find_chances(const struct failover_result *result, struct failover_mets *mets)
{
    const struct failover_history *history = &result->history;
    size_t *held = mem_calloc(FAILOVER_PODS_MAX, sizeof(*held));
    for (size_t i = 0; i < result->stream_count; i++) {
        const struct failover_pod *pod = failover_lanes_before(history, &result->streams[i].lanes);
        if (pod != NULL) {
            held[pod - history->pods]++;
        }
    }
    mets->probability = lowest_chance(result, mets, held, 1);
    for (size_t factor = 1; factor < FACTORS_MAX && mets->agents_for_99_percent == 0; factor++) {
        if (lowest_chance(result, mets, held, factor) >= WANTED) {
            mets->agents_for_99_percent = factor * result->stream_count;
        }
    }
    free(held);
}

/* ---- who was met ----------------------------------------------------------------------------- */

static struct failover_met *met_of(struct failover_mets *mets, const char *version,
                                   const char *backend)
{
    for (size_t i = 0; i < mets->count; i++) {
        struct failover_met *met = &mets->all[i];
        if (strcmp(met->version, version) == 0 && strcmp(met->backend, backend) == 0) {
            return met;
        }
    }
    mets->all = mem_realloc(mets->all, (mets->count + 1) * sizeof(*mets->all));
    mets->all[mets->count] = (struct failover_met){.version = version, .backend = backend};
    return &mets->all[mets->count++];
}

static void sum_backends(struct failover_mets *mets)
{
    for (size_t i = 0; i < mets->count; i++) {
        struct failover_met *met = &mets->all[i];
        for (size_t j = 0; j < mets->count; j++) {
            if (strcmp(met->backend, mets->all[j].backend) == 0) {
                met->backend_streams += mets->all[j].streams;
                met->backend_interrupted += mets->all[j].interrupted;
            }
        }
    }
}

static bool must_meet(const struct failover_result *result, const char *version)
{
    for (size_t i = 0; i < result->must_meet_count; i++) {
        if (strcmp(result->must_meet[i], version) == 0) {
            return true;
        }
    }
    return false;
}

/* A version that is asked for is met where one of its streams was, whatever their backend. */
static bool is_version_met(const struct failover_mets *mets, const char *version)
{
    for (size_t i = 0; i < mets->count; i++) {
        if (strcmp(mets->all[i].version, version) == 0 && mets->all[i].interrupted > 0) {
            return true;
        }
    }
    return false;
}

static bool has_streams(const struct failover_result *result, const char *version)
{
    for (size_t i = 0; i < result->stream_count; i++) {
        if (strcmp(result->streams[i].version, version) == 0) {
            return true;
        }
    }
    return false;
}

void failover_mets_find(const struct failover_result *result, struct failover_mets *ret)
{
    *ret = (struct failover_mets){.probability = 1};
    if (result->history.fault_ns == 0) {
        return;
    }
    for (size_t i = 0; i < result->stream_count; i++) {
        const struct failover_stream *stream = &result->streams[i];
        const struct failover_pod *pod = failover_lanes_before(&result->history, &stream->lanes);
        if (pod != NULL) {
            struct failover_met *met = met_of(ret, stream->version, pod->version);
            met->streams++;
            met->interrupted += failover_is_interrupted(result, stream);
        }
    }
    for (size_t i = 0; i < result->version_count; i++) {
        if (!has_streams(result, result->versions[i])) {
            met_of(ret, result->versions[i], "");
        }
    }
    sum_backends(ret);
    for (size_t i = 0; i < ret->count; i++) {
        struct failover_met *met = &ret->all[i];
        bool wanted = must_meet(result, met->version) && !is_version_met(ret, met->version);
        met->meeting = met->interrupted > 0 ? FAILOVER_MET
                       : met->backend_interrupted > 0 || wanted || met->streams == 0
                           ? FAILOVER_MISSED
                           : FAILOVER_UNTOUCHED;
    }
    find_chances(result, ret);
}

void failover_mets_deinit(struct failover_mets *mets)
{
    free(mets->all);
}

bool failover_is_missed(const struct failover_mets *mets)
{
    for (size_t i = 0; i < mets->count; i++) {
        if (mets->all[i].meeting == FAILOVER_MISSED) {
            return true;
        }
    }
    return false;
}
