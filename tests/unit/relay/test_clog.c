/* An endpoint that withholds the window of a whole connection because one client's streams are not
 * read. */
#include "scene.h"

#include "h2/session.h"
#include "relay/client.h"
#include "relay/upstream.h"

enum { INITIAL_WINDOW_SIZE = 4 };

#define CREDIT       65535 /* of a connection and of a stream, unless SETTINGS say otherwise */
#define RESETS_ASKED 135   /* more than may go; see spend_resets() */

static void leave_hogs_unread(struct peer_stream *stream)
{
    const char *id = peer_value(stream, "agent-id");
    stream->unread = id != NULL && strcmp(id, "hog") == 0;
}

/* Until the reserve, too, is spent. */
#define SPENT_MS (H2_RESERVE_MS + 800)

/* Two clients at an endpoint that withholds: one whose streams are not read, and one that waits
 * behind it. */
struct clog {
    struct scene *scene;
    struct scene_bystander bystander;
    struct scene_bystander talker; /* whose server talks, so that the endpoint is known to live */
    struct peer *hog;
    struct peer_stream *streams[3];
    struct peer *conn;
};

static void clog_open(struct clog *clog)
{
    clog->scene = scene_open(NULL);
    clog->scene->endpoints[0].config.withholds = true;
    clog->scene->endpoints[0].config.on_block = leave_hogs_unread;
    clog->bystander = scene_bystander(clog->scene);
    clog->talker = scene_bystander(clog->scene);
    clog->hog = scene_client(clog->scene);
    clog->conn = scene_conn(clog->scene, 0, 0);
    for (int i = 0; i < 3; i++) {
        clog->streams[i] = scene_ask(clog->hog, "agent-id: hog\n");
    }
}

/* All that the connection takes. */
static void fill(struct clog *clog)
{
    peer_send_zeros(clog->streams[0], 40000);
    peer_send_zeros(clog->streams[1], 40000);
    scene_settle();
}

/* ... and nothing waits. */
static void fill_exactly(struct clog *clog)
{
    peer_send_zeros(clog->streams[0], CREDIT - 20000);
    peer_send_zeros(clog->streams[1], 20000);
    scene_settle();
}

/* Time passes while the endpoint says something now and then. */
static void live(struct clog *clog, uint64_t ms)
{
    for (uint64_t at = 0; at < ms; at += 200) {
        peer_send(clog->talker.far, ".", 1);
        scene_run(200);
    }
}

static void who_holds_the_credit_that_others_wait_for_loses_those_streams(void **state)
{
    (void)state;
    struct clog clog;
    clog_open(&clog);
    fill(&clog);
    peer_send(clog.bystander.near, "first", 5); /* there is a reserve for who holds little */
    scene_settle();
    assert_true(peer_took(clog.bystander.far, "first"));
    live(&clog, SPENT_MS);
    peer_send(clog.bystander.near, "waits", 5);
    scene_settle();
    assert_int_equal(clog.bystander.far->body.len, 0);
    assert_false(clog.streams[0]->closed);
    live(&clog, 2 * UPSTREAM_CLOG_MS);
    assert_true(peer_took(clog.bystander.far, "waits"));
    for (int i = 0; i < 2; i++) {
        scene_assert_status(clog.streams[i], 8, "withholds the credit that others wait for");
    }
    assert_false(clog.streams[2]->closed); /* it holds nothing */
    assert_int_equal(scene_stat(clog.scene, rq_shed), 2);
    assert_int_equal(scene_stat(clog.scene, clients_apart), 1);
    scene_ask(clog.hog, "agent-id: hog\n");
    assert_int_equal(clog.scene->endpoints[0].peer_count, 2); /* in a lane of its own from now on */
    scene_check(&clog.bystander);
    scene_close(clog.scene);
}

