#include "limits/shape.h"

#include <assert.h>

void limits_work_over(struct limits_work *work)
{
    assert(!work->over);
    work->over = true;
    work->on_over(work);
}
