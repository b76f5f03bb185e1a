/* Lines that a carrier cut, until all their parts have come. Pure. */
#ifndef GRPCROUTE_CHECK_LOG_PART_H
#define GRPCROUTE_CHECK_LOG_PART_H

#include "check/log_buffer.h"
#include "check/log_unread.h"

#include <stdint.h>

#define CHECK_LOG_PARTS      64 /* lines under way at once: streams of containers in one file */
#define CHECK_LOG_PART_BYTES 262144

struct check_log_part {
    uint64_t key; /* whose line */
    uint64_t age; /* when its latest part came; 0: free */
    struct check_log_buffer text;
};

/* Zeroed at first. */
struct check_log_parts {
    struct check_log_part *parts; /* owned, CHECK_LOG_PARTS; NULL until a line is cut */
    uint64_t clock;
    uint64_t latest;                /* the age of the part that the latest line brought, or 0 */
    bool ends_seen;                 /* of docker's records: one that ends its line */
    bool never_cut;                 /* ... they carry whole lines without their ends */
    struct check_log_unread unread; /* parts that never found their rest */
};

/* The line under way with this key, or NULL. */
struct check_log_part *check_log_parts_find(struct check_log_parts *parts, uint64_t key);

/* Appends to the line with this key, which begins now if there is none. Too many lines under way:
 * the oldest is given up. Never NULL. */
struct check_log_part *check_log_parts_add(struct check_log_parts *parts, uint64_t key,
                                           const char *text, size_t len);

/* Takes the line out: owned by the caller, who frees it with check_log_buffer_deinit(). */
struct check_log_buffer check_log_parts_take(struct check_log_part *part);

/* The line that waits longest, or NULL. */
struct check_log_part *check_log_parts_oldest(struct check_log_parts *parts);

/* Frees the table, of which all lines were taken; the counts stay. */
void check_log_parts_deinit(struct check_log_parts *parts);

#endif
