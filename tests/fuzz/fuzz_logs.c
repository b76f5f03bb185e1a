/* Logs of anything: the reader neither crashes nor passes on a name that a terminal must not see,
 * and finds the same events however the bytes are cut. */
#include "check/log_line.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_name(const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < len; i++) {
        if (name[i] < 0x20 || name[i] > 0x7e) {
            abort();
        }
    }
}

/* A sum over everything that an event says. */
static void on_event(void *user, const struct check_log_event *event)
{
    uint64_t *sum = user;
    const char *const names[] = {
        event->version,        event->id,          event->peer_version,    event->peer_id,
        event->stream.cluster, event->stream.path, event->stream.endpoint, event->stream.reason};
    *sum = *sum * 31 + event->stream.mark + event->stream.answered;
    *sum = *sum * 31 + event->kind + 1;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        check_name(names[i]);
        for (const char *at = names[i]; *at != '\0'; at++) {
            *sum = *sum * 31 + (unsigned char)*at;
        }
    }
}

static uint64_t read_in_pieces(const uint8_t *data, size_t size, size_t piece)
{
    struct check_log_reader *reader = calloc(1, sizeof(*reader));
    uint64_t sum = 0;
    if (reader == NULL) {
        abort();
    }
    for (size_t at = 0; at < size; at += piece) {
        size_t len = size - at < piece ? size - at : piece;
        check_log_feed(reader, (const char *)data + at, len, on_event, &sum);
    }
    check_log_finish(reader, on_event, &sum);
    free(reader);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (read_in_pieces(data, size, size + 1) != read_in_pieces(data, size, 7)) {
        abort();
    }
    return 0;
}
