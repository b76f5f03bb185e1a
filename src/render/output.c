#include "render/output.h"

#include <stdio.h>
#include <stdlib.h>

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
