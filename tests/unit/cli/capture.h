/* Catches what a function writes to one of the standard streams. */
#ifndef TESTS_UNIT_CLI_CAPTURE_H
#define TESTS_UNIT_CLI_CAPTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct capture {
    FILE *stream;
    int saved;
    int file;
    char text[64 * 1024];
};

/* From here to capture_end() `stream` goes to a file. */
static inline void capture_begin(struct capture *capture, FILE *stream)
{
    char path[] = "/tmp/grpcroute-cli-XXXXXX";
    fflush(stream);
    capture->stream = stream;
    capture->saved = dup(fileno(stream));
    capture->file = mkstemp(path);
    unlink(path);
    dup2(capture->file, fileno(stream));
}

/* Returns what was written, valid until the next capture. */
static inline const char *capture_end(struct capture *capture)
{
    fflush(capture->stream);
    dup2(capture->saved, fileno(capture->stream));
    close(capture->saved);
    ssize_t len = pread(capture->file, capture->text, sizeof(capture->text) - 1, 0);
    capture->text[len > 0 ? len : 0] = '\0';
    close(capture->file);
    return capture->text;
}

#endif
