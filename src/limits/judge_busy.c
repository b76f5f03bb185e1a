/* Findings that are about the probe service of the server, and not about the path. */
#include "limits/judge.h"
#include "rpc/probe.h"

#include <stdio.h>
#include <string.h>

/* What the service said; NULL: no try met a refusal of its. */
static const char *refusal_in(const struct limits_finding *finding)
{
    const char *said = strstr(finding->look, RPC_PROBE_BUSY);
    for (size_t i = 0; i < finding->sample_count && said == NULL; i++) {
        said = strstr(finding->samples[i].saw, RPC_PROBE_BUSY);
        said = said != NULL ? said : strstr(finding->samples[i].server_saw, RPC_PROBE_BUSY);
    }
    return said != NULL ? said : strstr(finding->why, RPC_PROBE_BUSY);
}

void limits_judge_busy(struct limits_finding findings[static LIMITS_SHAPES])
{
    for (size_t i = 0; i < LIMITS_SHAPES; i++) {
        struct limits_finding *finding = &findings[i];
        char said[LIMITS_TEXT_BYTES];
        const char *refusal = refusal_in(finding);
        if (finding->wanted && refusal != NULL) {
            snprintf(said, sizeof(said), "%s", refusal);
            snprintf(
                finding->why, sizeof(finding->why),
                "refused by the server itself: %.190s; all who measure through it share what it "
                "does, so one at a time",
                said);
            finding->state = LIMITS_NOT_MEASURED;
            finding->look[0] = '\0';
            finding->side = LIMITS_SIDE_UNKNOWN;
        }
    }
}
