#include "role/connect.h"

#include "base/mem.h"
#include "net/tls.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PASSPHRASE_BYTES 1024
/* Handshakes under way at once. More make none of them faster on a machine of a few dozen cores,
 * and with so many a round trip of 100 ms still leaves some hundred new connections a second. */
#define CONNECTING_MAX 128

const char *const role_unverified_excludes[] = {"cacert", NULL};
const char *const role_plaintext_excludes[] = {"cacert", "cert", "key", "tls-skip-verify", NULL};

static int refuse(const char *command, const char *text)
{
    cli_error(command, "%s", text);
    return 1;
}

/* ---- contradictions -------------------------------------------------------------------------- */

static const char *contradiction(const struct role_connect_options *options)
{
    if (options->cacert != NULL && options->plaintext) {
        return "--cacert: contradicts --plaintext (USE_TLS=false), which means no TLS";
    }
    if (options->tls_skip_verify && options->plaintext) {
        return "--tls-skip-verify: contradicts --plaintext (USE_TLS=false), which means no TLS";
    }
    if (options->cert != NULL && options->plaintext) {
        return "--cert: contradicts --plaintext (USE_TLS=false), which means no TLS";
    }
    if (options->key != NULL && options->cert == NULL) {
        return "--key: needs --cert FILE, the certificate it belongs to";
    }
    if (options->key_passphrase_file != NULL && options->cert == NULL) {
        return "--key-passphrase-file: needs --cert FILE and its key";
    }
    return NULL;
}

/* ---- names ----------------------------------------------------------------------------------- */

/* A port belongs to :authority, not to the name in the certificate. */
static int take_authority(struct role_target *target, const char *command)
{
    const struct role_connect_options *options = target->options;
    struct text_address address = options->target;
    const char *reason = NULL;
    target->authority = options->authority != NULL ? options->authority : target->name;
    if (options->authority != NULL &&
        (text_parse_address(options->authority, 443, &address, &reason) != 0 ||
         address.host[0] == '\0')) {
        cli_error(command, "--authority: \"%.80s\" is not valid, expected NAME or NAME:PORT",
                  options->authority);
        return 1;
    }
    memcpy(target->server_name, address.host, sizeof(address.host));
    return 0;
}

static int take_name(const char *command, const char *option, const char *given, const char *usual,
                     char out[static ROLE_HEADER_NAME_BYTES])
{
    const char *name = given != NULL ? given : usual;
    const char *reason = role_header_name(name, strlen(name), out);
    if (reason == NULL && role_header_is_binary(out)) {
        reason = "a name that ends in -bin is for base64 values";
    }
    if (reason != NULL) {
        cli_error(command, "%s: \"%.80s\" is not valid: %s", option, name, reason);
    }
    return reason != NULL;
}

/* One field must not be said twice. */
static int check_names(const struct role_target *target, const char *command)
{
    if (strcmp(target->version_header, target->id_header) == 0) {
        return refuse(command, "--version-header and --id-header name the same header");
    }
    for (size_t i = 0; i < target->headers->count; i++) {
        const char *name = target->headers->fields[i].name;
        if (strcmp(name, target->version_header) == 0 || strcmp(name, target->id_header) == 0) {
            cli_error(command, "-H %s: it is sent already, as the agent's %s", name,
                      strcmp(name, target->id_header) == 0 ? "id" : "version");
            return 1;
        }
    }
    return 0;
}

static int take_headers(struct role_target *target, const char *command)
{
    const struct role_connect_options *options = target->options;
    target->headers = mem_new(struct role_headers);
    return take_name(command, "--version-header", options->version_header, ROLE_VERSION_HEADER,
                     target->version_header) != 0 ||
           take_name(command, "--id-header", options->id_header, ROLE_ID_HEADER,
                     target->id_header) != 0 ||
           role_headers_init(target->headers, command, &options->headers) != 0 ||
           check_names(target, command) != 0;
}

/* ---- TLS ------------------------------------------------------------------------------------- */

static int read_passphrase(const char *command, const char *path, char out[static PASSPHRASE_BYTES])
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    bool read = file != NULL && fgets(out, PASSPHRASE_BYTES, file) != NULL;
    int code = errno;
    bool failed = file == NULL || (!read && ferror(file));
    if (file != NULL && file != stdin) {
        fclose(file);
    }
    if (!read) {
        cli_error(command, "--key-passphrase-file %s: %s", path,
                  failed ? strerror(code) : "it is empty");
        return 1;
    }
    out[strcspn(out, "\r\n")] = '\0';
    return 0;
}

