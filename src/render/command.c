/* `grpcroute render`: the routes as the configuration of a proxy. */
#include "render/command.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/outfile.h"
#include "cli/exit.h"
#include "render/output.h"
#include "render/plan.h"
#include "render/watch.h"
#include "role/connect.h"
#include "role/headers.h"
#include "role/routes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_NAME_MAX 100

struct options {
    const char *routes;
    struct cli_list endpoints;
    struct text_address listen;
    struct text_address admin;
    const char *cert;
    const char *key;
    const char *dynamic;
    const char *output;
    uint64_t watch_ns;
    bool is_static;
    bool resolve;
    bool no_health_checks;
    const char *identity_header;
    bool access_log;
    const char *version_header;
    const char *id_header;
};

static const struct {
    const char *name;
    render_fn *render;
} PROXIES[] = {
    {"envoy", render_envoy},
    {"traefik", render_traefik},
    {"haproxy", render_haproxy},
    {"nginx", render_nginx},
};

/* clang-format off */
static const struct cli_option options_table[] = {
    {.name = "routes", .kind = CLI_FILE, .offset = offsetof(struct options, routes),
     .argument = "FILE", .environment = "GRPCROUTE_ROUTES",
     .help = "GRPCRoutes to render, instead of the built-in one"},
    {.name = "endpoints", .kind = CLI_LIST, .offset = offsetof(struct options, endpoints),
     .argument = ROLE_ENDPOINTS_ARGUMENT,
     .help = "Endpoints of the backend NAME, instead of the addresses of that name"},
    {.name = "listen", .kind = CLI_LISTEN, .offset = offsetof(struct options, listen),
     .argument = "[HOST]:PORT", .fallback = ":8443", .help = "Where the proxy listens for agents"},
    {.name = "admin", .kind = CLI_LISTEN, .offset = offsetof(struct options, admin),
     .argument = "[HOST]:PORT", .fallback = ":9901", .help = "Where its admin port listens"},
    {.name = "cert", .kind = CLI_FILE, .offset = offsetof(struct options, cert), .argument = "FILE",
     .fallback = "/etc/grpcroute/certs/cert.pem",
     .help = "Certificate chain (PEM) as the proxy will find it; for HAProxy the file must hold "
             "the key, too"},
    {.name = "key", .kind = CLI_FILE, .offset = offsetof(struct options, key), .argument = "FILE",
     .fallback = "/etc/grpcroute/certs/key.pem", .help = "Its private key (PEM)"},
    {.name = "static", .kind = CLI_FLAG, .offset = offsetof(struct options, is_static),
     .help = "Traefik: write the static configuration, not the dynamic one"},
    {.name = "dynamic-dir", .kind = CLI_FILE, .offset = offsetof(struct options, dynamic),
     .needs = "static", .argument = "DIR", .fallback = "/etc/traefik/dynamic",
     .help = "Traefik: where the static configuration says the dynamic one is"},
    {.name = "no-health-checks", .kind = CLI_FLAG,
     .offset = offsetof(struct options, no_health_checks),
     .help = "For backends that do not serve grpc.health.v1"},
    {.name = "identity-header", .kind = CLI_STRING,
     .offset = offsetof(struct options, identity_header), .argument = "NAME",
     .help = "Make the proxy say in each response which backend it chose (NAME) and which address "
             "of it (NAME-pod), for --server-from and --pod-from"},
    {.name = "access-log", .kind = CLI_FLAG, .offset = offsetof(struct options, access_log),
     .help = "Make the proxy write a JSON line to its standard output when a stream has ended, for "
             "grpcroute verify --logs; Traefik: with --static"},
    {.name = "version-header", .kind = CLI_STRING,
     .offset = offsetof(struct options, version_header), .needs = "access-log",
     .argument = "NAME", .fallback = ROLE_VERSION_HEADER,
     .help = "The agent's version in that log is from this header"},
    {.name = "id-header", .kind = CLI_STRING, .offset = offsetof(struct options, id_header),
     .needs = "access-log", .argument = "NAME", .fallback = ROLE_ID_HEADER,
     .help = "The agent's id is from this one"},
    {.name = "resolve", .kind = CLI_FLAG, .offset = offsetof(struct options, resolve),
     .help = "Look names up now, and list their addresses"},
    {.name = "watch", .kind = CLI_DURATION, .offset = offsetof(struct options, watch_ns),
     .argument = "DURATION", .fallback = "0", .max = UINT64_C(3600000000000),
     .help = "Look names up again so often, and rewrite --output when they changed, for a proxy "
             "that reads it again (Traefik)"},
    {.name = "output", .kind = CLI_FILE, .offset = offsetof(struct options, output),
     .argument = "FILE",
     .help = "Replace this file as a whole, also behind a link, instead of printing; what is no "
             "regular file is written through, - is standard output"},
};
/* clang-format on */

/* ---- the plan -------------------------------------------------------------------------------- */

