#include "relay/stream_end.h"

#include <assert.h>

static const struct {
    enum stream_party party;
    const char *word;
} REASONS[] = {[STREAM_LIVE] = {STREAM_PROXY, ""},
#define STREAM_REASON(name, party, word) [STREAM_##name] = {STREAM_##party, word},
               STREAM_REASONS(STREAM_REASON)
#undef STREAM_REASON
};

const char *stream_reason_word(enum stream_reason reason)
{
    assert(reason != STREAM_LIVE);
    return REASONS[reason].word;
}

const char *stream_reason_party(enum stream_reason reason)
{
    static const char *const names[] = {
        [STREAM_CLIENT] = "client", [STREAM_SERVER] = "server", [STREAM_PROXY] = "proxy"};
    return names[REASONS[reason].party];
}
