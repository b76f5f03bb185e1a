/* Parsing what people type: durations, addresses, versions, numbers. */
#include "base/text.h"

#include <arpa/inet.h>
#include <string.h>

static const char DURATION_EXPECTED[] = "a duration such as 250ms, 5s or 1m30s";
static const char DURATION_NEGATIVE[] = "a duration that is not negative";
static const char DURATION_TOO_LONG[] = "a duration below 292 years";
static const char ADDRESS_EXPECTED[] = "HOST:PORT, for example localhost:8443 or [::1]:8443";
static const char ADDRESS_PORT_EXPECTED[] = "a port of at most 65535 after the colon";
static const char ADDRESS_BRACKETS_EXPECTED[] = "brackets around an IPv6 address, as in [::1]:8443";
static const char ADDRESS_IPV6_EXPECTED[] = "an IPv6 address between the brackets";
static const char ADDRESS_IPV4_EXPECTED[] = "an IPv4 address of four numbers from 0 to 255";
static const char ADDRESS_SCHEME_EXPECTED[] = "HOST:PORT without a scheme such as https://";
static const char ADDRESS_RESOLVER_EXPECTED[] =
    "HOST:PORT without a prefix such as ipv4:, dns: or unix:";
static const char ADDRESS_PATH_EXPECTED[] = "HOST:PORT without a slash or path behind it";
static const char ADDRESS_NAME_EXPECTED[] =
    "a host name of letters, digits, dots and hyphens, at most 253 bytes";
static const char VERSION_EXPECTED[] = "a version such as v1 or v1.2";
static const char NUMBER_EXPECTED[] = "a whole number";
static const char NUMBER_IN_RANGE_EXPECTED[] = "a whole number within the limits";

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alphanumeric(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static int expected(const char *reason, const char **ret_reason)
{
    *ret_reason = reason;
    return 1;
}

/* Reads digits at `*at` and moves past them. False when there are none or more than a uint64_t. */
static bool read_digits(const char **at, uint64_t *ret)
{
    if (!is_digit(**at)) {
        return false;
    }
    uint64_t value = 0;
    for (; is_digit(**at); (*at)++) {
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(**at - '0'), &value)) {
            return false;
        }
    }
    *ret = value;
    return true;
}

/* Reads a unit at `*at` and moves past it. Returns its nanoseconds, or 0. */
static uint64_t read_unit(const char **at)
{
    static const struct {
        const char *name;
        uint64_t ns;
    } UNITS[] = {
        /* "ms" before "m" */
        {"ns", 1},
        {"us", 1000},
        {"\xc2\xb5s", 1000}, /* U+00B5, as Go prints it */
        {"ms", 1000000},
        {"s", 1000000000},
        {"m", UINT64_C(60000000000)},
        {"h", UINT64_C(3600000000000)},
    };
    for (size_t i = 0; i < sizeof(UNITS) / sizeof(UNITS[0]); i++) {
        size_t len = strlen(UNITS[i].name);
        if (strncmp(*at, UNITS[i].name, len) == 0) {
            *at += len;
            return UNITS[i].ns;
        }
    }
    return 0;
}

/* The nanoseconds of the digits after a decimal point; what is below one is dropped. */
static uint64_t fraction_ns(const char *digits, uint64_t unit_ns)
{
    uint64_t ns = 0;
    uint64_t place_ns = unit_ns / 10;
    for (; is_digit(*digits); digits++, place_ns /= 10) {
        ns += (uint64_t)(*digits - '0') * place_ns;
    }
    return ns;
}

int text_parse_duration(const char *text, uint64_t *ret_ns, const char **ret_reason)
{
    uint64_t total_ns = 0;
    uint64_t last_unit_ns = UINT64_MAX;
    if (strcmp(text, "0") == 0) {
        *ret_ns = 0;
        return 0;
    }
    if (text[0] == '-') {
        return expected(DURATION_NEGATIVE, ret_reason);
    }
    for (const char *at = text; *at != '\0' || at == text;) {
        uint64_t whole;
        const char *fraction = "";
        if (!read_digits(&at, &whole)) {
            return expected(is_digit(*at) ? DURATION_TOO_LONG : DURATION_EXPECTED, ret_reason);
        }
        if (*at == '.') {
            fraction = ++at;
            at += strspn(at, "0123456789");
            if (at == fraction) {
                return expected(DURATION_EXPECTED, ret_reason);
            }
        }
        uint64_t unit_ns = read_unit(&at);
        if (unit_ns == 0 ||
            unit_ns >= last_unit_ns) { /* "30s1m" is more likely a slip than meant */
            return expected(DURATION_EXPECTED, ret_reason);
        }
        last_unit_ns = unit_ns;
        uint64_t part_ns;
        if (__builtin_mul_overflow(whole, unit_ns, &part_ns) ||
            __builtin_add_overflow(part_ns, fraction_ns(fraction, unit_ns), &part_ns) ||
            __builtin_add_overflow(total_ns, part_ns, &total_ns) || total_ns > INT64_MAX) {
            return expected(DURATION_TOO_LONG, ret_reason);
        }
    }
    *ret_ns = total_ns;
    return 0;
}

