#include "route/load.h"

#include "base/file.h"
#include "route/parse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const unsigned char route_default_yaml[];
extern const size_t route_default_yaml_len;

struct route_table *route_table_default(void)
{
    struct route_table *table;
    struct route_error error;
    if (route_table_parse((const char *)route_default_yaml, route_default_yaml_len, "built-in",
                          &table, &error) != 0) {
        fprintf(stderr, "%s\n", error.text);
        abort(); /* our own file is broken */
    }
    return table;
}

typedef int parse_fn(const char *bytes, size_t len, const char *name, struct route_table **ret,
                     struct route_error *ret_error);

static int load(const char *path, parse_fn *parse, struct route_table **ret,
                struct route_error *ret_error)
{
    char *bytes;
    size_t len;
    int error = file_read(path, ROUTE_FILE_BYTES, &bytes, &len);
    if (error != 0) {
        snprintf(ret_error->text, sizeof(ret_error->text), "%.300s: %s", path, strerror(error));
        return 1;
    }
    int rv = parse(bytes, len, path, ret, ret_error);
    free(bytes);
    return rv;
}

int route_table_load_file(const char *path, struct route_table **ret, struct route_error *ret_error)
{
    return load(path, route_table_parse, ret, ret_error);
}

int route_table_load_file_for_checks(const char *path, struct route_table **ret,
                                     struct route_error *ret_error)
{
    return load(path, route_table_parse_for_checks, ret, ret_error);
}
