#include "role/expect.h"

#include "base/text.h"
#include "cli/common.h"
#include "role/pair.h"
#include "role/routes.h"
#include "route/expect.h"
#include "rpc/ping.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- expectations ---------------------------------------------------------------------------- */

static uint32_t bit_of(const struct role_expectation *expect, const char *version, size_t len)
{
    for (size_t i = 0; i < expect->version_count; i++) {
        if (strlen(expect->versions[i]) == len && memcmp(expect->versions[i], version, len) == 0) {
            return UINT32_C(1) << i;
        }
    }
    return 0;
}

/* One too many: what is not among them could be right, so nothing is known. */
static void allow(struct role_expectation *expect, const char *version, size_t len)
{
    expect->rule = ROLE_EXPECT_SERVER;
    if (bit_of(expect, version, len) != 0) {
        return;
    }
    if (expect->version_count < ROLE_EXPECT_MAX) {
        snprintf(expect->versions[expect->version_count++], ROLE_VERSION_BYTES, "%.*s", (int)len,
                 version);
    } else {
        expect->too_many = true;
    }
}

__attribute__((format(printf, 2, 3))) static struct role_expectation
because(enum role_expect_rule rule, const char *format, ...)
{
    struct role_expectation expect = {.rule = rule};
    char text[ROLE_REASON_BYTES];
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    text_escape(expect.reason, sizeof(expect.reason), text, len > 0 ? strlen(text) : 0);
    return expect;
}

/* vX.Y belongs to vX, whatever routes bring it there; of anything else nothing is known. */
static struct role_expectation of_version(const char *agent_version)
{
    struct role_expectation expect = {.rule = ROLE_EXPECT_UNKNOWN};
    struct text_version version;
    const char *reason;
    char major[ROLE_VERSION_BYTES];
    if (text_parse_version(agent_version, &version, &reason) != 0 || !version.has_minor) {
        return because(ROLE_EXPECT_UNKNOWN,
                       "nothing says which server it belongs to (--expect '%s=SERVER', or "
                       "--routes)",
                       agent_version);
    }
    snprintf(major, sizeof(major), "v%u", (unsigned)version.major);
    allow(&expect, major, strlen(major));
    return expect;
}

bool role_expectation_allows(const struct role_expectation *expect, const char *version)
{
    for (size_t i = 0; i < expect->version_count; i++) {
        if (strcmp(expect->versions[i], version) == 0) {
            return true;
        }
    }
    return false;
}

bool role_expectation_forbids(const struct role_expectation *expect, const char *version)
{
    return expect->rule == ROLE_EXPECT_REJECTED ||
           (expect->rule == ROLE_EXPECT_SERVER && !role_expectation_allows(expect, version));
}

char *role_expectation_text(const struct role_expectation *expect, char *out, size_t out_bytes)
{
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; i < expect->version_count && len < out_bytes; i++) {
        const char *joint = i == 0 ? "" : " or ";
        len += (size_t)snprintf(out + len, out_bytes - len, "%s%s", joint, expect->versions[i]);
    }
    return out;
}

/* ---- "KEY=SERVER[|SERVER...]" ---------------------------------------------------------------- */

static uint32_t bits_of(const struct role_expectation *expect, const struct role_pair *pair)
{
    uint32_t bits = 0;
    for (const char *at = pair->servers; at != NULL; at = strchr(at, '|')) {
        at += *at == '|';
        bits |= bit_of(expect, at, strcspn(at, "|"));
    }
    return bits;
}

/* What --expect says of an agent's version: by its name, else of all that have none there ("*"). */
static bool find_expected(const struct role_expects *expects, const char *agent_version,
                          struct role_pair *ret)
{
    return role_pair_find(&expects->options->expect, agent_version, ret) ||
           role_pair_find(&expects->options->expect, "*", ret);
}

static void allow_servers(struct role_expectation *expect, const struct role_pair *pair)
{
    if (strcmp(pair->servers, "*") == 0) {
        expect->rule = ROLE_EXPECT_ANY;
        return;
    }
    for (const char *at = pair->servers; at != NULL; at = strchr(at, '|')) {
        at += *at == '|';
        allow(expect, at, strcspn(at, "|"));
    }
}

/* ---- options --------------------------------------------------------------------------------- */

/* Of a service that is not PingPong somebody has to say which server a name in its answers is. */
static bool says_who_answered(const struct role_service_options *service,
                              const struct role_expectation *expect)
{
    return service->method == NULL || service->server_from != NULL ||
           (expect->rule == ROLE_EXPECT_ANY && service->pod_from != NULL) ||
           (expect->rule != ROLE_EXPECT_ANY && expect->rule != ROLE_EXPECT_SERVER);
}