/* A zone ("%eth0") names an interface and is no part of the address itself. */
static bool is_ipv6(const char *host)
{
    char plain[TEXT_HOST_BYTES];
    struct in6_addr address;
    size_t len = strcspn(host, "%");
    memcpy(plain, host, len);
    plain[len] = '\0';
    const char *zone = host + len;
    if (*zone == '%') {
        size_t zone_len = strlen(++zone);
        for (size_t i = 0; i < zone_len; i++) {
            if (!is_alphanumeric(zone[i]) && strchr("-_.", zone[i]) == NULL) {
                return false;
            }
        }
        if (zone_len == 0) {
            return false;
        }
    }
    return inet_pton(AF_INET6, plain, &address) == 1;
}

/* A name whose last label is a number can only be an IPv4 address; "1.2.3" is a slip. */
static bool ends_in_number(const char *host)
{
    const char *dot = strrchr(host, '.');
    const char *label = dot != NULL ? dot + 1 : host;
    return *label != '\0' && strspn(label, "0123456789") == strlen(label);
}

/* Returns NULL when `host` is empty, an IPv4 address or a name (RFC 1123 section 2.1, and the
 * underscore that container names have); otherwise what was expected. */
static const char *check_host(const char *host)
{
    struct in_addr address;
    size_t label_len = 0;
    if (ends_in_number(host)) {
        return inet_pton(AF_INET, host, &address) == 1 ? NULL : ADDRESS_IPV4_EXPECTED;
    }
    for (const char *at = host; *at != '\0'; at++) {
        if (*at == '.') {
            if (label_len == 0) {
                return ADDRESS_NAME_EXPECTED;
            }
            label_len = 0;
        } else if (!is_alphanumeric(*at) && *at != '-' && *at != '_') {
            return ADDRESS_NAME_EXPECTED;
        } else if (++label_len > 63) {
            return ADDRESS_NAME_EXPECTED;
        }
    }
    return NULL;
}

/* Parses ":PORT" up to the end of the text, or nothing when there is a default. */
static int parse_port(const char *text, uint16_t default_port, uint16_t *ret,
                      const char **ret_reason)
{
    uint64_t port;
    if (*text == '\0' && default_port != 0) {
        *ret = default_port;
        return 0;
    }
    if (*text != ':') {
        return expected(ADDRESS_EXPECTED, ret_reason);
    }
    text++;
    if (!read_digits(&text, &port) || *text != '\0' || port > UINT16_MAX) {
        return expected(ADDRESS_PORT_EXPECTED, ret_reason);
    }
    *ret = (uint16_t)port;
    return 0;
}

/* Copies a host of `len` bytes; false when it is too long. */
static bool copy_host(struct text_address *address, const char *host, size_t len)
{
    if (len > TEXT_HOST_BYTES - 3) { /* 253 */
        return false;
    }
    memcpy(address->host, host, len);
    address->host[len] = '\0';
    return true;
}

static int parse_bracketed(const char *text, uint16_t default_port, struct text_address *ret,
                           const char **ret_reason)
{
    const char *end = strchr(text, ']');
    if (end == NULL || !copy_host(ret, text + 1, (size_t)(end - text - 1)) || !is_ipv6(ret->host)) {
        return expected(ADDRESS_IPV6_EXPECTED, ret_reason);
    }
    if (strchr(end, '/') != NULL) {
        return expected(ADDRESS_PATH_EXPECTED, ret_reason);
    }
    return parse_port(end + 1, default_port, &ret->port, ret_reason);
}

/* What gRPC's own libraries put in front of a target; "dns:53" is a host of that name. */
static bool has_resolver(const char *text)
{
    static const char *const PREFIXES[] = {
        "ipv4:", "ipv6:", "dns:", "unix:", "xds:", "vsock:", "unix-abstract:", "passthrough:"};
    for (size_t i = 0; i < sizeof(PREFIXES) / sizeof(PREFIXES[0]); i++) {
        size_t len = strlen(PREFIXES[i]);
        if (strncmp(text, PREFIXES[i], len) == 0 &&
            text[len + strspn(text + len, "0123456789")] != '\0') {
            return true;
        }
    }
    return false;
}