static int make_tls(struct role_target *target, const char *command)
{
    const struct role_connect_options *options = target->options;
    char passphrase[PASSPHRASE_BYTES];
    struct net_error error;
    if (options->key_passphrase_file != NULL &&
        read_passphrase(command, options->key_passphrase_file, passphrase) != 0) {
        return 1;
    }
    const struct net_tls_client_config config = {
        .cacert_file = options->cacert,
        .skip_verify = options->tls_skip_verify,
        .cert_file = options->cert,
        .key_file = options->key != NULL ? options->key : options->cert,
        .passphrase = options->key_passphrase_file != NULL ? passphrase : NULL,
    };
    target->tls = net_tls_client_new(&config, &error);
    explicit_bzero(passphrase, sizeof(passphrase));
    if (target->tls == NULL) {
        return refuse(command, error.text);
    }
    if (net_tls_is_expired(target->tls) || net_tls_is_early(target->tls)) {
        cli_error(command, "--cert %s: the certificate is %s; it is shown all the same",
                  options->cert, net_tls_is_expired(target->tls) ? "expired" : "not yet valid");
    }
    return 0;
}

/* Who reads it second would send something else than is meant. */
static int check_input(const struct role_target *target, const char *command)
{
    const struct role_connect_options *options = target->options;
    const char *const files[] = {options->key_passphrase_file, options->service.message_file};
    size_t readers = 0;
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        readers += files[i] != NULL && strcmp(files[i], "-") == 0;
    }
    for (size_t i = 0; i < target->headers->count; i++) {
        const char *file = target->headers->fields[i].file;
        readers += file != NULL && strcmp(file, "-") == 0;
    }
    return readers > 1 ? refuse(command, "-: standard input can be read only once") : 0;
}

/* ---- life ------------------------------------------------------------------------------------ */

static int take_options(struct role_target *target, const char *command)
{
    const char *wrong = contradiction(target->options);
    if (wrong != NULL) {
        return refuse(command, wrong);
    }
    if (take_authority(target, command) != 0 || take_headers(target, command) != 0 ||
        check_input(target, command) != 0 ||
        role_service_load(command, &target->options->service, &target->service) != 0) {
        return 1;
    }
    return target->options->plaintext ? 0 : make_tls(target, command);
}

void role_target_warn(const struct role_target *target, const char *command)
{
    if (target->tls != NULL && target->options->tls_skip_verify) {
        fprintf(stderr,
                "grpcroute %s: warning: --tls-skip-verify (-k): the certificate is not verified, "
                "so anybody may be answering; --cacert FILE names who issued it\n",
                command);
    }
}

int role_target_init(struct role_target *target, const char *command,
                     const struct role_connect_options *options)
{
    *target = (struct role_target){.options = options};
    text_format_address(target->name, sizeof(target->name), options->target.host,
                        options->target.port);
    target->connect_to = options->connect_to;
    if (options->connect_to.port == 0) {
        target->connect_to.port = options->target.port;
    }
    target->contacts = mem_new(struct role_contacts);
    target->contacts->command = command;
    rpc_gate_init(&target->contacts->gate, CONNECTING_MAX);
    int rv = take_options(target, command);
    if (rv != 0) {
        role_target_deinit(target);
    }
    return rv;
}

/* Who passes --cert believes that it was looked at. */
static void tell_unshown(const struct role_target *target)
{
    const struct role_contacts *contacts = target->contacts;
    unsigned seen = contacts->credentials;
    if (target->options->cert == NULL || seen == 0 || (seen & 1U << NET_CREDENTIAL_SHOWN) != 0) {
        return;
    }
    cli_error(contacts->command, "warning: --cert: %s",
              (seen & 1U << NET_CREDENTIAL_UNFIT) != 0
                  ? "it was shown to nobody: the peer takes no certificate of its key's type"
                  : "it was shown to nobody: the peer did not ask for a client certificate");
}

void role_target_deinit(struct role_target *target)
{
    if (target->contacts != NULL) {
        tell_unshown(target);
    }
    net_tls_free(target->tls);
    target->tls = NULL;
    if (target->headers != NULL) {
        role_headers_deinit(target->headers);
    }
    free(target->headers);
    target->headers = NULL;
    role_service_free(target->service);
    target->service = NULL;
    free(target->contacts);
    target->contacts = NULL;
}

struct rpc_client_config role_target_client(const struct role_target *target)
{
    const struct role_connect_options *options = target->options;
    role_headers_refresh(target->headers);
    return (struct rpc_client_config){
        .target = options->target,
        .connect_to = target->connect_to.host[0] != '\0' ? &target->connect_to : NULL,
        .tls = target->tls,
        .authority = target->authority,
        .server_name = target->server_name,
        .credentials = &target->contacts->credentials,
        .gate = &target->contacts->gate,
    };
}

bool role_target_version_is_echoed(const struct role_target *target)
{
    return strcmp(target->version_header, ROLE_VERSION_HEADER) == 0;
}

bool role_target_id_is_echoed(const struct role_target *target)
{
    return strcmp(target->id_header, ROLE_ID_HEADER) == 0;
}
