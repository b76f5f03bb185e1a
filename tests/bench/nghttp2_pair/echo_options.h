/* What the echo server is told on its command line. */
#ifndef NGHTTP2_PAIR_ECHO_OPTIONS_H
#define NGHTTP2_PAIR_ECHO_OPTIONS_H

#include <stdint.h>

/* What it does wrong, once. */
enum echo_fault {
    ECHO_FAULT_NONE,
    ECHO_FAULT_SERVER,  /* names another version */
    ECHO_FAULT_MESSAGE, /* answers another text */
    ECHO_FAULT_DROP,    /* does not answer */
    ECHO_FAULT_TWICE,   /* answers again */
    ECHO_FAULT_RESET,
    ECHO_FAULT_STATUS, /* ends the stream with another status than 0 */
};

struct echo_options {
    unsigned port;
    const char *version, *id, *cert, *key; /* borrowed from argv; cert and key: NULL without TLS */
    enum echo_fault fault;
    uint64_t fault_at; /* this ping, counted over all streams from 1 */
};

/* Changes what is given. Returns 0, or -1 for what it does not understand. */
int echo_parse(int argc, char **argv, struct echo_options *options);

/* Prints how it is called on standard error; returns the exit code. */
int echo_usage(void);

#endif
