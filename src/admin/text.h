/* How answers are written. */
#ifndef GRPCROUTE_ADMIN_TEXT_H
#define GRPCROUTE_ADMIN_TEXT_H

struct buf;
struct cJSON;

/* Appends printf text without a limit. */
void admin_printf(struct buf *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Prints a JSON tree and frees it. */
void admin_finish_json(struct cJSON *root, struct buf *out);

#endif
