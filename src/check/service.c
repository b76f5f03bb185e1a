#include "check/service.h"

#include "base/text.h"
#include "check/kinds.h"
#include "rpc/hint.h"

#include <inttypes.h>

/* Two of them can be compared. */
#define STICKY_ANSWERS 2

uint64_t check_service_sends(const struct check_plan *plan)
{
    return plan->service->call == ROLE_CALL_SERVER_STREAM ? 1 : plan->messages;
}

uint64_t check_service_wants(const struct check_plan *plan)
{
    return plan->service->call == ROLE_CALL_CLIENT_STREAM ? 1 : plan->messages;
}

bool check_service_is_done(const struct check_plan *plan, const struct check_observation *seen)
{
    return seen->sent == check_service_sends(plan) && seen->pong_count > 0 &&
           (seen->pong_count >= check_service_wants(plan) ||
            (seen->status.code == RPC_OK && plan->service->call != ROLE_CALL_UNARY));
}

/* ---- what is not checked --------------------------------------------------------------------- */

/* A header or trailer is there once for all messages of a call. */
static bool names_each_pod(const struct role_service *service)
{
    return service->pod.kind == ROLE_SOURCE_FIELD && service->call != ROLE_CALL_UNARY &&
           service->call != ROLE_CALL_CLIENT_STREAM;
}

unsigned check_service_unchecked(const struct check_plan *plan,
                                 const struct check_observation *seen)
{
    unsigned unchecked =
        1U << CHECK_ISOLATION | 1U << CHECK_ORDER | 1U << CHECK_LOSS | 1U << CHECK_DUPLICATION;
    bool named = names_each_pod(plan->service) && seen->pong_count >= STICKY_ANSWERS;
    for (size_t i = 0; i < seen->pong_count && named; i++) {
        named = seen->pongs[i].server_id != CHECK_NAME_EMPTY;
    }
    return named ? unchecked : unchecked | 1U << CHECK_STICKINESS;
}

static void explain_pod_source(struct sentence *sentence, const struct role_service *service)
{
    if (service->call == ROLE_CALL_UNARY) {
        sentence_add(sentence, "each unary call may go to another pod");
    } else if (service->call == ROLE_CALL_CLIENT_STREAM) {
        sentence_add(sentence, "a client-stream call has one answer");
    } else if (service->pod.kind == ROLE_SOURCE_NONE) {
        sentence_add(sentence, "nothing names the pod (--pod-from field:N)");
    } else if (service->pod.kind == ROLE_SOURCE_FIELD) {
        sentence_add(sentence, "no two answers have %s", service->pod.text);
    } else {
        sentence_add(sentence,
                     "%s names the pod once for a call, not with each message (--pod-from field:N)",
                     service->pod.text);
    }
}

void check_service_add_unchecked(struct sentence *sentence, unsigned unchecked)
{
    if (unchecked != 0) {
        sentence_add(sentence, "; not checked: ");
        check_add_kinds(sentence, unchecked);
    }
}

void check_service_explain_unchecked(struct sentence *sentence, const struct check_plan *plan,
                                     unsigned unchecked)
{
    const unsigned sticky = 1U << CHECK_STICKINESS;
    const unsigned end = 1U << CHECK_ENDING;
    const unsigned told = 1U << CHECK_VERSION; /* as a finding */
    const char *joint = "";
    if ((unchecked & ~(sticky | end | told)) != 0) {
        check_add_kinds(sentence, unchecked & ~(sticky | end | told));
        sentence_add(sentence, ": only PingPong tells");
        joint = "; ";
    }
    if ((unchecked & sticky) != 0) {
        sentence_add(sentence, "%s", joint);
        check_add_kinds(sentence, sticky);
        sentence_add(sentence, ": ");
        explain_pod_source(sentence, plan->service);
        joint = "; ";
    }
    if ((unchecked & end) != 0) {
        sentence_add(sentence, "%s", joint);
        check_add_kinds(sentence, end);
        sentence_add(sentence,
                     ": the server did not end the call after %" PRIu64 " answers, so it was left",
                     check_service_wants(plan));
    }
}

/* ---- names that are not there ---------------------------------------------------------------- */

static const char *or_unknown(const char *text)
{
    return text != NULL ? text : "the call is not over";
}

