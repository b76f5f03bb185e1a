#include "h2/frame_scan.h"

#include <string.h>

void h2_frame_scan_init(struct h2_frame_scan *scan, size_t preface_bytes)
{
    scan->skip_bytes = preface_bytes;
    scan->head_len = 0;
}

static struct h2_frame_head parse_head(const uint8_t *head)
{
    return (struct h2_frame_head){
        .length = (uint32_t)head[0] << 16 | (uint32_t)head[1] << 8 | head[2],
        .type = head[3],
        .flags = head[4],
        .stream_id = (int32_t)((uint32_t)(head[5] & 0x7f) << 24 | (uint32_t)head[6] << 16 |
                               (uint32_t)head[7] << 8 | head[8]),
    };
}

bool h2_frame_scan_feed(struct h2_frame_scan *scan, const uint8_t *bytes, size_t len,
                        h2_frame_head_fn on_head, void *ctx)
{
    while (len > 0) {
        if (scan->skip_bytes > 0) {
            size_t skip = scan->skip_bytes < len ? scan->skip_bytes : len;
            scan->skip_bytes -= skip;
            bytes += skip;
            len -= skip;
            continue;
        }
        size_t missing = sizeof(scan->head) - scan->head_len;
        size_t take = missing < len ? missing : len;
        memcpy(scan->head + scan->head_len, bytes, take);
        scan->head_len += take;
        bytes += take;
        len -= take;
        if (scan->head_len == sizeof(scan->head)) {
            struct h2_frame_head head = parse_head(scan->head);
            scan->head_len = 0;
            scan->skip_bytes = head.length;
            if (!on_head(ctx, &head)) {
                return false;
            }
        }
    }
    return true;
}
