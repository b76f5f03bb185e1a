/* What verify and sticky-test have in common when they judge logs. */
#ifndef GRPCROUTE_CHECK_LOG_SESSION_H
#define GRPCROUTE_CHECK_LOG_SESSION_H

#include "check/log_judge.h"
#include "check/session.h"

struct check_log_options {
    struct cli_list sources; /* files, "-" for standard input, "kubectl"; none: probe */
    const char *namespace;
    const char *context; /* NULL: kubectl's current one */
};

extern const char *const check_log_sources[];  /* that are no files */
extern const char *const check_log_excludes[]; /* what only a probe can do */
/* And what sticky-test, which asks only whether streams stayed, has no use for beside --logs. */
extern const char *const check_sticky_log_excludes[];

/* clang-format off */

/* The entries for the field `field` of `type`, a struct check_log_options, in a command in which
 * the options `excluded` do nothing beside --logs. */
#define CHECK_LOG_OPTIONS(type, field, excluded)                                                   \
    {.name = "logs", .kind = CLI_LIST, .offset = offsetof(type, field.sources),                    \
     .argument = "FILE|-|kubectl",                                                                 \
     .help = "Judge what agents and servers logged, or a proxy of their streams, instead of "      \
             "probing: files, standard input, or the pods of --namespace",                         \
     .choices = check_log_sources, .excludes = (excluded)},                                        \
    {.name = "namespace", .kind = CLI_STRING, .offset = offsetof(type, field.namespace),           \
     .argument = "NAME", .fallback = "grpc-routing-poc", .needs = "logs",                          \
     .help = "Where --logs kubectl looks"},                                                        \
    {.name = "context", .kind = CLI_STRING, .offset = offsetof(type, field.context),               \
     .argument = "NAME", .needs = "logs",                                                          \
     .help = "The cluster it asks, instead of kubectl's current one"}

/* clang-format on */

/* Fills the report from logs that were read to their end; `user` is the owner's. */
typedef void check_log_judge(struct check_logs *logs, void *user, struct check_report *ret_report);

/* Reads all sources, judges, prints. Returns the exit code. */
int check_log_session_run(struct check_plan *plan, const struct check_log_options *options,
                          const struct check_session_options *session,
                          const struct check_log_owner *owner, check_log_judge *judge);

#endif