/* Other clients ask for more resets than may go. */
static void spend_resets(struct clog *clog)
{
    for (int i = 0; i < 3; i++) {
        struct peer *client = scene_client(clog->scene);
        for (int k = 0; k < RESETS_ASKED / 3; k++) {
            peer_reset(scene_ask(client, ""), H2_CANCEL);
        }
    }
    scene_settle();
}

/* Those resets give credit back: they go, however many went before. */
static void a_clog_ends_where_no_other_reset_may_go(void **state)
{
    (void)state;
    struct clog clog;
    clog_open(&clog);
    spend_resets(&clog);
    assert_true(clog.conn->resets < RESETS_ASKED);
    fill(&clog);
    live(&clog, SPENT_MS);
    peer_send(clog.bystander.near, "waits", 5);
    live(&clog, 2 * UPSTREAM_CLOG_MS);
    assert_true(clog.conn->resets < RESETS_ASKED);
    assert_true(peer_took(clog.bystander.far, "waits"));
    scene_close(clog.scene);
}

static void an_endpoint_that_stands_still_is_no_reason(void **state)
{
    (void)state;
    struct clog clog;
    clog_open(&clog);
    fill(&clog);
    peer_stop(clog.conn);
    scene_run(SPENT_MS);
    peer_send(clog.bystander.near, "waits", 5);
    scene_run(5000);
    assert_false(clog.streams[0]->closed || clog.streams[1]->closed);
    assert_int_equal(scene_stat(clog.scene, rq_shed) + scene_stat(clog.scene, clients_apart), 0);
    peer_go_on(clog.conn);
    scene_run(UPSTREAM_CLOG_MS - 50); /* it answers what it has read, and its programs read later */
    assert_int_equal(clog.bystander.far->body.len, 0);
    peer_read(peer_stream(clog.conn, 2));
    peer_read(peer_stream(clog.conn, 3));
    scene_settle();
    assert_true(peer_took(clog.bystander.far, "waits"));
    assert_int_equal(peer_stream(clog.conn, 2)->body_bytes, 40000);
    assert_int_equal(peer_stream(clog.conn, 3)->body_bytes, 40000);
    scene_close(clog.scene);
}

static void who_keeps_nobody_waiting_may_hold_all(void **state)
{
    (void)state;
    struct clog clog;
    clog_open(&clog);
    fill(&clog);
    live(&clog, 10000);
    assert_false(clog.streams[0]->closed || clog.streams[1]->closed);
    assert_int_equal(scene_stat(clog.scene, rq_shed) + scene_stat(clog.scene, clients_apart), 0);
    scene_close(clog.scene);
}

static void a_short_clog_is_no_reason(void **state)
{
    (void)state;
    struct clog clog;
    clog_open(&clog);
    for (int i = 0; i < 8; i++) {
        fill(&clog);
        live(&clog, SPENT_MS - 600);
        peer_send(clog.bystander.near, "waits", 5);
        live(&clog, UPSTREAM_CLOG_MS - 100);
        assert_int_equal(clog.bystander.far->body.len, 0);
        for (size_t k = 2; k < 4; k++) {
            peer_read(peer_stream(clog.conn, k));
            scene_settle();
        }
        live(&clog, 400);
        assert_true(peer_took(clog.bystander.far, "waits"));
        peer_stream(clog.conn, 2)->unread = true;
        peer_stream(clog.conn, 3)->unread = true;
    }
    assert_int_equal(scene_stat(clog.scene, rq_shed) + scene_stat(clog.scene, clients_apart), 0);
    scene_close(clog.scene);
}

