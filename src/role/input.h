/* Reading what others write, a file, a pipe or standard input, to its end: a signal or a time limit
 * ends it, and nobody waits in open(2) for a writer. No loop runs beside it. */
#ifndef GRPCROUTE_ROLE_INPUT_H
#define GRPCROUTE_ROLE_INPUT_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct role_input {
    int fd;
    bool is_stdin;
    uint64_t deadline_ns; /* by clock_now_ns(); 0: none */
    int interrupted_by;   /* SIGINT or SIGTERM that ended it; 0: none */
    bool timed_out;
    struct sigaction old[2];
};

/* "-" is standard input. From here to role_input_close() SIGINT and SIGTERM end the reading and
 * nothing else. One at a time. Returns 0, or a negative errno, and then there is nothing to
 * close. */
int role_input_open(struct role_input *input, const char *path, uint64_t deadline_ns);

/* Returns how many bytes were read, 0 at the end, when interrupted or too late, or a negative
 * errno. */
ssize_t role_input_read(struct role_input *input, void *bytes, size_t len);

void role_input_close(struct role_input *input);

/* What is read twice would be twice of what there is: refuses two of `paths` that are one file
 * under whatever names, or standard input, or the same words. What is no file or pipe (/dev/null)
 * is told by its words alone. Returns 0, or 1 after one line on standard error, which begins with
 * `command` and `label` ("--logs"). */
int role_input_refuse_twice(const char *command, const char *label, const char *const *paths,
                            size_t count);

struct buf;

/* All of a file, or of standard input for "-", appended to `bytes`, which stays the caller's
 * whatever is returned. Returns 0, or with a phrase in `reason` the exit code: EXIT_USAGE, also
 * where it is larger than `max_bytes`, or that of an interruption. */
int role_input_read_all(const char *path, size_t max_bytes, struct buf *bytes, char *reason,
                        size_t reason_bytes);

#endif
