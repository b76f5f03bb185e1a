/* Requests that wait, the one whose turn it is, and the rest behind it. What was dropped while it
 * was made is freed when it is made; at the end of the server the one that is being made is waited
 * for. */
#include "net/http_turns.h"

#include "base/clock.h"
#include "base/mem.h"
#include "net/http_places.h"

#include <assert.h>
#include <stdlib.h>

#define REST_MIN_NS NS_PER_MS
/* An answer that took long for another reason, such as a machine that stood still, delays the next
 * one no longer than this. */
#define REST_MAX_NS (250 * NS_PER_MS)

static void on_timer(uv_timer_t *timer);

void http_turns_init(struct http_turns *turns, uv_loop_t *loop, const struct net_http_route *routes,
                     struct http_places *places, void *user)
{
    size_t count = 0;
    while (routes[count].path != NULL) {
        count++;
    }
    *turns = (struct http_turns){.routes = routes, .places = places, .user = user, .open = 1};
    list_init(&turns->waiting);
    turns->served = mem_calloc(count + 1, sizeof(*turns->served));
    uv_sem_init(&turns->made, 0);
    uv_timer_init(loop, &turns->timer);
    uv_unref((uv_handle_t *)&turns->timer);
    turns->timer.data = turns->work.data = turns;
}

/* ---- whose ----------------------------------------------------------------------------------- */

static uint64_t *served(struct http_turns *turns, const struct http_turn *turn)
{
    return &turns->served[turn->route - turns->routes];
}

static bool is_before(struct http_turns *turns, const struct http_turn *turn,
                      const struct http_turn *other)
{
    if (turn->route != other->route) {
        return *served(turns, turn) < *served(turns, other);
    }
    return turn->place->peer->served < other->place->peer->served;
}

/* Takes it out. Of one address it is the one that has waited longest. */
static struct http_turn *take_next(struct http_turns *turns)
{
    struct http_turn *found = container_of(turns->waiting.next, struct http_turn, node);
    for (struct list *node = found->node.next; node != &turns->waiting; node = node->next) {
        struct http_turn *turn = container_of(node, struct http_turn, node);
        found = is_before(turns, turn, found) ? turn : found;
    }
    list_remove(&found->node);
    *served(turns, found) = found->place->peer->served = ++turns->places->moments;
    return found;
}

static void schedule(struct http_turns *turns)
{
    if (list_empty(&turns->waiting) || turns->apart != NULL || turns->ending) {
        return;
    }
    uint64_t now_ns = clock_now_ns();
    uint64_t wait_ns = turns->due_ns > now_ns ? turns->due_ns - now_ns : 0;
    uv_update_time(turns->timer.loop); /* an answer that was made on it took its time */
    uv_timer_start(&turns->timer, on_timer, (wait_ns + NS_PER_MS - 1) / NS_PER_MS, 0);
}

/* ---- answering ------------------------------------------------------------------------------- */

static void free_turn(struct http_turn *turn)
{
    http_request_deinit(&turn->request);
    buf_deinit(&turn->response.body);
    free(turn);
}

static void make(struct http_turns *turns, struct http_turn *turn)
{
    uint64_t begin_ns = clock_now_ns();
    turn->route->handle(turns->user, &turn->request, &turn->response);
    uint64_t end_ns = clock_now_ns();
    uint64_t took_ns = end_ns - begin_ns;
    uint64_t rest_ns = took_ns > REST_MIN_NS ? took_ns : REST_MIN_NS;
    turns->due_ns = end_ns + (rest_ns < REST_MAX_NS ? rest_ns : REST_MAX_NS);
}

static void finish(struct http_turns *turns, struct http_turn *turn)
{
    if (turn->place != NULL) {
        turn->place->turn = NULL;
        turns->on_made(turns, turn);
    }
    free_turn(turn);
    schedule(turns);
}

static void close_one(struct http_turns *turns)
{
    if (--turns->open == 0) {
        uv_sem_destroy(&turns->made);
        free(turns->served);
        turns->on_ended(turns);
    }
}

static void on_work(uv_work_t *work)
{
    struct http_turns *turns = work->data;
    make(turns, turns->apart);
    uv_sem_post(&turns->made);
}

static void on_worked(uv_work_t *work, int status)
{
    struct http_turns *turns = work->data;
    struct http_turn *turn = turns->apart;
    (void)status;
    if (turns->ending) { /* which has waited, and freed it */
        close_one(turns);
        return;
    }
    turns->open--;
    uv_sem_wait(&turns->made); /* was posted */
    turns->apart = NULL;
    finish(turns, turn);
}

static void on_timer(uv_timer_t *timer)
{
    struct http_turns *turns = timer->data;
    if (list_empty(&turns->waiting)) {
        return; /* who waited was dropped */
    }
    struct http_turn *turn = take_next(turns);
    if (turn->route->turn == NET_HTTP_APART) {
        turns->apart = turn;
        turns->open++;
        int rv = uv_queue_work(timer->loop, &turns->work, on_work, on_worked);
        assert(rv == 0);
        (void)rv; /* with NDEBUG */
        return;
    }
    make(turns, turn);
    finish(turns, turn);
}

void http_turns_wait(struct http_turns *turns, struct http_place *place,
                     const struct net_http_route *route, struct net_http_request *request)
{
    struct http_turn *turn = mem_new(struct http_turn);
    turn->place = place;
    turn->route = route;
    turn->request = *request;
    *request = (struct net_http_request){0};
    turn->response = (struct net_http_response){.status = 200, .content_type = HTTP_TEXT_TYPE};
    place->turn = turn;
    list_append(&turns->waiting, &turn->node);
    schedule(turns);
}

void http_turns_drop(struct http_turns *turns, struct http_turn *turn)
{
    turn->place->turn = NULL;
    turn->place = NULL;
    if (turn != turns->apart) { /* else when it is made */
        list_remove(&turn->node);
        free_turn(turn);
    }
}

static void on_timer_closed(uv_handle_t *timer)
{
    close_one(timer->data);
}

void http_turns_end(struct http_turns *turns)
{
    assert(list_empty(&turns->waiting));
    turns->ending = true;
    uv_close((uv_handle_t *)&turns->timer, on_timer_closed);
    if (turns->apart == NULL) {
        return;
    }
    if (uv_cancel((uv_req_t *)&turns->work) != 0) {
        uv_sem_wait(&turns->made);
    }
    free_turn(turns->apart);
    turns->apart = NULL;
}
