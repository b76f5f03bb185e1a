/* Streams on one connection, some at a time: the next are opened when those before are answered,
 * until one is refused, one waits, or all are there.
 *
 *   opening --all, one ended, none answers, no room--> asking --told where some arrived--> closing
 *     closing --connection closed--> over, then the second sample
 *   opening --connection lost--> over */
#include "limits/shape_wall.h"

#include "base/clock.h"
#include "base/mem.h"
#include "limits/ask.h"
#include "limits/call.h"
#include "limits/counted.h"
#include "limits/judge.h"
#include "rpc/conn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* All that a run may hold: the other shapes have had their turn, or have it later. */
#define WALL_STREAMS LIMITS_STREAMS
#define AT_A_TIME    50
/* Without an answer, nor an end, for this long a stream waits for ever. */
#define QUIET_MS 4000
/* Streams that the server is asked after, from the first to the last; and how often, where it does
 * not know one. */
#define LOOKED_AT 8
#define ASK_TIMES 8

struct wall;

struct wall_stream {
    struct wall *wall;
    struct limits_call call;
};

/* Where streams arrived: a server numbers its own connections. */
struct place {
    uint64_t connection;
    char server_id[LIMITS_TEXT_BYTES];
};

enum wall_phase { WALL_OPENING, WALL_ASKING, WALL_CLOSING };

struct wall {
    struct limits_work *work;
    struct limits_link *link;
    struct wall_stream *streams; /* owned */
    enum wall_phase phase;
    struct limits_wall seen;
    struct limits_ask ask;
    uint64_t opened_ns;             /* the first; 0: none yet */
    uint64_t changed_ns;            /* the last answer, end or opening */
    size_t first_ended;             /* stream */
    size_t asked;                   /* questions */
    struct place places[LOOKED_AT]; /* `seen.connections` of them */
    bool stopping;
    bool no_room;
    struct limits_sample ended; /* as the client saw the first that ended */
    char lost[LIMITS_TEXT_BYTES];
};

/* An answer to a message: there are paths on which headers wait for one. */
static const struct rpc_probe_script script = {.echo = true};

static void start_sample(struct wall *wall);

static uint64_t now_ns(const struct wall *wall)
{
    return limits_ground_now_ns(wall->work->ground);
}

/* ---- the end --------------------------------------------------------------------------------- */

static void finish_sample(struct wall *wall)
{
    struct limits_finding *finding = wall->work->finding;
    struct limits_sample *sample = &finding->samples[finding->sample_count++];
    sample->opened = wall->seen.opened > 0;
    sample->opened_ns = wall->opened_ns;
    sample->lived_ns = now_ns(wall) - wall->opened_ns;
    if (sample->opened) {
        limits_wall_sample(&wall->seen, sample);
    } else {
        snprintf(sample->saw, sizeof(sample->saw), "%s", wall->lost);
    }
}

static void on_link_closed(void *user, const struct net_error *why)
{
    struct wall *wall = user;
    struct limits_finding *finding = wall->work->finding;
    wall->link = NULL;
    snprintf(wall->lost, sizeof(wall->lost), "%s", why->text);
    if (wall->phase == WALL_ASKING) {
        wall->phase = WALL_CLOSING; /* the answer comes first */
        return;
    }
    if (!wall->stopping) {
        finish_sample(wall);
    }
    if (!wall->stopping && wall->seen.opened > 0 && finding->sample_count < LIMITS_SAMPLES) {
        start_sample(wall);
        return;
    }
    if (finding->sample_count > 0) {
        limits_counted_judge(finding);
    }
    limits_work_over(wall->work);
}

static void close_link(struct wall *wall)
{
    wall->phase = WALL_CLOSING;
    limits_link_close(wall->link);
}

/* ---- where they arrived ---------------------------------------------------------------------- */

static void note_place(struct wall *wall, const struct limits_told *told)
{
    size_t i = 0;
    wall->seen.looked_at++;
    while (i < wall->seen.connections &&
           (wall->places[i].connection != told->connection ||
            strcmp(wall->places[i].server_id, told->server_id) != 0)) {
        i++;
    }
    if (i == wall->seen.connections) {
        struct place *place = &wall->places[wall->seen.connections++];
        place->connection = told->connection;
        snprintf(place->server_id, sizeof(place->server_id), "%s", told->server_id);
    }
}

