/* A configuration as text. */
#ifndef GRPCROUTE_RENDER_OUTPUT_H
#define GRPCROUTE_RENDER_OUTPUT_H

#include "render/plan.h"

/* Renders into memory. Returns the text for free(), or NULL with a reason. */
char *output_render(render_fn *render, const struct render_plan *plan,
                    char reason[static RENDER_REASON_BYTES]);

#endif