/* It is busy, not withholding: to drop streams would keep it busier. */
static void an_endpoint_that_gives_credit_back_slowly_is_no_reason(void **state)
{
    (void)state;
    struct clog clog;
    clog_open(&clog);
    fill(&clog);
    live(&clog, SPENT_MS);
    for (int i = 0; i < 12; i++) {
        peer_send_zeros(scene_ask(scene_client(clog.scene), "agent-id: hog\n"), 8000);
    }
    scene_settle();
    for (int i = 0; i < 4; i++) {
        assert_true(h2_stream_queued_bytes(scene_exchange(clog.scene)->upstream.stream) > 0);
        live(&clog, 400);
        peer_grant(clog.conn, 0, UPSTREAM_CLOG_FLOW_BYTES + 1000);
        scene_settle();
    }
    assert_false(clog.streams[0]->closed || clog.streams[1]->closed);
    assert_int_equal(scene_stat(clog.scene, rq_shed) + scene_stat(clog.scene, clients_apart), 0);
    scene_close(clog.scene);
}

/* None of them holds much. */
static void many_streams_of_one_client_leave_a_reserve_for_others(void **state)
{
    (void)state;
    struct clog clog;
    clog_open(&clog);
    for (int i = 0; i < 40; i++) {
        peer_send_zeros(scene_ask(clog.hog, "agent-id: hog\n"), CREDIT / 40 + 100);
    }
    scene_settle();
    scene_check(&clog.bystander);
    scene_check(&clog.talker);
    scene_run(H2_RESERVE_MS / 2);
    scene_check(&clog.bystander);
    assert_int_equal(scene_stat(clog.scene, rq_shed) + scene_stat(clog.scene, clients_apart), 0);
    scene_close(clog.scene);
}

/* Only its answer to a PING shows that the endpoint lives, and no second PING may ask so soon. */
static void a_second_clog_ends_without_another_ping(void **state)
{
    (void)state;
    struct clog clog;
    clog_open(&clog);
    for (int i = 0; i < 2; i++) {
        fill(&clog);
        scene_run(SPENT_MS);
        peer_send(clog.bystander.near, "waits", 5);
        scene_run(4 * UPSTREAM_CLOG_MS);
        assert_true(peer_took(clog.bystander.far, "waits"));
        clog.hog = scene_client(clog.scene);
        clog.streams[0] = scene_ask(clog.hog, "agent-id: hog\n");
        clog.streams[1] = scene_ask(clog.hog, "agent-id: hog\n");
    }
    assert_int_equal(scene_stat(clog.scene, clients_apart), 2);
    scene_close(clog.scene);
}

/* So many more clients that hold such a part of the connection's window each, until it is used up.
 * Returns a stream of the last one. */
static struct peer_stream *fill_together(struct clog *clog, int count, int part)
{
    struct peer_stream *near = NULL;
    for (int i = 0; i < count; i++) {
        near = scene_ask(scene_client(clog->scene), "agent-id: hog\n");
        peer_send_zeros(near, (size_t)(CREDIT / part + 1));
    }
    scene_settle();
    live(clog, SPENT_MS);
    return near;
}

/* Nobody holds half, and the one that waits holds nothing: three of five hold half together. */
static void of_few_that_use_it_up_together_some_make_room(void **state)
{
    (void)state;
    struct clog clog;
    clog_open(&clog);
    fill_together(&clog, 5, 5);
    peer_send(clog.bystander.near, "waits", 5);
    live(&clog, UPSTREAM_CLOG_WAIT_MS - 400);
    assert_int_equal(clog.bystander.far->body.len, 0);
    assert_int_equal(scene_stat(clog.scene, rq_shed), 0);
    live(&clog, 1000);
    assert_true(peer_took(clog.bystander.far, "waits"));
    assert_int_equal(scene_stat(clog.scene, rq_shed), 3);
    assert_int_equal(scene_stat(clog.scene, clients_apart), 3);
    scene_check(&clog.bystander);
    fill_together(&clog, 3, 5); /* beside those two: again, and not for so long */
    peer_send(clog.bystander.near, "again", 5);
    live(&clog, 2 * UPSTREAM_CLOG_MS);
    assert_true(peer_took(clog.bystander.far, "again"));
    scene_close(clog.scene);
}

