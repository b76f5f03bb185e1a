#include "relay/message_count.h"

#include "base/counter.h"

#include <string.h>

size_t message_count_add(struct message_count *count, const uint8_t *bytes, size_t len)
{
    size_t begun = 0;
    counter_add(&count->bytes, len);
    /* nearly always a frame holds one whole message */
    if (count->prefix_len == 0 && count->skip_bytes == 0 && len >= sizeof(count->prefix) &&
        rpc_frame_length(bytes) == len - sizeof(count->prefix)) {
        counter_add(&count->messages, 1);
        return 1;
    }
    if (count->prefix_len == MESSAGE_COUNT_FOREIGN) {
        return 0;
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
            count->skip_bytes = rpc_frame_length(count->prefix);
            begun++;
        }
    }
    if (begun > 0) {
        counter_add(&count->messages, begun);
    }
    return begun;
}
