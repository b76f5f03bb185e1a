#include "base/mem.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static void memory_comes_zeroed(void **state)
{
    (void)state;
    char *bytes = mem_calloc(4, 25);
    for (size_t i = 0; i < 100; i++) {
        assert_int_equal(bytes[i], 0);
    }
    free(bytes);
    void *empty = mem_calloc(0, 0);
    assert_non_null(empty);
    free(empty);
}

static void copies_are_their_own(void **state)
{
    (void)state;
    char *copy = mem_strdup("agent");
    assert_string_equal(copy, "agent");
    char *part = mem_strndup(copy, 3);
    assert_string_equal(part, "age");
    part = mem_realloc(part, 100);
    assert_string_equal(part, "age");
    free(copy);
    free(part);
    assert_null(mem_strdup(NULL));
    assert_null(mem_strndup(NULL, 5));
}

static void running_out_ends_the_program(void **state)
{
    (void)state;
    volatile size_t count = SIZE_MAX / 2; /* overflows in calloc: NULL under every allocator */
    pid_t child = fork();
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        signal(SIGABRT, SIG_DFL);
        close(STDERR_FILENO);
        mem_calloc(count, 16);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_comes_zeroed),
        cmocka_unit_test(copies_are_their_own),
        cmocka_unit_test(running_out_ends_the_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
