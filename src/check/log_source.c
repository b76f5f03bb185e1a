#include "check/log_source.h"

#include "base/mem.h"
#include "cli/exit.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define READ_BYTES 16384
#define LINE_BYTES 512

extern char **environ;

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
    check_log_finish(&reader);
    if (reader.skipped > 0) {
        fprintf(stderr,
                "note: %s of %s: %" PRIu64 " of %" PRIu64
                " lines are too long or cut, and were passed over\n",
                command, source, reader.skipped, reader.lines);
    }
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

/* Starts `kubectl logs` with its output in `*ret_out`. Returns 0 or an errno. */
static int start_kubectl(const struct check_log_options *options, int err, pid_t *ret_pid,
                         int *ret_out)
{
    char *argv[16] = {(char *)"kubectl",     (char *)"logs",
                      (char *)"--namespace", (char *)options->namespace,
                      (char *)"--selector",  (char *)"app in (agent, server)",
                      (char *)"--prefix",    (char *)"--timestamps",
                      (char *)"--tail=-1",   (char *)"--max-log-requests=1000"};
    if (options->context != NULL) {
        argv[10] = (char *)"--context";
        argv[11] = (char *)options->context;
    }
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return errno;
    }
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
    int error = posix_spawnp(ret_pid, "kubectl", &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (error != 0) {
        close(ends[0]);
    } else {
        *ret_out = ends[0];
    }
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
    pid_t pid = 0;
    int out = -1;
    int error = start_kubectl(options, fileno(errors), &pid, &out);
    if (error != 0) {
        cli_error(command, "--logs kubectl: kubectl cannot be started: %s; put it on PATH",
                  strerror(error));
        return EXIT_NO_CONNECTION;
    }
    error = feed(command, "kubectl", out, logs);
    close(out);
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (error != 0 || status != 0) {
        char line[LINE_BYTES];
        last_line(errors, line);
        cli_error(command, "--logs kubectl: kubectl logs failed: %s", line);
        return EXIT_NO_CONNECTION;
    }
    return 0;
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
