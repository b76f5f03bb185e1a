/* A list of what is known, not of what is suspect. */
#include "check/log_member.h"

#include "base/mem.h"

#include <string.h>

bool check_log_is_among(const char *const *words, size_t count, const char *word, size_t len)
{
    for (size_t i = 0; i < count; i++) {
        if (strlen(words[i]) == len && memcmp(words[i], word, len) == 0) {
            return true;
        }
    }
    return false;
}

static const char *const text_names[] = {
    "log",           "message",      "MESSAGE",    "msg",      "line",           "textPayload",
    "_raw",          "@message",     "SYSLOG_RAW", "event",    "event.original", "message.keyword",
    "short_message", "full_message", "LogMessage", "LogEntry", "stdout",         "stderr",
    "stdout_lines",  "stderr_lines", "lines"};

/* "" is an object that is no member of another one. */
static const char *const text_owners[] = {"",       "_source",   "fields", "jsonPayload",  "event",
                                          "events", "logEvents", "record", "log_processed"};

struct member {
    const char *in;
    const char *name;
};

static const struct member more_texts[] = {
    {"result", "values"},
    {"streams", "values"}, /* Loki */
    {"result", "_raw"},    /* Splunk */
    {"event", "original"}, /* Elasticsearch */
};

static const struct member objects[] = {
    {"", "data"},         {"data", "result"},  {"", "streams"},     {"data", "streams"},
    {"", "result"},       {"", "hits"},        {"", "responses"},   {"responses", "hits"},
    {"hits", "hits"},     {"hits", "_source"}, {"", "_source"},     {"hits", "fields"},
    {"_source", "event"}, {"", "event"},       {"", "jsonPayload"}, {"", "log_processed"},
    {"", "events"},       {"", "logEvents"},   {"", "record"},
};

bool check_log_is_text_name(const char *name, size_t len)
{
    return check_log_is_among(text_names, ARRAY_SIZE(text_names), name, len);
}

static bool has_member(const struct member *members, size_t count, const char *in, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(members[i].in, in) == 0 && strcmp(members[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

bool check_log_carries_text(const char *in, const char *name)
{
    return (check_log_is_among(text_owners, ARRAY_SIZE(text_owners), in, strlen(in)) &&
            check_log_is_text_name(name, strlen(name))) ||
           has_member(more_texts, ARRAY_SIZE(more_texts), in, name);
}

bool check_log_carries_twice(const cJSON *object)
{
    bool seen[ARRAY_SIZE(text_names)] = {false};
    const cJSON *item;
    cJSON_ArrayForEach(item, object)
    {
        for (size_t i = 0; item->string != NULL && i < ARRAY_SIZE(text_names); i++) {
            if (strcmp(item->string, text_names[i]) == 0) {
                if (seen[i]) {
                    return true;
                }
                seen[i] = true;
            }
        }
    }
    return false;
}

bool check_log_carries_object(const char *in, const char *name)
{
    return has_member(objects, ARRAY_SIZE(objects), in, name);
}
