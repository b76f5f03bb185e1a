#include "proxy/message_count.h"

#include <string.h>

/* One writer: a plain load and store is enough, and cheaper than an atomic addition. */
static void add(atomic_uint_fast64_t *counter, uint64_t value)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + value,
                          memory_order_relaxed);
}

static uint32_t body_bytes(const uint8_t *prefix)
{
    return (uint32_t)prefix[1] << 24 | (uint32_t)prefix[2] << 16 | (uint32_t)prefix[3] << 8 |
           prefix[4];
}

size_t message_count_add(struct message_count *count, const uint8_t *bytes, size_t len)
{
    size_t begun = 0;
    add(&count->bytes, len);
    /* nearly always a frame holds one whole message */
    if (count->prefix_len == 0 && count->skip_bytes == 0 && len >= sizeof(count->prefix) &&
        body_bytes(bytes) == len - sizeof(count->prefix)) {
        add(&count->messages, 1);
        return 1;
    }
    while (len > 0) {
        if (count->skip_bytes > 0) {
            size_t skip = count->skip_bytes < len ? count->skip_bytes : len;
            count->skip_bytes -= (uint32_t)skip;
            bytes += skip;
            len -= skip;
            continue;
        }
        size_t missing = sizeof(count->prefix) - count->prefix_len;
        size_t take = missing < len ? missing : len;
        memcpy(count->prefix + count->prefix_len, bytes, take);
        count->prefix_len += (uint8_t)take;
        bytes += take;
        len -= take;
        if (count->prefix_len == sizeof(count->prefix)) {
            count->prefix_len = 0;
            count->skip_bytes = body_bytes(count->prefix);
            begun++;
        }
    }
    if (begun > 0) {
        add(&count->messages, begun);
    }
    return begun;
}
