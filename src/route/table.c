/* Where tables come from and go: files, the built-in one, free. */
#include "route/table.h"

#include "base/mem.h"
#include "route/regex.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern const unsigned char route_default_yaml[];
extern const size_t route_default_yaml_len;

/* ---- free ------------------------------------------------------------------------------------ */

static void pattern_deinit(struct route_pattern *pattern)
{
    free(pattern->value);
    route_regex_free(pattern->regex);
}

static void match_deinit(struct route_match *match)
{
    pattern_deinit(&match->service);
    pattern_deinit(&match->method);
    for (size_t i = 0; i < match->header_count; i++) {
        free(match->headers[i].name);
        pattern_deinit(&match->headers[i].pattern);
    }
}

static void rule_deinit(struct route_rule *rule)
{
    for (size_t i = 0; i < rule->match_count; i++) {
        match_deinit(&rule->matches[i]);
    }
    free(rule->matches);
    for (size_t i = 0; i < rule->backend_count; i++) {
        free(rule->backends[i].name);
        free(rule->backends[i].namespace);
    }
    free(rule->name);
}

static void clusters_free(struct route_table *table)
{
    for (size_t i = 0; i < table->cluster_count; i++) {
        free(table->clusters[i].name);
        free(table->clusters[i].host);
    }
    free(table->clusters);
}

void route_table_free(struct route_table *table)
{
    if (table == NULL) {
        return;
    }
    for (size_t i = 0; i < table->rule_count; i++) {
        rule_deinit(&table->rules[i]);
    }
    for (size_t i = 0; i < table->hostname_count; i++) {
        free(table->hostnames[i]);
    }
    clusters_free(table);
    free(table->candidates);
    free(table->name);
    free(table->namespace);
    free(table->source);
    free(table);
}

/* ---- make ------------------------------------------------------------------------------------ */

struct route_table *route_table_default(void)
{
    struct route_table *table;
    struct route_error error;
    if (route_table_parse((const char *)route_default_yaml, route_default_yaml_len, "built-in",
                          &table, &error) != 0) {
        fprintf(stderr, "%s\n", error.text);
        abort(); /* our own file is broken */
    }
    return table;
}

static int complain_file(struct route_error *error, const char *path, int code)
{
    snprintf(error->text, sizeof(error->text), "%.300s: %s", path, strerror(code));
    return 1;
}

int route_table_load_file(const char *path, struct route_table **ret, struct route_error *ret_error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return complain_file(ret_error, path, errno);
    }
    char *bytes = mem_calloc(1, ROUTE_FILE_BYTES + 1); /* one more, to see that it is too large */
    size_t len = 0;
    ssize_t got;
    while ((got = read(fd, bytes + len, ROUTE_FILE_BYTES + 1 - len)) > 0) {
        len += (size_t)got;
    }
    int error = errno;
    close(fd);
    int rv = got < 0 ? complain_file(ret_error, path, error)
                     : route_table_parse(bytes, len, path, ret, ret_error);
    free(bytes);
    return rv;
}

const char *route_table_source(const struct route_table *table)
{
    return table->source;
}
