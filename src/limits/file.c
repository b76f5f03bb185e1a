/* Nothing in the file is trusted: it may be anybody's. */
#include "limits/file.h"

#include "base/mem.h"
#include "base/text.h"
#include "cli/exit.h"
#include "limits/json.h"
#include "limits/print.h"
#include "limits/words.h"

#include <cJSON.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define NUMBER_MAX  9e18
#define SHOWN_BYTES 80

/* Returns EXIT_USAGE. */
__attribute__((format(printf, 2, 3))) static int refuse(char reason[static LIMITS_REASON_BYTES],
                                                        const char *cause, ...)
{
    va_list arguments;
    va_start(arguments, cause);
    vsnprintf(reason, LIMITS_REASON_BYTES, cause, arguments);
    va_end(arguments);
    return EXIT_USAGE;
}

/* ---- members --------------------------------------------------------------------------------- */

/* "" where it is no text. */
static char *read_text(const cJSON *object, const char *name, char *out, size_t out_bytes)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    const char *text = cJSON_IsString(item) ? item->valuestring : "";
    text_escape(out, out_bytes, text, strlen(text));
    return out;
}

static int read_number(const cJSON *item, uint64_t *ret)
{
    if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0 && item->valuedouble <= NUMBER_MAX) ||
        item->valuedouble != floor(item->valuedouble)) {
        return 1;
    }
    *ret = (uint64_t)item->valuedouble;
    return 0;
}

static int number_in(const cJSON *object, const char *name, uint64_t *ret)
{
    return read_number(cJSON_GetObjectItemCaseSensitive(object, name), ret);
}

/* Facts have none. */
static int value_in(const cJSON *object, const char *name, enum limits_kind kind, uint64_t *ret)
{
    char member[LIMITS_MEMBER_BYTES];
    limits_json_member(name, kind, member);
    return kind != LIMITS_FACT ? number_in(object, member, ret) : 0;
}

/* Whose `name_of` is the text of the member; `count` where none is. */
static unsigned word_in(const cJSON *object, const char *name, const char *(*name_of)(unsigned),
                        unsigned count)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    unsigned i = 0;
    while (i < count && !(cJSON_IsString(item) && strcmp(item->valuestring, name_of(i)) == 0)) {
        i++;
    }
    return i;
}

static const char *state_name(unsigned state)
{
    return limits_state_name(state);
}

static const char *side_name(unsigned side)
{
    return limits_side_name(side);
}

static const char *end_name(unsigned end)
{
    return limits_end_name(end);
}

static const char *shape_name(unsigned shape)
{
    return limits_shape_name(shape);
}

#define STATES (LIMITS_BY_OTHER + 1)
#define SIDES  (LIMITS_SIDE_NO_HOP + 1)
#define ENDS   (LIMITS_END_HERE + 1)

/* ---- a finding ------------------------------------------------------------------------------- */

/* Only LIMITS_PING_INTERVAL may have none. */
static int value_or_none(const cJSON *object, enum limits_shape shape, uint64_t *ret)
{
    char member[LIMITS_MEMBER_BYTES];
    limits_json_member("value", limits_shape_kind(shape), member);
    if (shape == LIMITS_PING_INTERVAL &&
        cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(object, member))) {
        *ret = LIMITS_VALUE_NONE;
        return 0;
    }
    return value_in(object, "value", limits_shape_kind(shape), ret);
}

static int read_sample(const cJSON *item, enum limits_shape shape, struct limits_sample *ret)
{
    const cJSON *opened = cJSON_GetObjectItemCaseSensitive(item, "opened");
    if (!cJSON_IsBool(opened)) {
        return 1;
    }
    ret->opened = cJSON_IsTrue(opened);
    read_text(item, "client_saw", ret->saw, sizeof(ret->saw));
    if (!ret->opened) {
        return 0;
    }
    uint64_t code;
    unsigned end = word_in(item, "end", end_name, ENDS);
    unsigned side = word_in(item, "ended_by", side_name, SIDES);
    if (end == ENDS || side == SIDES || number_in(item, "code", &code) != 0 || code > UINT32_MAX ||
        value_or_none(item, shape, &ret->value) != 0) {
        return 1;
    }
    ret->end = end;
    ret->side = side;
    ret->code = (uint32_t)code;
    read_text(item, "server_saw", ret->server_saw, sizeof(ret->server_saw));
    return 0;
}

