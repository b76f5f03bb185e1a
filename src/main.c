/* The table of commands. */
#ifdef HAVE_AGENT
#include "agent/command.h"
#endif
#include "base/mem.h"
#ifdef HAVE_CHECK
#include "check/command.h"
#endif
#include "cli/program.h"
#ifdef HAVE_DEMO
#include "demo/command.h"
#endif
#include "proxy/command.h"
#include "server/command.h"

#include <locale.h>

static const struct cli_command *const commands[] = {
#ifdef HAVE_DEMO
    &demo_command,
#endif
#ifdef HAVE_CHECK
    &verify_command, &sticky_test_command,
#endif
    &proxy_command,  &server_command,
#ifdef HAVE_AGENT
    &agent_command,
#endif
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
    setlocale(LC_CTYPE, "");
    return cli_run(&program, argc, argv);
}
