#include "check/log_repeat.h"

#include "base/hash.h"
#include "base/mem.h"
#include "check/log_told.h"

#include <stdlib.h>
#include <string.h>

void check_log_repeat_next(struct check_log_repeat *repeat)
{
    repeat->before = repeat->count;
    repeat->at = 0;
    repeat->differs = false;
}

static uint64_t hash_of(const struct check_log_event *event)
{
    uint64_t hash = HASH_BASIS ^ (uint64_t)event->kind;
    hash = hash_text(hash_text(hash, event->version), event->id);
    hash = hash_text(hash_text(hash, event->peer_version), event->peer_id);
    hash = hash_text(hash_text(hash, event->stream.cluster), event->stream.endpoint);
    return hash_text(hash_text(hash ^ event->stream.mark, event->stream.path),
                     event->stream.reason);
}

static void add(struct check_log_repeat *repeat, uint64_t hash)
{
    if (repeat->count == repeat->capacity) {
        repeat->capacity = repeat->capacity == 0 ? 8 : 2 * repeat->capacity;
        repeat->told = mem_realloc(repeat->told, repeat->capacity * sizeof(*repeat->told));
    }
    repeat->told[repeat->count++] = hash;
}

bool check_log_is_repeated(struct check_log_repeat *repeat, const struct check_log_event *event)
{
    uint64_t hash = hash_of(event);
    for (; repeat != NULL; repeat = repeat->outer) {
        if (!repeat->differs && repeat->at < repeat->before && repeat->told[repeat->at] == hash) {
            repeat->at++;
            return true;
        }
        repeat->differs = true;
        add(repeat, hash);
    }
    return false;
}

void check_log_repeat_deinit(struct check_log_repeat *repeat)
{
    free(repeat->told);
    repeat->told = NULL;
}