/* What no server knows never came as far. */
static void note_ended_side(struct wall *wall, const struct limits_told *told)
{
    enum limits_side side = told->answered && !told->found ? LIMITS_SIDE_CLIENT_HOP
                                                           : limits_judge_side(&wall->ended, told);
    wall->seen.ended_side = side != LIMITS_SIDE_UNKNOWN ? side : wall->seen.ended_side;
    if (strstr(told->text, RPC_PROBE_BUSY) != NULL) { /* whatever the path made of it */
        snprintf(wall->ended.saw, sizeof(wall->ended.saw), "%s", told->text);
    }
}

static void ask_next(struct wall *wall);

static void on_told(void *user, const struct limits_told *told)
{
    struct wall *wall = user;
    size_t asked = wall->asked++;
    if (asked == LOOKED_AT && wall->seen.ended > 0) {
        note_ended_side(wall, told);
    } else if (asked == LOOKED_AT) {
        wall->seen.waiting_asked = told->answered;
        wall->seen.waiting_seen = told->found;
    } else if (told->found) {
        note_place(wall, told);
    }
    if (wall->phase == WALL_CLOSING || wall->stopping) { /* the connection is lost meanwhile */
        struct net_error why;
        net_error_set(&why, NET_CLOSED, "%s", wall->lost);
        if (wall->link != NULL) {
            close_link(wall);
        } else {
            on_link_closed(wall, &why);
        }
        return;
    }
    ask_next(wall);
}

/* The answered streams come first; nothing is known of which answered if one ended between. */
static size_t stream_of(const struct wall *wall, size_t question)
{
    size_t last = wall->seen.answered - 1;
    return question * last / (LOOKED_AT - 1);
}

static bool is_waiting(const struct wall_stream *stream)
{
    return limits_call_is_open(&stream->call) && stream->call.answered == 0;
}

/* The first that ended, or that waits where none did; `opened`: there is no such. */
static size_t first_left(const struct wall *wall)
{
    size_t i = 0;
    if (wall->seen.ended > 0) {
        return wall->first_ended;
    }
    while (i < wall->seen.opened && !is_waiting(&wall->streams[i])) {
        i++;
    }
    return i;
}

static void ask_next(struct wall *wall)
{
    size_t left = first_left(wall);
    size_t most = left < wall->seen.opened ? LOOKED_AT + 1 : LOOKED_AT;
    if (wall->seen.answered == 0 && wall->asked < LOOKED_AT) {
        wall->asked = LOOKED_AT;
    }
    if (wall->asked >= most) {
        close_link(wall);
        return;
    }
    size_t stream = wall->asked == LOOKED_AT ? left : stream_of(wall, wall->asked);
    limits_ask_start(&wall->ask, wall->work->ground, wall->streams[stream].call.id, false, on_told,
                     wall);
    wall->ask.times = ASK_TIMES;
}

/* A question is a stream, too. */
static void make_room(struct wall *wall)
{
    for (size_t i = 0; i < wall->seen.opened && wall->seen.opened == WALL_STREAMS; i++) {
        if (wall->streams[i].call.call != NULL) {
            rpc_call_cancel(wall->streams[i].call.call);
            return;
        }
    }
}

static void do_ask(struct wall *wall)
{
    wall->phase = WALL_ASKING;
    make_room(wall);
    wall->seen.waited_ms = (now_ns(wall) - wall->changed_ns) / NS_PER_MS;
    ask_next(wall);
}

/* ---- streams --------------------------------------------------------------------------------- */

static void on_answer(void *user)
{
    struct wall_stream *stream = user;
    if (stream->call.answered == 1 && stream->wall->phase == WALL_OPENING) {
        stream->wall->seen.answered++;
        stream->wall->changed_ns = now_ns(stream->wall);
    }
}

static void note_first_end(struct wall *wall, const struct wall_stream *stream,
                           const struct rpc_status *status)
{
    struct limits_sample *ended = &wall->ended;
    limits_call_note_end(status, limits_link_goaway(wall->link), ended);
    ended->lived_ns = now_ns(wall);
    bool lost = ended->end == LIMITS_END_CONNECTION || ended->end == LIMITS_END_GOAWAY;
    wall->first_ended = (size_t)(stream - wall->streams);
    wall->seen.ended_number = wall->first_ended + 1;
    wall->seen.end = ended->end;
    wall->seen.code = ended->code;
    wall->seen.ended_text = ended->saw;
    wall->seen.ended_side = lost ? LIMITS_SIDE_CLIENT_HOP : LIMITS_SIDE_UNKNOWN;
}

