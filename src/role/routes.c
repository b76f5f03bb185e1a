#include "role/routes.h"

#include "base/mem.h"
#include "net/tls.h"
#include "route/load.h"

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
    struct net_tls *tls = net_tls_server_new(&config, &error);
    if (tls == NULL) {
        cli_error(command, "%s", error.text);
    }
    return tls;
}

/* ---- --endpoints ----------------------------------------------------------------------------- */

static int complain(const char *command, const char *text, const char *what)
{
    char shown[120];
    text_escape(shown, sizeof(shown), text, strlen(text));
    cli_error(command, "--endpoints: \"%s\": %s; expected " ROLE_ENDPOINTS_ARGUMENT, shown, what);
    return 1;
}

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
        if (count == max) {
            reason = "too many addresses";
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

static int apply_one(const char *command, const char *text, const struct route_table *routes,
                     size_t max, struct text_address *addresses, role_endpoints_take *take,
                     void *user)
{
    const char *equals = strchr(text, '=');
    if (equals == NULL) {
        return complain(command, text, "no \"=\"");
    }
    size_t count;
    const char *reason = parse_addresses(equals + 1, max, addresses, &count);
    if (reason != NULL) {
        return complain(command, text, reason);
    }
    size_t cluster = find_cluster(routes, text, (size_t)(equals - text));
    if (cluster == routes->cluster_count) {
        return complain(command, text, "no rule of the routes has a backend of that name");
    }
    take(user, cluster, addresses, count);
    return 0;
}

int role_endpoints_apply(const char *command, const struct cli_list *values,
                         const struct route_table *routes, size_t max, role_endpoints_take *take,
                         void *user)
{
    struct text_address *addresses = mem_calloc(max, sizeof(*addresses));
    int rv = 0;
    for (size_t i = 0; i < values->count && rv == 0; i++) {
        rv = apply_one(command, values->values[i], routes, max, addresses, take, user);
    }
    free(addresses);
    return rv;
}
