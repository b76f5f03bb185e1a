/* What is checked and what may come of it, with the words for both. Pure. */
#ifndef GRPCROUTE_CHECK_KINDS_H
#define GRPCROUTE_CHECK_KINDS_H

#include "check/sentence.h"

/* What is checked: name, label in JSON and JUnit, words for "Not checked: ...". */
#define CHECK_KIND_LIST(X)                                                                         \
    X(CHECK_REJECTION, "rejection", "rejection")                                                   \
    X(CHECK_VERSION, "version", "answering version")                                               \
    X(CHECK_ISOLATION, "isolation", "metadata isolation")                                          \
    X(CHECK_STICKINESS, "stickiness", "sticky pod")                                                \
    X(CHECK_ORDER, "order", "order")                                                               \
    X(CHECK_LOSS, "loss", "loss")                                                                  \
    X(CHECK_DUPLICATION, "duplication", "duplication")                                             \
    X(CHECK_SPLIT, "split", "split of new streams")                                                \
    X(CHECK_ENDING, "end", "end of stream")                                                        \
    X(CHECK_EVIDENCE, "evidence", "evidence")

enum check_kind {
#define X(name, label, words) name,
    CHECK_KIND_LIST(X)
#undef X
        CHECK_KIND_COUNT
};

/* In the order of their weight for the whole run. */
#define CHECK_RESULT_LIST(X)                                                                       \
    X(CHECK_PASSED, "passed")                                                                      \
    X(CHECK_NO_EVIDENCE, "no_evidence")                                                            \
    X(CHECK_NOT_CONNECTED, "not_connected")                                                        \
    X(CHECK_FAILED, "failed")                                                                      \
    X(CHECK_INTERRUPTED, "interrupted")

enum check_result {
#define X(name, label) name,
    CHECK_RESULT_LIST(X)
#undef X
};

const char *check_kind_label(enum check_kind kind);
const char *check_kind_words(enum check_kind kind);
const char *check_result_label(enum check_result result);

/* "order, loss" for a bit per check_kind. */
void check_add_kinds(struct sentence *sentence, unsigned kinds);

#endif