static void on_closed(void *user, const struct rpc_status *status)
{
    struct wall_stream *stream = user;
    struct wall *wall = stream->wall;
    if (wall->phase != WALL_OPENING || wall->stopping) {
        return;
    }
    if (wall->seen.ended++ == 0) {
        note_first_end(wall, stream, status);
    }
    wall->changed_ns = now_ns(wall);
}

static const struct limits_call_events call_events = {
    .on_answer = on_answer,
    .on_closed = on_closed,
};

static int open_stream(struct wall *wall, struct wall_stream *stream)
{
    stream->wall = wall;
    limits_call_init(&stream->call, wall->work->ground, &call_events, stream);
    int rv = limits_call_open(&stream->call, wall->link, &script);
    return rv != 0 ? rv : limits_call_send(&stream->call);
}

static void open_some(struct wall *wall)
{
    for (size_t i = 0; i < AT_A_TIME && wall->seen.opened < wall->seen.asked; i++) {
        if (open_stream(wall, &wall->streams[wall->seen.opened]) != 0) {
            wall->no_room = true;
            break;
        }
        wall->seen.opened++;
    }
    wall->changed_ns = now_ns(wall);
}

static void on_ready(void *user)
{
    struct wall *wall = user;
    struct rpc_conn *conn = rpc_client_conn(limits_link_client(wall->link));
    wall->seen.announced = h2_session_peer_max_streams(rpc_conn_session(conn));
    wall->opened_ns = now_ns(wall);
    open_some(wall);
    if (wall->seen.opened == 0) {
        close_link(wall);
    }
}

static void on_goaway(void *user, uint32_t error, const char *debug)
{
    struct wall *wall = user;
    (void)debug;
    wall->seen.going |= wall->phase == WALL_OPENING && error == H2_NO_ERROR;
}

static const struct limits_link_events link_events = {
    .on_ready = on_ready,
    .on_goaway = on_goaway,
    .on_closed = on_link_closed,
};

static void start_sample(struct wall *wall)
{
    free(wall->streams);
    struct limits_work *work = wall->work;
    *wall = (struct wall){.work = work, .seen = {.asked = WALL_STREAMS}};
    wall->streams = mem_calloc(WALL_STREAMS, sizeof(struct wall_stream));
    wall->link = limits_link_open(work->ground, NULL, &link_events, wall);
}

/* ---- the plan -------------------------------------------------------------------------------- */

static void start(struct limits_work *work)
{
    struct wall *wall = mem_new(struct wall);
    work->state = wall;
    work->finding->looked = WALL_STREAMS;
    wall->work = work;
    start_sample(wall);
}

static void tick(struct limits_work *work, uint64_t now)
{
    struct wall *wall = work->state;
    const struct limits_wall *seen = &wall->seen;
    if (wall->phase != WALL_OPENING || seen->opened == 0 || wall->link == NULL) {
        return;
    }
    bool settled = seen->answered + seen->ended >= seen->opened;
    bool quiet = now > wall->changed_ns + QUIET_MS * NS_PER_MS;
    if (!settled && !quiet) {
        return;
    }
    if (seen->ended > 0 || quiet || wall->no_room || seen->opened == seen->asked) {
        do_ask(wall);
    } else {
        open_some(wall);
    }
}

static void stop(struct limits_work *work)
{
    struct wall *wall = work->state;
    if (wall->stopping) {
        return;
    }
    wall->stopping = true;
    limits_ask_stop(&wall->ask);
    if (wall->phase != WALL_ASKING && wall->link != NULL) {
        close_link(wall);
    }
}

static void free_wall(struct limits_work *work)
{
    struct wall *wall = work->state;
    free(wall->streams);
    free(wall);
}

const struct limits_plan limits_wall_plans[LIMITS_WALL_PLANS] = {{
    .shape = LIMITS_STREAMS_PER_CONNECTION,
    .turn = LIMITS_TURN_WALL,
    .needs_probe = true,
    .harsh = true,
    .start = start,
    .tick = tick,
    .stop = stop,
    .free = free_wall,
}};
