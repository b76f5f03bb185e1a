/* Matches as maps of nginx, and those that it has no words for. */
#include "render/nginx_match.h"

#include "render/text.h"
#include "route/regex.h"

#include <stdlib.h>
#include <string.h>

/* An expression of a map for a whole value, in double quotes. */
static void put_expression(FILE *out, const struct route_pattern *pattern)
{
    char *text = NULL;
    size_t len = 0;
    FILE *plain = open_memstream(&text, &len);
    if (plain == NULL) {
        abort(); /* no memory */
    }
    if (pattern->regex != NULL) {
        fprintf(plain, "~^(?:%s)$", pattern->value);
    } else {
        fputs("~^", plain); /* texts of a map ignore case, expressions do not */
        put_literal(plain, pattern->value);
        fputc('$', plain);
    }
    fclose(plain);
    put_yaml(out, text); /* the same escapes */
    free(text);
}

/* "$http_agent_version"; nginx has variables only for letters, digits and dashes. */
static int put_variable(FILE *out, const char *header, char reason[static RENDER_REASON_BYTES])
{
    fputs("$http_", out);
    for (const char *at = header; *at != '\0'; at++) {
        if (strchr("abcdefghijklmnopqrstuvwxyz0123456789-", *at) == NULL) {
            snprintf(reason, RENDER_REASON_BYTES, "nginx has no variable for the header \"%.100s\"",
                     header);
            return 1;
        }
        fputc(*at == '-' ? '_' : *at, out);
    }
    return 0;
}

/* render puts "^(?:" and ")$" around an expression, and nginx makes a variable of a named group. */
static int check_expression(const struct route_pattern *pattern,
                            char reason[static RENDER_REASON_BYTES])
{
    if (pattern->regex == NULL) {
        return 0;
    }
    struct route_regex_facts facts = route_regex_wrapped(pattern->value, true);
    if (!facts.compiles || facts.names > 0) {
        snprintf(reason, RENDER_REASON_BYTES, "nginx's maps cannot say \"%.100s\"", pattern->value);
        return 1;
    }
    return 0;
}

/* Service and method become one expression, where groups count through. */
static int check_path(const struct route_match *match, char reason[static RENDER_REASON_BYTES])
{
    if (match == NULL) {
        return 0;
    }
    if (check_expression(&match->service, reason) != 0 ||
        check_expression(&match->method, reason) != 0) {
        return 1;
    }
    if (match->service.regex != NULL && match->method.regex != NULL &&
        route_regex_wrapped(match->service.value, true).groups > 0 &&
        route_regex_wrapped(match->method.value, true).back_references > 0) {
        snprintf(reason, RENDER_REASON_BYTES,
                 "nginx's maps cannot say \"%.100s\" behind a service with groups",
                 match->method.value);
        return 1;
    }
    return 0;
}

int nginx_put_conditions(FILE *out, size_t index, const struct route_match *match,
                         char reason[static RENDER_REASON_BYTES])
{
    char *path = path_expression(match);
    int rv = check_path(match, reason);
    if (path != NULL) {
        fprintf(out, "    map $uri $match%zu_path { default 0; ", index);
        const struct route_pattern whole = {.value = path, .regex = (struct route_regex *)path};
        put_expression(out, &whole);
        fputs(" 1; }\n", out);
    }
    for (size_t i = 0; match != NULL && i < match->header_count && rv == 0; i++) {
        fputs("    map ", out);
        rv = put_variable(out, match->headers[i].name, reason) != 0 ||
             check_expression(&match->headers[i].pattern, reason) != 0;
        fprintf(out, " $match%zu_header%zu { default 0; ", index, i);
        put_expression(out, &match->headers[i].pattern);
        fputs(" 1; }\n", out);
    }
    free(path);
    return rv;
}

void nginx_put_and(FILE *out, size_t index, size_t host, const struct route_match *match)
{
    bool has_path = match != NULL && (match->service.value != NULL || match->method.value != NULL);
    size_t count = has_path + (size_t)(host > 0) + (match != NULL ? match->header_count : 0);
    fputs("    map \"", out);
    if (host > 0) {
        fprintf(out, "${host%zu}", host);
    }
    if (has_path) {
        fprintf(out, "${match%zu_path}", index);
    }
    for (size_t i = 0; match != NULL && i < match->header_count; i++) {
        fprintf(out, "${match%zu_header%zu}", index, i);
    }
    fprintf(out, "\" $match%zu { default 0; \"", index);
    for (size_t i = 0; i < count; i++) {
        fputc('1', out);
    }
    fputs("\" 1; }\n", out);
}

size_t nginx_put_host(FILE *out, const struct route_table *routes, size_t index)
{
    const struct route_host *host = &routes->hosts[index];
    if (host->name_count == 0) {
        return 0;
    }
    fprintf(out, "    map $host $host%zu { hostnames; default 0;", index + 1);
    for (size_t i = 0; i < host->name_count; i++) {
        fprintf(out, " %s 1;", host->names[i]);
    }
    fputs(" }\n", out);
    return index + 1;
}
