/* Parsing and reading of -H. Nothing here prints more of a field than its name and its file's. */
#include "role/headers.h"

#include "base/mem.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXPECTED "expected 'NAME: VALUE', such as 'authorization: Bearer @token.txt'"

/* ---- names ----------------------------------------------------------------------------------- */

/* What gRPC and HTTP/2 say themselves; gRPC reserves all that begins with "grpc-". */
static bool is_reserved(const char *name)
{
    static const char *const reserved[] = {
        "te",         "content-type",     "content-length",    "host",
        "connection", "keep-alive",       "transfer-encoding", "upgrade",
        "trailer",    "proxy-connection", "user-agent",
    };
    for (size_t i = 0; i < ARRAY_SIZE(reserved); i++) {
        if (strcmp(name, reserved[i]) == 0) {
            return true;
        }
    }
    return strncmp(name, "grpc-", 5) == 0;
}

const char *role_header_spell(const char *text, size_t len, char out[static ROLE_HEADER_NAME_BYTES])
{
    static const char token[] = "abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~";
    if (len == 0 || len >= ROLE_HEADER_NAME_BYTES) {
        return "a header's name has 1 to 256 characters";
    }
    for (size_t i = 0; i < len; i++) {
        out[i] = (char)tolower((unsigned char)text[i]);
        if (strchr(token, out[i]) == NULL) {
            return "a header's name is made of letters, digits and !#$%&'*+-.^_`|~";
        }
    }
    out[len] = '\0';
    return NULL;
}

const char *role_header_name(const char *text, size_t len, char out[static ROLE_HEADER_NAME_BYTES])
{
    const char *wrong = role_header_spell(text, len, out);
    if (wrong != NULL) {
        return wrong;
    }
    return is_reserved(out) ? "gRPC or HTTP/2 sets this header itself" : NULL;
}

/* ---- values ---------------------------------------------------------------------------------- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

bool role_header_is_binary(const char *name)
{
    size_t len = strlen(name);
    return len >= 4 && strcmp(name + len - 4, "-bin") == 0;
}

/* RFC 4648 section 4, with or without its padding. What a receiver cannot decode ends the call
 * there; several values with commas between them are for some of them none. */
static bool is_base64(const char *text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t count = strspn(text, digits);
    size_t padding = strspn(text + count, "=");
    if (text[count + padding] != '\0' || padding > 2) {
        return false;
    }
    return padding > 0 ? (count + padding) % 4 == 0 : count % 4 != 1;
}

/* gRPC PROTOCOL-HTTP2.md, ASCII-Value. Returns NULL, or what is wrong. */
static const char *check_value(const char *name, const char *value)
{
    size_t len = strlen(value);
    if (len == 0) {
        return "its value is empty";
    }
    if (len > ROLE_HEADER_BYTES) {
        return "its value is longer than 8192 bytes";
    }
    for (size_t i = 0; i < len; i++) {
        if (value[i] < 0x20 || value[i] > 0x7e) {
            return "its value is not one line of printable ASCII";
        }
    }
    if (role_header_is_binary(name) && !is_base64(value)) {
        return "its name ends in -bin and its value is not base64";
    }
    return NULL;
}

/* The file's text without blanks and line ends around it. Returns it for free(), or NULL and
 * `ret_reason`. */
