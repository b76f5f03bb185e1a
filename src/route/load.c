#include "route/load.h"

#include "base/mem.h"
#include "route/parse.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

static int complain_file(struct route_error *error, const char *path, int code)
{
    snprintf(error->text, sizeof(error->text), "%.300s: %s", path, strerror(code));
    return 1;
}

typedef int parse_fn(const char *bytes, size_t len, const char *name, struct route_table **ret,
                     struct route_error *ret_error);

static int load(const char *path, parse_fn *parse, struct route_table **ret,
                struct route_error *ret_error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return complain_file(ret_error, path, errno);
    }
    char *bytes = mem_calloc(1, ROUTE_FILE_BYTES + 1); /* one more, to see that it is too large */
    size_t len = 0;
    ssize_t got;
    while ((got = read(fd, bytes + len, ROUTE_FILE_BYTES + 1 - len)) > 0) {
        len += (size_t)got;
    }
    int error = errno;
    close(fd);
    int rv = got < 0 ? complain_file(ret_error, path, error)
                     : parse(bytes, len, path, ret, ret_error);
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
