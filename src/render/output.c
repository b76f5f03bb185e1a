#include "render/output.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char *output_render(render_fn *render, const struct render_plan *plan,
                    char reason[static RENDER_REASON_BYTES])
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    if (out == NULL) {
        abort(); /* no memory, as in mem_calloc() */
    }
    int rv = render(out, plan, reason);
    if (fclose(out) != 0) {
        abort();
    }
    if (rv != 0) {
        free(text);
        return NULL;
    }
    return text;
}

int output_replace(const char *path, const char *text)
{
    char temporary[PATH_MAX];
    if ((size_t)snprintf(temporary, sizeof(temporary), "%s.new", path) >= sizeof(temporary)) {
        return -ENAMETOOLONG;
    }
    FILE *file = fopen(temporary, "w");
    if (file == NULL) {
        return -errno;
    }
    bool failed = fputs(text, file) < 0;
    failed = fclose(file) != 0 || failed;
    if (failed || rename(temporary, path) != 0) {
        int error = errno;
        unlink(temporary);
        return -error;
    }
    return 0;
}
