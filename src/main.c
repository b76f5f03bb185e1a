/* The table of commands. */
#include "agent/command.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "check/command.h"
#include "cli/completion.h"
#include "cli/exit.h"
#include "cli/options.h"
#ifdef HAVE_DEMO
#include "demo/command.h"
#endif
#include "proxy/command.h"
#include "server/command.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUGGESTION_DISTANCE 3

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
    NULL,
};

static void print_overview(void)
{
    puts("grpcroute proves that a proxy sends every vX.* gRPC stream to backend vX and keeps it there.\n\n"
         "  # See everything on this machine: servers, a proxy, agents, checks, a failover\n"
         "  grpcroute demo\n"
         "  # Check the proxy you run\n"
         "  grpcroute verify --target proxy.example.com:8443 --cacert ca.pem\n\n"
         "Commands:");
    for (size_t i = 0; commands[i] != NULL; i++) {
        printf("  %-12s %s\n", commands[i]->name, commands[i]->summary);
    }
    puts("  completion   Print a completion script for bash or zsh\n"
         "  help         Show the help of a command\n\n"
         "grpcroute COMMAND --help shows every option; grpcroute --version the version.");
}

static const struct cli_command *find(const char *name)
{
    for (size_t i = 0; commands[i] != NULL; i++) {
        if (strcmp(commands[i]->name, name) == 0) {
            return commands[i];
        }
    }
    const char *suggestion = NULL;
    size_t best = SUGGESTION_DISTANCE + 1;
    for (size_t i = 0; commands[i] != NULL; i++) {
        size_t distance = text_distance(name, commands[i]->name);
        if (distance < best) {
            best = distance;
            suggestion = commands[i]->name;
        }
    }
    cli_error(NULL, "unknown command \"%.100s\"%s%s%s; see grpcroute --help", name,
              suggestion != NULL ? "; did you mean \"" : "", suggestion != NULL ? suggestion : "",
              suggestion != NULL ? "\"?" : "");
    return NULL;
}

static int run_command(const struct cli_command *command, int argc, char **argv)
{
    void *options = mem_calloc(1, command->struct_bytes);
    bool help;
    int rest_count;
    char **rest;
    int rv = EXIT_USAGE;
    if (cli_parse(command, argc, argv, options, &help, &rest_count, &rest) == 0) {
        if (help) {
            cli_print_help(command);
            rv = EXIT_GOOD;
        } else {
            rv = command->run(options, rest_count, rest);
        }
    }
    free(options);
    log_flush();
    return rv;
}

static int run_help(int argc, char **argv)
{
    if (argc == 0) {
        print_overview();
        return EXIT_GOOD;
    }
    const struct cli_command *command = find(argv[0]);
    if (command == NULL) {
        return EXIT_USAGE;
    }
    cli_print_help(command);
    return EXIT_GOOD;
}

static int run_completion(int argc, char **argv)
{
    if (argc == 1 && cli_print_completion(argv[0], commands) == 0) {
        return EXIT_GOOD;
    }
    cli_error("completion", "expected bash or zsh; put the output where your shell looks for it");
    return EXIT_USAGE;
}

/* Output that could not be written (a full disk, a closed pipe) is a failure, not a success. */
static int finish(int rv)
{
    if (fflush(stdout) != 0 && rv == EXIT_GOOD) {
        return EXIT_USAGE;
    }
    return rv;
}

int main(int argc, char **argv)
{
    setlocale(LC_CTYPE, "");
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_overview();
        return finish(EXIT_GOOD);
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("grpcroute " GRPCROUTE_VERSION " (" GRPCROUTE_LIBRARIES ")");
        return finish(EXIT_GOOD);
    }
    if (strcmp(argv[1], "help") == 0) {
        return finish(run_help(argc - 2, argv + 2));
    }
    if (strcmp(argv[1], "completion") == 0) {
        return finish(run_completion(argc - 2, argv + 2));
    }
    const struct cli_command *command = find(argv[1]);
    return finish(command != NULL ? run_command(command, argc - 2, argv + 2) : EXIT_USAGE);
}
