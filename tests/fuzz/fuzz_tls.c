/* TLS in memory, as server and as client: any bytes in place of a peer's, a handshake recorded when
 * this starts with faults in it, and two ends of ours with faults on the way between them, to which
 * happens what may happen to a connection: messages, key updates, renegotiation, ends, certificates
 * with any names.
 *
 * What is read is what the other end wrote, up to a fault; no fault, no failure; no handshake is
 * done without the other end's keys; whatever fails says why in plain words. */
#include "fuzz.h"
#include "tls_contexts.h"
#include "tls_side.h"

#include "net/tls_io_impl.h"

#include <openssl/err.h>

#define RECORDING_BYTES 8192

enum mode { PAIR, TO_SERVER, TO_CLIENT, REPLAY, MODES };

/* Bits of the second byte. */
#define ASKS_CLIENT  1   /* the server asks for a certificate */
#define SHOWS_CLIENT 2   /* the client has one */
#define IS_OLD       4   /* TLS 1.2 */
#define IS_ELSEWHERE 8   /* the client wants another host */
#define IS_NOT_HTTP2 16  /* it offers no protocol */
#define SERVER_NAMED 32  /* the rest of the input names the server, */
#define CLIENT_NAMED 64  /* the client */
#define IS_SELF_MADE 128 /* no authority has signed that */

struct input {
    const uint8_t *at;
    size_t left;
    size_t piece;   /* bytes come in such pieces */
    bool is_faulty; /* the way between the ends */
};

static struct net_loop loop;
static struct tls_contexts contexts;
static struct tls_side sides[2];              /* server, client */
static uint8_t recording[2][RECORDING_BYTES]; /* what each sent of a good handshake */
static size_t recorded[2];

/* ---- begin ----------------------------------------------------------------------------------- */

static void begin(unsigned setup, struct tls_side *server, struct tls_side *client,
                  const struct input *input)
{
    const char *host = (setup & IS_ELSEWHERE) != 0 ? "other.example" : TLS_CONTEXTS_NAME;
    for (int i = 0; i < 2; i++) {
        bool is_pair = server != NULL && client != NULL;
        memset(&sides[i], 0, offsetof(struct tls_side, out));
        sides[i].loop = &loop;
        sides[i].is_server = i == 0;
        sides[i].other = is_pair ? &sides[1 - i] : NULL;
    }
    if (server != NULL) {
        struct net_tls *tls = contexts.servers[(setup & ASKS_CLIENT) != 0];
        server->io = net_tls_io_new(tls, &loop, "10.0.0.1:1", NULL);
    }
    if (client != NULL) {
        struct net_tls *tls = contexts.clients[(setup & SHOWS_CLIENT) != 0];
        client->io = net_tls_io_new(tls, &loop, "the server", host);
        SSL *ssl = net_tls_io_ssl(client->io);
        FUZZ_CHECK((setup & IS_OLD) == 0 || SSL_set_max_proto_version(ssl, TLS1_2_VERSION) == 1);
        FUZZ_CHECK((setup & IS_NOT_HTTP2) == 0 || SSL_set_alpn_protos(ssl, NULL, 0) == 0);
    }
    if (server != NULL && (setup & SERVER_NAMED) != 0) {
        tls_contexts_name(&contexts, net_tls_io_ssl(server->io), (setup & IS_SELF_MADE) != 0,
                          input->at, input->left);
    }
    if (client != NULL && (setup & CLIENT_NAMED) != 0) {
        tls_contexts_name(&contexts, net_tls_io_ssl(client->io), (setup & IS_SELF_MADE) != 0,
                          input->at, input->left);
    }
    if (client != NULL) {
        tls_side_hear(client, NULL, 0); /* it speaks first */
    }
}

/* ---- between two ends ------------------------------------------------------------------------ */

static void deliver(struct tls_side *from, size_t len, size_t piece)
{
    len = len < from->out_len ? len : from->out_len;
    static uint8_t bytes[TLS_TRANSIT_BYTES]; /* the answer may come into the same place */
    memcpy(bytes, from->out, len);
    from->out_len -= len;
    memmove(from->out, from->out + len, from->out_len);
    for (size_t at = 0; at < len; at += piece) {
        tls_side_hear(from->other, bytes + at, len - at < piece ? len - at : piece);
    }
    net_tls_io_rest(from->io); /* whatever is touched next wakes it */
    net_tls_io_rest(from->other->io);
}

