/* A child process: the one way to start one. Its output as bytes, its end as an event.
 *
 * A child has a session of its own, so that Ctrl-C is for the parent, which ends its children in
 * order; it has the signal handling of a new program; and it dies with its parent, however that
 * dies: it begins as this very binary, which asks the kernel for that and then becomes the program.
 */
#ifndef GRPCROUTE_ROLE_CHILD_H
#define GRPCROUTE_ROLE_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

/* A descriptor that stands for: to on_output. */
#define ROLE_CHILD_READ (-1)
/* Words of a command at most, its name included. */
#define ROLE_CHILD_WORDS_MAX 40

struct role_child_command {
    const char *program;          /* a path, or a name on PATH; NULL: this very binary */
    const char *const *arguments; /* without the program's name; ends with NULL */
    int out;                      /* standard output: a descriptor, or ROLE_CHILD_READ */
    int err;                      /* standard error: the same */
};

struct role_child_events {
    /* What it printed, in pieces as they come. Only called for ROLE_CHILD_READ. */
    void (*on_output)(void *user, const char *bytes, size_t len);
    /* Exactly once, last: the process is gone and its output read. `code` is its exit code, or 128
     * and the signal. The struct may be used for the next child, or freed. */
    void (*on_exit)(void *user, int code);
};

/* A zeroed struct is one that does not run. */
struct role_child {
    const struct role_child_events *events;
    void *user;
    uv_process_t process;
    uv_pipe_t pipe;
    unsigned open; /* of the two handles */
    bool reads;    /* there is a pipe */
    int code;
};

/* Starts it. Returns 0, or a negative errno, and then no event follows; -ENOENT when there is no
 * such program. The memory must stay until on_exit, or until the loop has run once more. */
int role_child_start(struct role_child *child, uv_loop_t *loop,
                     const struct role_child_command *command,
                     const struct role_child_events *events, void *user);

/* Between role_child_start() and on_exit. */
bool role_child_runs(const struct role_child *child);

/* Sends a signal to the process if it runs. */
void role_child_signal(const struct role_child *child, int number);

/* Sends it to all of its session, what it has started and left behind included; until on_exit has
 * returned. */
void role_child_signal_all(const struct role_child *child, int number);

/* Reads no more of its output, which something that it has left behind may keep open for ever. */
void role_child_stop_reading(struct role_child *child);

/* Whether `program`, a path or a name on PATH, can be started. */
bool role_child_exists(const char *program);

/* For main(), before all else: where this process is a child's beginning, becomes its program and
 * does not return. */
void role_child_become(char **argv);

#endif
