/* Names of what is checked and of what comes out. */
#include "check/kinds.h"

const char *check_kind_label(enum check_kind kind)
{
    static const char *const labels[] = {
#define X(name, label, words) label,
        CHECK_KIND_LIST(X)
#undef X
    };
    return labels[kind];
}

const char *check_kind_words(enum check_kind kind)
{
    static const char *const words_of[] = {
#define X(name, label, words) words,
        CHECK_KIND_LIST(X)
#undef X
    };
    return words_of[kind];
}

const char *check_result_label(enum check_result result)
{
    static const char *const labels[] = {
#define X(name, label) label,
        CHECK_RESULT_LIST(X)
#undef X
    };
    return labels[result];
}

void check_add_kinds(struct sentence *sentence, unsigned kinds)
{
    const char *joint = "";
    for (unsigned kind = 0; kind < CHECK_KIND_COUNT; kind++) {
        if ((kinds & 1U << kind) != 0) {
            sentence_add(sentence, "%s%s", joint, check_kind_words((enum check_kind)kind));
            joint = ", ";
        }
    }
}
