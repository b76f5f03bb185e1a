#include "admin/text.h"

#include "base/buf.h"

#include <cJSON.h>
#include <stdarg.h>
#include <stdio.h>

void admin_printf(struct buf *out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    uint8_t *to = len > 0 ? buf_reserve(out, (size_t)len + 1) : NULL;
    if (to != NULL) {
        vsnprintf((char *)to, (size_t)len + 1, format, again);
        buf_commit(out, (size_t)len);
    }
    va_end(again);
}

void admin_finish_json(cJSON *root, struct buf *out)
{
    char *text = cJSON_Print(root);
    if (text != NULL) {
        admin_printf(out, "%s\n", text);
    }
    cJSON_free(text);
    cJSON_Delete(root);
}
