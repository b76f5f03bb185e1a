#include "relay/events.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/text.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a proxy spends on this; docs/dashboard.md names the sum. */
static_assert(sizeof(struct events) <= 56 * 1024, "the ring of events is larger than documented");

#define MERGE_NS (EVENT_MERGE_S * UINT64_C(1000000000))

void events_init(struct events *events)
{
    pthread_mutex_init(&events->mutex, NULL);
}

void events_deinit(struct events *events)
{
    pthread_mutex_destroy(&events->mutex);
}

static uint64_t key_of(const char *name, const char *subject)
{
    return subject != NULL ? hash_text(hash_text(HASH_BASIS, name), subject) | 1 : 0;
}

/* Its earlier entry, or else a free place or the oldest one, emptied. */
static struct event_entry *place_for(struct events *events, uint64_t key, uint64_t now_ns)
{
    struct event_entry *oldest = &events->entries[0];
    for (size_t i = 0; i < EVENTS_MAX; i++) {
        struct event_entry *entry = &events->entries[i];
        if (key != 0 && entry->key == key && now_ns - entry->first_ns < MERGE_NS) {
            return entry;
        }
        if (entry->number < oldest->number) {
            oldest = entry;
        }
    }
    memset(oldest, 0, sizeof(*oldest));
    oldest->key = key;
    oldest->first_ns = now_ns;
    return oldest;
}

void events_add(struct events *events, enum log_level level, const char *name, const char *subject,
                uint64_t count, const char *text)
{
    uint64_t now_ns = clock_wall_ns();
    pthread_mutex_lock(&events->mutex);
    struct event_entry *entry = place_for(events, key_of(name, subject), now_ns);
    entry->number = ++events->last_number;
    entry->id = entry->id != 0 ? entry->id : entry->number;
    entry->last_ns = now_ns;
    entry->count += count;
    entry->level = level;
    snprintf(entry->name, sizeof(entry->name), "%s", name);
    text_escape(entry->text, sizeof(entry->text), text, strlen(text));
    pthread_mutex_unlock(&events->mutex);
}

uint64_t events_last(struct events *events)
{
    pthread_mutex_lock(&events->mutex);
    uint64_t number = events->last_number;
    pthread_mutex_unlock(&events->mutex);
    return number;
}

static int compare(const void *a, const void *b)
{
    uint64_t first = ((const struct event_entry *)a)->number;
    uint64_t second = ((const struct event_entry *)b)->number;
    return first < second ? -1 : first > second;
}

size_t events_copy(struct events *events, uint64_t after, struct event_entry out[static EVENTS_MAX])
{
    size_t count = 0;
    pthread_mutex_lock(&events->mutex);
    for (size_t i = 0; i < EVENTS_MAX && events->last_number > after; i++) {
        if (events->entries[i].number > after) {
            out[count++] = events->entries[i];
        }
    }
    pthread_mutex_unlock(&events->mutex);
    qsort(out, count, sizeof(out[0]), compare);
    return count;
}
