#include "check/log_source.h"

#include "base/mem.h"
#include "cli/exit.h"
#include "net/loop.h"
#include "role/child.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_BYTES 16384
#define LINE_BYTES 512

static void finish(const char *command, const char *source, struct check_log_reader *reader)
{
    check_log_finish(reader);
    if (reader->skipped > 0) {
        fprintf(stderr,
                "note: %s of %s: %" PRIu64 " of %" PRIu64
                " lines are too long or cut, and were passed over\n",
                command, source, reader->skipped, reader->lines);
    }
}

/* ---- files ----------------------------------------------------------------------------------- */

/* Reads to the end. Returns 0 or the errno. */
static int feed(const char *command, const char *source, int fd, struct check_logs *logs)
{
    struct check_log_reader reader = {0};
    char bytes[READ_BYTES];
    ssize_t len;
    while ((len = read(fd, bytes, sizeof(bytes))) != 0) {
        if (len < 0 && errno != EINTR) {
            return errno;
        }
        check_log_feed(&reader, bytes, len > 0 ? (size_t)len : 0, check_logs_take, logs);
    }
    finish(command, source, &reader);
    return 0;
}

static int read_file(const char *command, const char *path, struct check_logs *logs)
{
    bool from_stdin = strcmp(path, "-") == 0;
    int fd = from_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    int error = fd >= 0 ? feed(command, path, fd, logs) : errno;
    if (fd >= 0 && !from_stdin) {
        close(fd);
    }
    if (error != 0) {
        cli_error(command, "--logs: %s: %s", path, strerror(error));
    }
    return error == 0 ? 0 : EXIT_USAGE;
}

/* ---- kubectl --------------------------------------------------------------------------------- */

struct kubectl {
    struct net_loop loop;
    struct role_child child;
    struct check_log_reader reader;
    struct check_logs *logs;
    int code;
};

static void on_output(void *user, const char *bytes, size_t len)
{
    struct kubectl *kubectl = user;
    check_log_feed(&kubectl->reader, bytes, len, check_logs_take, kubectl->logs);
}

static void on_exit_of(void *user, int code)
{
    struct kubectl *kubectl = user;
    kubectl->code = code;
}

static const struct role_child_events events = {.on_output = on_output, .on_exit = on_exit_of};

/* Runs `kubectl logs` to its end. Returns 0, or a negative errno when it cannot be started. */
static int run_to_end(struct kubectl *kubectl, const struct check_log_options *options, int err)
{
    const char *context = options->context != NULL ? "--context" : NULL;
    const char *const arguments[] = {"logs",
                                     "--namespace",
                                     options->namespace,
                                     "--selector",
                                     "app in (agent, server)",
                                     "--prefix",
                                     "--timestamps",
                                     "--tail=-1",
                                     "--max-log-requests=1000",
                                     context,
                                     options->context,
                                     NULL};
    const struct role_child_command command = {
        .program = "kubectl", .arguments = arguments, .out = ROLE_CHILD_READ, .err = err};
    int error = net_loop_init(&kubectl->loop);
    if (error != 0) {
        return error;
    }
    error = role_child_start(&kubectl->child, &kubectl->loop.uv, &command, &events, kubectl);
    net_loop_run(&kubectl->loop);
    net_loop_deinit(&kubectl->loop);
    return error;
}

/* The last line of what kubectl complained. */
static void last_line(FILE *errors, char out[static LINE_BYTES])
{
    char line[LINE_BYTES];
    snprintf(out, LINE_BYTES, "it gave no reason");
    rewind(errors);
    while (fgets(line, sizeof(line), errors) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] != '\0') {
            memcpy(out, line, sizeof(line));
        }
    }
}

static int run_kubectl(const char *command, const struct check_log_options *options, FILE *errors,
                       struct check_logs *logs)
{
    struct kubectl *kubectl = mem_new(struct kubectl);
    kubectl->logs = logs;
    int error = run_to_end(kubectl, options, fileno(errors));
    bool failed = kubectl->code != 0;
    if (error != 0) {
        cli_error(command, "--logs kubectl: kubectl cannot be started: %s; put it on PATH",
                  strerror(-error));
    } else if (failed) {
        char line[LINE_BYTES];
        last_line(errors, line);
        cli_error(command, "--logs kubectl: kubectl logs failed: %s", line);
    } else {
        finish(command, "kubectl", &kubectl->reader);
    }
    free(kubectl);
    return error != 0 || failed ? EXIT_NO_CONNECTION : 0;
}

static int read_kubectl(const char *command, const struct check_log_options *options,
                        struct check_logs *logs)
{
    FILE *errors = tmpfile();
    if (errors == NULL) {
        cli_error(command, "--logs kubectl: no temporary file: %s", strerror(errno));
        return EXIT_USAGE;
    }
    int rv = run_kubectl(command, options, errors, logs);
    fclose(errors);
    return rv;
}

int log_source_read(const char *command, const char *source,
                    const struct check_log_options *options, struct check_logs *logs)
{
    return strcmp(source, "kubectl") == 0 ? read_kubectl(command, options, logs)
                                          : read_file(command, source, logs);
}
