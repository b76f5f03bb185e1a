/* Counts gRPC messages that pass in DATA frames, by their 5-byte prefixes, without assembling
 * them. */
#ifndef GRPCROUTE_RELAY_MESSAGE_COUNT_H
#define GRPCROUTE_RELAY_MESSAGE_COUNT_H

#include "rpc/frame.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MESSAGE_COUNT_FOREIGN UINT8_MAX /* for prefix_len */

struct message_count {
    atomic_uint_fast64_t messages; /* begun */
    atomic_uint_fast64_t bytes;
    uint32_t skip_bytes; /* of the current message's body */
    uint8_t prefix[RPC_FRAME_PREFIX_BYTES];
    uint8_t prefix_len; /* MESSAGE_COUNT_FOREIGN: what passes is no gRPC, only bytes are counted */
};

/* From now on there are no messages in what passes. */
static inline void message_count_disregard(struct message_count *count)
{
    count->prefix_len = MESSAGE_COUNT_FOREIGN;
    count->skip_bytes = 0;
}

/* Whether the last byte was the last of a message, or none came yet. */
static inline bool message_count_is_between(const struct message_count *count)
{
    return count->skip_bytes == 0 &&
           (count->prefix_len == 0 || count->prefix_len == MESSAGE_COUNT_FOREIGN);
}

/* Messages that are complete. */
static inline uint64_t message_count_whole(const struct message_count *count)
{
    uint64_t begun = atomic_load_explicit(&count->messages, memory_order_relaxed);
    return begun - (count->skip_bytes > 0);
}

/* Passes over `len` body bytes; returns how many messages began in them. */
size_t message_count_add(struct message_count *count, const uint8_t *bytes, size_t len);

#endif
