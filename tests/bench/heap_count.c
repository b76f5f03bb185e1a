/* Counts what a program holds of memory, for heap.py: LD_PRELOAD this, and HEAP_COUNT names a file
 * of eight bytes in which the count always stands.
 *
 * Of the heap: what each request takes in the C library's allocator (8 bytes beside it, rounded up
 * to 16, 32 at least), which depends on nothing but the request. Of anonymous mappings: all of
 * them, less what was given back with MADV_DONTNEED; what was touched since, and what was unmapped,
 * is not seen. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* In front of each piece. */
struct head {
    size_t bytes;  /* as asked for */
    size_t before; /* from where the allocator's piece begins to ours */
};

extern void *__libc_malloc(size_t bytes);
extern void *__libc_memalign(size_t alignment, size_t bytes);
extern void __libc_free(void *memory);

static atomic_long until_open;
static atomic_long *count = &until_open;

static void add(long bytes)
{
    atomic_fetch_add(count, bytes);
}

__attribute__((constructor)) static void open_count(void)
{
    const char *path = getenv("HEAP_COUNT");
    int fd = path != NULL ? open(path, O_RDWR) : -1;
    void *shared = fd >= 0 ? (void *)syscall(SYS_mmap, NULL, sizeof(*count), PROT_READ | PROT_WRITE,
                                             MAP_SHARED, fd, 0)
                           : MAP_FAILED;
    if (shared == MAP_FAILED) {
        abort(); /* nothing would be counted */
    }
    close(fd);
    count = shared;
    atomic_store(count, until_open);
}

static long taken(size_t bytes)
{
    size_t whole = (bytes + 8 + 15) / 16 * 16;
    return (long)(whole > 32 ? whole : 32);
}

static struct head *head_of(void *memory)
{
    return (struct head *)memory - 1;
}

/* `before` is a multiple of the alignment that has room for the head. */
static void *begin(void *base, size_t before, size_t bytes)
{
    if (base == NULL) {
        return NULL;
    }
    void *memory = (char *)base + before;
    *head_of(memory) = (struct head){bytes, before};
    add(taken(bytes));
    return memory;
}

void *malloc(size_t bytes)
{
    size_t before = sizeof(struct head);
    return bytes > SIZE_MAX - before ? NULL : begin(__libc_malloc(bytes + before), before, bytes);
}

void *memalign(size_t alignment, size_t bytes)
{
    size_t before = alignment > sizeof(struct head) ? alignment : sizeof(struct head);
    return bytes > SIZE_MAX - before
               ? NULL
               : begin(__libc_memalign(alignment, bytes + before), before, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
    return memalign(alignment, bytes);
}

int posix_memalign(void **ret_memory, size_t alignment, size_t bytes)
{
    void *memory = memalign(alignment, bytes);
    if (memory == NULL) {
        return 12; /* ENOMEM */
    }
    *ret_memory = memory;
    return 0;
}

void *calloc(size_t number, size_t bytes)
{
    if (bytes != 0 && number > SIZE_MAX / bytes) {
        return NULL;
    }
    void *memory = malloc(number * bytes);
    return memory != NULL ? memset(memory, 0, number * bytes) : NULL;
}

void free(void *memory)
{
    if (memory != NULL) {
        add(-taken(head_of(memory)->bytes));
        __libc_free((char *)memory - head_of(memory)->before);
    }
}

void *realloc(void *memory, size_t bytes)
{
    void *moved = malloc(bytes);
    if (memory != NULL && moved != NULL) {
        size_t before = head_of(memory)->bytes;
        memcpy(moved, memory, before < bytes ? before : bytes);
        free(memory);
    }
    return moved;
}

void *mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset)
{
    void *memory = (void *)syscall(SYS_mmap, at, bytes, protection, flags, fd, offset);
    if (memory != MAP_FAILED && (flags & MAP_ANONYMOUS) != 0) {
        add((long)bytes);
    }
    return memory;
}

/* What mmap() is with _FILE_OFFSET_BITS=64. */
void *mmap64(void *at, size_t bytes, int protection, int flags, int fd, off_t offset)
{
    return mmap(at, bytes, protection, flags, fd, offset);
}

int madvise(void *memory, size_t bytes, int advice)
{
    int rv = (int)syscall(SYS_madvise, memory, bytes, advice);
    if (rv == 0 && advice == MADV_DONTNEED) {
        add(-(long)bytes);
    }
    return rv;
}