static int parse_unbracketed(const char *text, uint16_t default_port, struct text_address *ret,
                             const char **ret_reason)
{
    size_t host_len = strcspn(text, ":");
    if (host_len == 0 && text[0] == '\0') {
        return expected(ADDRESS_EXPECTED, ret_reason);
    }
    if (strstr(text, "//") != NULL) {
        return expected(ADDRESS_SCHEME_EXPECTED, ret_reason);
    }
    if (has_resolver(text)) {
        return expected(ADDRESS_RESOLVER_EXPECTED, ret_reason);
    }
    if (strchr(text, '/') != NULL) {
        return expected(ADDRESS_PATH_EXPECTED, ret_reason);
    }
    if (text[host_len] != '\0' && strchr(text + host_len + 1, ':') != NULL) {
        return expected(ADDRESS_BRACKETS_EXPECTED, ret_reason);
    }
    if (!copy_host(ret, text, host_len)) {
        return expected(ADDRESS_NAME_EXPECTED, ret_reason);
    }
    const char *reason = check_host(ret->host);
    if (reason != NULL) {
        return expected(reason, ret_reason);
    }
    return parse_port(text + host_len, default_port, &ret->port, ret_reason);
}

int text_parse_address(const char *text, uint16_t default_port, struct text_address *ret,
                       const char **ret_reason)
{
    struct text_address address = {.port = 0};
    int outcome = text[0] == '[' ? parse_bracketed(text, default_port, &address, ret_reason)
                                 : parse_unbracketed(text, default_port, &address, ret_reason);
    if (outcome == 0) {
        *ret = address;
    }
    return outcome;
}

/* Reads one number of a version: no leading zeros, so that each version has one spelling. */
static bool read_version_number(const char **at, uint32_t *ret)
{
    const char *digits = *at;
    size_t len = strspn(digits, "0123456789");
    uint64_t value;
    if (len == 0 || len > 9 || (digits[0] == '0' && len > 1) || !read_digits(at, &value)) {
        return false;
    }
    *ret = (uint32_t)value;
    return true;
}

int text_parse_version(const char *text, struct text_version *ret, const char **ret_reason)
{
    struct text_version version = {0};
    const char *at = text;
    if (*at++ != 'v' || !read_version_number(&at, &version.major)) {
        return expected(VERSION_EXPECTED, ret_reason);
    }
    if (*at == '.') {
        at++;
        version.has_minor = true;
        if (!read_version_number(&at, &version.minor)) {
            return expected(VERSION_EXPECTED, ret_reason);
        }
    }
    if (*at != '\0') {
        return expected(VERSION_EXPECTED, ret_reason);
    }
    *ret = version;
    return 0;
}

bool text_same_major(const char *server_version, const char *agent_version)
{
    struct text_version server;
    struct text_version agent;
    const char *reason;
    return text_parse_version(server_version, &server, &reason) == 0 &&
           text_parse_version(agent_version, &agent, &reason) == 0 && server.major == agent.major;
}

int text_parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *ret,
                   const char **ret_reason)
{
    uint64_t value;
    const char *at = text;
    if (text[0] == '\0' || text[strspn(text, "0123456789")] != '\0') {
        return expected(NUMBER_EXPECTED, ret_reason);
    }
    if (!read_digits(&at, &value) || value < min || value > max) {
        return expected(NUMBER_IN_RANGE_EXPECTED, ret_reason);
    }
    *ret = value;
    return 0;
}

int text_parse_size(const char *text, uint64_t *ret_bytes, const char **ret_reason)
{
    static const struct {
        const char *name;
        uint64_t bytes;
    } UNITS[] = {{"", 1},
                 {"k", 1000},
                 {"K", 1000},
                 {"M", 1000000},
                 {"G", 1000000000},
                 {"Ki", UINT64_C(1) << 10},
                 {"Mi", UINT64_C(1) << 20},
                 {"Gi", UINT64_C(1) << 30}};
    uint64_t value;
    const char *at = text;
    if (read_digits(&at, &value)) {
        size_t len = strlen(at);
        len -= len > 0 && at[len - 1] == 'B';
        for (size_t i = 0; i < sizeof(UNITS) / sizeof(UNITS[0]); i++) {
            if (len == strlen(UNITS[i].name) && memcmp(at, UNITS[i].name, len) == 0 &&
                !__builtin_mul_overflow(value, UNITS[i].bytes, ret_bytes)) {
                return 0;
            }
        }
    }
    return expected("a size such as 65536, 512Ki or 64MiB", ret_reason);
}
