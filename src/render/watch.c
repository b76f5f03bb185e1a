/* One round: look up every endpoint of every cluster -> all answered -> render -> write if it
 * differs -> wait.
 *
 * A name that does not resolve ends a single round, and nothing is written. Where names are
 * followed it keeps the addresses that it had, as in the embedded proxy: a name server that is
 * away takes nothing from a proxy that works. */
#include "render/watch.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/outfile.h"
#include "cli/exit.h"
#include "cli/options.h"
#include "net/loop.h"
#include "net/resolve.h"
#include "render/output.h"
#include "role/signals.h"

#include <stdlib.h>
#include <string.h>

struct watch;

/* The look-up of one name, for one cluster. */
struct question {
    struct watch *watch;
    struct render_cluster *cluster;  /* gets the answers */
    const struct text_address *name; /* borrowed */
    struct net_resolve *resolve;     /* NULL: answered */
    struct sockaddr_storage *known;  /* owned; its last addresses */
    size_t known_count;
    bool failed; /* the last time, which is said once */
};

struct watch {
    const struct watch_config *config;
    struct net_loop loop;
    uv_timer_t timer;
    struct role_signals signals;
    struct render_plan plan; /* the clusters' endpoints are the answers */
    struct question *questions;
    size_t question_count;
    size_t open; /* questions without an answer */
    char *last;  /* what was written; owned */
    bool closed;
    bool cut_told;
    bool unresolved; /* the single round met a name without addresses */
    int result;
};

static const struct log_source source = {.role = "render"};

static void end(struct watch *watch, int result)
{
    if (watch->closed) {
        return;
    }
    watch->closed = true;
    watch->result = result;
    for (size_t i = 0; i < watch->question_count; i++) {
        if (watch->questions[i].resolve != NULL) {
            net_resolve_cancel(watch->questions[i].resolve);
        }
    }
    uv_close((uv_handle_t *)&watch->timer, NULL);
    role_signals_close(&watch->signals);
}

/* ---- a round --------------------------------------------------------------------------------- */

static void tell(const struct watch *watch)
{
    for (size_t i = 0; i < watch->plan.routes->cluster_count; i++) {
        log_event(LOG_INFO, &source, "endpoints", NULL, "%s: %zu endpoints",
                  watch->plan.clusters[i].route->name, watch->plan.clusters[i].endpoint_count);
    }
}

/* Returns `rv`, a result of outfile. */
static int tell_output(const struct watch_config *config, int rv)
{
    if (rv != 0) {
        cli_error("render", "--output: %s: %s", config->output, strerror(-rv));
    }
    return rv;
}

static int write_text(const struct watch_config *config, const char *text)
{
    if (config->output == NULL) {
        fputs(text, stdout);
        return 0;
    }
    return tell_output(config, outfile_write(config->output, text, strlen(text)));
}

/* Once, as it stays so with every round. */
static void tell_cut(struct watch *watch, const struct render_cluster *cluster)
{
    if (!watch->cut_told) {
        watch->cut_told = true;
        cli_error("render", "%s has more than %d addresses: the others are left out",
                  cluster->route->name, RENDER_ENDPOINTS_MAX);
    }
}

static void add_endpoint(struct watch *watch, struct render_cluster *cluster,
                         const struct sockaddr_storage *address, uint16_t port)
{
    if (cluster->endpoint_count == RENDER_ENDPOINTS_MAX) {
        tell_cut(watch, cluster);
        return;
    }
    struct text_address *endpoint = &cluster->endpoints[cluster->endpoint_count++];
    char shown[NET_ADDRESS_TEXT_BYTES];
    net_address_format((const struct sockaddr *)address, shown);
    char *host = shown[0] == '[' ? shown + 1 : shown;
    *strrchr(host, ':') = '\0';
    host[strcspn(host, "]")] = '\0';
    snprintf(endpoint->host, sizeof(endpoint->host), "%s", host);
    endpoint->port = port;
}

/* Every cluster gets what its names have. Returns how many endpoints all have together. */
static size_t take_known(struct watch *watch)
{
    size_t total = 0;
    for (size_t i = 0; i < watch->plan.routes->cluster_count; i++) {
        watch->plan.clusters[i].endpoint_count = 0;
    }
    for (size_t i = 0; i < watch->question_count; i++) {
        const struct question *question = &watch->questions[i];
        for (size_t n = 0; n < question->known_count; n++) {
            add_endpoint(watch, question->cluster, &question->known[n], question->name->port);
        }
        total += question->known_count;
    }
    return total;
}

static void finish_round(struct watch *watch)
{
    const struct watch_config *config = watch->config;
    if (watch->unresolved) {
        end(watch, EXIT_NO_CONNECTION);
        return;
    }
    if (take_known(watch) == 0) {
        return; /* what stands there is better than nothing */
    }
    char reason[RENDER_REASON_BYTES];
    char *text = output_render(config->render, &watch->plan, reason);
    if (text == NULL) {
        cli_error("render", "%s", reason);
        end(watch, EXIT_USAGE);
        return;
    }
    bool changed = watch->last == NULL || strcmp(text, watch->last) != 0;
    if (changed && write_text(config, text) != 0) {
        free(text);
        end(watch, EXIT_USAGE);
        return;
    }
    if (changed && config->every_ns != 0) {
        tell(watch);
    }
    free(watch->last);
    watch->last = text;
    if (config->every_ns == 0) {
        end(watch, EXIT_GOOD);
    }
}

