/* Counts what the answers on one stream say: whose they are, in which order, which are missing.
 *
 * Sequences and time stamps are echoes, so a peer may send anything: a number that this stream did
 * not send, or a stamp of another ping, makes the answer foreign, and foreign answers take no part
 * in order, loss and duplication. */
#include "check/facts.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static void learn_extensions(const struct check_observation *seen, struct check_facts *facts)
{
    facts->names_pod = seen->pong_count > 0;
    for (size_t i = 0; i < seen->pong_count; i++) {
        const struct check_pong *pong = &seen->pongs[i];
        facts->echoes_sequence |= pong->sequence != 0;
        facts->echoes_metadata |= pong->sequence != 0 || pong->agent_id != CHECK_NAME_EMPTY ||
                                  pong->agent_version != CHECK_NAME_EMPTY;
        facts->names_pod &= pong->server_id != CHECK_NAME_EMPTY;
    }
}

/* Servers differ in what they make of a header that is missing, empty or repeated. */
static bool version_is_plain(const struct check_group *group)
{
    return group->header == CHECK_HEADER_ONCE && group->agent_version[0] != '\0';
}

/* What a server says that it saw of an agent, where that is not what the agent sent. */
static bool may_see(const struct check_run *run, const struct route_change *change, uint32_t own,
                    uint32_t seen)
{
    return role_rewrite_allows(change, check_names_text(&run->names, own),
                               check_names_text(&run->names, seen));
}

static bool is_own_metadata(const struct check_run *run, size_t stream,
                            const struct check_pong *pong, bool plain)
{
    const struct check_observation *seen = &run->streams[stream];
    const struct role_rewrite *rewrite =
        &run->plan->groups[run->plan->streams[stream].group].expect.rewrite;
    bool id = pong->agent_id == seen->agent_id;
    bool version = !plain || pong->agent_version == seen->agent_version;
    if (!role_rewrites(rewrite)) {
        return id && version;
    }
    return may_see(run, rewrite->id, seen->agent_id, pong->agent_id) &&
           (!plain || may_see(run, rewrite->version, seen->agent_version, pong->agent_version));
}

static void compare_metadata(const struct check_run *run, size_t stream, struct check_facts *facts)
{
    const struct check_observation *seen = &run->streams[stream];
    bool plain = !run->plan->version_hidden &&
                 version_is_plain(&run->plan->groups[run->plan->streams[stream].group]);
    facts->wrong_metadata_first = CHECK_NONE;
    for (size_t i = 0; facts->echoes_metadata && i < seen->pong_count; i++) {
        if (!is_own_metadata(run, stream, &seen->pongs[i], plain)) {
            if (facts->wrong_metadata++ == 0) {
                facts->wrong_metadata_first = i;
            }
        }
    }
}

static bool sent_by(const struct check_observation *seen, const struct check_pong *pong)
{
    if (pong->sequence == 0 || pong->sequence > seen->sent) {
        return false;
    }
    return pong->send_time_ns == 0 || pong->send_time_ns == seen->sent_ns[pong->sequence - 1];
}

size_t check_facts_owner(const struct check_run *run, const struct check_pong *pong)
{
    for (size_t i = 0; pong->send_time_ns != 0 && i < run->plan->stream_count; i++) {
        if (sent_by(&run->streams[i], pong)) {
            return i;
        }
    }
    return CHECK_NONE;
}

/* The stream had its time: what is not answered now never will be. */
static bool is_over(const struct check_observation *seen, const struct check_run *run)
{
    return seen->end == CHECK_END_DONE ||
           (seen->end == CHECK_END_TIMED_OUT && seen->pong_count > 0 &&
            seen->sent == run->plan->messages && seen->idle_ns >= CHECK_UNDER_WAY_NS);
}

static void count_lost(const struct check_run *run, const struct check_observation *seen,
                       const bool *answered, uint64_t highest, struct check_facts *facts)
{
    uint64_t end = is_over(seen, run) ? seen->sent : highest;
    for (uint64_t sequence = 1; sequence <= end; sequence++) {
        if (!answered[sequence] && facts->lost++ == 0) {
            facts->lost_first = sequence;
        }
    }
}

static void follow_sequence(const struct check_run *run, const struct check_observation *seen,
                            struct check_facts *facts)
{
    bool *answered = mem_calloc(seen->sent + 1, sizeof(bool));
    uint64_t highest = 0;
    for (size_t i = 0; i < seen->pong_count; i++) {
        const struct check_pong *pong = &seen->pongs[i];
        if (!sent_by(seen, pong)) {
            if (facts->foreign++ == 0) {
                facts->foreign_first = i;
            }
        } else if (answered[pong->sequence]) {
            if (facts->duplicated++ == 0) {
                facts->duplicated_first = pong->sequence;
            }
        } else if (pong->sequence < highest) {
            answered[pong->sequence] = true;
            if (facts->reordered++ == 0) {
                facts->reordered_first = pong->sequence;
            }
        } else {
            answered[pong->sequence] = true;
            highest = pong->sequence;
        }
    }
    count_lost(run, seen, answered, highest, facts);
    free(answered);
}

/* Without sequences only the number of answers tells. */
static void compare_counts(const struct check_run *run, const struct check_observation *seen,
                           struct check_facts *facts)
{
    if (seen->pong_count > seen->sent) {
        facts->duplicated = seen->pong_count - seen->sent;
    } else if (is_over(seen, run)) {
        facts->lost = seen->sent - seen->pong_count;
    }
}

static bool same_pod(const struct check_pong *a, const struct check_pong *b)
{
    return a->server_id == b->server_id && a->server_version == b->server_version;
}

static bool differ(uint32_t *first, uint32_t name)
{
    *first = *first == CHECK_NAME_EMPTY ? name : *first;
    return name != CHECK_NAME_EMPTY && name != *first;
}

/* Only names that are there can differ. Each of several unary calls may go where it likes. */
static bool service_moved(const struct role_service *service, const struct check_observation *seen)
{
    uint32_t version = CHECK_NAME_EMPTY;
    uint32_t id = CHECK_NAME_EMPTY;
    bool moved = false;
    for (size_t i = 0; i < seen->pong_count && service->call != ROLE_CALL_UNARY; i++) {
        bool other_version = differ(&version, seen->pongs[i].server_version);
        bool other_id = differ(&id, seen->pongs[i].server_id);
        moved = moved || other_version || other_id;
    }
    return moved;
}

struct check_facts check_facts_of(const struct check_run *run, size_t stream)
{
    const struct check_observation *seen = &run->streams[stream];
    struct check_facts facts = {.foreign_first = CHECK_NONE};
    learn_extensions(seen, &facts);
    bool unknown = run->plan->groups[run->plan->streams[stream].group].expect.rewrite_unknown;
    facts.echoes_metadata = facts.echoes_metadata && !run->plan->id_hidden && !unknown;
    compare_metadata(run, stream, &facts);
    if (run->plan->service != NULL) { /* how many answers are right is for the service to know */
        facts.moved = service_moved(run->plan->service, seen);
        return facts;
    }
    if (facts.echoes_sequence) {
        follow_sequence(run, seen, &facts);
    } else {
        compare_counts(run, seen, &facts);
    }
    for (size_t i = 1; i < seen->pong_count && !facts.moved; i++) {
        facts.moved = !same_pod(&seen->pongs[0], &seen->pongs[i]);
    }
    return facts;
}
