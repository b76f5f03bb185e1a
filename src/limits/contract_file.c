/* Contracts in files. */
#include "base/text.h"
#include "limits/contract.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_BYTES_MAX (64 * 1024)

int limits_contract_read(const char *path, struct limits_contract *ret,
                         char reason[static LIMITS_REASON_BYTES])
{
    char cause[LIMITS_REASON_BYTES];
    char shown_path[128];
    char *text = NULL;
    size_t len;
    int rv = limits_text_read(path, FILE_BYTES_MAX, &text, &len, cause);
    if (rv != 0) {
        text_escape(shown_path, sizeof(shown_path), path, strlen(path));
        snprintf(reason, LIMITS_REASON_BYTES, "%s: %.180s", shown_path, cause);
        return rv;
    }
    rv = limits_contract_parse(path, text, len, ret, reason);
    free(text);
    return rv;
}
