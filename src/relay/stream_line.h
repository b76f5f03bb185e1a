/* How a line of the stream log reads. Pure. */
#ifndef GRPCROUTE_RELAY_STREAM_LINE_H
#define GRPCROUTE_RELAY_STREAM_LINE_H

#include "base/line_file.h"
#include "relay/streams.h"

#include <stddef.h>
#include <stdint.h>

struct stream_end;

#define STREAM_DETAIL_BYTES 256 /* of an end's detail, escaped; longer is cut */

/* What is said of a stream. Texts are escaped (text_escape()), and NULL or empty where they are not
 * known. */
struct stream_line {
    const struct stream_record *record;
    const char *client;
    const char *identity;
    const char *authority;
    const char *path;
    const char *tls_version;
    uint64_t wall_ns;
    uint64_t age_ms;
    const struct stream_end *end; /* NULL: it is opened */
};

/* Writes it with its newline, and no NUL; returns its length. */
size_t stream_line_write(char out[static LINE_FILE_LINE_BYTES], const struct stream_line *line);

/* The same of the line that says that so many lines are missing. */
size_t stream_line_write_gap(char out[static LINE_FILE_LINE_BYTES], uint64_t lines);

#endif
