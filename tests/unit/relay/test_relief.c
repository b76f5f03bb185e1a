/* What waits in the relay is bounded in sum and exactly counted. */
#include "scene.h"

#include "h2/session.h"
#include "relay/client.h"
#include "relay/headers.h"
#include "rpc/conn.h"

#define LIMIT   ((size_t)512 * 1024)
#define STREAMS 12
#define EACH    60000

static const struct peer_config shut = {.shut = true};

/* Streams of a client whose answers it does not read, `len` bytes each. */
static void fill(struct scene *scene, struct peer *client, struct peer_stream **streams,
                 size_t count, size_t len)
{
    for (size_t i = 0; i < count; i++) {
        streams[i] = scene_ask(client, "");
        struct peer *conn = scene_conn(scene, 0, 0);
        struct peer_stream *far = peer_stream(conn, conn->stream_count - 1);
        peer_begin(far);
        peer_send_zeros(far, len);
        scene_settle();
    }
}

static size_t count_closed(struct peer_stream **streams, size_t count)
{
    size_t closed = 0;
    for (size_t i = 0; i < count; i++) {
        closed += streams[i]->closed;
    }
    return closed;
}

static void the_fullest_client_loses_its_streams_and_others_nothing(void **state)
{
    (void)state;
    struct scene *scene = scene_open(&(struct scene_config){.max_buffered = LIMIT});
    struct scene_bystander bystander = scene_bystander(scene);
    struct peer_stream *modest[2];
    struct peer_stream *greedy[STREAMS];
    fill(scene, scene_client_with(scene, &shut), modest, 2, EACH);
    fill(scene, scene_client_with(scene, &shut), greedy, STREAMS, EACH);
    scene_run(1);
    assert_int_equal(count_closed(modest, 2), 0);
    size_t lost = count_closed(greedy, STREAMS);
    assert_in_range(lost, 1, STREAMS - 2);
    assert_int_equal(scene_stat(scene, rq_shed), lost);
    assert_true(scene->worker->queued_bytes <= LIMIT);
    for (size_t i = 0; i < STREAMS; i++) {
        if (greedy[i]->closed) { /* its window is shut, and it hears all the same */
            scene_assert_status(greedy[i], 8, "--max-buffered, 524288 bytes here");
            assert_int_equal(greedy[i]->error, H2_NO_ERROR);
        }
    }
    scene_check(&bystander);
    scene_close(scene);
}

static void the_fullest_streams_go_first(void **state)
{
    (void)state;
    struct scene *scene = scene_open(&(struct scene_config){.max_buffered = LIMIT});
    struct peer *client = scene_client_with(scene, &shut);
    struct peer_stream *small[6];
    struct peer_stream *large[STREAMS];
    fill(scene, client, small, 6, 1000);
    fill(scene, client, large, STREAMS, EACH);
    scene_run(1);
    assert_int_equal(count_closed(small, 6), 0);
    assert_true(count_closed(large, STREAMS) > 0);
    scene_close(scene);
}

static void an_eighth_is_free_afterwards(void **state)
{
    (void)state;
    struct scene *scene = scene_open(&(struct scene_config){.max_buffered = LIMIT});
    struct peer_stream *streams[9];
    fill(scene, scene_client_with(scene, &shut), streams, 9, 58000); /* 522 kB: just below */
    assert_int_equal(count_closed(streams, 9), 0);
    assert_int_equal(scene->worker->queued_bytes, 9 * 58000);
    struct peer_stream *last;
    fill(scene, scene_client_with(scene, &shut), &last, 1, 3000);
    scene_run(1);
    assert_int_equal(count_closed(streams, 9), 2);
    assert_true(scene->worker->queued_bytes <= LIMIT - LIMIT / 8);
    assert_false(last->closed);
    scene_close(scene);
}

/* What is kept for a retry is memory as any other. */
static void requests_that_wait_are_counted_and_shed(void **state)
{
    (void)state;
    struct scene *scene = scene_open(&(struct scene_config){.max_buffered = LIMIT, .v2 = 1});
    scene->endpoints[1].dial = SCENE_HANGS;
    struct scene_bystander bystander = scene_bystander(scene);
    struct peer *client = scene_client(scene);
    struct peer_stream *streams[STREAMS];
    for (size_t i = 0; i < STREAMS; i++) {
        streams[i] = scene_ask_v2(client, "");
        peer_send_zeros(streams[i], EACH);
        scene_settle();
        if (i == 7) {
            size_t request = scene_exchange(scene)->request->bytes;
            assert_int_equal(scene->worker->queued_bytes, 8 * (EACH + request));
        }
    }
    assert_in_range(count_closed(streams, STREAMS), 1, STREAMS - 4);
    scene_check(&bystander);
    scene_close(scene);
}