static char *read_text(struct role_header *field, const char **ret_reason)
{
    struct stat about;
    char bytes[ROLE_HEADER_BYTES + 64];
    size_t len = 0;
    bool is_input = strcmp(field->file, "-") == 0;
    int fd = is_input ? STDIN_FILENO : open(field->file, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 || fstat(fd, &about) != 0 ? -1 : 1;
    field->read_once = is_input || (got > 0 && !S_ISREG(about.st_mode));
    while (got > 0 && len < sizeof(bytes) - 1) {
        got = read(fd, bytes + len, sizeof(bytes) - 1 - len);
        len += got > 0 ? (size_t)got : 0;
    }
    *ret_reason = got < 0 ? strerror(errno) : "it is longer than 8192 bytes";
    if (fd > STDIN_FILENO) {
        close(fd);
    }
    if (got != 0) {
        return NULL;
    }
    *ret_reason = "it holds a NUL";
    bytes[len] = '\0';
    char *text = bytes + strspn(bytes, " \t\r\n");
    size_t end = strlen(text);
    if (text + end != bytes + len) {
        return NULL;
    }
    while (end > 0 && strchr(" \t\r\n", text[end - 1]) != NULL) {
        end--;
    }
    text[end] = '\0';
    return mem_strdup(text);
}

/* Makes the value that is sent from now on. Returns NULL, or what is wrong, and then it stays as it
 * was. */
static const char *load(struct role_header *field)
{
    const char *reason = NULL;
    char *read = field->file != NULL ? read_text(field, &reason) : mem_strdup("");
    if (read == NULL) {
        return reason;
    }
    size_t bytes = strlen(field->text) + strlen(read) + 1;
    char *value = mem_calloc(1, bytes);
    snprintf(value, bytes, "%s%s", field->text, read);
    reason =
        field->file != NULL && read[0] == '\0' ? "it is empty" : check_value(field->name, value);
    free(read);
    if (reason != NULL) {
        free(value);
        return reason;
    }
    free(field->value);
    field->value = value;
    return NULL;
}

/* "@FILE", "Bearer @FILE"; "@@" is an @ that means itself. */
static void split_value(struct role_header *field, const char *value)
{
    field->text = mem_strdup(value);
    size_t len = strlen(field->text);
    while (len > 0 && is_blank(field->text[len - 1])) {
        field->text[--len] = '\0';
    }
    char *blank = strrchr(field->text, ' ');
    char *last = blank != NULL ? blank + 1 : field->text;
    if (last[0] == '@' && last[1] == '@') {
        memmove(last, last + 1, strlen(last));
    } else if (last[0] == '@') {
        field->file = mem_strdup(last + 1);
        last[0] = '\0';
    }
}

/* ---- all of them ----------------------------------------------------------------------------- */

static int refuse(const struct role_headers *headers, const char *name, const char *file,
                  const char *reason)
{
    if (file != NULL) {
        cli_error(headers->command, "-H %s: cannot use %s: %s", name,
                  strcmp(file, "-") == 0 ? "standard input" : file, reason);
    } else {
        cli_error(headers->command, "-H %s: %s", name, reason);
    }
    return 1;
}

static int take(struct role_headers *headers, const char *text)
{
    size_t name_len = strcspn(text, ":");
    const char *value = text + name_len + (text[name_len] == ':');
    if (text[0] == ':' || text[name_len] == '\0') {
        cli_error(headers->command, "-H: " EXPECTED);
        return 1;
    }
    if (headers->count == ROLE_HEADERS_MAX) {
        cli_error(headers->command, "-H: at most %d headers can be added", ROLE_HEADERS_MAX);
        return 1;
    }
    struct role_header *field = &headers->fields[headers->count];
    const char *reason = role_header_name(text, name_len, field->name);
    if (reason != NULL) { /* a secret without a name may stand there: it is not shown */
        cli_error(headers->command, "-H: %s; " EXPECTED, reason);
        return 1;
    }
    headers->count++;
    while (is_blank(*value)) {
        value++;
    }
    split_value(field, value);
    reason = load(field);
    return reason != NULL ? refuse(headers, field->name, field->file, reason) : 0;
}

static size_t sum_of_values(const struct role_headers *headers)
{
    size_t sum = 0;
    for (size_t i = 0; i < headers->count; i++) {
        sum += strlen(headers->fields[i].value);
    }
    return sum;
}

int role_headers_init(struct role_headers *headers, const char *command,
                      const struct cli_list *values)
{
    headers->command = command;
    for (size_t i = 0; i < values->count; i++) {
        if (take(headers, values->values[i]) != 0) {
            return 1;
        }
    }
    if (sum_of_values(headers) > ROLE_HEADERS_BYTES) {
        cli_error(command, "-H: the values are longer than %d bytes together", ROLE_HEADERS_BYTES);
        return 1;
    }
    return 0;
}

void role_headers_deinit(struct role_headers *headers)
{
    for (size_t i = 0; i < headers->count; i++) {
        free(headers->fields[i].text);
        free(headers->fields[i].file);
        free(headers->fields[i].value);
    }
    headers->count = 0;
}

void role_headers_refresh(struct role_headers *headers)
{
    for (size_t i = 0; i < headers->count; i++) {
        struct role_header *field = &headers->fields[i];
        const char *reason = field->file == NULL || field->read_once ? NULL : load(field);
        bool is_news = reason != NULL && !field->is_stale;
        field->is_stale = reason != NULL;
        if (is_news) {
            cli_error(headers->command, "-H %s: cannot use %s: %s; the value read before is sent",
                      field->name, field->file, reason);
        }
    }
}

size_t role_headers_fill(const struct role_headers *headers,
                         struct h2_header out[static ROLE_HEADERS_MAX])
{
    for (size_t i = 0; i < headers->count; i++) {
        out[i] = H2_HEADER(headers->fields[i].name, headers->fields[i].value);
        out[i].never_indexed = true;
    }
    return headers->count;
}
