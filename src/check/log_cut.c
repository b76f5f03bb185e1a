#include "check/log_cut.h"

#include "base/hash.h"
#include "base/mem.h"
#include "check/log_carrier.h"
#include "check/log_words.h"

#include <ctype.h>
#include <string.h>

static bool is_time(const char *word, size_t len)
{
    size_t colons = 0;
    for (size_t i = 0; i < len; i++) {
        colons += word[i] == ':';
    }
    return colons >= 2 && (isdigit((unsigned char)word[0]) || word[0] == '[');
}

/* The words of a prefix but the time, which differs from part to part. */
static uint64_t mix_prefix(uint64_t key, const char *prefix, size_t len)
{
    size_t word = 0;
    for (size_t i = 0; i <= len; i++) {
        if (i == len || prefix[i] == ' ') {
            if (!is_time(prefix + word, i - word)) {
                key = hash_bytes(key, prefix + word, i - word);
            }
            word = i + 1;
        }
    }
    return key;
}

/* ---- containerd ------------------------------------------------------------------------------ */

static bool is_timestamp(const char *at, const char *end)
{
    return end - at >= 20 && isdigit((unsigned char)at[0]) && isdigit((unsigned char)at[3]) &&
           at[4] == '-' && at[7] == '-' && at[10] == 'T' && memchr(at, ' ', 11) == NULL;
}

/* The time that ends at `end`: a file's name may stand right before it, as grep writes it. */
static const char *find_timestamp(const char *line, const char *end)
{
    for (const char *at = end; at > line && at[-1] != ' '; at--) {
        bool begins = at - 1 == line || strchr(" :-", at[-2]) != NULL;
        if (begins && is_timestamp(at - 1, end)) {
            return at - 1;
        }
    }
    return NULL;
}

bool check_log_cut_text(const char *line, struct check_log_cut *ret)
{
    static const char *const streams[] = {" stdout ", " stderr "};
    for (unsigned i = 0; i < 2; i++) {
        const char *at = strstr(line, streams[i]);
        const char *time = at == NULL ? NULL : find_timestamp(line, at);
        const char *front = check_log_find_front(line);
        if (time == NULL || (front != NULL && front < at)) {
            continue;
        }
        const char *tag = at + strlen(streams[i]);
        /* the text of a part may be empty, and the line then ends behind its tag */
        if ((tag[0] == 'P' || tag[0] == 'F') &&
            (tag[1] == ' ' || tag[1] == ':' || tag[1] == '\0')) {
            if (!check_log_is_prefix(line, (size_t)(tag + 1 - line))) {
                return false;
            }
            const char *text = strchr(tag, ' ');
            ret->kind = tag[0] == 'P' ? CHECK_LOG_PART : CHECK_LOG_LAST;
            ret->key = mix_prefix(hash_bytes(HASH_BASIS, streams[i], strlen(streams[i])), line,
                                  (size_t)(time - line));
            ret->text = text != NULL ? text + 1 : "";
            ret->of_docker = false;
            return true;
        }
    }
    return false;
}

/* ---- records --------------------------------------------------------------------------------- */

static const char *field(const cJSON *object, const char *name)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
}

static const char *text_of(const cJSON *object)
{
    static const char *const names[] = {"log", "message", "MESSAGE", "msg", "line"};
    const char *text = NULL;
    for (size_t i = 0; text == NULL && i < ARRAY_SIZE(names); i++) {
        text = field(object, names[i]);
    }
    return text;
}

/* Whose line it is: the names that collectors give a container and a stream of it. */
static uint64_t mix_names(uint64_t key, const cJSON *object)
{
    static const char *const names[] = {
        "stream",         "file",           "tag",       "container_id",   "pod_name",
        "container_name", "pod_uid",        "pod_id",    "namespace_name", "pod_namespace",
        "CONTAINER_ID",   "CONTAINER_NAME", "kubernetes"};
    const cJSON *item;
    cJSON_ArrayForEach(item, object)
    {
        for (size_t i = 0; item->string != NULL && i < ARRAY_SIZE(names); i++) {
            if (strcmp(item->string, names[i]) != 0) {
                continue;
            }
            if (cJSON_IsString(item)) {
                key = hash_bytes(hash_bytes(key, names[i], strlen(names[i])), item->valuestring,
                                 strlen(item->valuestring));
            } else if (cJSON_IsObject(item)) {
                for (const cJSON *name = item->child; name != NULL; name = name->next) {
                    bool is_name = cJSON_IsString(name) && strstr(name->string, "time") == NULL;
                    key = is_name ? hash_bytes(key, name->valuestring, strlen(name->valuestring))
                                  : key;
                }
            }
        }
    }
    return key;
}

static bool says_true(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    return cJSON_IsTrue(item) || (cJSON_IsString(item) && strcmp(item->valuestring, "true") == 0);
}

/* Docker's own file has these members and no others; its text ends with the line's end. */
static bool is_of_docker(const cJSON *object)
{
    size_t known = 0;
    for (const cJSON *item = object->child; item != NULL; item = item->next) {
        bool is_known = strcmp(item->string, "log") == 0 || strcmp(item->string, "stream") == 0 ||
                        strcmp(item->string, "time") == 0;
        if (!is_known && strcmp(item->string, "attrs") != 0) {
            return false;
        }
        known += is_known && cJSON_IsString(item);
    }
    return known == 3;
}

static void find_mark(const cJSON *object, const char *text, enum check_log_cut_kind *ret,
                      bool *ret_of_docker)
{
    *ret_of_docker = false;
    const char *tag = field(object, "logtag");
    tag = tag != NULL ? tag : field(object, "flags"); /* fluent-bit, promtail */
    if (tag != NULL && (tag[0] == 'P' || tag[0] == 'F') && (tag[1] == '\0' || tag[1] == ':')) {
        *ret = tag[0] == 'P' ? CHECK_LOG_PART : CHECK_LOG_LAST;
    } else if (says_true(object, "partial_message") ||
               says_true(object, "CONTAINER_PARTIAL_MESSAGE")) {
        bool last =
            says_true(object, "partial_last") || says_true(object, "CONTAINER_PARTIAL_LAST");
        *ret = last ? CHECK_LOG_LAST : CHECK_LOG_PART;
    } else if (cJSON_GetObjectItemCaseSensitive(object, "_partial") != NULL) { /* vector */
        *ret = says_true(object, "_partial") ? CHECK_LOG_PART : CHECK_LOG_LAST;
    } else if (is_of_docker(object)) {
        size_t len = strlen(text);
        *ret_of_docker = true;
        *ret = len > 0 && text[len - 1] == '\n' ? CHECK_LOG_LAST : CHECK_LOG_OPEN;
    } else {
        *ret = CHECK_LOG_BARE;
    }
}

bool check_log_cut_object(const cJSON *object, const char *prefix, size_t prefix_len,
                          struct check_log_cut *ret)
{
    const char *text = text_of(object);
    if (text == NULL) {
        return false;
    }
    find_mark(object, text, &ret->kind, &ret->of_docker);
    ret->key = mix_names(mix_prefix(HASH_BASIS, prefix, prefix_len), object);
    ret->text = text;
    return true;
}
