#include "check/every.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/process.h"
#include "check/every_cause.h"
#include "check/every_tell.h"
#include "check/probe.h"
#include "check/verdict.h"
#include "cli/exit.h"
#include "cli/result.h"
#include "net/http.h"
#include "role/signals.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct every {
    const struct every_config *config;
    struct net_loop loop;
    struct role_signals signals;
    uv_timer_t timer; /* to the next run */
    struct net_http *http;
    struct role_target *target; /* owned */
    struct every_stats stats;
    char key[EVERY_KEY_BYTES];  /* of the last verdict; "": none yet */
    struct every_causes causes; /* why it is what it is */
    uint64_t run_number;
    uint64_t begun_ns;
    uint64_t begun_wall_ns;
    int interrupted_by;

    struct probe *probe; /* the run in progress, NULL between two; then these are filled: */
    struct check_plan plan;
    struct check_run run;
};

/* ---- the end --------------------------------------------------------------------------------- */

static void finish(struct every *every)
{
    uv_close((uv_handle_t *)&every->timer, NULL);
    role_signals_close(&every->signals);
    net_http_close(every->http);
    every->http = NULL;
}

static void on_signal(void *user, int number, bool again)
{
    struct every *every = user;
    (void)again;
    every->interrupted_by = number;
    if (every->probe != NULL) {
        check_probe_stop(every->probe, number);
    } else if (!uv_is_closing((uv_handle_t *)&every->timer)) {
        finish(every);
    }
}

/* ---- runs ------------------------------------------------------------------------------------ */

static void begin_run(struct every *every);

static void on_next(uv_timer_t *timer)
{
    begin_run(timer->data);
}

static void plan_next(struct every *every)
{
    uint64_t took_ns = clock_now_ns() - every->begun_ns;
    uint64_t interval_ns = every->config->options->interval_ns;
    uint64_t rest_ns = took_ns < interval_ns ? interval_ns - took_ns : 0;
    uv_timer_start(&every->timer, on_next, rest_ns / NS_PER_MS, 0);
}

/* Another verdict, or one that stays for another cause. */
static bool has_changed(struct every *every, const struct check_report *report)
{
    char key[EVERY_KEY_BYTES];
    every_key(report, key);
    bool is_other = strcmp(key, every->key) != 0;
    if (is_other) {
        memcpy(every->key, key, sizeof(key));
        every->causes = (struct every_causes){0};
    }
    return every_causes_note(&every->causes, every->run_number, report) || is_other;
}

static void tell_change(struct every *every, const struct check_report *report)
{
    if (has_changed(every, report)) {
        every_tell_run(cli_text_stream(&every->config->session->report),
                       every->config->session->report.output, every->run_number, report);
    }
}

static void on_run_done(void *user)
{
    struct every *every = user;
    struct check_report report;
    every->probe = NULL;
    check_judge(&every->run, &report);
    if (every->run.interrupted_by == 0) {
        every_stats_note(&every->stats, &report, (int64_t)time(NULL));
        tell_change(every, &report);
        every_write_run(&report, every->begun_wall_ns, &every->config->session->report);
        every->run_number++;
    }
    check_report_deinit(&report);
    check_run_deinit(&every->run);
    check_plan_deinit(&every->plan);
    if (every->interrupted_by != 0) {
        finish(every);
    } else {
        plan_next(every);
    }
}

/* Certificates, keys and authorities may have been replaced since the last run; where they
 * cannot be read, which is told, the old ones serve. */
static int read_target(struct every *every)
{
    struct role_target *target = mem_new(struct role_target);
    if (role_target_init(target, "verify", &every->config->session->connect) != 0) {
        role_target_deinit(target);
        free(target);
        return 1;
    }
    if (every->target != NULL) {
        role_target_deinit(every->target);
        free(every->target);
    }
    every->target = target;
    return 0;
}

/* Silence must show within one interval. */
static uint64_t timeout_ns(const struct every *every)
{
    uint64_t given_ns = every->config->session->timeout_ns;
    uint64_t needed_ns = check_plan_timeout_ns(&every->plan, 0);
    uint64_t interval_ns = every->config->options->interval_ns;
    return given_ns > 0 ? given_ns : needed_ns < interval_ns ? needed_ns : interval_ns;
}

static void begin_run(struct every *every)
{
    every->begun_ns = clock_now_ns();
    every->begun_wall_ns = clock_wall_ns();
    every->plan = (struct check_plan){0};
    if (every->run_number > 0) {
        (void)read_target(every);
    }
    int error = every->config->make_plan(every->config->user, every->run_number, &every->plan);
    assert(error == 0); /* can_plan() */
    (void)error;
    every->plan.id_hidden = !role_target_id_is_echoed(every->target);
    every->plan.version_hidden = !role_target_version_is_echoed(every->target);
    every->plan.service = every->target->service;
    check_run_init(&every->run, &every->plan, every->target->name, timeout_ns(every));
    every->probe = check_probe_start(&every->loop, &every->run, every->target, on_run_done, every);
}

/* ---- metrics --------------------------------------------------------------------------------- */

static void handle_metrics(void *user, const struct net_http_request *request,
                           struct net_http_response *response)
{
    const struct every *every = user;
    struct metrics metrics = net_http_metrics_begin(request);
    every_stats_write(&every->stats, &metrics);
    process_metrics(&metrics);
    net_http_metrics_end(&metrics, response);
}

static const struct net_http_route http_routes[] = {
    {"/metrics", "Prometheus metrics", handle_metrics},
    {0},
};

static int listen_for_metrics(struct every *every)
{
    const struct text_address *address = &every->config->options->metrics_listen;
    struct net_error error;
    if (address->port == 0 && address->host[0] == '\0') {
        return 0; /* not asked for */
    }
    every->http = net_http_open(&every->loop, address, http_routes, every, &error);
    if (every->http == NULL) {
        cli_error("verify", "--metrics-listen: %s", error.text);
        return 1;
    }
    return 0;
}

/* ---- life ------------------------------------------------------------------------------------ */

/* What is wrong with the options is told before anything starts. */
static bool can_plan(const struct every_config *config)
{
    struct check_plan plan = {0};
    int error = config->make_plan(config->user, 0, &plan);
    check_plan_deinit(&plan);
    return error == 0;
}

static int serve(struct every *every)
{
    if (listen_for_metrics(every) != 0) {
        return EXIT_USAGE;
    }
    uv_timer_init(&every->loop.uv, &every->timer);
    every->timer.data = every;
    role_signals_start(&every->signals, &every->loop, on_signal, NULL, every);
    if (every->http != NULL) { /* behind the signals: who reads it may end us */
        fprintf(stderr, "Metrics on http://%s/metrics\n", net_http_name(every->http));
    }
    role_target_warn(every->target, "verify");
    begin_run(every);
    net_loop_run(&every->loop);
    return every_tell_end(&every->stats, every->target->name,
                          role_signals_exit_code(every->interrupted_by),
                          &every->config->session->report);
}

int every_run(const struct every_config *config)
{
    struct every *every = mem_new(struct every);
    int rv = EXIT_USAGE;
    every->config = config;
    every->stats.interval_s = (double)config->options->interval_ns / 1e9;
    if (net_loop_init(&every->loop) != 0) {
        cli_error("verify", "cannot start an event loop");
        free(every);
        return rv;
    }
    if (can_plan(config) && read_target(every) == 0) {
        rv = serve(every);
        role_target_deinit(every->target);
        free(every->target);
    }
    net_loop_deinit(&every->loop);
    every_stats_deinit(&every->stats);
    free(every);
    return rv;
}
