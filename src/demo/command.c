#include "demo/command.h"

#include "base/mem.h"
#include "demo/demo.h"

/* As enum demo_proxy. */
static const char *const proxies[] = {"embedded", "envoy", "traefik", "haproxy", "nginx", NULL};

static const struct cli_option options_table[] = {
    {.name = "proxy",
     .kind = CLI_CHOICE,
     .offset = offsetof(struct demo_options, proxy),
     .argument = "PROXY",
     .fallback = "embedded",
     .choices = proxies,
     .help = "The proxy in the middle; all but embedded are programs on PATH"},
    {.name = "keep",
     .kind = CLI_FLAG,
     .offset = offsetof(struct demo_options, keep),
     .help = "Leave everything running after the checks; Ctrl-C ends it"},
    {.name = "agents",
     .kind = CLI_COUNT,
     .offset = offsetof(struct demo_options, agents),
     .argument = "N",
     .fallback = "1",
     .min = 1,
     .max = 100,
     .help = "Agents of each version"},
    {.name = "interval",
     .kind = CLI_DURATION,
     .offset = offsetof(struct demo_options, interval_ns),
     .argument = "DURATION",
     .fallback = "1s",
     .min = 10000000,
     .max = UINT64_C(5000000000),
     .help = "Time between an agent's pings"},
};

static int run(const void *options, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return demo_run(options);
}

const struct cli_command demo_command = {
    .name = "demo",
    .summary = "Show everything on this machine: servers, a TLS proxy, agents, checks, a failover",
    .description =
        "Starts two servers each of v1 and v2, a proxy and agents of v1.1, v1.2, v2.1 and v2.2 as\n"
        "child processes on free ports of 127.0.0.1, with certificates made for the occasion.\n"
        "Then runs verify and sticky-test, kills one server, and shows the streams coming back.\n"
        "Takes about five seconds and leaves nothing behind.",
    .examples = "  # The whole show\n"
                "  grpcroute demo\n"
                "  # Leave it running, to try verify, curl and the admin port by hand\n"
                "  grpcroute demo --keep\n"
                "  # The same through a real Envoy, configured by grpcroute render envoy\n"
                "  grpcroute demo --proxy envoy\n",
    .options = options_table,
    .option_count = ARRAY_SIZE(options_table),
    .struct_bytes = sizeof(struct demo_options),
    .run = run,
};
