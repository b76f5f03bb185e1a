#include "limits/shape.h"

#include "base/text.h"

#include <assert.h>
#include <string.h>

void limits_work_over(struct limits_work *work)
{
    assert(!work->over);
    work->over = true;
    work->on_over(work);
}

void limits_work_fail(struct limits_work *work, const char *why)
{
    struct limits_finding *finding = work->finding;
    finding->state = LIMITS_NOT_MEASURED;
    text_escape(finding->why, sizeof(finding->why), why, strlen(why));
    limits_work_over(work);
}
