/* gRPC framing, percent-decoding and timeouts: any bytes, split anywhere. */
#include "rpc/frame.h"
#include "rpc/metadata.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool on_message(void *ctx, const uint8_t *bytes, size_t len)
{
    size_t *total = ctx;
    volatile uint8_t last = len > 0 ? bytes[len - 1] : 0;
    (void)last;
    *total += len;
    return true;
}

/* The first byte chooses the split; whole and split reading must see the same messages. */
static void read_frames(const uint8_t *data, size_t size)
{
    struct rpc_frame_reader whole;
    struct rpc_frame_reader split;
    size_t whole_total = 0;
    size_t split_total = 0;
    size_t step = 1 + data[0] % 16u;
    rpc_frame_reader_init(&whole, 1000);
    rpc_frame_reader_init(&split, 1000);
    int whole_rv = rpc_frame_reader_feed(&whole, data + 1, size - 1, on_message, &whole_total);
    int split_rv = 0;
    for (size_t at = 1; at < size && split_rv == 0; at += step) {
        size_t len = size - at < step ? size - at : step;
        split_rv = rpc_frame_reader_feed(&split, data + at, len, on_message, &split_total);
    }
    if (whole_rv != split_rv || whole_total != split_total) {
        abort();
    }
    rpc_frame_reader_deinit(&whole);
    rpc_frame_reader_deinit(&split);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    read_frames(data, size);
    char decoded[300];
    char encoded[1000];
    size_t len = rpc_percent_decode(decoded, sizeof(decoded), (const char *)data, size);
    rpc_percent_encode(encoded, sizeof(encoded), decoded, len);
    uint64_t ns;
    rpc_timeout_parse((const char *)data, size, &ns);
    return 0;
}
