#include "check/log_words.h"

#include <stddef.h>
#include <string.h>

const char *check_log_find_front(const char *line)
{
    const char *at = line;
    while ((at = strchr(at, '[')) != NULL) {
        if (strncmp(at, CHECK_LOG_AGENT_FRONT, sizeof(CHECK_LOG_AGENT_FRONT) - 1) == 0 ||
            strncmp(at, CHECK_LOG_SERVER_FRONT, sizeof(CHECK_LOG_SERVER_FRONT) - 1) == 0) {
            return at;
        }
        at++;
    }
    return NULL;
}

const char *check_log_find_stream(const char *line)
{
    const char *ours = strstr(line, CHECK_LOG_STREAM_NAME);
    return ours != NULL ? ours : strstr(line, CHECK_LOG_TRAEFIK_KEY);
}

bool check_log_has_line(const char *line)
{
    return check_log_find_front(line) != NULL || check_log_find_stream(line) != NULL;
}

/* "AGENT_v" and "SERVER_v" in base64 (RFC 4648), wherever its groups of three begin. */
static bool is_in_base64(const char *line)
{
    static const char *const words[] = {"QUdFTlRfd",  "FHRU5UX3",   "BR0VOVF92",
                                        "U0VSVkVSX3", "NFUlZFUl92", "TRVJWRVJfd"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strstr(line, words[i]) != NULL) {
            return true;
        }
    }
    return false;
}

bool check_log_mentions_us(const char *line)
{
    static const char *const words[] = {"AGENT_v",          "SERVER_v",          "[AGENT_",
                                        "[SERVER_",         "received pong",     "received ping",
                                        "stream opened to", "stream opened from"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcasestr(line, words[i]) != NULL) {
            return true;
        }
    }
    return check_log_find_stream(line) != NULL || is_in_base64(line);
}

bool check_log_is_binary(const char *line)
{
    if (strstr(line, "\x1f\x8b\x08") != NULL) { /* gzip, appended to a text */
        return true;
    }
    size_t odd = 0;
    size_t len = 0;
    for (; line[len] != '\0'; len++) {
        unsigned char c = (unsigned char)line[len];
        odd += c == 0x7f || (c < 0x20 && strchr("\x01\a\b\t\x1b", c) == NULL);
    }
    return odd >= 3 && odd * 20 >= len;
}
