#include "base/sparse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

enum { PIECE = 3000 };

static size_t pages_here(const struct sparse *sparse)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    unsigned char here[16] = {0};
    size_t count = 0;
    assert_true(sparse->bytes / page <= sizeof(here));
    assert_int_equal(mincore(sparse->pages, sparse->bytes, here), 0);
    for (size_t i = 0; i < sizeof(here); i++) {
        count += here[i] & 1;
    }
    return count;
}

static void pieces_are_zeroed_aligned_and_apart(void **state)
{
    (void)state;
    struct sparse sparse = {0};
    assert_int_equal(sparse_init(&sparse, 2 * PIECE), 0);
    uint8_t *first = sparse_take(&sparse, PIECE - 1);
    uint8_t *second = sparse_take(&sparse, PIECE);
    assert_true(first != NULL && second >= first + PIECE - 1);
    assert_int_equal((uintptr_t)second % _Alignof(max_align_t), 0);
    for (size_t i = 0; i < PIECE; i++) {
        assert_int_equal(second[i], 0);
    }
    assert_true(sparse_has(&sparse, second + PIECE - 1) && !sparse_has(&sparse, &sparse));
    assert_null(sparse_take(&sparse, sparse.bytes));
    assert_null(sparse_take(&sparse, SIZE_MAX));
    sparse_deinit(&sparse);
}

/* Zeros, words and single bytes at all places, also the last. */
static void all_comes_back_at_the_same_address(void **state)
{
    (void)state;
    struct sparse sparse = {0};
    assert_int_equal(sparse_init(&sparse, 3 * PIECE), 0);
    uint8_t *piece = sparse_take(&sparse, 3 * PIECE);
    static uint8_t expected[3 * PIECE];
    for (size_t round = 1; round < 6; round++) {
        for (size_t i = 0; i < 3 * PIECE; i += round * round) {
            expected[i] = piece[i] = (uint8_t)(i / 7 + round);
        }
        expected[3 * PIECE - 1] = piece[3 * PIECE - 1] = (uint8_t)round;
        sparse_put_away(&sparse);
        assert_true(sparse_is_away(&sparse));
        sparse_put_away(&sparse);
        assert_int_equal(pages_here(&sparse), 0);
        sparse_bring_back(&sparse);
        assert_false(sparse_is_away(&sparse));
        sparse_bring_back(&sparse);
        assert_memory_equal(piece, expected, sizeof(expected));
        memset(piece, 0, round * 1000);
        memset(expected, 0, round * 1000);
    }
    sparse_put_away(&sparse);
    sparse_deinit(&sparse); /* also while they are away */
    assert_false(sparse_is_away(&sparse));
}

static size_t mapped(void *const *pages, size_t count, size_t bytes)
{
    unsigned char here[8192];
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        found += mincore(pages[i], bytes, here) == 0;
    }
    return found;
}

/* Of who comes next nobody sees what was in the pages, nor do more than 512 pieces stay. */
static void pages_come_again_as_zeros(void **state)
{
    (void)state;
    enum { MANY = 600, KEPT = 512, BYTES = 8192 };
    static struct sparse all[MANY];
    static void *were[MANY];
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < MANY; i++) {
            assert_int_equal(sparse_init(&all[i], BYTES), 0);
            uint8_t *piece = sparse_take(&all[i], BYTES);
            assert_non_null(piece);
            for (size_t at = 0; at < BYTES; at++) {
                assert_int_equal(piece[at], 0);
            }
            memset(piece, 'k', BYTES);
            if (i % 2 == 1) {
                sparse_put_away(&all[i]);
            }
        }
        for (size_t i = 0; i < MANY; i++) {
            were[i] = all[i].pages;
            sparse_deinit(&all[i]);
        }
        assert_int_equal(mapped(were, MANY, BYTES), KEPT);
    }
    assert_int_equal(sparse_init(&all[0], BYTES), 0);
    void *pages = all[0].pages;
    sparse_deinit(&all[0]);
    assert_int_equal(sparse_init(&all[0], BYTES), 0);
    assert_ptr_equal(all[0].pages, pages); /* they were kept */
    sparse_deinit(&all[0]);
    sparse_drop_spare();
    unsigned char here[BYTES];
    assert_int_equal(mincore(pages, BYTES, here), -1); /* and are no more */
}

static void what_is_empty_stays(void **state)
{
    (void)state;
    struct sparse sparse = {0};
    sparse_put_away(&sparse);
    assert_false(sparse_is_away(&sparse));
    assert_null(sparse_take(&sparse, 1));
    sparse_deinit(&sparse);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_zeroed_aligned_and_apart),
        cmocka_unit_test(all_comes_back_at_the_same_address),
        cmocka_unit_test(pages_come_again_as_zeros),
        cmocka_unit_test(what_is_empty_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
