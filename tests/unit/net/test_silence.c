/* What a client costs that connects and says nothing: not the buffers of a handshake. */
#include "harness.h"

#include <malloc.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    CROWD = 100,
    TURNS = 20,              /* of 10 ms, in each of which many are begun */
    STRUCTURE_BYTES = 4096,  /* what is made of OpenSSL when they are, at least */
    HANDSHAKE_BYTES = 16384, /* a buffer that a handshake has; more than anything else is */
};

static struct harness harness;
static size_t allocated; /* by OpenSSL */
static size_t buffers;   /* likewise, since ever */

static void *on_malloc(size_t bytes, const char *file, int line)
{
    (void)file;
    (void)line;
    void *memory = malloc(bytes);
    allocated += malloc_usable_size(memory);
    buffers += bytes >= HANDSHAKE_BYTES;
    return memory;
}

static void on_free(void *memory, const char *file, int line)
{
    (void)file;
    (void)line;
    allocated -= malloc_usable_size(memory);
    free(memory);
}

static void *on_realloc(void *memory, size_t bytes, const char *file, int line)
{
    (void)file;
    (void)line;
    allocated -= malloc_usable_size(memory);
    memory = realloc(memory, bytes);
    allocated += malloc_usable_size(memory);
    return memory;
}

static int setup(void **state)
{
    (void)state;
    harness_init(&harness, true);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    harness_deinit(&harness);
    return 0;
}

static void who_says_nothing_has_no_buffers(void **state)
{
    int fds[CROWD];

    (void)state;
    harness_listen(&harness);
    size_t before = allocated;
    size_t buffers_before = buffers;
    for (int i = 0; i < CROWD; i++) {
        fds[i] = raw_connect(net_listener_port(harness.listener));
    }
    for (int i = 0; i < TURNS; i++) {
        run_for(&harness.loop, 10);
    }
    assert_true((allocated - before) / CROWD >= STRUCTURE_BYTES);
    assert_int_equal(buffers - buffers_before, 0);
    for (int i = 0; i < CROWD; i++) {
        close(fds[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_says_nothing_has_no_buffers, setup, teardown),
    };
    return CRYPTO_set_mem_functions(on_malloc, on_realloc, on_free) == 1
               ? cmocka_run_group_tests(tests, certificates_make, certificates_remove)
               : 1;
}
