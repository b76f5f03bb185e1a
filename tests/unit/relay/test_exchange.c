/* One stream through the relay: every state, and who may end it there. */
#include "scene.h"

static void a_request_is_answered_with_data_and_trailers(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct peer *client = scene_client(scene);
    struct peer_stream *near = scene_ask(client, "agent-id: a1\n");
    struct peer_stream *far = peer_stream(scene_conn(scene, 0, 0), 0);
    assert_string_equal(peer_value(far, "agent-id"), "a1");
    assert_int_equal(scene_exchange(scene)->state, EXCHANGE_OPEN);
    peer_send(near, "ping", 4);
    scene_settle();
    assert_true(peer_took(far, "ping"));
    peer_begin(far);
    peer_send(far, "pong", 4);
    scene_settle();
    assert_int_equal(scene_exchange(scene)->state, EXCHANGE_ANSWERING);
    assert_true(peer_took(near, "pong"));
    peer_end(near);
    scene_settle();
    assert_true(far->ended);
    peer_trailers(far, "grpc-status: 0\n");
    scene_settle();
    assert_string_equal(peer_value(near, "grpc-status"), "0");
    assert_true(near->closed && far->closed);
    assert_int_equal(near->error | far->error, 0);
    assert_int_equal(scene_live(scene), 0);
    scene_close(scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_answered_with_data_and_trailers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
