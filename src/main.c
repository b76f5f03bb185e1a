/* The table of commands. */
#include "agent/command.h"
#include "base/mem.h"
#include "base/process.h"
#include "bench/command.h"
#include "check/command.h"
#include "cli/program.h"
#include "commit.h" /* made by meson */
#include "demo/command.h"
#include "failover/command.h"
#include "h2/version.h"
#include "limits/command.h"
#include "net/tls.h"
#include "net/version.h"
#include "proxy/command.h"
#include "render/command.h"
#include "role/child.h"
#include "server/command.h"

#include <stdio.h>

#define VERSION_BYTES 256

static const struct cli_command *const commands[] = {
    &demo_command,   &verify_command, &sticky_test_command, &failover_test_command, &limits_command,
    &render_command, &bench_command,  &proxy_command,       &server_command,        &agent_command,
};

static const struct cli_program description = {
    .summary = "Prove that a proxy sends every vX.* gRPC stream to backend vX and keeps it there",
    .examples = "  # Everything on this machine: servers, a proxy, agents, checks, a failover\n"
                "  grpcroute demo\n"
                "  # The proxy you run\n"
                "  grpcroute verify --target proxy.example.com:8443 --cacert ca.pem\n",
    .commands = commands,
    .command_count = ARRAY_SIZE(commands),
};

/* The libraries as they were loaded, which may be newer than those that it was built with. */
static const char *version_text(char out[static VERSION_BYTES])
{
    snprintf(out, VERSION_BYTES, "grpcroute %s (commit %s, nghttp2 %s, OpenSSL %s, libuv %s)",
             GRPCROUTE_VERSION, GRPCROUTE_COMMIT, h2_library_version(), net_openssl_version(),
             net_libuv_version());
    return out;
}

int main(int argc, char **argv)
{
    role_child_become(argv);
    process_keep_standard_streams();
    net_tls_rest_enable();
    char version[VERSION_BYTES];
    struct cli_program program = description;
    program.version = version_text(version);
    return cli_run(&program, argc, argv);
}
