/* Where a configuration goes: standard output, or a file that is replaced as a whole. */
#ifndef GRPCROUTE_RENDER_OUTPUT_H
#define GRPCROUTE_RENDER_OUTPUT_H

#include "render/plan.h"

/* Renders into memory. Returns the text for free(), or NULL with a reason. */
char *output_render(render_fn *render, const struct render_plan *plan,
                    char reason[static RENDER_REASON_BYTES]);

/* Writes a temporary file beside `path` and renames it. Returns 0 or a negative errno. */
int output_replace(const char *path, const char *text);

#endif
