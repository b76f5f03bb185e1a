/* Blocks of some pages off the heap. With the address sanitizer there are none, which is tested,
 * too. */
#include "base/sanitizer.h"
#include "base/slab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

static void *blocks[SLAB_BLOCKS_MAX];

static void *taken(void)
{
    void *block = slab_alloc();
    assert_non_null(block);
    assert_true(slab_has(block));
    return block;
}

static size_t resident_pages(void *block)
{
    unsigned char in_memory[SLAB_BLOCK_BYTES / 4096] = {0};
    size_t pages = 0;
    assert_int_equal(mincore(block, SLAB_BLOCK_BYTES, in_memory), 0);
    for (size_t i = 0; i < sizeof(in_memory); i++) {
        pages += in_memory[i] & 1;
    }
    return pages;
}

/* Nothing is reserved yet. */
static void there_is_none_before_it_is_reserved(void **state)
{
    int on_stack;
    void *on_heap = malloc(SLAB_BLOCK_BYTES);
    (void)state;
    assert_null(slab_alloc());
    assert_false(slab_has(NULL));
    assert_false(slab_has(&on_stack));
    assert_false(slab_has(blocks));
    assert_false(slab_has(on_heap));
    free(on_heap);
}

static void blocks_are_whole_pages_and_each_is_its_owners_alone(void **state)
{
    (void)state;
    for (size_t i = 0; i < 200; i++) {
        blocks[i] = taken();
        assert_int_equal((uintptr_t)blocks[i] % 4096, 0);
        memset(blocks[i], (int)i, SLAB_BLOCK_BYTES);
    }
    for (size_t i = 0; i < 200; i++) {
        uint8_t *bytes = blocks[i];
        assert_int_equal(bytes[0], i);
        assert_memory_equal(bytes, bytes + 1, SLAB_BLOCK_BYTES - 1);
        slab_free(blocks[i]);
    }
    assert_false(slab_has(&state));
    assert_false(slab_has(NULL));
}

static void the_last_one_freed_is_the_next_and_has_its_pages(void **state)
{
    (void)state;
    void *block = taken();
    memset(block, 1, SLAB_BLOCK_BYTES);
    slab_free(block);
    assert_ptr_equal(taken(), block);
    assert_int_equal(resident_pages(block), SLAB_BLOCK_BYTES / 4096);
    slab_free(block);
}

/* Beyond what a thread keeps each gives its pages back at once; and those that it keeps, when told.
 */
static void free_pages_go_back_to_the_system(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLAB_KEPT_MAX + 10; i++) {
        blocks[i] = taken();
        memset(blocks[i], 1, SLAB_BLOCK_BYTES);
    }
    for (size_t i = 0; i < SLAB_KEPT_MAX + 10; i++) {
        slab_free(blocks[i]);
        assert_int_equal(resident_pages(blocks[i]),
                         i < SLAB_KEPT_MAX ? SLAB_BLOCK_BYTES / 4096 : 0);
    }
    slab_drop_kept();
    for (size_t i = 0; i < SLAB_KEPT_MAX; i++) {
        assert_int_equal(resident_pages(blocks[i]), 0);
    }
}

static void when_all_are_in_use_there_is_none_and_then_there_is(void **state)
{
    (void)state;
    for (size_t round = 0; round < 2; round++) {
        for (size_t i = 0; i < SLAB_BLOCKS_MAX; i++) {
            blocks[i] = taken();
            *(size_t *)blocks[i] = i;
        }
        assert_null(slab_alloc());
        for (size_t i = 0; i < SLAB_BLOCKS_MAX; i++) {
            assert_int_equal(*(size_t *)blocks[i], i);
            slab_free(blocks[i]);
        }
    }
    slab_drop_kept();
}

/* What one thread takes the other frees, each a hundred at a time. */
static void *swap(void *mine)
{
    void **from = mine;
    for (int round = 0; round < 200; round++) {
        void *own[100];
        for (size_t i = 0; i < 100; i++) {
            own[i] = slab_alloc();
            *(void **)own[i] = own;
        }
        for (size_t i = 0; i < 100; i++) {
            if (*(void **)own[i] != own) {
                return NULL;
            }
            slab_free(own[i]);
        }
    }
    for (size_t i = 0; i < 100; i++) {
        slab_free(from[i]);
    }
    slab_drop_kept();
    return mine;
}

static void any_thread_may_free_what_another_has_taken(void **state)
{
    pthread_t threads[2];
    (void)state;
    for (size_t i = 0; i < 200; i++) {
        blocks[i] = taken();
    }
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, swap, blocks + i * 100), 0);
    }
    for (size_t i = 0; i < 2; i++) {
        void *result;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_ptr_equal(result, blocks + i * 100);
    }
    when_all_are_in_use_there_is_none_and_then_there_is(
        NULL); /* none was lost, none is there twice */
}

static int reserve(void **state)
{
    (void)state;
    slab_reserve();
    slab_reserve(); /* harmless */
    return 0;
}

int main(void)
{
    const struct CMUnitTest before[] = {cmocka_unit_test(there_is_none_before_it_is_reserved)};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_whole_pages_and_each_is_its_owners_alone),
        cmocka_unit_test(the_last_one_freed_is_the_next_and_has_its_pages),
        cmocka_unit_test(free_pages_go_back_to_the_system),
        cmocka_unit_test(when_all_are_in_use_there_is_none_and_then_there_is),
        cmocka_unit_test(any_thread_may_free_what_another_has_taken),
    };
    int failed = cmocka_run_group_tests(before, NULL, NULL);
    if (SANITIZER_ADDRESS) { /* that is all that is true */
        slab_reserve();
        return failed + cmocka_run_group_tests(before, NULL, NULL);
    }
    return failed + cmocka_run_group_tests(tests, reserve, NULL);
}