/* Of a request that nobody answers the header block is kept for a retry, and no longer. */
static void metadata_that_is_kept_is_counted_and_shed(void **state)
{
    (void)state;
    char fields[15000];
    snprintf(fields, sizeof(fields), "large: %014900d\n", 1);
    struct scene *scene = scene_open(&(struct scene_config){.max_buffered = LIMIT});
    struct scene_bystander bystander = scene_bystander(scene);
    for (int round = 0; round < 3; round++) { /* the resets of the last ones wait */
        struct peer *client = scene_client(scene);
        struct peer_stream *streams[40];
        for (size_t i = 0; i < 40; i++) {
            streams[i] = scene_ask(client, fields);
            assert_true(scene->worker->queued_bytes <= LIMIT);
        }
        assert_in_range(count_closed(streams, 40), 5, 15);
        assert_true(scene->worker->queued_bytes > LIMIT / 2);
        peer_abort(client);
        scene_run(1);
        assert_int_equal(scene->worker->queued_bytes, 0);
    }
    assert_true(scene_live(scene) > 20);
    scene_check(&bystander);
    scene_close(scene);
}

static void what_waits_for_an_endpoint_is_counted(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    scene->endpoints[0].config.shut = true;
    struct peer *client = scene_client(scene);
    struct peer_stream *near = scene_ask(client, "");
    struct peer_stream *far = peer_stream(scene_conn(scene, 0, 0), 0);
    far->unread = true;
    peer_begin(far); /* nothing is kept for a retry */
    scene_settle();
    peer_send_zeros(near, 50000);
    scene_settle();
    assert_int_equal(scene->worker->queued_bytes, 50000);
    assert_int_equal(exchange_held_bytes(scene_exchange(scene)), 50000);
    peer_grant(far->peer, far->id, 20000);
    scene_settle();
    assert_int_equal(scene->worker->queued_bytes, 30000);
    peer_reset(near, H2_CANCEL);
    scene_settle();
    assert_int_equal(scene->worker->queued_bytes, 0);
    scene_close(scene);
}

/* Clients that ask for much and whose sockets take nothing: what waits are header blocks and
 * trailers, which cannot be taken back, so the connections go. */
static void blocks_that_nobody_reads_are_counted_and_end_their_client(void **state)
{
    (void)state;
    char fields[15000];
    snprintf(fields, sizeof(fields),
             ":status: 200\ncontent-type: application/grpc\nlarge: %014900d\n", 1);
    for (int late = 0; late < 2; late++) {
        struct scene *scene = scene_open(&(struct scene_config){.max_buffered = LIMIT});
        struct scene_bystander bystander = scene_bystander(scene);
        size_t ended = 0;
        for (int round = 0; round < 6; round++) {
            struct peer *client = scene_client(scene);
            for (size_t i = 0; i < 20; i++) {
                scene_ask(client, "");
            }
            fake_room(rpc_conn_stream(scene_exchange(scene)->client->conn), 0);
            struct peer *conn = scene_conn(scene, 0, 0);
            for (size_t i = 0; i < 20; i++) {
                struct peer_stream *far = peer_stream(conn, conn->stream_count - 20 + i);
                if (late == 1) {
                    peer_begin(far);
                    peer_trailers(
                        far, fields + strlen(":status: 200\ncontent-type: application/grpc\n"));
                } else {
                    peer_respond(far, fields, false);
                }
                scene_settle();
                assert_true(scene->worker->queued_bytes <= LIMIT + LIMIT / 2);
            }
            scene_run(1500);
            ended = scene_stat(scene, downstream_cx_ended);
            assert_true(scene->worker->queued_bytes <= LIMIT);
        }
        assert_in_range(ended, 2, 5);
        scene_check(&bystander);
        scene_close(scene);
    }
}

static void every_end_gives_its_bytes_back(void **state)
{
    (void)state;
    for (int how = 0; how < 5; how++) {
        struct scene *scene = scene_open(NULL);
        struct peer *client = scene_client_with(scene, &shut);
        struct peer_stream *streams[5];
        fill(scene, client, streams, 5, EACH);
        assert_int_equal(scene->worker->queued_bytes, 5 * EACH);
        struct peer *conn = scene_conn(scene, 0, 0);
        switch (how) {
        case 0:
            peer_abort(client);
            break;
        case 1:
            peer_close(client);
            break;
        case 2:
            peer_abort(conn); /* the client does not read: it holds what it was sent */
            break;
        case 3:
            for (size_t i = 0; i < 5; i++) {
                peer_reset(streams[i], H2_CANCEL);
            }
            break;
        default:
            for (size_t i = 0; i < 5; i++) {
                peer_reset(peer_stream(conn, i), H2_INTERNAL_ERROR);
            }
        }
        scene_run(10);
        /* with the status behind it */
        assert_in_range(scene->worker->queued_bytes, how == 2 ? 5 * EACH : 0,
                        how == 2 ? 5 * (EACH + 500) : 0);
        scene_close(scene);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fullest_client_loses_its_streams_and_others_nothing),
        cmocka_unit_test(the_fullest_streams_go_first),
        cmocka_unit_test(an_eighth_is_free_afterwards),
        cmocka_unit_test(requests_that_wait_are_counted_and_shed),
        cmocka_unit_test(metadata_that_is_kept_is_counted_and_shed),
        cmocka_unit_test(what_waits_for_an_endpoint_is_counted),
        cmocka_unit_test(blocks_that_nobody_reads_are_counted_and_end_their_client),
        cmocka_unit_test(every_end_gives_its_bytes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