/* The endpoint returns credit when half a window is used, so one that is read holds the most. */
static void who_is_answered_is_not_taken_for_one_that_is_not_read(void **state)
{
    (void)state;
    struct clog clog;
    clog_open(&clog);
    peer_send_zeros(clog.bystander.near, 28000);
    scene_settle();
    buf_consume(&clog.bystander.far->body, 28000);
    peer_send(clog.bystander.far, "answer", 6);
    scene_settle();
    assert_true(peer_took(clog.bystander.near, "answer"));
    fill_together(&clog, 10, 17);
    peer_send(clog.bystander.near, "waits", 5);
    live(&clog, UPSTREAM_CLOG_WAIT_MS + 600);
    assert_false(clog.bystander.near->closed);
    assert_true(peer_took(clog.bystander.far, "waits"));
    assert_true(scene_stat(clog.scene, rq_shed) > 0);
    scene_check(&clog.bystander);
    scene_close(clog.scene);
}

/* Its server talks on, whatever it does not read. */
static void who_is_not_read_loses_though_its_server_talks(void **state)
{
    (void)state;
    struct clog clog;
    clog_open(&clog);
    fill_exactly(&clog);
    for (size_t i = 2; i < 4; i++) {
        peer_begin(peer_stream(clog.conn, i));
    }
    live(&clog, SPENT_MS);
    peer_send(clog.bystander.near, "waits", 5);
    for (int i = 0; i < 5; i++) {
        peer_send(peer_stream(clog.conn, 2), ".", 1);
        peer_send(peer_stream(clog.conn, 3), ".", 1);
        live(&clog, 200);
    }
    assert_true(peer_took(clog.bystander.far, "waits"));
    assert_true(clog.streams[0]->closed && clog.streams[1]->closed);
    scene_check(&clog.bystander);
    scene_close(clog.scene);
}

/* They hold a little each: to lose one would give nobody room. */
static void of_many_that_use_it_up_together_nobody_is_to_blame(void **state)
{
    (void)state;
    struct clog clog;
    clog_open(&clog);
    fill_together(&clog, UPSTREAM_CLOG_CROWD + 2, UPSTREAM_CLOG_CROWD + 2);
    peer_send(clog.bystander.near, "waits", 5);
    live(&clog, 6000);
    assert_int_equal(clog.bystander.far->body.len, 0);
    assert_int_equal(scene_stat(clog.scene, rq_shed) + scene_stat(clog.scene, clients_apart), 0);
    struct scene_bystander newcomer = scene_bystander(clog.scene);
    scene_check(&newcomer); /* on another connection */
    scene_close(clog.scene);
}

/* Who holds as much as the others waits with them. */
static void among_equals_nobody_is_to_blame(void **state)
{
    (void)state;
    struct clog clog;
    clog_open(&clog);
    peer_send_zeros(fill_together(&clog, 5, 5), 1000);
    live(&clog, 6000);
    assert_int_equal(scene_stat(clog.scene, rq_shed) + scene_stat(clog.scene, clients_apart), 0);
    scene_close(clog.scene);
}

/* Of the connection credit came back, of the stream not yet. */
static void send_and_read(struct scene_bystander *bystander, size_t len)
{
    peer_send_zeros(bystander->near, len);
    scene_settle();
    buf_consume(&bystander->far->body, len);
}

/* More than half seems to be what ended streams held, and yet it does not come back: it is another
 * that holds it. */
static void what_does_not_come_back_is_held_by_who_wants_most(void **state)
{
    (void)state;
    struct clog clog;
    clog_open(&clog);
    send_and_read(&clog.bystander, 20000);
    send_and_read(&clog.talker, 20000);
    peer_send_zeros(clog.streams[0], CREDIT * 3 / 4 + 100); /* so that little is left */
    live(&clog, SPENT_MS);
    peer_stream(clog.conn, 2)->unread_bytes = 0; /* gives nothing back at its end */
    struct peer_stream *wants = scene_ask(scene_client(clog.scene), "agent-id: hog\n");
    peer_send_zeros(wants, 60000);
    live(&clog, 3 * UPSTREAM_CLOG_MS);
    scene_assert_status(clog.streams[0], 8, "withholds the credit that others wait for");
    live(&clog, 3000);
    assert_false(wants->closed); /* nobody but it waits */
    peer_send(clog.bystander.near, "waits", 5);
    live(&clog, 2 * UPSTREAM_CLOG_MS);
    scene_assert_status(wants, 8, "withholds the credit that others wait for");
    assert_int_equal(scene_stat(clog.scene, rq_shed), 2);
    scene_close(clog.scene);
}