static void settle(size_t piece)
{
    while (sides[0].out_len + sides[1].out_len > 0) {
        deliver(&sides[1], TLS_TRANSIT_BYTES, piece);
        deliver(&sides[0], TLS_TRANSIT_BYTES, piece);
    }
}

/* TLS 1.3 has new keys; of TLS 1.2 a client wants to begin anew, which nobody lets it. */
static void renew(struct tls_side *side, unsigned times, bool both, struct input *input)
{
    SSL *ssl = net_tls_io_ssl(side->io);
    if (!side->done || side->dead || side->said_end) {
        return;
    }
    if (SSL_version(ssl) != TLS1_3_VERSION) {
        SSL_clear_options(ssl, SSL_OP_NO_RENEGOTIATION);
        side->begins_anew = true;
        input->is_faulty = true; /* what is read from then on may fail */
        SSL_renegotiate(ssl);
        times = 1;
    }
    for (unsigned i = 0; i < times; i++) {
        SSL_key_update(ssl, both ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED);
        SSL_do_handshake(ssl);
        tls_side_take_output(side);
        side->updates++;
    }
    side->other->asked_updates += both ? times : 0;
    ERR_clear_error();
}

static void damage(struct tls_side *from, unsigned kind, uint8_t a, uint8_t b, struct input *input)
{
    size_t at = from->out_len * b / 256;
    uint8_t *place = from->out + at;
    size_t rest = from->out_len - at;
    size_t len;
    if (kind == 1 && rest > 0) { /* a bit */
        place[a % rest] ^= (uint8_t)(1U << (a % 8));
    } else if (kind == 2) { /* bytes that are lost */
        len = 1U + a < rest ? 1U + a : rest;
        memmove(place, place + len, rest - len);
        from->out_len -= len;
    } else if (kind == 3) { /* bytes that nobody has sent */
        len = a < input->left ? a : input->left;
        memmove(place + len, place, rest);
        memcpy(place, input->at, len);
        from->out_len += len;
        input->at += len;
        input->left -= len;
    }
    input->is_faulty = true;
}

static void step(const uint8_t op[static 3], struct input *input)
{
    struct tls_side *side = &sides[op[0] >> 3 & 1];
    switch (op[0] % 8) {
    case 0:
        tls_side_write(side, 1 + op[1] * (size_t)64);
        break;
    case 4:
        deliver(side, 1 + op[1] + op[2] * (size_t)256, input->piece);
        break;
    case 5:
        renew(side, 1U + op[1] % 128, op[2] % 2 == 1, input);
        break;
    case 6:
        net_tls_io_end(side->io);
        side->said_end = side->done;
        tls_side_take_output(side);
        break;
    case 7:
        settle(input->piece);
        break;
    default:
        damage(side, op[0] % 8, op[1], op[2], input);
        break;
    }
    if (sizeof(side->out) - sides[0].out_len < TLS_STEP_BYTES ||
        sizeof(side->out) - sides[1].out_len < TLS_STEP_BYTES) {
        settle(input->piece);
    }
}

static bool is_good(unsigned setup)
{
    bool has_cert = (setup & SHOWS_CLIENT) != 0;
    return (setup & (IS_ELSEWHERE | IS_NOT_HTTP2)) == 0 && ((setup & ASKS_CLIENT) == 0 || has_cert);
}

static void check_faultless(unsigned setup)
{
    bool both = sides[0].done && sides[1].done;
    for (int i = 0; i < 2; i++) {
        if (sides[i].updates > NET_TLS_IO_MESSAGES_MAX) {
            FUZZ_CHECK(sides[1 - i].dead);
            return;
        }
        if (sides[i].updates + sides[i].asked_updates > NET_TLS_IO_MESSAGES_MAX) {
            return; /* it may answer several at once */
        }
    }
    FUZZ_CHECK(is_good(setup) == (both && !sides[0].dead && !sides[1].dead));
    FUZZ_CHECK(!is_good(setup) ||
               (sides[0].received == sides[1].written && sides[1].received == sides[0].written));
}

