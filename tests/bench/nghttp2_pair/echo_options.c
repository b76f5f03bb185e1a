/* The echo server's command line, see echo_options.h. */
#include "echo_options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const fault_names[] = {"none",  "server", "message", "drop",
                                          "twice", "reset",  "status"};

int echo_usage(void)
{
    fputs(
        "usage: nghttp2-echo-server [--port N] [--version V] [--id ID] [--cert FILE --key FILE]\n"
        "                           [--fault server|message|drop|twice|reset|status] [--fault-at N]\n"
        "Prints \"Listening on 127.0.0.1:PORT\" and serves until a signal ends it.\n",
        stderr);
    return 2;
}

static int parse_fault(const char *word, enum echo_fault *ret_fault)
{
    for (size_t i = 0; i < sizeof(fault_names) / sizeof(*fault_names); i++) {
        if (strcmp(word, fault_names[i]) == 0) {
            *ret_fault = (enum echo_fault)i;
            return 0;
        }
    }
    return -1;
}

int echo_parse(int argc, char **argv, struct echo_options *options)
{
    static const struct option longs[] = {{"port", 1, NULL, 'p'},     {"version", 1, NULL, 'v'},
                                          {"id", 1, NULL, 'i'},       {"cert", 1, NULL, 'c'},
                                          {"key", 1, NULL, 'k'},      {"fault", 1, NULL, 'f'},
                                          {"fault-at", 1, NULL, 'a'}, {NULL, 0, NULL, 0}};
    int option, rc = 0;

    while (rc == 0 && (option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        switch (option) {
        case 'p':
            options->port = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'v':
            options->version = optarg;
            break;
        case 'i':
            options->id = optarg;
            break;
        case 'c':
            options->cert = optarg;
            break;
        case 'k':
            options->key = optarg;
            break;
        case 'f':
            rc = parse_fault(optarg, &options->fault);
            break;
        case 'a':
            options->fault_at = strtoull(optarg, NULL, 10);
            break;
        default:
            return -1;
        }
    }
    return optind < argc || (options->cert == NULL) != (options->key == NULL) ? -1 : rc;
}