static int read_samples(const cJSON *object, struct limits_finding *ret)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(object, "samples");
    const cJSON *item;
    if (!cJSON_IsArray(list) || cJSON_GetArraySize(list) > LIMITS_SAMPLES) {
        return 1;
    }
    cJSON_ArrayForEach(item, list)
    {
        if (read_sample(item, ret->shape, &ret->samples[ret->sample_count++]) != 0) {
            return 1;
        }
    }
    return 0;
}

/* The value of what was found. */
static int read_value(const cJSON *object, struct limits_finding *ret)
{
    if (ret->kind == LIMITS_FACT) {
        const cJSON *holds = cJSON_GetObjectItemCaseSensitive(object, "holds");
        ret->fact = cJSON_IsTrue(holds);
        return cJSON_IsBool(holds) ? 0 : 1;
    }
    if (value_or_none(object, ret->shape, &ret->value) != 0 ||
        value_in(object, "resolution", ret->kind, &ret->resolution) != 0) {
        return 1;
    }
    ret->resolution = ret->value != LIMITS_VALUE_NONE ? ret->resolution : 0;
    return ret->shape == LIMITS_PING_INTERVAL && ret->looked >= ret->value; /* is refused */
}

static int read_finding(const cJSON *object, struct limits_finding *ret)
{
    unsigned state = word_in(object, "state", state_name, STATES);
    unsigned side = word_in(object, "ended_by", side_name, SIDES);
    if (state == STATES || side == SIDES ||
        (state == LIMITS_NONE_WITHIN && ret->kind == LIMITS_FACT)) {
        return 1;
    }
    ret->state = state;
    ret->side = side;
    read_text(object, "look", ret->look, sizeof(ret->look));
    read_text(object, "why", ret->why, sizeof(ret->why));
    bool ended = state == LIMITS_FOUND || state == LIMITS_BY_OTHER;
    if ((state != LIMITS_NOT_MEASURED &&
         value_in(object, "looked", ret->kind, &ret->looked) != 0) ||
        (ended && read_value(object, ret) != 0) || read_samples(object, ret) != 0) {
        return 1;
    }
    if (state == LIMITS_BY_OTHER) {
        unsigned by = word_in(object, "by", shape_name, LIMITS_SHAPES);
        ret->by = by;
        return by == LIMITS_SHAPES || ret->kind == LIMITS_FACT;
    }
    return 0;
}

/* ---- a file ---------------------------------------------------------------------------------- */

static bool was_interrupted(const cJSON *root)
{
    const char *result = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "result"));
    return result != NULL && strcmp(result, "interrupted") == 0;
}

/* A run that looked for no shape, or that was stopped before it did. */
static int refuse_empty(const cJSON *root, char reason[static LIMITS_REASON_BYTES])
{
    char message[160];
    read_text(root, "message", message, sizeof(message));
    refuse(reason, "holds no limits to compare: %s \"%s\"",
           was_interrupted(root) ? "that run was interrupted, and says" : "that run says", message);
    return EXIT_NO_EVIDENCE;
}