uint64_t check_service_explain_unnamed(struct sentence *sentence, const struct check_run *run,
                                       size_t group)
{
    const struct check_plan *plan = run->plan;
    bool any = plan->groups[group].expect.rule == ROLE_EXPECT_ANY;
    bool by_pod = any && plan->service->server.kind == ROLE_SOURCE_NONE;
    uint64_t unnamed = 0;
    uint64_t all = 0;
    const char *reason = NULL;
    for (size_t i = 0; i < plan->stream_count; i++) {
        const struct check_observation *seen = &run->streams[i];
        for (size_t p = 0; plan->streams[i].group == group && p < seen->pong_count; p++) {
            uint32_t name = by_pod ? seen->pongs[p].server_id : seen->pongs[p].server_version;
            const char *why = by_pod ? seen->pod_missing : seen->server_missing;
            reason = reason == NULL && name == CHECK_NAME_EMPTY ? or_unknown(why) : reason;
            unnamed += name == CHECK_NAME_EMPTY;
            all++;
        }
    }
    if (unnamed > 0) {
        sentence_add(sentence,
                     "not checked: %" PRIu64 " of %" PRIu64 " answers do not name their %s: %s",
                     unnamed, all, by_pod ? "pod" : "server", reason);
    }
    return unnamed;
}

void check_service_explain_pods(struct sentence *sentence, const struct check_run *run,
                                size_t group)
{
    const struct check_plan *plan = run->plan;
    const char *reason = NULL;
    for (size_t i = 0; i < plan->stream_count && reason == NULL; i++) {
        reason = plan->streams[i].group == group ? run->streams[i].pod_missing : NULL;
    }
    sentence_add(sentence, "not enough evidence: ");
    if (reason != NULL && names_each_pod(plan->service)) {
        sentence_add(sentence, "not all answers name their pod: %s", reason);
    } else {
        explain_pod_source(sentence, plan->service);
    }
}

/* ---- ends ------------------------------------------------------------------------------------ */

static void add_answers(struct sentence *sentence, const struct check_run *run,
                        const struct check_observation *seen)
{
    uint64_t sends = check_service_sends(run->plan);
    sentence_add(sentence, "%zu answer%s to %" PRIu64, seen->pong_count,
                 seen->pong_count == 1 ? "" : "s", seen->sent);
    if (seen->sent < sends) {
        sentence_add(sentence, " of %" PRIu64, sends);
    }
    sentence_add(sentence, " message%s", sends == 1 ? "" : "s");
}

/* A call of another kind than --call says begins and ends in a few ways. */
static const char *other_kind(const struct check_run *run, const struct check_observation *seen)
{
    bool early = seen->status.code == RPC_OK && seen->sent < check_service_sends(run->plan) &&
                 run->plan->service->call != ROLE_CALL_UNARY;
    return early ? "; if the method takes one message: --call unary or server-stream" : "";
}

void check_service_explain_end(struct sentence *sentence, const struct check_run *run,
                               const struct check_observation *seen)
{
    char text[RPC_CAUSE_BYTES];
    switch (seen->end) {
    case CHECK_END_NOT_CONNECTED:
        sentence_add(sentence, "%s", seen->error.text);
        break;
    case CHECK_END_BY_PEER: {
        const struct rpc_stream_life life = {
            .age_ms = seen->open_ns / 1000000,
            .idle_ms = seen->idle_ns / 1000000,
        };
        sentence_add(sentence, "ended after ");
        add_answers(sentence, run, seen);
        sentence_add(sentence, ": %s%s", rpc_describe_end(&life, &seen->status, text, sizeof(text)),
                     other_kind(run, seen));
        break;
    }
    case CHECK_END_TIMED_OUT:
        text_format_duration(text, sizeof(text), run->timeout_ns);
        if (!seen->opened) {
            sentence_add(sentence, "no connection within %s (--timeout)", text);
        } else {
            add_answers(sentence, run, seen);
            sentence_add(sentence, " within %s (--timeout)", text);
        }
        break;
    case CHECK_END_OPEN:
        sentence_add(sentence, "interrupted after ");
        add_answers(sentence, run, seen);
        break;
    case CHECK_END_DONE: /* it lacks nothing */
        break;
    }
}
