#include "check/log_source.h"

#include "base/mem.h"
#include "base/text.h"
#include "cli/exit.h"
#include "net/loop.h"
#include "role/child.h"
#include "role/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_BYTES     16384
#define LINE_BYTES     512
#define SHOWN_BYTES    (4 * LINE_BYTES)
#define COMPLAINTS_MAX 10 /* lines of kubectl's that are passed on */

/* Ends a source, and says what of it was not understood. */
static void finish(const char *command, const char *source, struct check_log_reader *reader,
                   struct check_logs *logs)
{
    check_log_finish(reader, check_logs_take, logs);
    check_logs_add_source(logs, reader);
    if (reader->unread.lines > 0) {
        fprintf(stderr,
                "note: %s of %s: %" PRIu64 " of %" PRIu64
                " lines were not understood and not judged, first: %s\n",
                command, source, reader->unread.lines, reader->lines, reader->unread.quote);
    }
}

/* ---- files ----------------------------------------------------------------------------------- */

static volatile sig_atomic_t interrupted_by;

static void on_signal(int number)
{
    interrupted_by = number;
}

/* Waits for bytes, or for a signal, which would be missed if it came just before. */
static void wait_for(int fd)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    sigset_t ends;
    sigset_t before;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigprocmask(SIG_BLOCK, &ends, &before);
    if (interrupted_by == 0) {
        (void)ppoll(&ready, 1, NULL, &before);
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
}

/* Returns a negative errno, 0 at the end or when interrupted, or how many bytes were read. */
static ssize_t read_some(int fd, char *bytes, size_t len)
{
    for (;;) {
        wait_for(fd);
        if (interrupted_by != 0) {
            return 0;
        }
        ssize_t got = read(fd, bytes, len);
        if (got >= 0 || errno != EINTR) {
            return got >= 0 ? got : -errno;
        }
    }
}

/* Reads to the end, or until a signal ends it; what was read until then is judged. Returns 0 or a
 * negative errno. */
static int feed(int fd, struct check_log_reader *reader, struct check_logs *logs)
{
    struct sigaction old[2];
    const struct sigaction action = {.sa_handler = on_signal};
    char bytes[READ_BYTES];
    ssize_t len;
    interrupted_by = 0;
    sigaction(SIGINT, &action, &old[0]);
    sigaction(SIGTERM, &action, &old[1]);
    while ((len = read_some(fd, bytes, sizeof(bytes))) > 0) {
        check_log_feed(reader, bytes, (size_t)len, check_logs_take, logs);
    }
    sigaction(SIGINT, &old[0], NULL);
    sigaction(SIGTERM, &old[1], NULL);
    logs->run->interrupted_by = interrupted_by;
    logs->incomplete = logs->incomplete || interrupted_by != 0;
    return (int)len;
}

static int read_file(const char *command, const char *path, struct check_logs *logs)
{
    bool from_stdin = strcmp(path, "-") == 0;
    int fd = from_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    struct check_log_reader *reader = mem_new(struct check_log_reader);
    int error = fd >= 0 ? feed(fd, reader, logs) : -errno;
    if (fd >= 0 && !from_stdin) {
        close(fd);
    }
    const char *packed = check_log_packed(reader);
    bool is_read = error == 0 && packed == NULL;
    if (is_read) {
        finish(command, path, reader, logs);
    } else if (error != 0) {
        cli_error(command, "--logs: %s: %s", path, strerror(-error));
    } else {
        cli_error(command, "--logs: %s: is no text but %s; unpack it and pipe it into --logs -",
                  path, packed);
    }
    if (!is_read) {
        check_log_finish(reader, check_logs_take, logs);
    }
    free(reader);
    return is_read ? 0 : EXIT_USAGE;
}

/* ---- kubectl --------------------------------------------------------------------------------- */

struct kubectl {
    struct net_loop loop;
    struct role_child child;
    struct role_signals signals;
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
    role_signals_close(&kubectl->signals);
}

static void on_end_signal(void *user, int number, bool again)
{
    struct kubectl *kubectl = user;
    kubectl->logs->run->interrupted_by = number;
    kubectl->logs->incomplete = true;
    role_child_signal_all(&kubectl->child, again ? SIGKILL : SIGTERM);
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
                                     "--ignore-errors",
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
    if (error == 0) {
        role_signals_start(&kubectl->signals, &kubectl->loop, on_end_signal, NULL, kubectl);
    }
    net_loop_run(&kubectl->loop);
    net_loop_deinit(&kubectl->loop);
    return error;
}

/* What kubectl complained, line by line. */
struct complaints {
    char last[SHOWN_BYTES]; /* escaped */
    size_t count;
    bool all_harmless; /* each says that a container has not begun, and so has no log */
};

static void read_complaints(FILE *errors, bool tell, struct complaints *ret)
{
    char line[LINE_BYTES];
    *ret = (struct complaints){.last = "it gave no reason", .all_harmless = true};
    rewind(errors);
    while (fgets(line, sizeof(line), errors) != NULL) {
        size_t len = strcspn(line, "\r\n");
        if (len == 0) {
            continue;
        }
        line[len] = '\0';
        text_escape(ret->last, sizeof(ret->last), line, len);
        ret->all_harmless = ret->all_harmless && strstr(line, " is waiting to start") != NULL;
        if (tell && ret->count < COMPLAINTS_MAX) {
            fprintf(stderr, "note: kubectl: %s\n", ret->last);
        }
        ret->count++;
    }
    if (tell && ret->count > COMPLAINTS_MAX) {
        fprintf(stderr, "note: kubectl: %zu more lines\n", ret->count - COMPLAINTS_MAX);
    }
}

/* Nothing came, or kubectl was not there. Otherwise what came is judged, even if kubectl then
 * failed: that only keeps a verdict open. */
static int end_kubectl(const char *command, struct kubectl *kubectl, FILE *errors)
{
    bool interrupted = kubectl->logs->run->interrupted_by != 0;
    bool nothing = kubectl->code != 0 && kubectl->reader.lines == 0 && !interrupted;
    struct complaints complaints;
    read_complaints(errors, !nothing, &complaints);
    if (nothing) {
        cli_error(command, "--logs kubectl: kubectl logs failed: %s", complaints.last);
        return EXIT_NO_CONNECTION;
    }
    if (kubectl->code != 0 && !(complaints.count > 0 && complaints.all_harmless)) {
        kubectl->logs->incomplete = true;
    }
    finish(command, "kubectl", &kubectl->reader, kubectl->logs);
    return 0;
}

static int run_kubectl(const char *command, const struct check_log_options *options, FILE *errors,
                       struct check_logs *logs)
{
    struct kubectl *kubectl = mem_new(struct kubectl);
    kubectl->logs = logs;
    int error = run_to_end(kubectl, options, fileno(errors));
    int rv = EXIT_NO_CONNECTION;
    if (error != 0) {
        cli_error(command, "--logs kubectl: kubectl cannot be started: %s; put it on PATH",
                  strerror(-error));
    } else {
        rv = end_kubectl(command, kubectl, errors);
    }
    free(kubectl);
    return rv;
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
