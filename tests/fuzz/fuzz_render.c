/* Any bytes as a GRPCRoute file, and every renderer: what it writes is YAML where that is the form,
 * and has its quotes and braces in pairs where it is not; the same routes give the same text. */
#include "fuzz.h"

#include "render/output.h"
#include "render/plan.h"
#include "route/parse.h"

#include <yaml.h>

#define CLUSTERS_MAX 256

static void check_yaml(const char *text)
{
    yaml_parser_t parser;
    yaml_event_t event;
    bool over = false;
    FUZZ_CHECK(yaml_parser_initialize(&parser) == 1);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, strlen(text));
    while (!over) {
        FUZZ_CHECK(yaml_parser_parse(&parser, &event) == 1);
        over = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
}

/* haproxy.cfg: a quote that is open at the end of a line would take the next one in. */
static void check_haproxy(const char *text)
{
    char quote = '\0';
    for (const char *at = text; *at != '\0'; at++) {
        FUZZ_CHECK(*at != '\n' || quote == '\0');
        if (quote == '\0' && *at == '#' && (at == text || at[-1] == '\n')) {
            at = strchr(at, '\n');
        } else if (*at == '\\' && quote != '\'') {
            at++;
            FUZZ_CHECK(*at != '\0');
        } else if (quote == *at) {
            quote = '\0';
        } else if (quote == '\0' && (*at == '"' || *at == '\'')) {
            quote = *at;
        }
    }
    FUZZ_CHECK(quote == '\0');
}

static void check_nginx(const char *text)
{
    char quote = '\0';
    size_t depth = 0;
    for (const char *at = text; *at != '\0'; at++) {
        if (quote == '\0' && *at == '#' && (at == text || at[-1] == '\n' || at[-1] == ' ')) {
            at = strchr(at, '\n');
        } else if (*at == '\\') {
            at++;
            FUZZ_CHECK(*at != '\0');
        } else if (quote != '\0') {
            quote = *at == quote ? '\0' : quote;
        } else if (*at == '"' || *at == '\'') {
            quote = *at;
        } else if (*at == '{') {
            depth++;
        } else if (*at == '}') {
            FUZZ_CHECK(depth-- > 0);
        }
    }
    FUZZ_CHECK(quote == '\0' && depth == 0);
}

static const struct {
    render_fn *render;
    void (*check)(const char *text);
} proxies[] = {
    {render_envoy, check_yaml},          {render_traefik, check_yaml},
    {render_traefik_static, check_yaml}, {render_haproxy, check_haproxy},
    {render_nginx, check_nginx},
};

static void render_all(const struct render_plan *plan)
{
    char reason[RENDER_REASON_BYTES];
    for (size_t i = 0; i < sizeof(proxies) / sizeof(proxies[0]); i++) {
        char *text = output_render(proxies[i].render, plan, reason);
        if (text == NULL) {
            FUZZ_CHECK(reason[0] != '\0'); /* cli_error() escapes it */
            continue;
        }
        char *again = output_render(proxies[i].render, plan, reason);
        FUZZ_CHECK(again != NULL && strcmp(text, again) == 0);
        proxies[i].check(text);
        free(again);
        free(text);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct route_table *routes;
    struct route_error error;
    static struct text_address endpoint = {.host = "127.0.0.1", .port = 5};
    static struct render_cluster clusters[CLUSTERS_MAX];
    static const struct render_log log = {"agent-version", "agent-id"};
    if (route_table_parse((const char *)data, size, "fuzz", &routes, &error) != 0) {
        return 0;
    }
    for (size_t i = 0; i < routes->cluster_count && i < CLUSTERS_MAX; i++) {
        clusters[i] = (struct render_cluster){&routes->clusters[i], &endpoint, 1, i % 2 == 0};
    }
    if (routes->cluster_count <= CLUSTERS_MAX) {
        render_all(&(struct render_plan){
            .routes = routes,
            .clusters = clusters,
            .listen = {.port = 8443},
            .admin = {.port = 9901},
            .cert = "c",
            .key = "k",
            .dynamic = "/d",
            .health_checks = size % 2 == 0,
            .identity = size % 3 == 0 ? "x-served-by" : NULL,
            .log = size % 5 == 0 ? &log : NULL,
        });
    }
    route_table_free(routes);
    return 0;
}
