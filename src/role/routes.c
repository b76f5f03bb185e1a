#include "role/routes.h"

#include "base/file.h"
#include "base/mem.h"
#include "net/tls.h"
#include "route/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct route_table *role_routes_load(const char *command, const char *path)
{
    struct route_table *routes;
    struct route_error error;
    if (path == NULL) {
        return route_table_default();
    }
    if (route_table_load_file(path, &routes, &error) != 0) {
        cli_error(command, "%s", error.text);
        return NULL;
    }
    return routes;
}

struct route_table *role_routes_load_for_checks(const char *command, const char *path)
{
    struct route_table *routes;
    struct route_error error;
    if (path == NULL) {
        return route_table_default();
    }
    if (route_table_load_file_for_checks(path, &routes, &error) != 0) {
        cli_error(command, "%s", error.text);
        return NULL;
    }
    for (size_t i = 0; i < routes->notes.count; i++) {
        cli_error(command, "note: %s; it bears on no stream's way", routes->notes.texts[i]);
    }
    if (routes->notes.more > 0) {
        cli_error(command, "note: and %zu more", routes->notes.more);
    }
    return routes;
}

struct net_tls *role_certificate_load(const char *command, const char *cert, const char *key)
{
    struct net_error error;
    const struct net_tls_server_config config = {cert, key};
    struct net_tls *tls = net_tls_server_renew(NULL, &config, &error);
    if (tls == NULL) {
        cli_error(command, "%s", error.text);
    }
    return tls;
}

/* ---- --endpoints ----------------------------------------------------------------------------- */

/* Where values go, and what was wrong with the last one. */
struct application {
    const struct route_table *routes;
    struct text_address *addresses; /* room for `max` */
    size_t max;
    bool *said; /* by cluster */
    role_endpoints_take *take;
    void *user;
    bool again;
    const char *file; /* NULL: the command line */
    unsigned line;
    struct route_error *error;
};

static int complain(const struct application *application, const char *text, const char *what)
{
    char shown[120];
    char place[300] = "--endpoints";
    const char *form = ROLE_ENDPOINTS_ARGUMENT " or @FILE";
    if (application->file != NULL) {
        form = ROLE_ENDPOINTS_ARGUMENT;
        snprintf(place, sizeof(place), "%.255s:%u", application->file, application->line);
    }
    text_escape(shown, sizeof(shown), text, strlen(text));
    snprintf(application->error->text, sizeof(application->error->text),
             "%s: \"%s\": %s; expected %s", place, shown, what, form);
    return -1;
}

static const char too_many[] = "too many addresses";

/* "HOST:PORT[,HOST:PORT...]" into `addresses`. Returns NULL, or what is wrong. */
static const char *parse_addresses(const char *text, size_t max, struct text_address *addresses,
                                   size_t *ret_count)
{
    char *copy = mem_strdup(text);
    char *rest = copy;
    const char *reason = NULL;
    size_t count = 0;
    for (char *item = strsep(&rest, ","); item != NULL && reason == NULL;
         item = strsep(&rest, ",")) {
        if (item[0] == '@') {
            reason = "@FILE is a value of its own, with NAME= in the lines of the file";
        } else if (count == max) {
            reason = too_many;
        } else if (text_parse_address(item, 0, &addresses[count], &reason) == 0) {
            reason = addresses[count].host[0] == '\0' ? "missing host"
                     : addresses[count].port == 0     ? "nothing listens on port 0"
                                                      : NULL;
            count++;
        }
    }
    free(copy);
    *ret_count = count;
    return reason;
}

/* Returns the number of all clusters when there is none of that name. */
static size_t find_cluster(const struct route_table *routes, const char *name, size_t name_len)
{
    size_t i = 0;
    while (i < routes->cluster_count && (strlen(routes->clusters[i].name) != name_len ||
                                         memcmp(routes->clusters[i].name, name, name_len) != 0)) {
        i++;
    }
    return i;
}

static int apply_one(const struct application *application, const char *text)
{
    const char *equals = strchr(text, '=');
    if (equals == NULL) {
        return complain(application, text, "no \"=\"");
    }
    size_t count;
    const char *reason =
        parse_addresses(equals + 1, application->max, application->addresses, &count);
    if (reason != NULL) {
        char limit[64];
        snprintf(limit, sizeof(limit), "%s, %zu are the limit (a name may stand for more)",
                 too_many, application->max);
        return complain(application, text, reason == too_many ? limit : reason);
    }
    const struct route_table *routes = application->routes;
    size_t cluster = find_cluster(routes, text, (size_t)(equals - text));
    if (cluster == routes->cluster_count) {
        if (application->again && application->file == NULL) {
            return 0;
        }
        return complain(application, text, "no rule of the routes has a backend of that name");
    }
    if (application->said[cluster]) {
        return complain(application, text,
                        "that backend was said before; join its addresses with commas");
    }
    application->said[cluster] = true;
    application->take(application->user, cluster, application->addresses, count);
    return 0;
}

static int apply_lines(struct application *application, char *text)
{
    int rv = 0;
    application->line = 0;
    for (char *line = strsep(&text, "\n"); line != NULL && rv == 0; line = strsep(&text, "\n")) {
        application->line++;
        line += strspn(line, " \t");
        size_t len = strcspn(line, "#\r");
        while (len > 0 && (line[len - 1] == ' ' || line[len - 1] == '\t')) {
            len--;
        }
        line[len] = '\0';
        rv = len > 0 ? apply_one(application, line) : 0;
    }
    return rv;
}

static int apply_file(struct application *application, const char *path)
{
    char *text;
    size_t len;
    int error = file_read(path, ROLE_ENDPOINTS_FILE_BYTES, &text, &len);
    if (error != 0) {
        snprintf(application->error->text, sizeof(application->error->text),
                 "--endpoints: %.300s: %s", path, strerror(error));
        return -1;
    }
    int rv = -1;
    application->file = path;
    if (len <= ROLE_ENDPOINTS_FILE_BYTES) {
        rv = apply_lines(application, text);
    } else {
        snprintf(application->error->text, sizeof(application->error->text),
                 "%.300s: larger than 1 MiB", path);
    }
    application->file = NULL;
    free(text);
    return rv;
}

const char *role_endpoints_file(const char *value)
{
    return value[0] == '@' ? value + 1 : NULL;
}

int role_endpoints_apply(const struct cli_list *values, const struct route_table *routes,
                         bool again, size_t max, role_endpoints_take *take, void *user,
                         struct route_error *ret_error)
{
    struct application application = {
        .routes = routes,
        .addresses = mem_calloc(max, sizeof(struct text_address)),
        .max = max,
        .said = mem_calloc(routes->cluster_count + 1, sizeof(bool)),
        .take = take,
        .user = user,
        .again = again,
        .error = ret_error,
    };
    int rv = 0;
    for (size_t i = 0; i < values->count && rv == 0; i++) {
        const char *file = role_endpoints_file(values->values[i]);
        rv = file != NULL ? apply_file(&application, file)
                          : apply_one(&application, values->values[i]);
    }
    free(application.said);
    free(application.addresses);
    return rv;
}