static void take_request(struct role_expects *expects, const struct role_connect_options *connect)
{
    const char *header = connect != NULL && connect->version_header != NULL
                             ? connect->version_header
                             : ROLE_VERSION_HEADER;
    /* a name that is wrong is told by role_target_init() */
    (void)role_header_name(header, strlen(header), expects->version_header);
    if (connect == NULL) {
        return;
    }
    expects->service = &connect->service;
    if (connect->service.method != NULL) { /* the same for this one */
        (void)role_service_path(connect->service.method, expects->path);
    }
    text_format_address(expects->default_authority, sizeof(expects->default_authority),
                        connect->target.host, connect->target.port);
    expects->authority_chosen = connect->authority != NULL;
    expects->authority =
        expects->authority_chosen ? connect->authority : expects->default_authority;
}

void role_expects_tell_unused(const struct role_expects *expects,
                              const char (*versions)[ROLE_AGENT_VERSION_BYTES], size_t count)
{
    const struct cli_list *list = &expects->options->expect;
    for (size_t i = 0; i < list->count; i++) {
        struct role_pair pair = {0};
        bool used =
            role_pair_split(list->values[i], &pair) != NULL || role_pair_has_key(&pair, "*");
        for (size_t v = 0; v < count && !used; v++) {
            used = role_pair_has_key(&pair, versions[v]);
        }
        if (!used) {
            fprintf(stderr, "note: --expect '%s': no agent of that version is tried (--versions)\n",
                    list->values[i]);
        }
    }
}

int role_expects_init(struct role_expects *expects, const char *command,
                      const struct role_expect_options *options,
                      const struct role_connect_options *connect)
{
    *expects = (struct role_expects){.options = options};
    take_request(expects, connect);
    if (options->backend_versions.count > 0 && options->routes == NULL && !options->any_backend) {
        cli_error(command, "--backend-version: needs --routes FILE, whose backends it is about");
        return 1;
    }
    expects->routes = role_routes_load_for_checks(command, options->routes);
    return expects->routes == NULL || role_pairs_check_expect(command, &options->expect) != 0 ||
           role_pairs_check_backends(command, &options->backend_versions,
                                     options->any_backend ? NULL : expects->routes) != 0;
}

void role_expects_deinit(struct role_expects *expects)
{
    route_table_free(expects->routes);
    expects->routes = NULL;
}

/* ---- routes ---------------------------------------------------------------------------------- */

static void add_share(struct role_expectation *expect, const struct route_backend *backend,
                      uint32_t versions)
{
    expect->shares[expect->share_count++] = (struct role_share){
        .backend = backend->name, .weight = backend->weight, .versions = versions};
}

/* Adds the servers of a backend. Returns their bits, or 0 where nothing says which they are. */
static uint32_t allow_backend(const struct role_expects *expects, const char *backend,
                              struct role_expectation *expect)
{
    char version[ROUTE_VERSION_BYTES];
    struct role_pair pair;
    if (role_pair_find(&expects->options->backend_versions, backend, &pair)) {
        allow_servers(expect, &pair);
        return bits_of(expect, &pair);
    }
    if (route_backend_version(backend, version)) {
        allow(expect, version, strlen(version));
        return bit_of(expect, version, strlen(version));
    }
    return 0;
}

struct role_expectation role_expects_servers(const struct role_expects *expects,
                                             const char *backend)
{
    struct role_expectation expect = {.rule = ROLE_EXPECT_UNKNOWN};
    (void)allow_backend(expects, backend, &expect);
    return expect;
}

static struct role_expectation of_rule(const struct role_expects *expects,
                                       const struct route_rule *rule)
{
    struct role_expectation expect = {.rule = ROLE_EXPECT_UNKNOWN};
    for (size_t i = 0; i < rule->backend_count; i++) {
        const struct route_backend *backend = &rule->backends[i];
        if (backend->weight == 0) {
            continue;
        }
        uint32_t bits = allow_backend(expects, backend->name, &expect);
        if (bits == 0 && !expect.too_many) {
            return because(ROLE_EXPECT_UNKNOWN,
                           "no version in the name of its backend %s "
                           "(--backend-version %s=SERVER)",
                           backend->name, backend->name);
        }
        add_share(&expect, backend, bits);
    }
    return expect.too_many ? because(ROLE_EXPECT_UNKNOWN, "more than %d versions may answer it",
                                     ROLE_EXPECT_MAX)
                           : expect;
}

