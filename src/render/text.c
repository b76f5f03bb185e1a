#include "render/text.h"

#include "base/mem.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

void put_yaml_part(FILE *out, const char *text)
{
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++) {
        if (*at == '"' || *at == '\\') {
            fprintf(out, "\\%c", *at);
        } else if (*at < 0x20 || *at == 0x7f) {
            fprintf(out, "\\x%02x", *at);
        } else {
            fputc(*at, out);
        }
    }
}

void put_yaml(FILE *out, const char *text)
{
    fputc('"', out);
    put_yaml_part(out, text);
    fputc('"', out);
}

void put_haproxy(FILE *out, const char *text)
{
    fputc('\'', out);
    for (; *text != '\0'; text++) {
        if (*text == '\'') {
            fputs("'\\''", out);
        } else {
            fputc(*text, out);
        }
    }
    fputc('\'', out);
}

void put_envoy_lua(FILE *out, const char *why)
{
    fprintf(
        out,
        "          - name: envoy.filters.http.lua # %s\n"
        "            typed_config:\n"
        "              \"@type\": type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua\n"
        "              default_source_code:\n"
        "                inline_string: |\n"
        "                  function envoy_on_request(request)\n",
        why);
}

void put_literal(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (strchr("\\.+*?()|[]{}^$", *text) != NULL) {
            fputc('\\', out);
        }
        fputc(*text, out);
    }
}

/* ---- expressions ----------------------------------------------------------------------------- */

/* Past a character class; `at` is behind its "[". */
static const char *skip_class(const char *at)
{
    at += *at == '^';
    at += *at == ']';
    while (*at != '\0' && *at != ']') {
        if (at[0] == '[' && at[1] == ':') {
            const char *end = strstr(at, ":]");
            at = end != NULL ? end + 2 : at + 1;
        } else {
            at += at[0] == '\\' && at[1] != '\0' ? 2 : 1;
        }
    }
    return at + (*at == ']');
}

/* Escapes that RE2 reads as PCRE2 does: all signs, and some letters (\s and \v differ in vertical
 * tab). Digits are back references. */
static bool is_shared_escape(char escaped)
{
    return isalnum((unsigned char)escaped) ? strchr("AbBdDwWzntrfx", escaped) != NULL
                                           : escaped != '\0';
}

static bool is_shared_group(const char *at) /* behind "(" */
{
    if (*at == '*') {
        return false; /* a verb */
    }
    if (*at != '?') {
        return true;
    }
    return at[1] == ':' || at[1] == 'i' || at[1] == 's' || (at[1] == 'P' && at[2] == '<');
}

bool is_re2(const char *at)
{
    while (*at != '\0') {
        if (*at == '\\') {
            if (!is_shared_escape(at[1])) {
                return false;
            }
            at += 2;
        } else if (*at == '[') {
            at = skip_class(at + 1);
        } else if (*at == '(') {
            if (!is_shared_group(at + 1)) {
                return false;
            }
            at += 1;
        } else {
            bool quantifier = strchr("*+?}", *at) != NULL;
            at++;
            if (quantifier && *at == '+') {
                return false; /* possessive */
            }
        }
    }
    return true;
}

/* ---- paths ----------------------------------------------------------------------------------- */

static void put_segment(FILE *out, const struct route_pattern *pattern)
{
    if (pattern->value == NULL) {
        fputs("[^/]+", out);
    } else if (pattern->regex != NULL) {
        fprintf(out, "(?:%s)", pattern->value);
    } else {
        put_literal(out, pattern->value);
    }
}

char *path_expression(const struct route_match *match)
{
    if (match == NULL || (match->service.value == NULL && match->method.value == NULL)) {
        return NULL;
    }
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    if (out == NULL) {
        abort(); /* no memory, as in mem_calloc() */
    }
    fputc('/', out);
    put_segment(out, &match->service);
    fputc('/', out);
    put_segment(out, &match->method);
    fclose(out);
    return text;
}

enum path_kind path_of(const struct route_match *match, char **ret_text)
{
    *ret_text = path_expression(match);
    if (*ret_text == NULL) {
        return PATH_ANY;
    }
    const struct route_pattern *service = &match->service;
    const struct route_pattern *method = &match->method;
    if (service->value == NULL || service->regex != NULL || method->regex != NULL) {
        return PATH_REGEX;
    }
    size_t len = strlen(service->value) + (method->value != NULL ? strlen(method->value) : 0) + 3;
    free(*ret_text);
    *ret_text = mem_calloc(1, len);
    snprintf(*ret_text, len, "/%s/%s", service->value, method->value != NULL ? method->value : "");
    return method->value != NULL ? PATH_EXACT : PATH_PREFIX;
}
