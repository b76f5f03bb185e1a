/* The certificate of a server that serves TLS itself: read at its start, again when a file changes,
 * and on SIGHUP. Live connections keep what they were shown. */
#ifndef GRPCROUTE_SERVER_CERTIFICATE_H
#define GRPCROUTE_SERVER_CERTIFICATE_H

struct log_source;
struct net_loop;
struct net_tls;
struct role_watch;
struct rpc_server;

struct server_certificate {
    const struct log_source *source; /* borrowed, and so are the files */
    const char *cert;                /* NULL: h2c */
    const char *key;
    struct net_tls *tls; /* owned */
    struct rpc_server *rpc;
    struct role_watch *watch;
};

/* Returns 0, or -1 after a line on standard error. */
int server_certificate_load(struct server_certificate *certificate, const struct log_source *source,
                            const char *cert, const char *key);

/* From now on changes of the files reach the server, which listens. */
void server_certificate_watch(struct server_certificate *certificate, struct net_loop *loop,
                              struct rpc_server *rpc);

/* Reads it again; what is wrong changes nothing. One line says what happened. */
void server_certificate_reload(struct server_certificate *certificate);

/* It stays as it is; the loop is free of it. Repeats are harmless. */
void server_certificate_keep(struct server_certificate *certificate);

#endif
