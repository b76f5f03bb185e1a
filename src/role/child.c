/*   parent: role_child_start() -> uv_spawn(this binary, "WORD", parent's pid, program, arguments)
 *   child:  main() -> role_child_become() -> prctl() -> execvp(program, arguments) */
#include "role/child.h"

#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define SELF "/proc/self/exe"
#define NAME "grpcroute"
#define WORD                                                                                       \
    "--become-child-of" /* the name, this, the parent's pid, the program, its arguments            \
                         */
#define EXEC_FAILED 127
#define PATH_BYTES  4096

/* ---- in the child ---------------------------------------------------------------------------- */

void role_child_become(char **argv)
{
    if (argv[0] == NULL || argv[1] == NULL || strcmp(argv[1], WORD) != 0 || argv[2] == NULL ||
        argv[3] == NULL) {
        return;
    }
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != (pid_t)strtoimax(argv[2], NULL, 10)) {
        _exit(EXEC_FAILED); /* the parent died before the kernel knew */
    }
    const char *program = argv[3];
    char **become = &argv[3];
    if (strcmp(program, SELF) == 0) {
        become[0] = mem_unconst(NAME);
    }
    execvp(program, become);
    fprintf(stderr, NAME ": %s: %s\n", program, strerror(errno));
    _exit(EXEC_FAILED);
}

/* ---- is it there? ---------------------------------------------------------------------------- */

static bool can_execute(const char *path)
{
    return access(path, X_OK) == 0;
}

bool role_child_exists(const char *program)
{
    const char *dir = getenv("PATH");
    if (strchr(program, '/') != NULL) {
        return can_execute(program);
    }
    while (dir != NULL && *dir != '\0') {
        size_t len = strcspn(dir, ":");
        char path[PATH_BYTES];
        snprintf(path, sizeof(path), "%.*s/%s", (int)len, dir, program);
        if (can_execute(path)) {
            return true;
        }
        dir += len + (dir[len] == ':');
    }
    return false;
}

/* ---- end ------------------------------------------------------------------------------------- */

static void on_handle_closed(uv_handle_t *handle)
{
    struct role_child *child = handle->data;
    assert(child->open > 0);
    if (--child->open == 0) {
        child->events->on_exit(child->user, child->code);
    }
}

static void on_process_exit(uv_process_t *process, int64_t status, int number)
{
    struct role_child *child = process->data;
    child->code = number != 0 ? 128 + number : (int)status;
    uv_close((uv_handle_t *)process, on_handle_closed);
}

/* ---- output ---------------------------------------------------------------------------------- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buffer)
{
    (void)handle;
    (void)suggested;
    static char bytes[16 * 1024]; /* one thread, used up before the next read */
    *ret_buffer = uv_buf_init(bytes, sizeof(bytes));
}

void role_child_stop_reading(struct role_child *child)
{
    if (child->reads && !uv_is_closing((uv_handle_t *)&child->pipe)) {
        uv_close((uv_handle_t *)&child->pipe, on_handle_closed);
    }
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buffer)
{
    struct role_child *child = stream->data;
    if (len > 0) {
        child->events->on_output(child->user, buffer->base, (size_t)len);
    } else if (len < 0) {
        role_child_stop_reading(child);
    }
}

/* ---- start ----------------------------------------------------------------------------------- */

/* `write_end` is what ROLE_CHILD_READ stands for. */
static int spawn(struct role_child *child, uv_loop_t *loop,
                 const struct role_child_command *command, int write_end)
{
    char parent[16];
    const char *program = command->program != NULL ? command->program : SELF;
    char *argv[ROLE_CHILD_WORDS_MAX + 4] = {mem_unconst(NAME), mem_unconst(WORD), parent,
                                            mem_unconst(program)};
    snprintf(parent, sizeof(parent), "%ld", (long)getpid());
    for (size_t i = 0; command->arguments[i] != NULL; i++) {
        assert(i + 1 < ROLE_CHILD_WORDS_MAX);
        argv[i + 4] = mem_unconst(command->arguments[i]);
    }
    uv_stdio_container_t stdio[] = {
        {.flags = UV_IGNORE},
        {.flags = UV_INHERIT_FD, .data.fd = command->out >= 0 ? command->out : write_end},
        {.flags = UV_INHERIT_FD, .data.fd = command->err >= 0 ? command->err : write_end},
    };
    const uv_process_options_t options = {
        .file = SELF,
        .args = argv,
        .stdio = stdio,
        .stdio_count = ARRAY_SIZE(stdio),
        .flags = UV_PROCESS_DETACHED, /* a session of its own */
        .exit_cb = on_process_exit,
    };
    int error = uv_spawn(loop, &child->process, &options);
    uv_update_time(
        loop); /* it waited for the exec: a timer that is started now must not count that */
    return error;
}

static void start_reading(struct role_child *child, uv_loop_t *loop, int read_end)
{
    uv_pipe_init(loop, &child->pipe, 0);
    child->pipe.data = child;
    uv_pipe_open(&child->pipe, read_end);
    uv_read_start((uv_stream_t *)&child->pipe, on_alloc, on_read);
    child->reads = true;
    child->open++;
}

int role_child_start(struct role_child *child, uv_loop_t *loop,
                     const struct role_child_command *command,
                     const struct role_child_events *events, void *user)
{
    int ends[2] = {-1, -1};
    bool reads = command->out == ROLE_CHILD_READ || command->err == ROLE_CHILD_READ;
    assert(!role_child_runs(child));
    if (command->program != NULL && !role_child_exists(command->program)) {
        return -ENOENT;
    }
    if (reads && pipe2(ends, O_CLOEXEC) != 0) {
        return -errno;
    }
    *child = (struct role_child){.events = events, .user = user};
    int rv = spawn(child, loop, command, ends[1]);
    child->process.data = child;
    if (reads) {
        close(ends[1]);
    }
    if (rv != 0) {
        uv_close((uv_handle_t *)&child->process, NULL);
        if (reads) {
            close(ends[0]);
        }
        return rv;
    }
    child->open++;
    if (reads) {
        start_reading(child, loop, ends[0]);
    }
    return 0;
}

bool role_child_runs(const struct role_child *child)
{
    return child->open > 0;
}

/* ---- signals --------------------------------------------------------------------------------- */

void role_child_signal(const struct role_child *child, int number)
{
    /* its number may belong to another process as soon as it was waited for */
    if (role_child_runs(child) && uv_is_active((const uv_handle_t *)&child->process)) {
        kill(child->process.pid, number);
    }
}

void role_child_signal_all(const struct role_child *child, int number)
{
    if (child->process.pid > 0) {
        kill(-child->process.pid, number);
    }
}