static void keep(struct question *question, const struct sockaddr_storage *addresses, size_t count)
{
    question->known = mem_realloc(question->known, count * sizeof(*addresses));
    memcpy(question->known, addresses, count * sizeof(*addresses));
    question->known_count = count;
    question->failed = false;
}

static void tell_failure(const struct question *question, const char *cause)
{
    const char *cluster = question->cluster->route->name;
    if (question->watch->config->every_ns == 0) {
        cli_error("render",
                  "%s: %s; nothing is written: give addresses with --endpoints, or render where "
                  "the name resolves",
                  cluster, cause);
    } else if (question->known_count == 0) {
        cli_error("render", "%s: %s; no address of it is written until it does", cluster, cause);
    } else {
        cli_error("render", "%s: %s; it keeps its last addresses (%zu)", cluster, cause,
                  question->known_count);
    }
}

static void on_failed(struct question *question, const char *cause)
{
    struct watch *watch = question->watch;
    if (!question->failed && !watch->unresolved) {
        tell_failure(question, cause);
    }
    question->failed = true;
    watch->unresolved = watch->config->every_ns == 0;
}

static void on_resolved(void *user, const struct sockaddr_storage *addresses, size_t count,
                        const struct net_error *error)
{
    struct question *question = user;
    struct watch *watch = question->watch;
    question->resolve = NULL;
    if (count > 0) {
        keep(question, addresses, count);
    } else {
        on_failed(question, error->text);
    }
    if (count > 0 && error != NULL) {
        tell_cut(watch, question->cluster);
    }
    if (--watch->open == 0) {
        finish_round(watch);
    }
}

static void begin_round(uv_timer_t *timer)
{
    struct watch *watch = timer->data;
    if (watch->open > 0) {
        return; /* the last one still waits for its name server */
    }
    watch->open = watch->question_count;
    for (size_t i = 0; i < watch->question_count; i++) {
        struct question *question = &watch->questions[i];
        question->resolve = net_resolve_start(&watch->loop, question->name->host,
                                              question->name->port, on_resolved, question);
    }
}

/* ---- life ------------------------------------------------------------------------------------ */

static void on_signal(void *user, int number, bool again)
{
    (void)number;
    (void)again;
    end(user, EXIT_GOOD);
}

static void init(struct watch *watch)
{
    const struct render_plan *names = watch->config->names;
    watch->plan = *names;
    watch->plan.clusters = mem_calloc(names->routes->cluster_count, sizeof(*watch->plan.clusters));
    for (size_t i = 0; i < names->routes->cluster_count; i++) {
        struct render_cluster *cluster = &watch->plan.clusters[i];
        cluster->route = names->clusters[i].route;
        cluster->given = true;
        cluster->endpoints = mem_calloc(RENDER_ENDPOINTS_MAX, sizeof(*cluster->endpoints));
        watch->question_count += names->clusters[i].endpoint_count;
    }
    watch->questions = mem_calloc(watch->question_count, sizeof(*watch->questions));
    size_t next = 0;
    for (size_t i = 0; i < names->routes->cluster_count; i++) {
        for (size_t e = 0; e < names->clusters[i].endpoint_count; e++) {
            watch->questions[next++] = (struct question){
                .watch = watch,
                .cluster = &watch->plan.clusters[i],
                .name = &names->clusters[i].endpoints[e],
            };
        }
    }
}

static void deinit(struct watch *watch)
{
    for (size_t i = 0; i < watch->plan.routes->cluster_count; i++) {
        free(watch->plan.clusters[i].endpoints);
    }
    free(watch->plan.clusters);
    for (size_t i = 0; i < watch->question_count; i++) {
        free(watch->questions[i].known);
    }
    free(watch->questions);
    free(watch->last);
}

static void start(struct watch *watch)
{
    uv_timer_init(&watch->loop.uv, &watch->timer);
    watch->timer.data = watch;
    uv_timer_start(&watch->timer, begin_round, 0, watch->config->every_ns / 1000000);
    role_signals_start(&watch->signals, &watch->loop, on_signal, NULL, watch);
}

int watch_run(const struct watch_config *config)
{
    struct watch watch = {.config = config};
    /* not when the first name has resolved */
    if (config->output != NULL && tell_output(config, outfile_check(config->output)) != 0) {
        return EXIT_USAGE;
    }
    if (net_loop_init(&watch.loop) != 0) {
        cli_error("render", "cannot start an event loop");
        return EXIT_USAGE;
    }
    init(&watch);
    start(&watch);
    net_loop_run(&watch.loop);
    net_loop_deinit(&watch.loop);
    deinit(&watch);
    return watch.result;
}
