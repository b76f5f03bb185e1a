/* TLS of one stream, without I/O of its own: ciphertext in from a borrowed slice, ciphertext out
 * into the loop's cipher_bytes, so that an idle connection owns no buffer. */
#ifndef GRPCROUTE_NET_TLS_IO_H
#define GRPCROUTE_NET_TLS_IO_H

#include "net/error.h"
#include "net/loop.h"
#include "net/tls.h"

#include <stddef.h>
#include <stdint.h>

struct net_tls_io;

enum net_tls_io_outcome {
    NET_TLS_IO_MORE = 0, /* needs more bytes from the peer */
    NET_TLS_IO_DONE = 1,
    NET_TLS_IO_FULL = 2,      /* send what is in cipher_bytes and call again */
    NET_TLS_IO_E_FAILED = -1, /* net_tls_io_explain() says why */
    NET_TLS_IO_E_ENDED = -2,  /* close_notify */
};

/* A session of `tls`, owned; the other arguments as for net_stream_handshake(). */
struct net_tls_io *net_tls_io_new(struct net_tls *tls, struct net_loop *loop,
                                  const char *peer_label, const char *server_name);
/* Accepts NULL. */
void net_tls_io_free(struct net_tls_io *io);

/* Puts away what is not needed while the peer is quiet; the next call brings it back. */
void net_tls_io_rest(struct net_tls_io *io);

/* Lends `len` bytes of ciphertext until the next call; (NULL, 0) takes them back. */
void net_tls_io_feed(struct net_tls_io *io, const uint8_t *bytes, size_t len);
/* What of them is not yet used. */
const uint8_t *net_tls_io_unread(const struct net_tls_io *io, size_t *ret_len);
bool net_tls_io_has_pending(const struct net_tls_io *io);
/* Nothing is left to read, here or in OpenSSL: a net_tls_io_read() would only say so. */
bool net_tls_io_is_drained(const struct net_tls_io *io);

/* Goes on with the handshake. NET_TLS_IO_MORE, NET_TLS_IO_FULL (a long chain of certificates),
 * NET_TLS_IO_DONE (HTTP/2 agreed, names checked) or NET_TLS_IO_E_FAILED. */
int net_tls_io_handshake(struct net_tls_io *io);

/* Of a server: the client's hello was taken and answered. */
bool net_tls_io_is_greeted(const struct net_tls_io *io);

/* Decrypts at most `cap` bytes, of one record. Returns their number, NET_TLS_IO_MORE,
 * NET_TLS_IO_E_ENDED or NET_TLS_IO_E_FAILED. */
int net_tls_io_read(struct net_tls_io *io, uint8_t *out, size_t cap);

/* Encrypts all of `bytes`. Returns 0 or a negative libuv error. */
int net_tls_io_write(struct net_tls_io *io, const uint8_t *bytes, size_t len);

/* Makes a close_notify, unless TLS has failed or is not up. */
void net_tls_io_end(struct net_tls_io *io);

/* How many bytes the calls above have put into the loop's cipher_bytes; the caller sends them at
 * once, before another stream uses the buffer. */
size_t net_tls_io_take_output(struct net_tls_io *io);

/* Says why NET_TLS_IO_E_FAILED; `peer` names the connection after the handshake, NULL during it. */
void net_tls_io_explain(struct net_tls_io *io, const char *peer, struct net_error *ret_error);
/* Says that the peer ended the connection (`status`: UV_EOF or an error) in the handshake. */
void net_tls_io_explain_end(struct net_tls_io *io, int status, struct net_error *ret_error);
/* What became of the client's certificate. */
enum net_credential net_tls_io_credential(const struct net_tls_io *io);
/* As net_stream_peer_identity(). */
char *net_tls_io_peer_identity(const struct net_tls_io *io);
/* As net_stream_peer_name(). */
char *net_tls_io_peer_name(const struct net_tls_io *io);
/* As net_stream_tls_version(). */
const char *net_tls_io_version(const struct net_tls_io *io);
/* As net_stream_peer_expiry(). */
bool net_tls_io_peer_expiry(const struct net_tls_io *io, struct net_expiry *ret_expiry);

#endif
