#include "net/http_answer.h"

#include "net/http_turns.h"

#include <string.h>

static void add_headers(struct MHD_Response *response, const struct net_http_response *out)
{
    MHD_add_response_header(response, "Content-Type", out->content_type);
    MHD_add_response_header(response, "Cache-Control", "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (out->policy != NULL) {
        MHD_add_response_header(response, "Content-Security-Policy", out->policy);
        MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
    }
}

enum MHD_Result http_answer_queue(struct MHD_Connection *connection,
                                  const struct net_http_response *out,
                                  struct MHD_Response *response)
{
    if (response == NULL) {
        return MHD_NO;
    }
    add_headers(response, out);
    enum MHD_Result rv = MHD_queue_response(connection, out->status, response);
    MHD_destroy_response(response);
    return rv;
}

enum MHD_Result http_answer_send(struct MHD_Connection *connection, struct net_http_response *out)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(out->body.len, buf_data(&out->body), MHD_RESPMEM_MUST_COPY);
    buf_deinit(&out->body);
    return http_answer_queue(connection, out, response);
}

enum MHD_Result http_answer_refuse(struct MHD_Connection *connection, unsigned status,
                                   const char *text, const char *allow)
{
    const struct net_http_response out = {.status = status, .content_type = HTTP_TEXT_TYPE};
    struct MHD_Response *response = MHD_create_response_from_buffer(
        strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
    if (response != NULL && allow != NULL) {
        MHD_add_response_header(response, "Allow", allow);
    }
    if (response != NULL) {
        MHD_add_response_header(response, "Connection", "close");
    }
    return http_answer_queue(connection, &out, response);
}
