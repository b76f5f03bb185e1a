#include "route/names.h"

#include "route/table.h"

#include <stddef.h>
#include <string.h>

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGIT "0123456789"

#define LABEL_MAX       63
#define SUBDOMAIN_MAX   253
#define HEADER_NAME_MAX 256

static bool is_label_of(const char *name, size_t len)
{
    return len > 0 && len <= LABEL_MAX && strspn(name, LOWER DIGIT "-") >= len && name[0] != '-' &&
           name[len - 1] != '-';
}

/* The same test for each of the parts between dots. */
static bool all_parts(const char *name, bool (*is_part)(const char *part, size_t len))
{
    for (;;) {
        size_t len = strcspn(name, ".");
        if (!is_part(name, len)) {
            return false;
        }
        if (name[len] == '\0') {
            return true;
        }
        name += len + 1;
    }
}

bool names_is_label(const char *name)
{
    return is_label_of(name, strlen(name));
}

bool names_is_subdomain(const char *name)
{
    return strlen(name) <= SUBDOMAIN_MAX && all_parts(name, is_label_of);
}

bool names_is_hostname(const char *name)
{
    bool wildcard = strncmp(name, "*.", 2) == 0;
    bool only_digits = name[strspn(name, DIGIT ".")] == '\0';
    return strlen(name) <= SUBDOMAIN_MAX && !only_digits &&
           names_is_subdomain(wildcard ? name + 2 : name);
}

bool names_is_header(const char *name)
{
    size_t len = strlen(name);
    return len > 0 && len <= HEADER_NAME_MAX &&
           strspn(name, LOWER UPPER DIGIT "!#$%&'*+-.^_`|~") == len;
}

static bool is_identifier(const char *name, size_t len)
{
    return len > 0 && strspn(name, LOWER UPPER DIGIT "_") >= len &&
           strspn(name, LOWER UPPER "_") > 0;
}

bool names_is_service(const char *name)
{
    return strlen(name) <= ROUTE_METHOD_MAX &&
           all_parts(name[0] == '.' ? name + 1 : name, is_identifier);
}

bool names_is_method(const char *name)
{
    size_t len = strlen(name);
    return len <= ROUTE_METHOD_MAX && is_identifier(name, len);
}
