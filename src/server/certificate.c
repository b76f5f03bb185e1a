#include "server/certificate.h"

#include "base/log.h"
#include "net/tls.h"
#include "role/routes.h"
#include "role/watch.h"
#include "rpc/server.h"

#include <stddef.h>

int server_certificate_load(struct server_certificate *certificate, const struct log_source *source,
                            const char *cert, const char *key)
{
    *certificate = (struct server_certificate){.source = source, .cert = cert, .key = key};
    if (cert != NULL) {
        certificate->tls = role_certificate_load("server", cert, key);
    }
    return cert == NULL || certificate->tls != NULL ? 0 : -1;
}

static void tell_reloaded(const struct server_certificate *certificate)
{
    char words[NET_TLS_WORDS_BYTES];
    net_tls_words(certificate->tls, words);
    log_event(LOG_INFO, certificate->source, "reloaded", LOG_PAIRS({"certificate", words}),
              "Reloaded: certificate (%s)", words);
}

void server_certificate_reload(struct server_certificate *certificate)
{
    struct net_error error;
    const struct net_tls_server_config config = {certificate->cert, certificate->key};
    struct net_tls *tls = net_tls_server_renew(certificate->tls, &config, &error);
    if (tls == NULL) {
        log_event(LOG_ERROR, certificate->source, "reload_failed", LOG_PAIRS({"cause", error.text}),
                  "Not reloaded, all stays as it was: %s", error.text);
    } else if (net_tls_is_same(tls, certificate->tls)) {
        net_tls_free(tls);
        log_event(LOG_INFO, certificate->source, "reloaded", NULL, "Reloaded: nothing has changed");
    } else {
        rpc_server_set_tls(certificate->rpc, tls);
        net_tls_free(certificate->tls);
        certificate->tls = tls;
        tell_reloaded(certificate);
    }
}

static void on_change(void *user)
{
    server_certificate_reload(user);
}

void server_certificate_watch(struct server_certificate *certificate, struct net_loop *loop,
                              struct rpc_server *rpc)
{
    certificate->rpc = rpc;
    if (certificate->tls != NULL) {
        certificate->watch = role_watch_start(loop, on_change, certificate);
        role_watch_add(certificate->watch, certificate->cert);
        role_watch_add(certificate->watch, certificate->key);
    }
}

void server_certificate_keep(struct server_certificate *certificate)
{
    role_watch_stop(certificate->watch);
    certificate->watch = NULL;
}
