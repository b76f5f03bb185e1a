#include "h2/version.h"

#include <nghttp2/nghttp2.h>

const char *h2_library_version(void)
{
    return nghttp2_version(0)->version_str;
}
