#include "demo/state.h"

#include "base/mem.h"
#include "cli/exit.h"
#include "cli/options.h"
#include "cli/result.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void demo_changed(struct demo *demo)
{
    uv_timer_start(&demo->turn, demo->on_turn, 0, 0);
}

void demo_give_up(struct demo *demo, int result, const char *format, ...)
{
    if (demo->ending || demo->given_up) {
        return;
    }
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    cli_flush(stdout);
    cli_error("demo", "%s", text);
    demo->given_up = true;
    demo->result = result;
    demo_changed(demo);
}

/* ---- children -------------------------------------------------------------------------------- */

static bool is_over(const struct demo *demo)
{
    return demo->given_up || demo->ending;
}

static void end_line(struct demo_child *child)
{
    child->line[child->line_len] = '\0';
    child->line_len = 0;
    if (!is_over(child->demo)) {
        child->kind->on_line(child, child->line);
        demo_changed(child->demo);
    }
}

static void on_output(void *user, const char *bytes, size_t len)
{
    struct demo_child *child = user;
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] == '\n') {
            end_line(child);
        } else if (child->line_len < sizeof(child->line) - 1) {
            child->line[child->line_len++] = bytes[i];
        }
    }
}

static void on_exit_of(void *user, int code)
{
    struct demo_child *child = user;
    if (child->line_len > 0) {
        end_line(child);
    }
    list_remove(&child->node);
    if (is_over(child->demo)) {
        /* as all do now */
    } else if (child->kind->on_exit != NULL) {
        child->kind->on_exit(child, code);
    } else if (!child->ended_here) {
        demo_give_up(child->demo, EXIT_CHECK_FAILED, "%s ended unexpectedly (exit code %d): %s",
                     child->name, code, child->line);
    }
    demo_changed(child->demo);
}

static const struct role_child_events child_events = {.on_output = on_output,
                                                      .on_exit = on_exit_of};

void demo_start(struct demo *demo, struct demo_child *child, const char *name,
                const struct demo_child_kind *kind, const struct role_child_command *command)
{
    if (is_over(demo)) {
        return;
    }
    *child = (struct demo_child){.demo = demo, .kind = kind, .name = name};
    int rv = role_child_start(&child->process, &demo->loop.uv, command, &child_events, child);
    if (rv != 0) {
        demo_give_up(demo, EXIT_USAGE, "cannot start %s: %s", name, strerror(-rv));
        return;
    }
    list_append(&demo->children, &child->node);
}

void demo_start_self(struct demo *demo, struct demo_child *child, const char *name,
                     const struct demo_child_kind *kind, const char *const *arguments)
{
    const struct role_child_command command = {
        .arguments = arguments, .out = ROLE_CHILD_READ, .err = ROLE_CHILD_READ};
    demo_start(demo, child, name, kind, &command);
}

void demo_end_child(struct demo_child *child, int number)
{
    child->ended_here = true;
    role_child_signal(&child->process, number);
}

/* ---- names ----------------------------------------------------------------------------------- */

const char *demo_file(const struct demo *demo, const char *name, char out[static DEMO_PATH_BYTES])
{
    snprintf(out, DEMO_PATH_BYTES, "%.4000s/%s", demo->dir, name);
    return out;
}

void demo_target(const struct demo *demo, char out[static DEMO_NAME_BYTES])
{
    snprintf(out, DEMO_NAME_BYTES, "localhost:%u", (unsigned)demo->proxy_port);
}

uint16_t demo_port_in(const char *line, const char *before)
{
    const char *at = strstr(line, before);
    const char *end = at != NULL ? at + strcspn(at, ",") : NULL;
    while (end != NULL && end > at && end[-1] != ':') {
        end--;
    }
    return end != NULL ? (uint16_t)strtoul(end, NULL, 10) : 0;
}
