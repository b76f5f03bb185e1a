/* The checks, against the proxy. */
#include "cli/exit.h"
#include "cli/result.h"
#include "demo/steps.h"
#include "demo/tell.h"

#include <stdio.h>

static void on_line(struct demo_child *child, const char *line)
{
    (void)child;
    printf("%s\n", line);
    cli_flush(stdout);
}

static void on_exit_of(struct demo_child *child, int code)
{
    child->demo->check_passed = code == EXIT_GOOD;
    if (code != EXIT_GOOD) {
        demo_give_up(child->demo, code, "%s failed (exit code %d)", child->name, code);
    }
}

static const struct demo_child_kind kind = {.on_line = on_line, .on_exit = on_exit_of};

static void start(struct demo *demo, const char *command)
{
    char target[DEMO_NAME_BYTES];
    char ca[DEMO_PATH_BYTES];
    demo_target(demo, target);
    const char *const arguments[] = {
        command, "--target", target, "--cacert", demo_file(demo, "ca.pem", ca), NULL};
    demo->check_passed = false;
    demo_start_self(demo, &demo->check, command, &kind, arguments);
}

static void begin_verify(struct demo *demo)
{
    demo_title("4. grpcroute verify: does every version reach its servers, and only those?");
    start(demo, "verify");
}

static void begin_sticky(struct demo *demo)
{
    demo_title("5. grpcroute sticky-test: do all messages of a stream stay on one pod?");
    start(demo, "sticky-test");
}

static bool is_over(const struct demo *demo)
{
    return demo->check_passed;
}

const struct demo_step demo_verify_step = {begin_verify, is_over, "verify did not end"};
const struct demo_step demo_sticky_step = {begin_sticky, is_over, "sticky-test did not end"};
