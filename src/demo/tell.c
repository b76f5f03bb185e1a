/* What a demo prints beside its children's lines. */
#include "base/clock.h"
#include "base/text.h"
#include "cli/terminal.h"
#include "demo/impl.h"

#include <stdarg.h>
#include <stdio.h>

void demo_title(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    printf("\n%s", cli_style(stdout, CLI_BOLD));
    vprintf(format, args);
    printf("%s\n", cli_style(stdout, CLI_PLAIN));
    va_end(args);
    fflush(stdout);
}

void demo_show_line(const char *line)
{
    printf("  %s%s%s\n", cli_style(stdout, CLI_DIM), line, cli_style(stdout, CLI_PLAIN));
    fflush(stdout);
}

static void tell_by_hand(const struct demo *demo)
{
    char target[DEMO_NAME_BYTES];
    demo_target(demo, target);
    printf("  grpcroute verify --target %s --cacert %s/ca.pem\n"
           "  grpcroute sticky-test --target %s --cacert %s/ca.pem\n"
           "  grpcroute agent --version v1.3 --target %s --cacert %s/ca.pem\n",
           target, demo->dir, target, demo->dir, target, demo->dir);
    if (demo->admin[0] != '\0') {
        const char *page = demo->options.proxy == DEMO_PROXY_EMBEDDED  ? "streams"
                           : demo->options.proxy == DEMO_PROXY_TRAEFIK ? "api/rawdata"
                                                                       : "stats";
        printf("  curl http://%s/%s\n", demo->admin, page);
    }
}

void demo_tell_summary(const struct demo *demo)
{
    char took[32];
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
        puts("\nThe same by hand: grpcroute demo --keep. Your own proxy:\n"
             "  grpcroute verify --target HOST:PORT --cacert CA.pem");
    }
    fflush(stdout);
}
