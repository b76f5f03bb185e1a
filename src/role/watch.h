/* Files that are read again when they change, on the loop.
 *
 * A file is looked at by its path, links followed: a Kubernetes volume changes by a swap of a link
 * above it. What changes is let come to rest first, since a certificate and its key are two
 * files. Only regular files are watched: a pipe has given what it had. */
#ifndef GRPCROUTE_ROLE_WATCH_H
#define GRPCROUTE_ROLE_WATCH_H

#include "net/loop.h"

/* How often files are looked at, and how long none may change before they are read. */
#define ROLE_WATCH_MS        500
#define ROLE_REST_MS         500
#define ROLE_WATCH_FILES_MAX 32

struct role_watch;

struct role_watch *role_watch_start(struct net_loop *loop, void (*on_change)(void *user),
                                    void *user);
/* Watches `path`, too; NULL is passed over, and so is what has no room any more. */
void role_watch_add(struct role_watch *watch, const char *path);
/* The memory goes with the closed handles. Accepts NULL. */
void role_watch_stop(struct role_watch *watch);

#endif
