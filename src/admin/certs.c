#include "admin/certs.h"

#include "admin/text.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "net/tls.h"
#include "relay/state.h"

#include <cJSON.h>
#include <stdio.h>
#include <time.h>

#define S_PER_DAY 86400

static void add_date(cJSON *object, const char *name, int64_t date_s)
{
    char text[CLOCK_RFC3339_BYTES];
    clock_format_s(date_s, text);
    cJSON_AddStringToObject(object, name, text);
}

static cJSON *certificate_json(const char *file, const struct net_certificate *cert)
{
    cJSON *object = cJSON_CreateObject();
    char days[24];
    int64_t left_s = cert->end_s - (int64_t)time(NULL);
    snprintf(days, sizeof(days), "%lld", left_s > 0 ? (long long)left_s / S_PER_DAY : 0);
    cJSON_AddStringToObject(object, "path", file);
    cJSON_AddStringToObject(object, "subject", cert->subject);
    cJSON_AddStringToObject(object, "serial_number", cert->serial);
    cJSON *names = cJSON_AddArrayToObject(object, "subject_alt_names");
    for (size_t i = 0; i < cert->name_count; i++) {
        cJSON *name = cJSON_CreateObject();
        cJSON_AddStringToObject(name, cert->names[i].kind, cert->names[i].text);
        cJSON_AddItemToArray(names, name);
    }
    cJSON_AddStringToObject(object, "days_until_expiration", days);
    add_date(object, "valid_from", cert->begin_s);
    add_date(object, "expiration_time", cert->end_s);
    return object;
}

void admin_certs(struct relay *relay, struct buf *out)
{
    struct net_tls *tls = relay_tls(relay);
    cJSON *root = cJSON_CreateObject();
    cJSON *list = cJSON_AddArrayToObject(root, "certificates");
    if (tls != NULL) {
        struct net_certificate cert;
        cJSON *entry = cJSON_CreateObject();
        cJSON_AddArrayToObject(entry, "ca_cert");
        cJSON *chain = cJSON_AddArrayToObject(entry, "cert_chain");
        for (size_t n = 0; net_tls_certificate(tls, n, &cert); n++) {
            cJSON_AddItemToArray(chain, certificate_json(net_tls_file(tls), &cert));
        }
        cJSON_AddItemToArray(list, entry);
    }
    net_tls_free(tls);
    admin_finish_json(root, out);
}

void admin_certs_metrics(struct relay *relay, struct metrics *out)
{
    static const char name[] = "grpcroute_proxy_certificate_expiry_timestamp_seconds";
    struct net_tls *tls = relay_tls(relay);
    struct net_certificate cert;
    if (tls == NULL) {
        return;
    }
    metrics_begin(out, name, METRICS_GAUGE, "When a certificate that clients are shown ends");
    for (size_t n = 0; net_tls_certificate(tls, n, &cert); n++) {
        metrics_sample(out, name,
                       METRICS_LABELS({"subject", cert.subject}, {"serial", cert.serial}),
                       (double)cert.end_s);
    }
    net_tls_free(tls);
}
