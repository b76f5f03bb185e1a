/* Messages of PingPong, grpc.health.v1 and reflection: any bytes. What was understood is the same
 * when it is written and read again. The first byte chooses the message. */
#include "fuzz.h"

#include "base/text.h"
#include "rpc/health.h"
#include "rpc/ping.h"
#include "rpc/reflection.h"

/* Above what a message of 4096 bytes can hold, with its tags. */
#define ENCODED_BYTES 8192

static void request(const uint8_t *bytes, size_t len)
{
    struct rpc_ping_request read;
    uint8_t out[ENCODED_BYTES];
    if (rpc_ping_request_decode(bytes, len, &read) != 0) {
        return;
    }
    char *text = strdup(read.message);
    const struct rpc_ping_request first = {text, read.sequence, read.send_time_ns};
    FUZZ_CHECK(text_is_utf8(text, strlen(text)));
    size_t written = rpc_ping_request_encode(&first, out, sizeof(out));
    FUZZ_CHECK(rpc_ping_request_decode(out, written, &read) == 0);
    FUZZ_CHECK(strcmp(read.message, text) == 0 && read.sequence == first.sequence &&
               read.send_time_ns == first.send_time_ns);
    free(text);
}

static void response(const uint8_t *bytes, size_t len)
{
    struct rpc_ping_response read;
    uint8_t out[ENCODED_BYTES];
    uint8_t again[ENCODED_BYTES];
    if (rpc_ping_response_decode(bytes, len, &read) != 0) {
        return;
    }
    const char *const texts[] = {read.message, read.server_version, read.server_id, read.agent_id,
                                 read.agent_version};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        FUZZ_CHECK(text_is_utf8(texts[i], strlen(texts[i])));
    }
    size_t written = rpc_ping_response_encode(&read, out, sizeof(out));
    FUZZ_CHECK(written <= sizeof(out));
    FUZZ_CHECK(rpc_ping_response_decode(out, written, &read) == 0);
    FUZZ_CHECK(rpc_ping_response_encode(&read, again, sizeof(again)) == written);
    FUZZ_CHECK(memcmp(out, again, written) == 0);
}

static void health(const uint8_t *bytes, size_t len)
{
    const char *service;
    enum rpc_health_status status;
    enum rpc_health_status back;
    uint8_t out[RPC_HEALTH_RESPONSE_BYTES];
    if (rpc_health_request_decode(bytes, len, &service) == 0) {
        FUZZ_CHECK(text_is_utf8(service, strlen(service)));
    }
    if (rpc_health_response_decode(bytes, len, &status) == 0 &&
        status <= RPC_HEALTH_SERVICE_UNKNOWN) {
        size_t written = rpc_health_response_encode(status, out);
        FUZZ_CHECK(written <= sizeof(out));
        FUZZ_CHECK(rpc_health_response_decode(out, written, &back) == 0 && back == status);
    }
}

/* One answer to each question, and nothing to what is none. */
static void reflection(const uint8_t *bytes, size_t len)
{
    struct buf answer = {0};
    int rv = rpc_reflection_answer(bytes, len, NULL, &answer);
    FUZZ_CHECK(rv == 0 || rv == 1);
    FUZZ_CHECK((rv == 0) == (answer.len > 0));
    buf_deinit(&answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const readers[])(const uint8_t *bytes, size_t len) = {request, response, health,
                                                                        reflection};
    if (size > 0) {
        readers[data[0] % 4u](data + 1, size - 1);
    }
    return 0;
}
