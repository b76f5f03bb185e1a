#include "limits/setting.h"

#include "h2/session.h"
#include "limits/advice.h"
#include "limits/judge.h"
#include "limits/setting_rules.h"
#include "rpc/probe.h"

#include <string.h>

/* ---- which look so --------------------------------------------------------------------------- */

static bool is_reset(const struct limits_sample *sample, uint32_t code)
{
    return sample->end == LIMITS_END_RESET && sample->code == code;
}

static bool looks(const struct limits_rule *rule, const struct limits_finding *finding)
{
    const struct limits_sample *sample = &finding->samples[0];
    bool goaway = sample->end == LIMITS_END_GOAWAY;
    switch (rule->look) {
    case LIMITS_LOOK_RESET_INTERNAL:
        return is_reset(sample, H2_INTERNAL_ERROR);
    case LIMITS_LOOK_RESET_ENVOY:
        return is_reset(sample, H2_INTERNAL_ERROR) || is_reset(sample, H2_NO_ERROR);
    case LIMITS_LOOK_RESET_PROTOCOL:
        return is_reset(sample, H2_PROTOCOL_ERROR);
    case LIMITS_LOOK_RESET_REFUSED:
        return is_reset(sample, H2_REFUSED_STREAM);
    case LIMITS_LOOK_CUT:
        return sample->end == LIMITS_END_CUT;
    case LIMITS_LOOK_TRAILERS:
        return sample->end == LIMITS_END_TRAILERS && strstr(finding->look, rule->words) != NULL;
    case LIMITS_LOOK_HTTP:
        return sample->end == LIMITS_END_HTTP;
    case LIMITS_LOOK_TEXT:
        return strstr(finding->look, rule->words) != NULL;
    case LIMITS_LOOK_GOAWAY:
        return goaway && strchr(finding->look, ':') == NULL;
    case LIMITS_LOOK_GOAWAY_TEXT:
        return goaway && strstr(finding->look, rule->words) != NULL;
    }
    return false;
}

static bool server_looks(const struct limits_rule *rule, const struct limits_finding *finding)
{
    const struct limits_sample *sample = &finding->samples[0];
    bool reset = sample->server_end == RPC_PROBE_RESET;
    switch (rule->server) {
    case LIMITS_SERVER_ANY:
        break;
    case LIMITS_SERVER_RESET_ENVOY:
        return sample->server_told && reset &&
               (sample->server_code == H2_INTERNAL_ERROR || sample->server_code == H2_NO_ERROR);
    case LIMITS_SERVER_RESET_CANCEL:
        return sample->server_told && reset && sample->server_code == H2_CANCEL;
    case LIMITS_SERVER_LOST:
        return sample->server_told && sample->server_end == RPC_PROBE_CONNECTION_LOST;
    }
    return true;
}

static bool fits_half_closed(const struct limits_rule *rule, const struct limits_finding *half)
{
    bool measured = half->wanted && half->state != LIMITS_NOT_MEASURED;
    bool too = half->state == LIMITS_BY_OTHER && half->by == LIMITS_AGE_STREAM;
    return rule->half == LIMITS_HALF_ANY || !measured || too == (rule->half == LIMITS_HALF_TOO);
}

enum ends { BOTH_ENDS, EITHER_END };

/* What another proxy hears of a stream it tells of the stream: its connection to the client stays.
 */
static bool is_handed_on(const struct limits_finding *finding)
{
    enum limits_end end = finding->samples[0].end;
    return end != LIMITS_END_CONNECTION && end != LIMITS_END_GOAWAY && end != LIMITS_END_DEAD;
}

static bool fits(const struct limits_rule *rule, const struct limits_finding *finding,
                 const struct limits_finding *half, enum ends ends)
{
    bool client = looks(rule, finding);
    bool server = server_looks(rule, finding);
    bool either = client || (rule->server != LIMITS_SERVER_ANY && server && is_handed_on(finding));
    return rule->shape == finding->shape && fits_half_closed(rule, half) &&
           (ends == BOTH_ENDS ? client && server : either);
}

/* ---- naming them ----------------------------------------------------------------------------- */

/* What counts against a size or a number beside what was sent, or does not: a share of it. */
#define BESIDE_SHARE 8

static bool is_usual(const struct limits_rule *rule, const struct limits_finding *finding)
{
    if (finding->kind == LIMITS_DURATION) {
        return rule->usual != 0 &&
               limits_judge_agree(finding->value, rule->usual, finding->resolution);
    }
    bool exact = finding->shape == LIMITS_STREAMS_PER_CONNECTION ||
                 finding->shape == LIMITS_REQUESTS_PER_CONNECTION;
    uint64_t beside = exact ? 0 : rule->usual / BESIDE_SHARE;
    return rule->usual != 0 && finding->value <= rule->usual + beside &&
           finding->value + beside >= rule->usual;
}

static void add(struct limits_finding *finding, const struct limits_setting *setting)
{
    if (finding->setting_count < LIMITS_SETTINGS_MAX) {
        finding->settings[finding->setting_count++] = setting;
    }
}

static bool has_it(const struct limits_rule *rule, bool direct)
{
    return rule->owner == LIMITS_OWNER_ANY || direct == (rule->owner == LIMITS_OWNER_SERVER);
}

/* Those at their default first. */
static void add_fitting(struct limits_finding *finding, const struct limits_finding *half,
                        enum ends ends, bool direct)
{
    for (int usual = 1; usual >= 0; usual--) {
        for (size_t i = 0; i < limits_rule_count; i++) {
            if (has_it(&limits_rules[i], direct) && fits(&limits_rules[i], finding, half, ends) &&
                is_usual(&limits_rules[i], finding) == (usual == 1)) {
                add(finding, &limits_rules[i].setting);
            }
        }
    }
}

/* What looks so at both ends, or, where none does, as behind a second proxy that hands an end on in
 * its own way, at one of them. */
static void name_settings(struct limits_finding *finding, const struct limits_finding *half,
                          bool direct)
{
    add_fitting(finding, half, BOTH_ENDS, direct);
    if (finding->setting_count == 0) {
        add_fitting(finding, half, EITHER_END, direct);
    }
}

void limits_setting_name_all(struct limits_finding findings[static LIMITS_SHAPES], bool direct)
{
    for (size_t i = 0; i < LIMITS_SHAPES; i++) {
        struct limits_finding *finding = &findings[i];
        if (finding->wanted && finding->state == LIMITS_FOUND && finding->kind != LIMITS_FACT &&
            finding->side != LIMITS_SIDE_SERVER) {
            name_settings(finding, &findings[LIMITS_HALF_CLOSE], direct);
        }
    }
    limits_advise_all(findings);
}
