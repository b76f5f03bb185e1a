/* The live streams of a worker, as people may see them.
 *
 * A record is written by its worker and read by the admin port: its counters are relaxed atomics
 * with one writer, its other fields change under the list's mutex, which is held when a stream
 * begins, is sent somewhere, is first answered or ends, and for a few records at a time by a
 * reader. */
#ifndef GRPCROUTE_RELAY_STREAMS_H
#define GRPCROUTE_RELAY_STREAMS_H

#include "base/list.h"
#include "net/resolve.h"
#include "relay/cluster.h"
#include "relay/flow.h"
#include "relay/message_count.h"
#include "relay/tally.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STREAM_LABEL_BYTES   FLOW_LABEL_BYTES /* of a text that is shown; longer is cut */
#define STREAM_VERSION_BYTES 32

struct account_block;
struct route_rule;

/* One live stream; embedded in who relays it. */
struct stream_record {
    struct list node; /* streams->records, in the order of numbers */
    uint64_t number;
    uint64_t opened_ms;
    char agent_id[STREAM_LABEL_BYTES];
    char agent_version[STREAM_LABEL_BYTES];
    const struct route_rule *rule; /* that took it; NULL: none */
    struct account_block *account; /* the worker's, of that rule; NULL: none */
    struct endpoint *endpoint;     /* borrowed; NULL: none at the moment */
    struct endpoint_load *load;    /* the worker's, of that endpoint; NULL: nothing is sent yet */
    struct flow *flow;             /* of the worker; NULL while there is no endpoint */
    struct message_count up;
    struct message_count down;
    uint64_t sent_in_vain; /* messages sent to an endpoint that did not take the stream */
    uint64_t asked_ns;     /* the oldest message without an answer; 0: none that is timed */
    bool peek;             /* a ping stream whose first answer did not come yet */
    bool misrouted;
    char server_version[STREAM_VERSION_BYTES]; /* empty: not known */
    char server_id[STREAM_LABEL_BYTES];
};

struct streams {
    pthread_mutex_t mutex;
    struct list records;
    struct list *walk; /* where a reader goes on, or NULL; moves on when that stream ends */
    size_t count;
};

/* A stream as it was. */
struct stream_row {
    uint64_t number;
    uint64_t opened_ms;
    uint64_t messages_up;
    uint64_t messages_down;
    unsigned worker; /* set by who asks */
    bool misrouted;
    char agent_id[STREAM_LABEL_BYTES];
    char agent_version[STREAM_LABEL_BYTES];
    char server_version[STREAM_VERSION_BYTES];
    char pod[STREAM_LABEL_BYTES];
    char cluster[CLUSTER_NAME_BYTES];
    char endpoint[NET_ADDRESS_TEXT_BYTES];
};

struct streams_query {
    uint64_t after;     /* numbers above this one */
    size_t limit;       /* rows at most */
    const char *search; /* in all the texts of a row, in any case; "": all rows */
    bool misrouted;     /* only those */
    /* Whole texts as rows show them; NULL: any. */
    const char *version;
    const char *cluster;
    const char *endpoint;
};

/* Live streams by their age. A zeroed one is empty. */
struct streams_ages {
    uint64_t counts[TALLY_BOUNDS + 1]; /* by the bounds of tally_ages */
    uint64_t oldest_ms;
};

void streams_init(struct streams *streams);
/* The list must be empty. */
void streams_deinit(struct streams *streams);

void streams_add(struct streams *streams, struct stream_record *record);
/* A reader that would go on there goes on behind it. */
void streams_remove(struct streams *streams, struct stream_record *record);

/* Around a change of a record, or of the worker's flows. */
void streams_lock(struct streams *streams);
void streams_unlock(struct streams *streams);

/* Fills `rows` (room for query->limit) in the order of numbers; returns how many. A stream that
 * lives throughout is found exactly once. From any thread; the mutex is held for a bounded number
 * of streams at a time. */
size_t streams_collect(struct streams *streams, const struct streams_query *query,
                       struct stream_row *rows);

/* Adds the ages of all streams; as streams_collect(), of which one may run at a time, this
 * included. */
void streams_add_ages(struct streams *streams, uint64_t now_ms, struct streams_ages *ages);

#endif
