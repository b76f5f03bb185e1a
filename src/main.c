/* The table of commands. */
#include "agent/command.h"
#include "base/mem.h"
#include "base/process.h"
#include "bench/command.h"
#include "check/command.h"
#include "cli/program.h"
#include "demo/command.h"
#include "failover/command.h"
#include "proxy/command.h"
#include "render/command.h"
#include "role/child.h"
#include "server/command.h"

#include <locale.h>

static const struct cli_command *const commands[] = {
    &demo_command,  &verify_command, &sticky_test_command, &failover_test_command, &render_command,
    &bench_command, &proxy_command,  &server_command,      &agent_command,
};

static const struct cli_program program = {
    .summary = "Prove that a proxy sends every vX.* gRPC stream to backend vX and keeps it there",
    .examples = "  # Everything on this machine: servers, a proxy, agents, checks, a failover\n"
                "  grpcroute demo\n"
                "  # The proxy you run\n"
                "  grpcroute verify --target proxy.example.com:8443 --cacert ca.pem\n",
    .version = "grpcroute " GRPCROUTE_VERSION " (" GRPCROUTE_LIBRARIES ")",
    .commands = commands,
    .command_count = ARRAY_SIZE(commands),
};

int main(int argc, char **argv)
{
    role_child_become(argv);
    process_keep_standard_streams();
    setlocale(LC_CTYPE, "");
    return cli_run(&program, argc, argv);
}