static int read_findings(const cJSON *root, struct limits_file *ret,
                         char reason[static LIMITS_REASON_BYTES])
{
    char shown[SHOWN_BYTES];
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(root, "limits");
    const cJSON *item;
    for (unsigned i = 0; i < LIMITS_SHAPES; i++) {
        limits_finding_init(&ret->result.findings[i], i);
    }
    if (!cJSON_IsArray(list)) {
        return refuse(reason, "is damaged: it has no \"limits\"");
    }
    if (list->child == NULL) {
        return refuse_empty(root, reason);
    }
    cJSON_ArrayForEach(item, list)
    {
        unsigned shape = word_in(item, "shape", shape_name, LIMITS_SHAPES);
        read_text(item, "shape", shown, sizeof(shown));
        if (shape == LIMITS_SHAPES) {
            return refuse(reason,
                          "knows a shape \"%s\" that this program does not: compare with "
                          "the program that wrote it",
                          shown);
        }
        struct limits_finding *finding = &ret->result.findings[shape];
        if (finding->wanted || read_finding(item, finding) != 0) {
            return refuse(reason, "is damaged: %s \"%s\"",
                          finding->wanted ? "it has two of" : "there is no right", shown);
        }
        finding->wanted = true;
    }
    return 0;
}

/* Whose it is, where it is not a result of ours with something in it. */
static int check_origin(const cJSON *root, char reason[static LIMITS_REASON_BYTES])
{
    char command[SHOWN_BYTES];
    char format[SHOWN_BYTES];
    char message[160];
    read_text(root, "command", command, sizeof(command));
    read_text(root, "format", format, sizeof(format));
    read_text(root, "message", message, sizeof(message));
    if (!cJSON_IsObject(root) || command[0] == '\0') {
        return refuse(reason, "is JSON of something else; expected what limits -o json wrote");
    }
    if (strcmp(command, "limits") != 0) {
        return refuse(reason, "is a result of %s; expected one of limits -o json", command);
    }
    if (format[0] == '\0') {
        return refuse(reason, "holds nothing to compare: that run says \"%s\"", message);
    }
    return strcmp(format, LIMITS_FORMAT) == 0
               ? 0
               : refuse(reason, "is of another version (%s); expected %s", format, LIMITS_FORMAT);
}

static int take_root(const cJSON *root, struct limits_file *ret,
                     char reason[static LIMITS_REASON_BYTES])
{
    int rv = check_origin(root, reason);
    if (rv != 0) {
        return rv;
    }
    read_text(root, "target", ret->target, sizeof(ret->target));
    read_text(root, "started_at", ret->started_at, sizeof(ret->started_at));
    read_text(root, "server_id", ret->result.server_id, sizeof(ret->result.server_id));
    ret->result.target = ret->target;
    ret->result.connected = true;
    ret->result.gentle = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(root, "gentle"));
    ret->result.has_probe = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(root, "has_probe"));
    if (number_in(root, "within_ns", &ret->result.within_ns) != 0) {
        return refuse(reason, "is damaged: there is no right \"within_ns\"");
    }
    /* which signal it was bears on nothing here */
    bool is_short = was_interrupted(root) && number_in(root, "took_ns", &ret->result.took_ns) == 0;
    ret->result.interrupted_by = is_short ? SIGINT : 0;
    return read_findings(root, ret, reason);
}

int limits_file_parse(const char *path, const char *text, size_t len, struct limits_file *ret,
                      char reason[static LIMITS_REASON_BYTES])
{
    const char *end = text;
    *ret = (struct limits_file){0};
    text_escape(ret->path, sizeof(ret->path), path, strlen(path));
    cJSON *root = cJSON_ParseWithLengthOpts(text, len, &end, false);
    int rv = EXIT_USAGE;
    if (root == NULL) {
        bool begun = text[strspn(text, " \t\r\n")] == '{';
        refuse(reason,
               begun ? "is damaged: its JSON breaks off or is changed at byte %td of %zu"
                     : "is no JSON (at byte %td of %zu); expected what limits -o json wrote",
               end - text, len);
    } else if (end[strspn(end, " \t\r\n")] != '\0') {
        refuse(reason, "goes on behind its result at byte %td; expected one result", end - text);
    } else {
        rv = take_root(root, ret, reason);
    }
    cJSON_Delete(root);
    return rv;
}
