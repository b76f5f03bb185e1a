#include "h2/frame_split.h"

#include <string.h>

void h2_frame_split_init(struct h2_frame_split *split, size_t preface_bytes)
{
    split->payload_left = preface_bytes;
    split->take = false;
    split->head_len = 0;
}

static struct h2_frame_head parse_head(const uint8_t *head)
{
    return (struct h2_frame_head){
        .length = (uint32_t)head[0] << 16 | (uint32_t)head[1] << 8 | head[2],
        .type = head[3],
        .flags = head[4],
        .stream_id = (int32_t)(h2_read_u32(head + 5) & INT32_MAX), /* without the reserved bit */
    };
}

void h2_frame_head_write(uint8_t out[static H2_FRAME_HEAD_BYTES], const struct h2_frame_head *head)
{
    out[0] = (uint8_t)(head->length >> 16);
    out[1] = (uint8_t)(head->length >> 8);
    out[2] = (uint8_t)head->length;
    out[3] = head->type;
    out[4] = head->flags;
    h2_write_u32(out + 5, (uint32_t)head->stream_id);
}

/* The header is complete: which way does the frame go? */
static int begin_frame(struct h2_frame_split *split, const struct h2_frame_ops *ops, void *ctx)
{
    struct h2_frame_head head = parse_head(split->head);
    split->head_len = 0;
    split->payload_left = head.length;
    enum h2_frame_way way = ops->on_head(ctx, &head);
    split->take = way == H2_FRAME_TAKE;
    if (way == H2_FRAME_PASS) {
        return ops->on_pass(ctx, split->head, sizeof(split->head));
    }
    return way == H2_FRAME_STOP ? -1 : 0;
}

int h2_frame_split_feed(struct h2_frame_split *split, const uint8_t *bytes, size_t len,
                        const struct h2_frame_ops *ops, void *ctx)
{
    int rv = 0;
    while (len > 0 && rv == 0) {
        size_t wanted =
            split->payload_left > 0 ? split->payload_left : sizeof(split->head) - split->head_len;
        size_t size = wanted < len ? wanted : len;
        if (split->payload_left > 0) {
            split->payload_left -= size;
            rv = split->take ? ops->on_take(ctx, bytes, size) : ops->on_pass(ctx, bytes, size);
        } else {
            memcpy(split->head + split->head_len, bytes, size);
            split->head_len += size;
            if (split->head_len == sizeof(split->head)) {
                rv = begin_frame(split, ops, ctx);
            }
        }
        bytes += size;
        len -= size;
    }
    return rv;
}
