#include "role/connect.h"

#include "net/tls.h"

static int refuse(const char *command, const char *text)
{
    cli_error(command, "%s", text);
    return 1;
}

static int check_options(const char *command, const struct role_connect_options *options)
{
    if (options->cacert != NULL && options->plaintext) {
        return refuse(command,
                      "--cacert: contradicts --plaintext (USE_TLS=false), which means no TLS");
    }
    if (options->cacert != NULL && options->tls_skip_verify) {
        return refuse(command, "--cacert: contradicts --tls-skip-verify, which verifies nothing");
    }
    return 0;
}

int role_target_init(struct role_target *target, const char *command,
                     const struct role_connect_options *options)
{
    struct net_error error;
    const struct net_tls_client_config trust = {options->cacert, options->tls_skip_verify};
    *target = (struct role_target){
        .options = options, .version_header = "agent-version", .id_header = "agent-id"};
    text_format_address(target->name, sizeof(target->name), options->target.host,
                        options->target.port);
    if (check_options(command, options) != 0) {
        return 1;
    }
    if (!options->plaintext && (target->tls = net_tls_client_new(&trust, &error)) == NULL) {
        return refuse(command, error.text);
    }
    return 0;
}

void role_target_deinit(struct role_target *target)
{
    net_tls_free(target->tls);
    target->tls = NULL;
}

struct rpc_client_config role_target_client(const struct role_target *target)
{
    return (struct rpc_client_config){
        .target = target->options->target,
        .tls = target->tls,
        .authority = target->options->authority,
    };
}