/* Of certificates whose names are anything. */
static void check_named(unsigned setup)
{
    if ((setup & IS_SELF_MADE) != 0) {
        FUZZ_CHECK((setup & SERVER_NAMED) == 0 || !sides[1].done);
        FUZZ_CHECK((setup & CLIENT_NAMED) == 0 || (setup & ASKS_CLIENT) == 0 || !sides[0].done);
    }
}

static void talk(unsigned setup, struct input *input)
{
    bool is_named = (setup & (SERVER_NAMED | CLIENT_NAMED)) != 0;
    begin(setup, &sides[0], &sides[1], input);
    while (!is_named && input->left >= 3) {
        const uint8_t *op = input->at;
        input->at += 3;
        input->left -= 3;
        step(op, input);
    }
    settle(input->piece);
    for (int i = 0; i < 2; i++) {
        tls_side_write(&sides[i], 100);
    }
    settle(input->piece);
    if (is_named) {
        check_named(setup);
    } else if (!input->is_faulty) {
        check_faultless(setup);
    }
    tls_side_end(&sides[0]);
    tls_side_end(&sides[1]);
}

/* ---- one end and bytes ----------------------------------------------------------------------- */

/* Nobody who has none of the keys gets through. */
static void tell(struct tls_side *side, unsigned setup, const uint8_t *bytes, size_t len,
                 size_t piece)
{
    const struct input none = {.piece = piece};
    begin(setup & ~(unsigned)(SERVER_NAMED | CLIENT_NAMED), side == &sides[0] ? side : NULL,
          side == &sides[1] ? side : NULL, &none);
    for (size_t at = 0; at < len; at += piece) {
        tls_side_hear(side, bytes + at, len - at < piece ? len - at : piece);
    }
    FUZZ_CHECK(!side->done);
    tls_side_end(side);
}

/* Faults of 4 bytes: where, how many bytes are lost there, and one that comes in their place. */
static void replay(unsigned setup, const struct input *input)
{
    unsigned from = (setup & ASKS_CLIENT) != 0;
    uint8_t bytes[RECORDING_BYTES + 1024];
    size_t len = recorded[from];
    memcpy(bytes, recording[from], len);
    for (size_t i = 0; i + 4 <= input->left && len < RECORDING_BYTES + 1000; i += 4) {
        const uint8_t *fault = input->at + i;
        size_t at = (fault[0] * (size_t)256 + fault[1]) % (len + 1);
        size_t lost = fault[2] < len - at ? fault[2] : len - at;
        memmove(bytes + at + 1, bytes + at + lost, len - at - lost);
        bytes[at] = fault[3];
        len += 1 - lost;
    }
    tell(&sides[1 - from], setup & (SHOWS_CLIENT | IS_OLD), bytes, len, input->piece);
}

static void record(void)
{
    const struct input input = {.piece = TLS_TRANSIT_BYTES};
    begin(ASKS_CLIENT | SHOWS_CLIENT, &sides[0], &sides[1], &input);
    while (sides[0].out_len + sides[1].out_len > 0) {
        for (int i = 0; i < 2; i++) {
            FUZZ_CHECK(recorded[i] + sides[i].out_len <= sizeof(recording[i]));
            memcpy(recording[i] + recorded[i], sides[i].out, sides[i].out_len);
            recorded[i] += sides[i].out_len;
            deliver(&sides[i], TLS_TRANSIT_BYTES, TLS_TRANSIT_BYTES);
        }
    }
    FUZZ_CHECK(sides[0].done && sides[1].done);
    tls_side_end(&sides[0]);
    tls_side_end(&sides[1]);
}

/* Before OpenSSL has any memory. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    net_tls_rest_enable();
    return 0;
}

/* The first bytes: the mode, the setup, the size of the pieces. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3) {
        return 0;
    }
    if (contexts.key == NULL) {
        FUZZ_CHECK(net_loop_init(&loop) == 0);
        tls_contexts_init(&contexts);
        record();
    }
    struct input input = {
        .at = data + 3, .left = size - 3, .piece = data[2] == 0 ? TLS_TRANSIT_BYTES : data[2]};
    switch ((enum mode)(data[0] % MODES)) {
    case PAIR:
        talk(data[1], &input);
        break;
    case REPLAY:
        replay(data[1], &input);
        break;
    default:
        tell(&sides[data[0] % MODES == TO_CLIENT], data[1], input.at, input.left, input.piece);
        break;
    }
    return 0;
}
