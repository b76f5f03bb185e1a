#include "check/log_proxied.h"

#include <stdio.h>
#include <string.h>

enum check_way check_way_of(const struct role_expectation *expect,
                            const struct role_expectation *servers,
                            const struct check_log_event *event)
{
    if (expect->rule == ROLE_EXPECT_REJECTED) { /* then no rule takes it */
        bool taken = event->stream.cluster[0] != '\0' || event->stream.endpoint[0] != '\0';
        return taken ? CHECK_WAY_WRONG : CHECK_WAY_RIGHT;
    }
    if (expect->rule != ROLE_EXPECT_SERVER) {
        return expect->rule == ROLE_EXPECT_UNKNOWN ? CHECK_WAY_UNKNOWN : CHECK_WAY_RIGHT;
    }
    if (event->peer_version[0] != '\0') {
        return role_expectation_allows(expect, event->peer_version) ? CHECK_WAY_RIGHT
                                                                    : CHECK_WAY_WRONG;
    }
    size_t allowed = 0;
    for (size_t i = 0; i < servers->version_count; i++) {
        allowed += role_expectation_allows(expect, servers->versions[i]);
    }
    if (servers->rule != ROLE_EXPECT_SERVER || (allowed > 0 && allowed < servers->version_count)) {
        return CHECK_WAY_UNKNOWN;
    }
    return allowed > 0 ? CHECK_WAY_RIGHT : CHECK_WAY_WRONG;
}

static struct check_endpoint *find_endpoint(struct check_proxied *proxied, uint32_t cluster,
                                            uint32_t address)
{
    for (size_t i = 0; i < proxied->endpoint_count; i++) {
        struct check_endpoint *endpoint = &proxied->endpoints[i];
        if (endpoint->cluster == cluster && endpoint->address == address) {
            return endpoint;
        }
    }
    if (proxied->endpoint_count == CHECK_ANSWERS_MAX) {
        return NULL;
    }
    struct check_endpoint *endpoint = &proxied->endpoints[proxied->endpoint_count++];
    *endpoint = (struct check_endpoint){.cluster = cluster, .address = address};
    return endpoint;
}

/* A way that is wrong is wrong, whether or not somebody answered at its end. */
void check_proxied_add(struct check_proxied *proxied, struct check_names *names, enum check_way way,
                       const struct check_log_event *event)
{
    const struct check_log_stream *stream = &event->stream;
    bool went = stream->endpoint[0] != '\0';
    proxied->refused += !went;
    proxied->unanswered += went && !stream->answered;
    proxied->disputed += stream->misrouted && way != CHECK_WAY_WRONG;
    if (!stream->answered && way != CHECK_WAY_WRONG) {
        return;
    }
    uint32_t cluster = check_names_add(names, stream->cluster);
    struct check_endpoint *endpoint =
        find_endpoint(proxied, cluster, check_names_add(names, stream->endpoint));
    proxied->answered += stream->answered;
    proxied->right += way == CHECK_WAY_RIGHT;
    proxied->named += way == CHECK_WAY_RIGHT && event->peer_version[0] != '\0';
    proxied->wrong += way == CHECK_WAY_WRONG;
    if (way == CHECK_WAY_UNKNOWN && proxied->unknown++ == 0) {
        proxied->unknown_cluster = cluster;
    }
    if (endpoint != NULL) {
        endpoint->streams++;
        endpoint->wrong += way == CHECK_WAY_WRONG;
    } else {
        proxied->other_endpoints++;
        proxied->other_wrong += way == CHECK_WAY_WRONG;
    }
}

void check_proxy_log_refuse(struct check_proxy_log *log, const char *reason)
{
    log->refused++;
    for (size_t i = 0; i < log->reason_count; i++) {
        if (strncmp(log->reasons[i].text, reason, sizeof(log->reasons[i].text) - 1) == 0) {
            log->reasons[i].streams++;
            return;
        }
    }
    if (log->reason_count < CHECK_REASONS_MAX) {
        struct check_refusal *refusal = &log->reasons[log->reason_count++];
        snprintf(refusal->text, sizeof(refusal->text), "%.*s", (int)sizeof(refusal->text) - 1,
                 reason);
        refusal->streams = 1;
    }
}