/* The endpoint is known to return credit early, so half of it stays with those who hold little. */
static void clog_open_early(struct clog *clog)
{
    clog_open(clog);
    peer_send_zeros(clog->bystander.near, CREDIT);
    scene_settle();
    assert_int_equal(clog->bystander.far->body_bytes, CREDIT);
    buf_consume(&clog->bystander.far->body, CREDIT);
    fill(clog);
}

static void who_holds_little_does_not_wait_for_who_is_not_read(void **state)
{
    (void)state;
    struct clog clog;
    clog_open_early(&clog);
    for (int i = 0; i < 100; i++) {
        scene_check(&clog.bystander);
        scene_check(&clog.talker);
        scene_run(200);
    }
    assert_false(clog.streams[0]->closed || clog.streams[1]->closed);
    assert_int_equal(scene_stat(clog.scene, rq_shed) + scene_stat(clog.scene, clients_apart), 0);
    scene_close(clog.scene);
}

static struct peer_stream *send_much(struct clog *clog)
{
    struct peer_stream *near = scene_ask(scene_client(clog->scene), "agent-id: much\n");
    peer_send_zeros(near, CREDIT);
    scene_settle();
    return near;
}

/* It needs more than is kept for those who hold little. */
static void who_sends_much_waits_for_who_is_not_read_but_not_long(void **state)
{
    (void)state;
    struct clog clog;
    clog_open_early(&clog);
    struct peer_stream *much = send_much(&clog);
    assert_true(h2_stream_queued_bytes(scene_exchange(clog.scene)->upstream.stream) > 0);
    live(&clog, UPSTREAM_CLOG_WAIT_MS - 300);
    assert_false(clog.streams[0]->closed || clog.streams[1]->closed);
    scene_check(&clog.bystander);
    live(&clog, 800);
    assert_int_equal(h2_stream_queued_bytes(scene_exchange(clog.scene)->upstream.stream), 0);
    for (int i = 0; i < 2; i++) {
        scene_assert_status(clog.streams[i], 8, "withholds the credit that others wait for");
    }
    assert_false(much->closed);
    assert_int_equal(scene_stat(clog.scene, rq_shed), 2);
    scene_check(&clog.bystander);
    scene_close(clog.scene);
}

static void who_waits_for_its_own_reader_waits_for_nobody_else(void **state)
{
    (void)state;
    struct clog clog;
    clog_open(&clog);
    peer_set(clog.conn, INITIAL_WINDOW_SIZE, 10000);
    scene_settle();
    for (int i = 0; i < 8; i++) {
        peer_send_zeros(scene_ask(clog.hog, "agent-id: hog\n"), 10000);
    }
    peer_send_zeros(scene_ask(scene_client(clog.scene), "agent-id: hog\n"), 10100);
    scene_settle();
    struct h2_stream *own = scene_exchange(clog.scene)->upstream.stream;
    assert_int_equal(h2_stream_queued_bytes(own), 100);
    assert_false(h2_stream_waits(own));
    live(&clog, 3 * UPSTREAM_CLOG_WAIT_MS);
    assert_int_equal(scene_stat(clog.scene, rq_shed) + scene_stat(clog.scene, clients_apart), 0);
    scene_close(clog.scene);
}