static void take_endpoints(void *user, size_t index, const struct text_address *addresses,
                           size_t count)
{
    struct render_plan *plan = user;
    struct render_cluster *cluster = &plan->clusters[index];
    memcpy(cluster->endpoints, addresses, count * sizeof(*addresses));
    cluster->endpoint_count = count;
    cluster->given = true;
}

static void make_clusters(struct render_plan *plan)
{
    plan->clusters = mem_calloc(plan->routes->cluster_count + 1, sizeof(*plan->clusters));
    for (size_t i = 0; i < plan->routes->cluster_count; i++) {
        struct render_cluster *cluster = &plan->clusters[i];
        cluster->route = &plan->routes->clusters[i];
        cluster->endpoints = mem_calloc(RENDER_ENDPOINTS_MAX, sizeof(*cluster->endpoints));
        cluster->endpoint_count = 1;
        cluster->endpoints[0].port = cluster->route->port;
        snprintf(cluster->endpoints[0].host, sizeof(cluster->endpoints[0].host), "%s",
                 cluster->route->host);
    }
}

static void free_clusters(struct render_plan *plan)
{
    for (size_t i = 0; i < plan->routes->cluster_count; i++) {
        free(plan->clusters[i].endpoints);
    }
    free(plan->clusters);
}

/* Other proxies would answer with a page of their own. */
static int check_weights(const struct route_table *routes)
{
    for (size_t i = 0; i < routes->rule_count; i++) {
        if (render_weight(&routes->rules[i]) == 0) {
            char shown[RENDER_RULE_BYTES];
            cli_error("render",
                      "%s has no backend with a weight above 0; a proxy has nowhere to send its "
                      "streams",
                      render_rule_name(routes, &routes->rules[i], shown));
            return 1;
        }
    }
    return 0;
}

/* ---- what the table of options cannot say ---------------------------------------------------- */

static bool is_any(const char *host)
{
    return host[0] == '\0' || strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

static int check_addresses(const struct options *options)
{
    const struct text_address *listen = &options->listen;
    const struct text_address *admin = &options->admin;
    char shown[TEXT_ADDRESS_BYTES];
    if (listen->port == 0 || admin->port == 0) {
        cli_error("render", "%s: a configuration names its port; 0 is none",
                  listen->port == 0 ? "--listen" : "--admin");
        return 1;
    }
    if (listen->port == admin->port &&
        (strcmp(listen->host, admin->host) == 0 || is_any(listen->host) || is_any(admin->host))) {
        cli_error("render", "--listen and --admin are both at %s: give one of them another port",
                  render_address(listen, "", shown));
        return 1;
    }
    return 0;
}

/* Files that are there; what is none, such as a terminal, may be both. */
static bool is_one_file(const char *path, const char *other)
{
    struct stat file;
    struct stat other_file;
    return path != NULL && other != NULL && stat(path, &file) == 0 && S_ISREG(file.st_mode) &&
           stat(other, &other_file) == 0 && file_is_same(&file, &other_file);
}

static int check_output_is_not(const struct options *options, const char *option, const char *path)
{
    if (!is_one_file(path, options->output)) {
        return 0;
    }
    cli_error("render", "--output: %s is the file of --%s, which would be lost: name another",
              options->output, option);
    return 1;
}

static int check_output(const struct options *options)
{
    int rv = check_output_is_not(options, "routes", options->routes) != 0 ||
             check_output_is_not(options, "cert", options->cert) != 0 ||
             check_output_is_not(options, "key", options->key) != 0;
    for (size_t i = 0; i < options->endpoints.count && rv == 0; i++) {
        rv = check_output_is_not(options, "endpoints",
                                 role_endpoints_file(options->endpoints.values[i]));
    }
    return rv;
}

/* ---- run ------------------------------------------------------------------------------------- */

static int write_once(render_fn *render, const struct render_plan *plan, const char *path)
{
    char reason[RENDER_REASON_BYTES];
    char *text = output_render(render, plan, reason);
    int rv = 0;
    if (text == NULL) {
        cli_error("render", "%s", reason);
        return EXIT_USAGE;
    }
    if (path == NULL) {
        fputs(text, stdout);
    } else if ((rv = outfile_write(path, text, strlen(text))) != 0) {
        cli_error("render", "--output: %s: %s", path, strerror(-rv));
    }
    free(text);
    return rv == 0 ? EXIT_GOOD : EXIT_USAGE;
}

/* The header's name in lower case; `out` is empty where none is asked for. Returns 0, or 1 after
 * one line on standard error. */
static int take_header(const char *option, const char *name,
                       char out[static ROLE_HEADER_NAME_BYTES])
{
    out[0] = '\0';
    if (name == NULL) {
        return 0;
    }
    /* other characters mean something to one proxy or another */
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz0123456789-_";
    const char *wrong = role_header_name(name, strlen(name), out);
    if (wrong == NULL && strspn(out, plain) != strlen(out)) {
        wrong = "a proxy's own header is made of letters, digits, - and _";
    } else if (wrong == NULL && strlen(out) > HEADER_NAME_MAX) {
        wrong = "it is longer than 100 characters";
    }
    if (wrong != NULL) {
        cli_error("render", "%s: \"%.100s\" is not valid: %s", option, name, wrong);
    }
    return wrong != NULL;
}

static int apply_endpoints(const struct cli_list *endpoints, struct render_plan *plan)
{
    struct route_error error;
    if (role_endpoints_apply(endpoints, plan->routes, false, RENDER_ENDPOINTS_MAX, take_endpoints,
                             plan, &error) != 0) {
        cli_error("render", "%s", error.text);
        return -1;
    }
    return 0;
}

static int render_with(const struct options *options, render_fn *render,
                       const struct route_table *routes)
{
    char identity[ROLE_HEADER_NAME_BYTES];
    char version[ROLE_HEADER_NAME_BYTES];
    char id[ROLE_HEADER_NAME_BYTES];
    if (take_header("--identity-header", options->identity_header, identity) != 0 ||
        take_header("--version-header", options->version_header, version) != 0 ||
        take_header("--id-header", options->id_header, id) != 0) {
        return EXIT_USAGE;
    }
    const struct render_log log = {version, id};
    struct render_plan plan = {
        .routes = routes,
        .identity = identity[0] != '\0' ? identity : NULL,
        .log = options->access_log ? &log : NULL,
        .listen = options->listen,
        .admin = options->admin,
        .cert = options->cert,
        .key = options->key,
        .dynamic = options->dynamic,
        .health_checks = !options->no_health_checks,
    };
    make_clusters(&plan);
    int rv = EXIT_USAGE;
    if (check_weights(routes) == 0 && apply_endpoints(&options->endpoints, &plan) == 0) {
        if (options->resolve || options->watch_ns != 0) {
            const struct watch_config config = {render, &plan, options->output, options->watch_ns};
            rv = watch_run(&config);
        } else {
            rv = write_once(render, &plan, options->output);
        }
    }
    free_clusters(&plan);
    return rv;
}

static const char *const proxy_names[] = {"envoy", "traefik", "haproxy", "nginx", NULL};

static render_fn *find_proxy(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(PROXIES); i++) {
        if (strcmp(PROXIES[i].name, name) == 0) {
            return PROXIES[i].render;
        }
    }
    return NULL;
}

