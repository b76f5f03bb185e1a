/* Why a TLS connection failed, in words. Whatever comes from the peer's certificate is escaped and
 * cut. */
#include "base/mem.h"
#include "base/text.h"
#include "net/tls_impl.h"
#include "net/tls_io_impl.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

/* --- what the certificate says --- */

/* Appends a name, escaped, with ", " before all but the first. */
static void append_name(char *out, size_t out_bytes, const void *bytes, size_t len)
{
    size_t used = strlen(out);

    if (used > 0 && used + 3 < out_bytes) {
        memcpy(out + used, ", ", 3);
        used += 2;
    }
    text_escape(out + used, out_bytes - used, bytes, len);
}

static void append_general_name(char *out, size_t out_bytes, const GENERAL_NAME *name)
{
    char address[INET6_ADDRSTRLEN];
    const ASN1_OCTET_STRING *ip;

    if (name->type == GEN_DNS) {
        append_name(out, out_bytes, ASN1_STRING_get0_data(name->d.dNSName),
                    (size_t)ASN1_STRING_length(name->d.dNSName));
    } else if (name->type == GEN_IPADD) {
        ip = name->d.iPAddress;
        int family = ASN1_STRING_length(ip) == 4 ? AF_INET : AF_INET6;

        if (ASN1_STRING_length(ip) == (family == AF_INET ? 4 : 16) &&
            inet_ntop(family, ASN1_STRING_get0_data(ip), address, sizeof(address)) != NULL) {
            append_name(out, out_bytes, address, strlen(address));
        }
    }
}

static void append_common_name(char *out, size_t out_bytes, const X509_NAME *name)
{
    int index = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
    X509_NAME_ENTRY *entry = index >= 0 ? X509_NAME_get_entry(name, index) : NULL;
    const ASN1_STRING *text = entry != NULL ? X509_NAME_ENTRY_get_data(entry) : NULL;

    if (text != NULL) {
        append_name(out, out_bytes, ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text));
    }
}

/* Returns whether there is nothing but a common name. */
static bool describe_names(const X509 *cert, char *out, size_t out_bytes)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);

    for (int i = 0; i < sk_GENERAL_NAME_num(names) && strlen(out) + 8 < out_bytes; i++) {
        append_general_name(out, out_bytes, sk_GENERAL_NAME_value(names, i));
    }
    GENERAL_NAMES_free(names);
    bool has_common_name_only = out[0] == '\0';
    if (has_common_name_only) {
        append_common_name(out, out_bytes, X509_get_subject_name(cert));
    }
    return has_common_name_only;
}

static void describe_date(const ASN1_TIME *time, char out[static NET_TLS_IO_DATE_BYTES])
{
    struct tm tm;

    if (ASN1_TIME_to_tm(time, &tm) == 1) {
        strftime(out, NET_TLS_IO_DATE_BYTES, "%Y-%m-%d %H:%M UTC", &tm);
    } else {
        snprintf(out, NET_TLS_IO_DATE_BYTES, "an unreadable date");
    }
}

int net_tls_verdict_on_verify(int ok, X509_STORE_CTX *store)
{
    const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct net_tls_io *io = SSL_get_app_data(ssl);
    const X509 *cert = X509_STORE_CTX_get_current_cert(store);
    struct net_tls_verdict *verdict;

    if (ok || io->verdict != NULL) {
        return ok;
    }
    verdict = io->verdict = mem_new(struct net_tls_verdict);
    verdict->code = X509_STORE_CTX_get_error(store);
    verdict->depth = X509_STORE_CTX_get_error_depth(store);
    if (cert != NULL) {
        verdict->has_common_name_only =
            describe_names(cert, verdict->names, sizeof(verdict->names));
        append_common_name(verdict->issuer, sizeof(verdict->issuer), X509_get_issuer_name(cert));
        describe_date(verdict->code == X509_V_ERR_CERT_NOT_YET_VALID ? X509_get0_notBefore(cert)
                                                                     : X509_get0_notAfter(cert),
                      verdict->date);
    }
    return 0;
}

/* --- what we say about it --- */

