#include "check/log_source.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/text.h"
#include "cli/exit.h"
#include "net/loop.h"
#include "role/child.h"
#include "role/input.h"
#include "role/signals.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READ_BYTES     16384
#define LINE_BYTES     512
#define SHOWN_BYTES    (4 * LINE_BYTES)
#define COMPLAINTS_MAX 10 /* lines of kubectl's that are passed on */

/* What can be mended. */
static void note_why(const char *command, const char *source, const struct check_log_unread *unread)
{
    if (unread->strange > 0) {
        fprintf(stderr,
                "note: %s of %s: %" PRIu64
                " lines of agents, servers or a proxy stand in a text or a member of JSON that no "
                "known carrier writes (docs/logs.md): a client may have put them there\n",
                command, source, unread->strange);
    }
    if (unread->lost_tails > 0) {
        fprintf(stderr,
                "note: %s of %s: %" PRIu64
                " lines lack their beginning: rotated files belong in the order they were written "
                "in, oldest first, or each into its own --logs\n",
                command, source, unread->lost_tails);
    }
}

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
        note_why(command, source, &reader->unread);
    }
}

/* What was not read may hold anything. */
static void note_late(const char *command, const char *source, struct check_logs *logs)
{
    char limit[32];
    logs->late = logs->incomplete = true;
    fprintf(stderr,
            "note: %s of %s: it had not ended after %s (--timeout), what came until then is "
            "judged\n",
            command, source, text_format_duration(limit, sizeof(limit), logs->run->timeout_ns));
}

/* ---- files ----------------------------------------------------------------------------------- */

static void note_end(const char *command, const char *path, const struct role_input *input,
                     struct check_logs *logs)
{
    logs->run->interrupted_by = input->interrupted_by;
    logs->incomplete = logs->incomplete || input->interrupted_by != 0;
    if (input->timed_out) {
        note_late(command, path, logs);
    }
}

/* Reads to the end, or until a signal or the time limit ends it; what was read until then is
 * judged. Returns 0 or a negative errno. */
static int feed(struct role_input *input, struct check_log_reader *reader, struct check_logs *logs,
                struct check_log_digest *digest)
{
    char bytes[READ_BYTES];
    ssize_t len;
    while ((len = role_input_read(input, bytes, sizeof(bytes))) > 0) {
        check_log_feed(reader, bytes, (size_t)len, check_logs_take, logs);
        digest->bytes += (uint64_t)len;
        digest->hash = hash_bytes(digest->hash, bytes, (size_t)len);
    }
    return (int)len;
}

/* A copy under another name is no further evidence. Files in which nothing was understood may well
 * be alike. */
static int refuse_copy(const char *command, const struct check_log_reader *reader,
                       const struct check_log_digest *digest, struct check_logs *logs)
{
    bool understood = reader->lines > reader->unread.lines;
    const char *other = understood ? check_logs_add_digest(logs, digest) : NULL;
    if (other != NULL) {
        cli_error(command, "--logs: %s is a copy of %s, which counts once: name one of them",
                  digest->source, other);
    }
    return other != NULL ? EXIT_USAGE : 0;
}

static int read_file(const char *command, const char *path, struct check_logs *logs)
{
    struct check_log_reader *reader = mem_new(struct check_log_reader);
    reader->headers = logs->owner->headers;
    struct role_input input;
    struct check_log_digest digest = {.source = path, .hash = HASH_BASIS};
    int error = role_input_open(&input, path, logs->deadline_ns);
    if (error == 0) {
        error = feed(&input, reader, logs, &digest);
        role_input_close(&input);
        note_end(command, path, &input, logs);
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
    int rv = is_read ? refuse_copy(command, reader, &digest, logs) : EXIT_USAGE;
    free(reader);
    return rv;
}

/* ---- kubectl --------------------------------------------------------------------------------- */

struct kubectl {
    struct net_loop loop;
    struct role_child child;
    struct role_signals signals;
    struct check_log_reader reader;
    const char *command;
    uv_timer_t timer; /* to the time limit */
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
    uv_close((uv_handle_t *)&kubectl->timer, NULL);
}

static void on_late(uv_timer_t *timer)
{
    struct kubectl *kubectl = timer->data;
    note_late(kubectl->command, "kubectl", kubectl->logs);
    role_child_signal_all(&kubectl->child, SIGKILL);
}

static void start_timer(struct kubectl *kubectl)
{
    uint64_t deadline_ns = kubectl->logs->deadline_ns;
    uint64_t now_ns = clock_now_ns();
    uv_timer_init(&kubectl->loop.uv, &kubectl->timer);
    kubectl->timer.data = kubectl;
    if (deadline_ns != 0) {
        uint64_t rest_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
        uv_timer_start(&kubectl->timer, on_late, rest_ns / NS_PER_MS, 0);
    }
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
        start_timer(kubectl);
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
    bool interrupted = kubectl->logs->run->interrupted_by != 0 || kubectl->logs->late;
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
    kubectl->reader.headers = logs->owner->headers;
    kubectl->command = command;
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
