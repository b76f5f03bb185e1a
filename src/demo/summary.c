/* What was shown, and how to go on by hand. */
#include "base/clock.h"
#include "base/text.h"
#include "cli/called.h"
#include "cli/result.h"
#include "cli/terminal.h"
#include "demo/steps.h"
#include "demo/tell.h"

#include <stdio.h>

static void tell_failover(const struct demo *demo)
{
    for (size_t i = 0; i < demo->agent_count; i++) {
        const struct agent_child *agent = &demo->agents[i];
        char gap[32];
        if (agent->hit) {
            text_format_duration(gap, sizeof(gap), agent->back_ns - demo->killed_ns);
            printf("%s %s is back after %s, on %s\n", cli_mark(CLI_MARK_GOOD), agent->name, gap,
                   agent->pod);
        }
    }
}

static void tell_command(const char *words, const char *target, const char *ca)
{
    printf("  %s %s --target %s --cacert %s\n", cli_called(), words, target, ca);
}

static void tell_by_hand(const struct demo *demo)
{
    char target[DEMO_NAME_BYTES];
    char path[DEMO_PATH_BYTES];
    char ca[DEMO_PATH_BYTES];
    demo_target(demo, target);
    cli_shell_word(ca, sizeof(ca), demo_file(demo, "ca.pem", path));
    tell_command("verify", target, ca);
    tell_command("sticky-test", target, ca);
    tell_command("agent --version v1.3", target, ca);
    if (demo->admin[0] != '\0') {
        const char *page = demo->options.proxy == DEMO_PROXY_EMBEDDED  ? "streams"
                           : demo->options.proxy == DEMO_PROXY_TRAEFIK ? "api/rawdata"
                                                                       : "stats";
        printf("  curl http://%s/%s\n", demo->admin, page);
    }
    if (demo->admin[0] != '\0' && demo->options.proxy == DEMO_PROXY_EMBEDDED) {
        printf("The dashboard, in a browser: http://%s/dashboard\n", demo->admin);
    }
}

static void begin(struct demo *demo)
{
    char took[32];
    tell_failover(demo);
    text_format_duration(took, sizeof(took), clock_now_ns() - demo->started_ns);
    demo_title("%s Demo passed in %s", cli_mark(CLI_MARK_DONE), took);
    printf("%s routing: every agent version reached its server version\n"
           "%s stickiness: a stream stayed on one pod\n"
           "%s recovery: the streams of a killed server came back on the other one\n",
           cli_mark(CLI_MARK_GOOD), cli_mark(CLI_MARK_GOOD), cli_mark(CLI_MARK_GOOD));
    if (demo->options.keep) {
        puts("\nEverything is still running; Ctrl-C ends it. By hand, in another terminal:");
        tell_by_hand(demo);
    } else {
        printf("\nThe same by hand: %s demo --keep. Your own proxy:\n"
               "  %s verify --target HOST:PORT --cacert CA.pem\n",
               cli_called(), cli_called());
    }
    cli_flush(stdout);
}

static bool is_over(const struct demo *demo)
{
    return !demo->options.keep;
}

const struct demo_step demo_summary_step = {begin, is_over, NULL};