static void explain_verdict(const struct net_tls_io *io, struct net_error *error)
{
    const struct net_tls_verdict *verdict = io->verdict;
    const char *whose = verdict->depth > 0 ? "a certificate in the chain" : "certificate";
    char wanted[NET_TLS_IO_NAMES_BYTES];

    const char *mend = io->server_name != NULL
                           ? "pass its CA with --cacert FILE"
                           : "it is none of the authorities of clients (--client-ca)";

    switch (verdict->code) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        text_escape(wanted, sizeof(wanted), io->server_name, strlen(io->server_name));
        if (verdict->has_common_name_only) {
            net_error_set(error, NET_TLS_NAME,
                          "certificate of %s has only the common name \"%s\", which no client "
                          "compares any more: make one with the subjectAltName \"%.60s\"",
                          io->peer_label, verdict->names, wanted);
            break;
        }
        net_error_set(error, NET_TLS_NAME,
                      "certificate of %s is for \"%s\", not \"%.60s\": use --authority NAME or a "
                      "certificate for that name",
                      io->peer_label, verdict->names, wanted);
        break;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_UNTRUSTED:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE: /* a CA of the same name with another key */
        net_error_set(error, NET_TLS_UNKNOWN_CA,
                      "certificate of %s is signed by an unknown authority (issuer \"%s\"): %s",
                      io->peer_label, verdict->issuer, mend);
        break;
    case X509_V_ERR_CERT_HAS_EXPIRED:
        net_error_set(error, NET_TLS_EXPIRED,
                      "%s of %s expired on %s: renew it, or set this machine's clock", whose,
                      io->peer_label, verdict->date);
        break;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        net_error_set(error, NET_TLS_EXPIRED,
                      "%s of %s is valid only from %s on: set this machine's clock", whose,
                      io->peer_label, verdict->date);
        break;
    default:
        net_error_set(error, NET_TLS_FAILED, "%s of %s was refused: %s", whose, io->peer_label,
                      X509_verify_cert_error_string(verdict->code));
        break;
    }
}

/* The alert that the peer sent, or -1. */
static int alert_of(unsigned long reason)
{
    int code = ERR_GET_REASON(reason);

    if (ERR_GET_LIB(reason) != ERR_LIB_SSL || code <= SSL_AD_REASON_OFFSET ||
        code > SSL_AD_REASON_OFFSET + 255) {
        return -1;
    }
    return code - SSL_AD_REASON_OFFSET;
}

/* OpenSSL has no words for the alerts of TLS 1.3. */
static const char *alert_text(int alert)
{
    if (alert == TLS13_AD_CERTIFICATE_REQUIRED) {
        return "certificate required";
    }
    return alert == TLS13_AD_MISSING_EXTENSION ? "missing extension"
                                               : SSL_alert_desc_string_long(alert);
}

static const char *reason_text(unsigned long reason)
{
    const char *text = reason != 0 ? ERR_reason_error_string(reason) : NULL;

    return text != NULL ? text : "protocol violation";
}

/* Alerts about the certificate of the side that gets them. */
static bool is_distrust(int alert)
{
    return alert == SSL_AD_UNKNOWN_CA || alert == SSL_AD_BAD_CERTIFICATE ||
           alert == SSL_AD_UNSUPPORTED_CERTIFICATE || alert == SSL_AD_CERTIFICATE_REVOKED ||
           alert == SSL_AD_CERTIFICATE_UNKNOWN || alert == SSL_AD_CERTIFICATE_EXPIRED;
}

/* Seen in the handshake, so it is no guess that this is what is missing, or meant. */
static const char *certificate_hint(const struct net_tls_io *io, int alert)
{
    switch (io->certificate) {
    case NET_CREDENTIAL_NONE:
        return ": it asked for a client certificate and got none, pass --cert and --key";
    case NET_CREDENTIAL_UNFIT:
        return ": it asked for a client certificate and takes none of the type of --cert's key";
    case NET_CREDENTIAL_SHOWN:
        return alert == SSL_AD_UNKNOWN_CA
                   ? ": it does not know who signed the client certificate of --cert, or the file "
                     "lacks the intermediate"
               : is_distrust(alert) ? ": it does not accept the client certificate of --cert"
                                    : "";
    default:
        return "";
    }
}

