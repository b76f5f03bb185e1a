#include "role/service.h"

#include "base/mem.h"
#include "rpc/frame.h"
#include "rpc/ping.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const role_call_choices[] = {"bidi", "unary", "client-stream", "server-stream", NULL};

/* ---- the method ------------------------------------------------------------------------------ */

/* Before the slash names with dots between them, behind it one name. Other characters would make
 * another path of it (?, #, %), or none. */
static bool is_path(const char *service, size_t len)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    size_t method = strspn(service + len + 1, plain);
    for (size_t i = 0; i < len; i++) {
        bool edge = i == 0 || i + 1 == len || service[i + 1] == '.';
        if (service[i] == '.' ? edge : strchr(plain, service[i]) == NULL) {
            return false;
        }
    }
    return len > 0 && method > 0 && service[len + 1 + method] == '\0';
}

int role_service_path(const char *method, char out[static ROLE_METHOD_BYTES])
{
    const char *name = method + (method[0] == '/');
    const char *end = strchr(name, '/');
    if (end == NULL) {
        end = strrchr(name, '.');
    }
    if (end == NULL || strlen(name) + 2 > ROLE_METHOD_BYTES ||
        !is_path(name, (size_t)(end - name))) {
        return 1;
    }
    snprintf(out, ROLE_METHOD_BYTES, "/%.*s/%s", (int)(end - name), name, end + 1);
    return 0;
}

static int take_method(const char *command, const char *text, char out[static ROLE_METHOD_BYTES])
{
    int rv = role_service_path(text, out);
    if (rv != 0) {
        cli_error(command, "--method: \"%.100s\" is not valid, expected /package.Service/Method",
                  text);
    }
    return rv;
}

/* ---- the message ----------------------------------------------------------------------------- */

/* Returns how many bytes there are, one more than `room` when they are too many, or a negative
 * errno. */
static ssize_t read_all(int fd, uint8_t *out, size_t room)
{
    size_t len = 0;
    ssize_t got = 1;
    while (got > 0 && len <= room) {
        got = read(fd, out + len, room + 1 - len);
        if (got < 0 && errno == EINTR) {
            got = 1;
            continue;
        }
        len += got > 0 ? (size_t)got : 0;
    }
    return got < 0 ? -errno : (ssize_t)len;
}

static ssize_t read_file(const char *path, uint8_t *out, size_t room)
{
    bool is_input = strcmp(path, "-") == 0;
    int fd = is_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd < 0 ? -errno : read_all(fd, out, room);
    if (fd >= 0 && !is_input) {
        close(fd);
    }
    return len;
}

static int take_message(struct role_service *service, const char *command, const char *path)
{
    if (path == NULL) {
        return 0;
    }
    service->message = mem_calloc(1, RPC_MESSAGE_LIMIT_BYTES + 1);
    ssize_t len = read_file(path, service->message, RPC_MESSAGE_LIMIT_BYTES);
    const char *wrong = NULL;
    if (len < 0) {
        wrong = strerror((int)-len);
    } else if (len > RPC_MESSAGE_LIMIT_BYTES) {
        wrong = "it is longer than 65536 bytes, the most that is sent as one message";
    } else if (!rpc_field_is_message(service->message, (size_t)len)) {
        wrong = "it is not an encoded protobuf message (protoc --encode makes one)";
    }
    if (wrong != NULL) {
        cli_error(command, "--message-file %s: %s", path, wrong);
        return 1;
    }
    service->message_len = (size_t)len;
    return 0;
}

/* ---- sources --------------------------------------------------------------------------------- */

static const char *parse_source(const char *text, struct role_source *source)
{
    const char *colon = strchr(text, ':');
    size_t len = colon != NULL ? (size_t)(colon - text) : 0;
    if (len == strlen("header") && strncmp(text, "header", len) == 0) {
        source->kind = ROLE_SOURCE_HEADER;
    } else if (len == strlen("trailer") && strncmp(text, "trailer", len) == 0) {
        source->kind = ROLE_SOURCE_TRAILER;
    } else if (len == strlen("field") && strncmp(text, "field", len) == 0) {
        source->kind = ROLE_SOURCE_FIELD;
        return rpc_field_parse(colon + 1, &source->path);
    } else {
        return "expected header:NAME, trailer:NAME or field:N[.N]";
    }
    /* any header may say it, also those that a client must not choose */
    return role_header_spell(colon + 1, strlen(colon + 1), source->header);
}

static int take_source(const char *command, const char *option, const char *text,
                       struct role_source *source)
{
    const char *wrong = text != NULL ? parse_source(text, source) : NULL;
    if (wrong != NULL) {
        cli_error(command, "%s: \"%.100s\" is not valid: %s", option, text, wrong);
        return 1;
    }
    if (source->kind == ROLE_SOURCE_FIELD) {
        snprintf(source->text, sizeof(source->text), "field %.100s", strchr(text, ':') + 1);
    } else if (source->kind != ROLE_SOURCE_NONE) {
        snprintf(source->text, sizeof(source->text), "%s %s",
                 source->kind == ROLE_SOURCE_HEADER ? "header" : "trailer", source->header);
    }
    return 0;
}

/* ---- all of it ------------------------------------------------------------------------------- */

/* Options that say nothing of PingPong, whose answers name their server themselves. */
static const char *without_method(const struct role_service_options *options)
{
    return options->message_file != NULL     ? "--message-file"
           : options->server_from != NULL    ? "--server-from"
           : options->pod_from != NULL       ? "--pod-from"
           : options->call != ROLE_CALL_BIDI ? "--call"
                                             : NULL;
}

int role_service_load(const char *command, const struct role_service_options *options,
                      struct role_service **ret)
{
    const char *alone = options->method == NULL ? without_method(options) : NULL;
    *ret = NULL;
    if (alone != NULL) {
        cli_error(command, "%s: needs --method, the service it is about", alone);
        return 1;
    }
    if (options->method == NULL) {
        return 0;
    }
    struct role_service *service = mem_new(struct role_service);
    service->call = (enum role_call)options->call;
    if (take_method(command, options->method, service->path) != 0 ||
        take_source(command, "--server-from", options->server_from, &service->server) != 0 ||
        take_source(command, "--pod-from", options->pod_from, &service->pod) != 0 ||
        take_message(service, command, options->message_file) != 0) {
        role_service_free(service);
        return 1;
    }
    *ret = service;
    return 0;
}

void role_service_free(struct role_service *service)
{
    if (service != NULL) {
        free(service->message);
        free(service);
    }
}

bool role_service_sends_once(const struct role_service *service)
{
    return service->call == ROLE_CALL_UNARY || service->call == ROLE_CALL_SERVER_STREAM;
}

int role_service_allow(const struct role_service *service, const char *command, unsigned calls,
                       const char *why)
{
    if (service == NULL || (calls & 1U << service->call) != 0) {
        return 0;
    }
    cli_error(command, "--call %s: %s", role_call_choices[service->call], why);
    return 1;
}

int role_service_hold(const struct role_service *service, const char *command, unsigned calls,
                      const char *why)
{
    if (role_service_allow(service, command, calls, why) != 0) {
        return 1;
    }
    if (service == NULL) {
        return 0;
    }
    bool late = service->server.kind == ROLE_SOURCE_TRAILER;
    if (late || service->pod.kind == ROLE_SOURCE_TRAILER) {
        cli_error(command,
                  "%s: a trailer comes when a call is over, and this needs to know while it lasts; "
                  "expected header:NAME or field:N[.N]",
                  late ? "--server-from" : "--pod-from");
        return 1;
    }
    return 0;
}
