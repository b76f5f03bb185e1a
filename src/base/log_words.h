/* What a line of the log is made of. */
#ifndef GRPCROUTE_BASE_LOG_WORDS_H
#define GRPCROUTE_BASE_LOG_WORDS_H

#include <stdbool.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* Their names, in that order; NULL behind the last. */
extern const char *const log_level_names[];

enum log_format { LOG_TEXT, LOG_JSON };

/* Who speaks: "[AGENT_v1.1/ID]" in text; "role", "version" and "id" in JSON. Borrowed. */
struct log_source {
    const char *role;    /* "agent", "server", "proxy"; shown in capitals in text */
    const char *version; /* NULL: none */
    const char *id;      /* NULL: none */
};

/* A pair for JSON; text lines carry the same facts in their message. */
struct log_pair {
    const char *key;
    const char *value;
    bool is_number; /* the value is one, in digits */
};

/* clang-format off */
#define LOG_PAIRS(...) (const struct log_pair[]){__VA_ARGS__, {NULL, NULL, false}}
/* clang-format on */

#endif