/* The routes are for other hosts: what the user chose is judged, what nobody chose is told. */
static struct role_expectation of_foreign_host(const struct role_expects *expects)
{
    const struct route_table *routes = expects->routes;
    const struct route_host *first = &routes->hosts[0];
    const char *more = routes->host_count + first->name_count > 2 ? " and others" : "";
    if (expects->authority_chosen) {
        return because(ROLE_EXPECT_REJECTED,
                       "the routes are for %.80s%s, not for --authority %.80s", first->names[0],
                       more, expects->authority);
    }
    return because(ROLE_EXPECT_UNKNOWN,
                   "the routes are for %.80s%s, not for %.80s as --target says (--authority NAME)",
                   first->names[0], more, expects->authority);
}

static struct route_expectation promised_by_routes(const struct role_expects *expects,
                                                   const char *const *agent_versions, size_t count)
{
    const char *path = expects->path[0] != '\0' ? expects->path : RPC_PING_PATH;
    return route_expect(expects->routes, path, expects->authority, expects->version_header,
                        agent_versions, count);
}

static struct role_expectation of_routes(const struct role_expects *expects,
                                         const char *const *agent_versions, size_t count)
{
    struct route_expectation promised = promised_by_routes(expects, agent_versions, count);
    switch (promised.outcome) {
    case 0:
        return of_rule(expects, promised.rule);
    case ROUTE_E_NO_HOST:
        return of_foreign_host(expects);
    case ROUTE_E_HOST_UNKNOWN:
        return because(ROLE_EXPECT_UNKNOWN, "the routes differ by host, and it is not known which "
                                            "one the stream asked for");
    case ROUTE_E_NO_BACKEND:
        return because(ROLE_EXPECT_REJECTED, "its rule has no backend of weight above 0");
    case ROUTE_E_NO_ROUTE:
        return because(ROLE_EXPECT_REJECTED, "no rule of the routes takes it");
    default:
        /* What a repeated header means is nowhere specified: it is told, not judged. */
        return because(count > 1 ? ROLE_EXPECT_REPORT : ROLE_EXPECT_REJECTED,
                       "an expression of the routes reaches its limits");
    }
}

/* ---- all of it ------------------------------------------------------------------------------- */

bool role_expects_rewrite(const struct role_expects *expects)
{
    return role_routes_rewrite(expects->routes);
}

/* The rule that takes it has its say in what the server sees. */
static struct role_expectation rewritten(const struct role_expects *expects,
                                         const char *const *agent_versions, size_t count,
                                         struct role_expectation expect)
{
    if (expects->options->routes == NULL) {
        return expect;
    }
    struct route_expectation promised = promised_by_routes(expects, agent_versions, count);
    if (promised.outcome == 0) {
        expect.rewrite = role_rewrite_of(promised.rule);
    }
    expect.rewrite_unknown = promised.outcome != 0 && role_expects_rewrite(expects);
    return expect;
}

/* What cannot be seen is not judged. */
static struct role_expectation visible(const struct role_expects *expects,
                                       struct role_expectation expect)
{
    if (expects->service == NULL || says_who_answered(expects->service, &expect)) {
        return expect;
    }
    return because(ROLE_EXPECT_UNKNOWN,
                   "nothing says who answered (--server-from header:NAME, trailer:NAME or "
                   "field:N)");
}

static struct role_expectation at_edge(const struct role_expects *expects,
                                       const char *const *agent_versions, size_t count)
{
    struct role_expectation expect = {.rule = ROLE_EXPECT_UNKNOWN};
    struct role_pair pair;
    if (count == 1 && find_expected(expects, agent_versions[0], &pair)) {
        allow_servers(&expect, &pair);
        return expect;
    }
    return of_routes(expects, agent_versions, count);
}

struct role_expectation role_expects_at_edge(const struct role_expects *expects,
                                             const char *const *agent_versions, size_t count)
{
    const struct role_expectation expect = at_edge(expects, agent_versions, count);
    return visible(expects, rewritten(expects, agent_versions, count, expect));
}

struct role_expectation role_expects_of(const struct role_expects *expects,
                                        const char *agent_version)
{
    struct role_expectation expect = {.rule = ROLE_EXPECT_UNKNOWN};
    struct role_pair pair;
    if (find_expected(expects, agent_version, &pair)) {
        allow_servers(&expect, &pair);
    } else {
        expect = expects->options->routes != NULL ? of_routes(expects, &agent_version, 1)
                                                  : of_version(agent_version);
    }
    return visible(expects, rewritten(expects, &agent_version, 1, expect));
}
