/* Reads routes, endpoints and certificate again and puts them in force, all or nothing.
 *
 * Happy path: proxy_reload_now() reads -> clusters that are new are resolved and their endpoints
 * checked -> all of it is in force, with one line on what changed.
 * Failure modes: anything that cannot be read or is wrong: one line, and all stays as it was.
 * Clusters that are not ready in time are put in force all the same: nothing is known against them
 * that would not be said of a start. */
#ifndef GRPCROUTE_PROXY_RELOAD_H
#define GRPCROUTE_PROXY_RELOAD_H

#include <stdbool.h>
#include <stddef.h>

/* How long new clusters may take to be ready. */
#define PROXY_RELOAD_MS 5000

struct proxy_discovery;
struct proxy_health;
struct proxy_reload;
struct proxy_sources;
struct relay;

/* On worker 0's loop. Everything is borrowed. With `watch` it reloads by itself when a file of the
 * sources changes. */
struct proxy_reload *proxy_reload_start(struct relay *relay, const struct proxy_sources *sources,
                                        struct proxy_discovery *discovery,
                                        struct proxy_health *health, bool watch);
/* What was being made ready is dropped. Accepts NULL. */
void proxy_reload_stop(struct proxy_reload *reload);

enum proxy_reload_result {
    PROXY_RELOADED,     /* all of it is in force */
    PROXY_RELOADING,    /* it will be, when its new clusters are ready */
    PROXY_NOT_RELOADED, /* something is wrong, and all stays as it was */
};

/* Reads everything now; `by` says who asked ("SIGHUP"). A line about it is in `out`, and in the
 * log. */
enum proxy_reload_result proxy_reload_now(struct proxy_reload *reload, const char *by, char *out,
                                          size_t out_bytes);

#endif