static int run(const void *parsed, int argc, char **argv)
{
    const struct options *options = parsed;
    render_fn *render = argc > 0 ? find_proxy(argv[0]) : NULL;
    if (render == NULL) {
        cli_error("render", "expected one of envoy, traefik, haproxy and nginx%s%s",
                  argc > 0 ? ", not " : "", argc > 0 ? argv[0] : "");
        return EXIT_USAGE;
    }
    if (argc > 1) {
        cli_error("render", "unexpected argument \"%.100s\" behind %s: one proxy at a time",
                  argv[1], argv[0]);
        return EXIT_USAGE;
    }
    if (options->is_static && render != render_traefik) {
        cli_error("render", "--static is for traefik");
        return EXIT_USAGE;
    }
    if (options->access_log && render == render_traefik && !options->is_static) {
        cli_error("render", "--access-log: Traefik has it in its static configuration: add "
                            "--static, or leave it out here");
        return EXIT_USAGE;
    }
    if (options->watch_ns != 0 && options->output == NULL) {
        cli_error("render", "--watch needs --output FILE");
        return EXIT_USAGE;
    }
    if (check_addresses(options) != 0 || check_output(options) != 0) {
        return EXIT_USAGE;
    }
    struct route_table *routes = role_routes_load("render", options->routes);
    if (routes == NULL) {
        return EXIT_USAGE;
    }
    int rv = render_with(options, options->is_static ? render_traefik_static : render, routes);
    route_table_free(routes);
    return rv;
}

const struct cli_command render_command = {
    .name = "render",
    .summary = "Write the configuration of Envoy, Traefik, HAProxy or nginx from the routes",
    .description =
        "Prints a complete configuration with the same meaning as `grpcroute proxy` has: TLS with "
        "ALPN h2 in front, h2c\n"
        "behind, the rules and filters of the GRPCRoutes, every timeout that would end a long stream "
        "off. What the\n"
        "proxy cannot express is an error. Check the proxy that runs with it: grpcroute verify --routes FILE.",
    .examples =
        "  # Envoy, behind names that a headless Service gives\n"
        "  grpcroute render envoy --routes routes.yaml > envoy.yaml\n"
        "  # HAProxy on this machine\n"
        "  grpcroute render haproxy --endpoints server-v1=127.0.0.1:50051 --endpoints "
        "server-v2=127.0.0.1:50061 --cert both.pem\n"
        "  # Traefik's servers, kept true while pods come and go\n"
        "  grpcroute render traefik --watch 2s --output /etc/traefik/dynamic/grpcroute.yaml\n",
    .positional = "envoy|traefik|haproxy|nginx",
    .positional_words = proxy_names,
    .options = options_table,
    .option_count = ARRAY_SIZE(options_table),
    .struct_bytes = sizeof(struct options),
    .run = run,
};
