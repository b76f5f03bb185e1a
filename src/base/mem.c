/* Allocation for small structs: a failure ends the program, because nothing sensible is left to do.
 */
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *check_allocated(void *pointer)
{
    if (pointer == NULL) {
        fputs("grpcroute: out of memory\n", stderr);
        abort();
    }
    return pointer;
}

void *mem_calloc(size_t count, size_t size_bytes)
{
    if (count == 0 || size_bytes == 0) {
        count = size_bytes = 1; /* calloc(0) may return NULL, which would look like a failure */
    }
    return check_allocated(calloc(count, size_bytes));
}

void *mem_calloc_aligned(size_t alignment_bytes, size_t bytes)
{
    size_t whole_bytes = (bytes + alignment_bytes - 1) / alignment_bytes * alignment_bytes;
    void *pointer = check_allocated(aligned_alloc(alignment_bytes, whole_bytes));
    return memset(pointer, 0, whole_bytes);
}

void *mem_realloc(void *pointer, size_t size_bytes)
{
    return check_allocated(realloc(pointer, size_bytes > 0 ? size_bytes : 1));
}

char *mem_strdup(const char *text)
{
    return text != NULL ? check_allocated(strdup(text)) : NULL;
}

char *mem_strndup(const char *text, size_t len)
{
    return text != NULL ? check_allocated(strndup(text, len)) : NULL;
}
