/* A result as a run leaves it, made by hand: all shapes looked for, no limit met, all facts hold.
 */
#ifndef GRPCROUTE_TEST_LIMITS_SCENE_H
#define GRPCROUTE_TEST_LIMITS_SCENE_H

#include "base/clock.h"
#include "limits/contract.h"
#include "limits/finding.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka needs those first */
#include <cmocka.h>

#define SCENE_WITHIN_NS (90 * NS_PER_S)
#define SCENE_KIB       UINT64_C(1024)
#define SCENE_COUNT     2000

/* How far a run looks for each shape. */
static inline uint64_t scene_looked(enum limits_shape shape)
{
    switch (limits_shape_kind(shape)) {
    case LIMITS_DURATION:
        return shape == LIMITS_PING_INTERVAL ? NS_PER_S : SCENE_WITHIN_NS;
    case LIMITS_BYTES:
        return 4096 * SCENE_KIB;
    case LIMITS_COUNT:
        return SCENE_COUNT;
    case LIMITS_FACT:
        break;
    }
    return 0;
}

static inline void scene_samples(struct limits_finding *finding, enum limits_end end)
{
    finding->sample_count = LIMITS_SAMPLES;
    for (size_t i = 0; i < LIMITS_SAMPLES; i++) {
        finding->samples[i] = (struct limits_sample){
            .opened = true,
            .opened_ns = i * NS_PER_MS,
            .lived_ns = finding->kind == LIMITS_DURATION ? finding->value : NS_PER_S,
            .value = finding->value,
            .resolution = finding->resolution,
            .end = end,
        };
    }
}

static inline struct limits_result *scene_new(void)
{
    struct limits_result *result = calloc(1, sizeof(*result));
    result->target = "proxy.example.com:8443";
    result->within_ns = SCENE_WITHIN_NS;
    result->has_probe = result->connected = true;
    result->took_ns = 95 * NS_PER_S;
    for (unsigned i = 0; i < LIMITS_SHAPES; i++) {
        struct limits_finding *finding = &result->findings[i];
        limits_finding_init(finding, i);
        finding->wanted = true;
        finding->looked = scene_looked(i);
        finding->state = finding->kind == LIMITS_FACT ? LIMITS_FOUND : LIMITS_NONE_WITHIN;
        finding->fact = finding->kind == LIMITS_FACT;
        scene_samples(finding, LIMITS_END_OPEN);
    }
    return result;
}

/* A limit of the shape, at the client's hop. */
static inline struct limits_finding *scene_found(struct limits_result *result,
                                                 enum limits_shape shape, uint64_t value,
                                                 uint64_t resolution)
{
    struct limits_finding *finding = &result->findings[shape];
    finding->state = LIMITS_FOUND;
    finding->value = value;
    finding->resolution = resolution;
    finding->side = LIMITS_SIDE_CLIENT_HOP;
    if (shape == LIMITS_PING_INTERVAL && value != LIMITS_VALUE_NONE) {
        finding->looked = value - resolution; /* is refused */
    }
    snprintf(finding->look, sizeof(finding->look), "stream reset with CANCEL");
    scene_samples(finding, LIMITS_END_RESET);
    finding->samples[0].code = finding->samples[1].code = 8;
    snprintf(finding->samples[0].server_saw, LIMITS_TEXT_BYTES, "reset with CANCEL by its peer");
    return finding;
}

static inline void scene_fact(struct limits_result *result, enum limits_shape shape, bool holds)
{
    struct limits_finding *finding = &result->findings[shape];
    finding->state = LIMITS_FOUND;
    finding->fact = holds;
    snprintf(finding->look, sizeof(finding->look), "%s", holds ? "as sent" : "it never came");
}

static inline void scene_unmeasured(struct limits_result *result, enum limits_shape shape,
                                    const char *why)
{
    limits_finding_init(&result->findings[shape], shape);
    result->findings[shape].wanted = true;
    snprintf(result->findings[shape].why, LIMITS_TEXT_BYTES, "%s", why);
}

/* Two tries that disagree. */
static inline void scene_unsteady(struct limits_result *result, enum limits_shape shape,
                                  uint64_t first, uint64_t second, enum limits_end second_end)
{
    struct limits_finding *finding = &result->findings[shape];
    scene_samples(finding, LIMITS_END_RESET);
    finding->state = LIMITS_UNSTEADY;
    finding->samples[0].value = first;
    finding->samples[1].value = second;
    finding->samples[1].end = second_end;
    snprintf(finding->why, LIMITS_TEXT_BYTES, "one ended early");
}

#endif
