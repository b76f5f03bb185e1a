/* What the findings of a group say together. */
#include "check/finding.h"

struct sentence check_add_finding(struct check_verdict *verdict, enum check_kind kind,
                                  enum check_result result, uint64_t count)
{
    struct check_finding *finding = &verdict->findings[verdict->finding_count++];
    finding->kind = kind;
    finding->result = result;
    finding->count = count;
    if (result == CHECK_FAILED || verdict->result == CHECK_PASSED) {
        verdict->result = result;
    }
    return sentence_begin(finding->text, sizeof(finding->text));
}

bool check_is_sticky(const struct check_verdict *verdict)
{
    for (size_t i = 0; i < verdict->finding_count; i++) {
        if (verdict->findings[i].kind != CHECK_VERSION ||
            verdict->findings[i].result != CHECK_NO_EVIDENCE) {
            return false;
        }
    }
    return verdict->answer_count > 0;
}