/* What comes back for others is partly its own. */
static void who_sends_much_goes_on_beside_who_is_not_read(void **state)
{
    (void)state;
    struct clog clog;
    clog_open_early(&clog);
    send_much(&clog);
    for (int i = 0; i < 100; i++) {
        peer_send_zeros(clog.bystander.near, 1000);
        scene_settle();
        peer_send_zeros(clog.talker.near, 1000);
        scene_run(100);
    }
    assert_int_equal(h2_stream_queued_bytes(scene_exchange(clog.scene)->upstream.stream), 0);
    assert_int_equal(scene_stat(clog.scene, rq_shed) + scene_stat(clog.scene, clients_apart), 0);
    scene_close(clog.scene);
}

/* Their streams' credit is returned late, which does not mean that they hold any. */
static void many_dropped_streams_that_were_read_are_not_taken_for_the_cause(void **state)
{
    (void)state;
    struct clog clog;
    clog_open(&clog);
    spend_resets(&clog);
    for (int i = 0; i < 20; i++) {
        struct peer_stream *read = scene_ask(scene_client(clog.scene), "");
        peer_send_zeros(read, 20000);
        scene_settle();
        peer_reset(read, H2_CANCEL);
        scene_settle();
    }
    fill(&clog);
    live(&clog, SPENT_MS);
    peer_send(clog.bystander.near, "waits", 5);
    live(&clog, UPSTREAM_CLOG_MS + 500);
    assert_true(peer_took(clog.bystander.far, "waits") || clog.streams[0]->closed);
    scene_close(clog.scene);
}

/* Streams that hold the credit and were dropped are nobody's any more, and their resets wait behind
 * others: they do not wait longer than a clog may last. */
static void who_dropped_the_streams_that_hold_the_credit_clogs_no_longer(void **state)
{
    (void)state;
    struct clog clog;
    clog_open(&clog);
    spend_resets(&clog);
    fill(&clog);
    live(&clog, SPENT_MS);
    peer_reset(clog.streams[0], H2_CANCEL);
    peer_reset(clog.streams[1], H2_CANCEL);
    scene_settle();
    peer_send(clog.bystander.near, "waits", 5);
    live(&clog, 2 * UPSTREAM_CLOG_MS);
    assert_true(peer_took(clog.bystander.far, "waits"));
    scene_close(clog.scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_holds_the_credit_that_others_wait_for_loses_those_streams),
        cmocka_unit_test(a_clog_ends_where_no_other_reset_may_go),
        cmocka_unit_test(who_dropped_the_streams_that_hold_the_credit_clogs_no_longer),
        cmocka_unit_test(an_endpoint_that_stands_still_is_no_reason),
        cmocka_unit_test(an_endpoint_that_gives_credit_back_slowly_is_no_reason),
        cmocka_unit_test(many_streams_of_one_client_leave_a_reserve_for_others),
        cmocka_unit_test(who_keeps_nobody_waiting_may_hold_all),
        cmocka_unit_test(a_short_clog_is_no_reason),
        cmocka_unit_test(a_second_clog_ends_without_another_ping),
        cmocka_unit_test(of_few_that_use_it_up_together_some_make_room),
        cmocka_unit_test(who_is_answered_is_not_taken_for_one_that_is_not_read),
        cmocka_unit_test(who_is_not_read_loses_though_its_server_talks),
        cmocka_unit_test(of_many_that_use_it_up_together_nobody_is_to_blame),
        cmocka_unit_test(among_equals_nobody_is_to_blame),
        cmocka_unit_test(what_does_not_come_back_is_held_by_who_wants_most),
        cmocka_unit_test(who_holds_little_does_not_wait_for_who_is_not_read),
        cmocka_unit_test(who_sends_much_waits_for_who_is_not_read_but_not_long),
        cmocka_unit_test(who_sends_much_goes_on_beside_who_is_not_read),
        cmocka_unit_test(who_waits_for_its_own_reader_waits_for_nobody_else),
        cmocka_unit_test(many_dropped_streams_that_were_read_are_not_taken_for_the_cause),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
