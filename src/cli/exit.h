/* Exit codes: what a script can rely on. */
#ifndef GRPCROUTE_CLI_EXIT_H
#define GRPCROUTE_CLI_EXIT_H

enum cli_exit {
    EXIT_GOOD = 0,
    EXIT_CHECK_FAILED = 1,
    /* wrong options or configuration (nothing was started), a fault command that failed, a report
       file that could not be written */
    EXIT_USAGE = 2,
    EXIT_NO_CONNECTION = 3,
    EXIT_NO_EVIDENCE = 4,   /* too little was seen for a verdict */
    EXIT_INTERRUPTED = 130, /* SIGINT */
    EXIT_TERMINATED = 143,  /* SIGTERM, where it ends a check early */
};

#endif
