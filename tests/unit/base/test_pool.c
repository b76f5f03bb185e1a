/* Blocks that are kept, given out again, and given back. */
#include "base/pool.h"

#include "base/sanitizer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int live; /* blocks of malloc() */

void *__real_malloc(size_t bytes);
void __real_free(void *block);
void *__wrap_malloc(size_t bytes);
void __wrap_free(void *block);

void *__wrap_malloc(size_t bytes)
{
    live++;
    return __real_malloc(bytes);
}

void __wrap_free(void *block)
{
    live -= block != NULL;
    __real_free(block);
}

static int drop(void **state)
{
    (void)state;
    pool_drop();
    live = 0;
    return 0;
}

/* Every size has its bytes, whatever block it gets. */
static void blocks_have_the_room_that_was_asked_for(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        void *blocks[1200];
        for (size_t bytes = 0; bytes < 1200; bytes++) {
            blocks[bytes] = pool_alloc(bytes);
            assert_non_null(blocks[bytes]);
            memset(blocks[bytes], (int)bytes, bytes);
        }
        for (size_t bytes = 0; bytes < 1200; bytes++) {
            for (size_t i = 0; i < bytes; i++) {
                assert_int_equal(((uint8_t *)blocks[bytes])[i], (uint8_t)bytes);
            }
            pool_free(blocks[bytes]);
        }
    }
    pool_free(NULL);
    pool_drop();
    assert_int_equal(live, 0);
}

static void zeros_are_zeros_again(void **state)
{
    (void)state;
    for (int round = 0; round < 10; round++) {
        uint8_t *block = pool_calloc(100);
        for (size_t i = 0; i < 100; i++) {
            assert_int_equal(block[i], 0);
        }
        memset(block, 0xff, 100);
        pool_free(block);
    }
}

static void blocks_are_those_of_malloc(void **state)
{
    (void)state;
    char *text = pool_alloc(40);
    text = realloc(text, 400); /* as nghttp2 does */
    assert_non_null(text);
    pool_free(text);
    free(pool_alloc(40));
    pool_free(malloc(40));
    pool_free(malloc(100000));
    pool_drop();
    assert_int_equal(live, 0);
}

#if !SANITIZER_ADDRESS
static void what_was_freed_comes_again(void **state)
{
    (void)state;
    for (size_t bytes = 1; bytes <= POOL_BLOCK_BYTES; bytes++) {
        void *block = pool_alloc(bytes);
        uintptr_t was = (uintptr_t)block;
        pool_free(block);
        assert_int_equal(live, 1);
        block = pool_alloc(bytes);
        assert_true((uintptr_t)block == was);
        pool_free(block);
        pool_drop();
    }
}

static void no_more_is_kept_than_allowed(void **state)
{
    (void)state;
    static void *blocks[2 * POOL_KEPT_BYTES / 1000];
    for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
        blocks[i] = pool_alloc(1000);
    }
    for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
        pool_free(blocks[i]);
    }
    assert_in_range(live, POOL_KEPT_BYTES / 1040 - 1, POOL_KEPT_BYTES / 1000);
}

static void who_rests_keeps_nothing(void **state)
{
    (void)state;
    pool_free(pool_alloc(100));
    pool_rest(); /* it was used until now */
    assert_int_equal(live, 1);
    pool_rest();
    assert_int_equal(live, 0);
    pool_rest();
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(blocks_have_the_room_that_was_asked_for, drop),
        cmocka_unit_test_setup(zeros_are_zeros_again, drop),
        cmocka_unit_test_setup(blocks_are_those_of_malloc, drop),
#if !SANITIZER_ADDRESS
        cmocka_unit_test_setup(what_was_freed_comes_again, drop),
        cmocka_unit_test_setup(no_more_is_kept_than_allowed, drop),
        cmocka_unit_test_setup(who_rests_keeps_nothing, drop),
#endif
    };
    int failed = cmocka_run_group_tests_name("base/pool", tests, NULL, NULL);
    pool_drop();
    return failed;
}
