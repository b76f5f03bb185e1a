/* The last things that happened to a proxy, for people who look later: health of endpoints,
 * reloads, drains, misroutes, refusals. A ring of fixed size under a mutex of its own, which is
 * taken when something happens and never for a message.
 *
 * What happens again within EVENT_MERGE_S is one entry with a count, so that nothing, however often
 * it happens, pushes the rest out in no time. */
#ifndef GRPCROUTE_RELAY_EVENTS_H
#define GRPCROUTE_RELAY_EVENTS_H

#include "base/log_words.h"

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#define EVENTS_MAX       128
#define EVENT_TEXT_BYTES 320 /* longer is cut */
#define EVENT_NAME_BYTES 32
#define EVENT_MERGE_S    300

struct event_entry {
    uint64_t number;   /* the higher, the later; 0: the place is free */
    uint64_t id;       /* the number that it had first */
    uint64_t first_ns; /* of the wall clock, and so is the next */
    uint64_t last_ns;
    uint64_t count;
    uint64_t key; /* of what is the same again; 0: nothing is */
    enum log_level level;
    char name[EVENT_NAME_BYTES];
    char text[EVENT_TEXT_BYTES]; /* escaped: visible ASCII */
};

struct events {
    pthread_mutex_t mutex;
    uint64_t last_number;
    struct event_entry entries[EVENTS_MAX];
};

void events_init(struct events *events);
void events_deinit(struct events *events);

/* `name` is the log's name of the event. An earlier entry of the same name and `subject` becomes
 * this one, with `count` added; NULL: it stands for itself. From any thread. */
void events_add(struct events *events, enum log_level level, const char *name, const char *subject,
                uint64_t count, const char *text);

/* The number of the last one; 0: there is none. */
uint64_t events_last(struct events *events);

/* Copies the entries with numbers above `after`, in their order; returns how many. */
size_t events_copy(struct events *events, uint64_t after,
                   struct event_entry out[static EVENTS_MAX]);

#endif
