#include "demo/child.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGUMENTS_MAX 64
#define EXEC_FAILED   127

/* ---- output ---------------------------------------------------------------------------------- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buffer)
{
    (void)handle;
    (void)suggested;
    static char bytes[16 * 1024]; /* one thread, used up before the next read */
    *ret_buffer = uv_buf_init(bytes, sizeof(bytes));
}

static void take_byte(struct child *child, char byte)
{
    if (byte != '\n') {
        if (child->line_len < sizeof(child->line) - 1) {
            child->line[child->line_len++] = byte;
        }
        return;
    }
    child->line[child->line_len] = '\0';
    child->line_len = 0;
    child->set->events->on_line(child->set->user, child, child->line);
}

static void report_when_over(struct child *child)
{
    if (child->exited && !child->pipe_open && child->pid != 0) {
        child->pid = 0;
        list_remove(&child->node);
        child->set->events->on_exit(child->set->user, child, child->code);
    }
}

static void on_pipe_closed(uv_handle_t *handle)
{
    struct child *child = container_of(handle, struct child, pipe);
    child->pipe_open = false;
    report_when_over(child);
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buffer)
{
    struct child *child = container_of(stream, struct child, pipe);
    for (ssize_t i = 0; i < len; i++) {
        take_byte(child, buffer->base[i]);
    }
    if (len < 0) {
        if (child->line_len > 0) {
            take_byte(child, '\n');
        }
        uv_close((uv_handle_t *)stream, on_pipe_closed);
    }
}

/* ---- end ------------------------------------------------------------------------------------- */

static int code_of(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void on_sigchld(uv_signal_t *handle, int number)
{
    (void)number;
    struct child_set *set = handle->data;
    struct list *node;
    struct list *next;
    list_each(node, next, &set->children)
    {
        struct child *child = container_of(node, struct child, node);
        int status;
        if (!child->exited && waitpid(child->pid, &status, WNOHANG) == child->pid) {
            child->exited = true;
            child->code = code_of(status);
            report_when_over(child);
        }
    }
}

/* ---- start ----------------------------------------------------------------------------------- */

/* In the child, between fork and exec: only async-signal-safe calls. */
static void become(int out, int err, pid_t parent, const char *program, char **argv)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) {
        _exit(EXEC_FAILED); /* the parent died before we said so */
    }
    setpgid(0, 0); /* Ctrl-C is for the parent, which ends its children in order */
    int nothing = open("/dev/null", O_RDONLY);
    dup2(nothing, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    if (program == NULL) {
        execv("/proc/self/exe", argv);
    } else {
        execvp(program, argv);
    }
    _exit(EXEC_FAILED);
}

static pid_t spawn(int out, int err, const struct child_command *command)
{
    char *argv[ARGUMENTS_MAX] = {
        (char *)(command->program != NULL ? command->program : "grpcroute")};
    for (size_t i = 0; command->arguments[i] != NULL && i < ARGUMENTS_MAX - 2; i++) {
        argv[i + 1] = (char *)command->arguments[i];
    }
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        become(out, err, parent, command->program, argv);
    }
    return pid;
}

/* Starts with lines going to `lines`. Returns 0 or a negative errno. */
static int spawn_with_output(struct child *child, int lines, const struct child_command *command)
{
    int out = lines;
    if (command->output_file != NULL) {
        out = open(command->output_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (out < 0) {
            return -errno;
        }
    }
    child->pid = spawn(out, lines, command);
    int rv = child->pid < 0 ? -errno : 0;
    if (out != lines) {
        close(out);
    }
    return rv;
}

int child_start(struct child_set *set, struct child *child, const char *name,
                const struct child_command *command)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return -errno;
    }
    memset(child, 0, sizeof(*child));
    child->set = set;
    child->name = name;
    int rv = spawn_with_output(child, ends[1], command);
    close(ends[1]);
    if (rv != 0) {
        child->pid = 0;
        close(ends[0]);
        return rv;
    }
    uv_pipe_init(set->loop, &child->pipe, 0);
    uv_pipe_open(&child->pipe, ends[0]);
    child->pipe_open = true;
    uv_read_start((uv_stream_t *)&child->pipe, on_alloc, on_read);
    list_append(&set->children, &child->node);
    return 0;
}

void child_signal(struct child *child, int number)
{
    if (child_running(child) && !child->exited) {
        child->ended_here = true;
        kill(child->pid, number);
    }
}

bool child_running(const struct child *child)
{
    return child->pid != 0;
}

/* ---- sets ------------------------------------------------------------------------------------ */

void child_set_init(struct child_set *set, uv_loop_t *loop, const struct child_events *events,
                    void *user)
{
    set->loop = loop;
    set->events = events;
    set->user = user;
    list_init(&set->children);
    uv_signal_init(loop, &set->sigchld);
    set->sigchld.data = set;
    uv_signal_start(&set->sigchld, on_sigchld, SIGCHLD);
    uv_unref((uv_handle_t *)&set->sigchld);
}

void child_set_deinit(struct child_set *set)
{
    uv_close((uv_handle_t *)&set->sigchld, NULL);
}

bool child_set_idle(const struct child_set *set)
{
    return list_empty(&set->children);
}

void child_set_signal(struct child_set *set, int number)
{
    struct list *node;
    struct list *next;
    list_each(node, next, &set->children)
    {
        child_signal(container_of(node, struct child, node), number);
    }
}
