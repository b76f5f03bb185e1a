/* A child process, its output as lines, its end as an event.
 *
 * Children die with their parent, however that dies (PR_SET_PDEATHSIG). */
#ifndef GRPCROUTE_DEMO_CHILD_H
#define GRPCROUTE_DEMO_CHILD_H

#include "base/list.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <uv.h>

/* Longer lines are cut. */
#define CHILD_LINE_BYTES 2048

struct child;

struct child_events {
    /* One line of standard output or standard error, without its newline; borrowed. */
    void (*on_line)(void *user, struct child *child, const char *line);
    /* The process is gone and its output read. `code` is its exit code, or 128 and the signal. */
    void (*on_exit)(void *user, struct child *child, int code);
};

struct child {
    struct list node; /* in the set */
    struct child_set *set;
    const char *name; /* borrowed */
    pid_t pid;        /* 0: not running */
    int code;
    uv_pipe_t pipe;
    bool pipe_open;
    bool exited;
    bool ended_here; /* we asked it to end */
    char line[CHILD_LINE_BYTES];
    size_t line_len;
    void *role; /* the owner's */
};

/* All children of a demo. */
struct child_set {
    uv_loop_t *loop;
    const struct child_events *events;
    void *user;
    uv_signal_t sigchld;
    struct list children;
};

void child_set_init(struct child_set *set, uv_loop_t *loop, const struct child_events *events,
                    void *user);
/* After every child has exited. */
void child_set_deinit(struct child_set *set);

struct child_command {
    const char *program;          /* looked for on PATH; NULL: this very binary */
    const char *const *arguments; /* without the program's name; ends with NULL */
    const char *output_file;      /* gets standard output; NULL: that is lines, too */
};

/* Starts it; `name` is borrowed. Returns 0 or a negative errno. */
int child_start(struct child_set *set, struct child *child, const char *name,
                const struct child_command *command);

/* Sends a signal if the process runs. */
void child_signal(struct child *child, int number);

bool child_running(const struct child *child);
/* Every child of the set has exited and was reported. */
bool child_set_idle(const struct child_set *set);
void child_set_signal(struct child_set *set, int number);

#endif
