/* A file of lines, such as an access log, written by a thread of its own: nobody who has a line for
 * it waits for the disk, or for who reads a pipe.
 *
 * Up to LINE_FILE_BYTES of lines wait, in memory that is taken at the start; what comes while there
 * is no room is dropped and counted, from then on until half of it is free again; the log says when
 * that began, how many it were and why, and so does a line in the file, for who has nothing else.
 *
 * The last quarter of the room, and all of it while lines are dropped, is for those who have little
 * in it: an author whose name is given gets of what is free no more than one part in
 * LINE_FILE_SHARES. So one that writes a lot loses its own lines, and others' find room. Authors
 * that come while it is so, and had no line while there was room, have, with all of their origin,
 * no more than one part in LINE_FILE_NEWCOMERS: who comes back as another one each time loses its
 * own lines, too.
 *
 * A line is never split among others, also where several processes write to the file. */
#ifndef GRPCROUTE_BASE_LINE_FILE_H
#define GRPCROUTE_BASE_LINE_FILE_H

#include "base/append.h"
#include "base/line_ring.h"
#include "base/log_words.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINE_FILE_BYTES      ((size_t)4 * 1024 * 1024)
#define LINE_FILE_SHARES     8
#define LINE_FILE_NEWCOMERS  2
#define LINE_FILE_ORIGINS    256                /* told apart; others fall together */
#define LINE_FILE_LINE_BYTES ((size_t)PIPE_BUF) /* of one line, its newline included */

struct line_file;

/* Who has lines for a file: zeroed, but for where that one comes from. */
struct line_author {
    uint64_t origin;
    bool is_known; /* it had a line while there was room */
    struct line_share share;
};

/* Writes the line that says that so many are missing, its newline included; returns its length. */
typedef size_t line_file_write_gap(char out[static LINE_FILE_LINE_BYTES], uint64_t lines);

/* Opens `path` for appending ("-": standard output) and starts its thread. A file that is made has
 * mode 0640. `name` is what the log calls it ("stream log"), `source` who speaks there; both are
 * borrowed. Without `write_gap` (NULL) the log alone says what is missing. Returns NULL with a line
 * in `ret_error`. */
struct line_file *line_file_open(const char *path, const char *name,
                                 const struct log_source *source, line_file_write_gap *write_gap,
                                 char ret_error[static APPEND_ERROR_BYTES]);

/* Takes a line, its newline included. `author`: whose it is, of this file alone; NULL: of who is
 * not held to a share. From any thread; never waits. */
void line_file_put(struct line_file *file, struct line_author *author, const char *line,
                   size_t len);

/* The file is opened anew soon, because it was renamed. Where that fails, the log says so and the
 * old one is written on. Does nothing to standard output. From any thread. */
void line_file_reopen(struct line_file *file);

/* Lines that are in the file, those of gaps included, and lines that never will be. From any
 * thread. */
uint64_t line_file_written(const struct line_file *file);
uint64_t line_file_dropped(const struct line_file *file);

/* Writes what waits, as long as something of it is taken each second, for 5 s at most; then tells
 * how many lines were lost, and frees. A second more where a disk hangs. Accepts NULL. */
void line_file_close(struct line_file *file);

#endif
