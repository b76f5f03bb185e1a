/* How carriers mark a line that they cut: containerd, docker, fluentd, fluent-bit, journald,
 * vector. Pure. */
#ifndef GRPCROUTE_CHECK_LOG_CUT_H
#define GRPCROUTE_CHECK_LOG_CUT_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

enum check_log_cut_kind {
    CHECK_LOG_PART, /* more follows */
    CHECK_LOG_LAST, /* the line ends here */
    CHECK_LOG_OPEN, /* docker's, without the end of a line: more follows, if docker wrote it */
    CHECK_LOG_BARE, /* without a mark: whole, or the last after parts that have one */
};

struct check_log_cut {
    enum check_log_cut_kind kind;
    uint64_t key;     /* parts of one line have it in common */
    const char *text; /* borrowed: of the line, or of the object */
    bool of_docker;
};

/* "2026-01-02T03:04:05.6Z stdout P TEXT", whatever stands before. False: it is not such a line. */
bool check_log_cut_text(const char *line, struct check_log_cut *ret);

/* A record of a collector; `prefix` is what stands before it, `prefix_len` long. False: it has no
 * text that could be a part. */
bool check_log_cut_object(const cJSON *object, const char *prefix, size_t prefix_len,
                          struct check_log_cut *ret);

#endif