static void explain_client(const struct net_tls_io *io, struct net_error *error)
{
    int alert = alert_of(io->reason);

    if (io->verdict != NULL) {
        explain_verdict(io, error);
    } else if (io->not_tls) {
        net_error_set(error, NET_TLS_NOT_TLS,
                      "%s does not speak TLS: use --plaintext if that is intended", io->peer_label);
    } else if (io->no_alpn) {
        net_error_set(error, NET_TLS_ALPN,
                      "%s speaks TLS but did not agree on HTTP/2 (ALPN h2): is it a gRPC endpoint?",
                      io->peer_label);
    } else if (alert == SSL_AD_NO_APPLICATION_PROTOCOL) {
        net_error_set(error, NET_TLS_ALPN,
                      "%s speaks TLS but refused HTTP/2 (ALPN h2): is it a gRPC endpoint?",
                      io->peer_label);
    } else if (alert >= 0) {
        net_error_set(error, NET_TLS_FAILED, "%s refused the TLS handshake (alert: %s)%s",
                      io->peer_label, alert_text(alert), certificate_hint(io, alert));
    } else {
        net_error_set(error, NET_TLS_FAILED, "TLS handshake with %s failed: %s", io->peer_label,
                      reason_text(io->reason));
    }
}

static void explain_server(const struct net_tls_io *io, struct net_error *error)
{
    int alert = alert_of(io->reason);

    if (io->verdict != NULL) {
        explain_verdict(io, error);
    } else if (ERR_GET_LIB(io->reason) == ERR_LIB_SSL &&
               ERR_GET_REASON(io->reason) == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) {
        net_error_set(error, NET_TLS_FAILED,
                      "client %s shows no certificate, which --client-ca asks for", io->peer_label);
    } else if (io->not_tls) {
        net_error_set(error, NET_TLS_NOT_TLS, "client %s does not speak TLS", io->peer_label);
    } else if (io->no_alpn) {
        net_error_set(error, NET_TLS_ALPN, "client %s does not offer HTTP/2 (ALPN h2)",
                      io->peer_label);
    } else if (is_distrust(alert)) {
        net_error_set(error, alert == SSL_AD_UNKNOWN_CA ? NET_TLS_UNKNOWN_CA : NET_TLS_FAILED,
                      "client %s does not trust this server's certificate (alert: %s): give it the "
                      "CA and the right name",
                      io->peer_label, alert_text(alert));
    } else if (alert >= 0) {
        net_error_set(error, NET_TLS_FAILED, "client %s gave up the TLS handshake (alert: %s)",
                      io->peer_label, alert_text(alert));
    } else {
        net_error_set(error, NET_TLS_FAILED, "TLS handshake with client %s failed: %s",
                      io->peer_label, reason_text(io->reason));
    }
}

void net_tls_io_explain(struct net_tls_io *io, const char *peer, struct net_error *ret_error)
{
    int alert = alert_of(io->reason);

    if (io->flooding) {
        net_error_set(ret_error, NET_TLS_FAILED, "%s sent more than %d TLS messages in a minute",
                      peer, NET_TLS_IO_MESSAGES_MAX);
    } else if (peer != NULL && alert >= 0) {
        net_error_set(ret_error, NET_TLS_FAILED, "%s ended the TLS connection (alert: %s)%s", peer,
                      alert_text(alert), certificate_hint(io, alert));
    } else if (peer != NULL) {
        net_error_set(ret_error, NET_TLS_FAILED, "TLS connection to %s failed: %s", peer,
                      reason_text(io->reason));
    } else if (io->server_name != NULL) {
        explain_client(io, ret_error);
    } else {
        explain_server(io, ret_error);
    }
}

void net_tls_io_explain_end(struct net_tls_io *io, int status, struct net_error *ret_error)
{
    const char *how = status == UV_EOF ? "closed" : "reset";
    enum net_error_kind kind = status == UV_EOF ? NET_CLOSED : NET_RESET;

    if (status != UV_EOF && status != UV_ECONNRESET) {
        net_error_from_uv(ret_error, status, io->peer_label);
    } else if (io->server_name == NULL) {
        net_error_set(ret_error, kind, "client %s %s the connection in the TLS handshake",
                      io->peer_label, how);
    } else if (io->heard) {
        net_error_set(ret_error, kind, "%s %s the connection in the middle of the TLS handshake",
                      io->peer_label, how);
    } else {
        net_error_set(ret_error, kind,
                      "%s %s the connection instead of answering the TLS handshake: does it speak "
                      "TLS (else --plaintext)?",
                      io->peer_label, how);
    }
}
