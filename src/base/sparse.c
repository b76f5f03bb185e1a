/* The compact copy: of each word of eight bytes a bit that says whether it is zero, then those that
 * are not.
 *
 * Where connections come and go, to map pages, to touch them and to unmap them costs more than all
 * else that HTTP/2 does for one call. So each thread keeps some of them, zeroed, for who is next.
 */
#include "base/sparse.h"

#include "base/sanitizer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#if SANITIZER_ADDRESS
#include <sanitizer/asan_interface.h>
#include <sanitizer/lsan_interface.h>
#else /* its leak detector does not look into mappings by itself */
#define __lsan_register_root_region(at, bytes)   ((void)(at), (void)(bytes))
#define __lsan_unregister_root_region(at, bytes) ((void)(at), (void)(bytes))
#define __asan_poison_memory_region(at, bytes)   ((void)(at), (void)(bytes))
#define __asan_unpoison_memory_region(at, bytes) ((void)(at), (void)(bytes))
#endif

#define WORD_BYTES      sizeof(uint64_t)
#define WORDS_OF_MASK   64 /* told of by one word of bits */
#define STRETCH_BYTES   (WORDS_OF_MASK * WORD_BYTES)
#define ALIGNMENT_BYTES 16
/* Pieces of pages that a thread keeps: those of 256 connections at most, 4 MiB, until it is quiet.
 * So many are made at once, with their pages: alone, each would be a system call and two faults. */
#define SPARE_BYTES 8192
#define SPARE_MAX   512
#define SPARE_MADE  8

static _Thread_local struct {
    void *pages[SPARE_MAX]; /* owned; zeros */
    unsigned count;
} spare;

static size_t rounded(size_t bytes, size_t to)
{
    return (bytes + to - 1) / to * to;
}

/* ---- pages ----------------------------------------------------------------------------------- */

static void *map_pages(size_t bytes, int flags)
{
    void *pages =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
    return pages != MAP_FAILED ? pages : NULL;
}

static void keep_pages(void *pages)
{
    __asan_poison_memory_region(pages, SPARE_BYTES);
    spare.pages[spare.count++] = pages;
}

/* Where there is no memory for so many there may be for one. */
static void make_spare(void)
{
    uint8_t *pages = map_pages((size_t)SPARE_MADE * SPARE_BYTES, MAP_POPULATE);
    for (size_t i = 0; pages != NULL && i < SPARE_MADE; i++) {
        keep_pages(pages + i * SPARE_BYTES);
    }
}

/* Zeros; NULL: there are none, and errno says why. */
static void *take_pages(size_t bytes)
{
    if (bytes == SPARE_BYTES && spare.count == 0) {
        make_spare();
    }
    if (bytes == SPARE_BYTES && spare.count > 0) {
        void *pages = spare.pages[--spare.count];
        __asan_unpoison_memory_region(pages, bytes);
        return pages;
    }
    return map_pages(bytes, 0);
}

/* Of which all but the first `used` bytes are zeros. */
static void drop_pages(void *pages, size_t bytes, size_t used)
{
    if (bytes != SPARE_BYTES || spare.count == SPARE_MAX) {
        munmap(pages, bytes);
        return;
    }
    explicit_bzero(pages, used);
    keep_pages(pages);
}

void sparse_drop_spare(void)
{
    while (spare.count > 0) {
        void *pages = spare.pages[--spare.count];
        __asan_unpoison_memory_region(pages, SPARE_BYTES);
        munmap(pages, SPARE_BYTES);
    }
}

int sparse_init(struct sparse *sparse, size_t bytes)
{
    bytes = rounded(bytes, (size_t)sysconf(_SC_PAGESIZE));
    void *pages = take_pages(bytes);
    if (pages == NULL) {
        return -errno;
    }
    __lsan_register_root_region(pages, bytes);
    *sparse = (struct sparse){.pages = pages, .bytes = bytes};
    return 0;
}

static void free_kept(struct sparse *sparse)
{
    if (sparse->kept != NULL) {
        explicit_bzero(sparse->kept, sparse->kept_bytes); /* it may hold keys */
    }
    free(sparse->kept);
    sparse->kept = NULL;
}

void sparse_deinit(struct sparse *sparse)
{
    if (sparse->pages != NULL) {
        __lsan_unregister_root_region(sparse->pages, sparse->bytes);
        /* pages that are away are zeros, and nobody touches them for nothing */
        drop_pages(sparse->pages, sparse->bytes, sparse_is_away(sparse) ? 0 : sparse->used);
    }
    free_kept(sparse);
    *sparse = (struct sparse){0};
}

void *sparse_take(struct sparse *sparse, size_t bytes)
{
    size_t room = sparse->bytes - sparse->used;
    if (bytes == 0 || bytes > room || rounded(bytes, ALIGNMENT_BYTES) > room) {
        return NULL;
    }
    void *piece = sparse->pages + sparse->used;
    sparse->used += rounded(bytes, ALIGNMENT_BYTES);
    return piece;
}

/* ---- away and back --------------------------------------------------------------------------- */

static uint64_t read_word(const uint8_t *from)
{
    uint64_t word;
    memcpy(&word, from, sizeof(word));
    return word;
}

/* Which words of the stretch are not zero. */
static uint64_t mask_of(const uint8_t *stretch)
{
    uint64_t mask = 0;
    for (unsigned i = 0; i < WORDS_OF_MASK; i++) {
        mask |= (uint64_t)(read_word(stretch + i * WORD_BYTES) != 0) << i;
    }
    return mask;
}

static size_t stretches(const struct sparse *sparse)
{
    return rounded(sparse->used, STRETCH_BYTES) / STRETCH_BYTES;
}

static size_t copy_bytes(const struct sparse *sparse)
{
    size_t words = 0;
    for (size_t i = 0; i < stretches(sparse); i++) {
        words += 1 + (size_t)__builtin_popcountll(mask_of(sparse->pages + i * STRETCH_BYTES));
    }
    return words * WORD_BYTES;
}

void sparse_put_away(struct sparse *sparse)
{
    if (sparse->used == 0 || sparse_is_away(sparse)) {
        return;
    }
    sparse->kept_bytes = copy_bytes(sparse);
    uint8_t *to = malloc(sparse->kept_bytes);
    sparse->kept = to;
    if (to == NULL) {
        return;
    }
    for (size_t i = 0; i < stretches(sparse); i++) {
        const uint8_t *stretch = sparse->pages + i * STRETCH_BYTES;
        uint64_t mask = mask_of(stretch);
        memcpy(to, &mask, sizeof(mask));
        to += WORD_BYTES;
        for (; mask != 0; mask &= mask - 1) {
            memcpy(to, stretch + (size_t)__builtin_ctzll(mask) * WORD_BYTES, WORD_BYTES);
            to += WORD_BYTES;
        }
    }
    /* From here on the pages read as zeros. */
    if (madvise(sparse->pages, sparse->bytes, MADV_DONTNEED) != 0) {
        free_kept(sparse);
    }
}

void sparse_bring_back(struct sparse *sparse)
{
    const uint8_t *from = sparse->kept;
    if (from == NULL) {
        return;
    }
    for (size_t i = 0; i < stretches(sparse); i++) {
        uint8_t *stretch = sparse->pages + i * STRETCH_BYTES;
        uint64_t mask = read_word(from);
        from += WORD_BYTES;
        for (; mask != 0; mask &= mask - 1) {
            memcpy(stretch + (size_t)__builtin_ctzll(mask) * WORD_BYTES, from, WORD_BYTES);
            from += WORD_BYTES;
        }
    }
    free_kept(sparse);
}
