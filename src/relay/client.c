#include "relay/client.h"

#include "base/counter.h"
#include "relay/state.h"
#include "rpc/conn.h"

#include <assert.h>

/* In tokens of h2/limits.h: an account holds 200 and gets 20 a second. */
#define YOUNG_RESET_TOKENS  4  /* 50 at once, 5 a second */
#define BROKEN_REPLY_TOKENS 10 /* 20 at once, 2 a second */
#define LANE_LOST_TOKENS    90 /* twice at once, then every 5 s */
/* Streams that are lost within this time were lost with one connection. */
#define LANE_LOST_MS 1000

void client_init(struct client *client, struct worker *worker)
{
    client->worker = worker;
    client->since_ms = worker_now_ms(worker);
    list_init(&client->exchanges);
    h2_budget_init(&client->account, worker_now_ms(worker));
}

void client_deinit(struct client *client)
{
    assert(list_empty(&client->exchanges));
    if (client->lane != 0) {
        assert(client->worker->lane_clients[client->lane] > 0);
        client->worker->lane_clients[client->lane]--;
    }
}

static unsigned emptiest_lane(const struct worker *worker)
{
    unsigned best = 1;
    for (unsigned lane = 2; lane < RELAY_LANES; lane++) {
        if (worker->lane_clients[lane] < worker->lane_clients[best]) {
            best = lane;
        }
    }
    return best;
}

void client_set_apart(struct client *client, const char *why)
{
    struct worker *worker = client->worker;
    if (client->lane != 0) {
        return;
    }
    client->lane = emptiest_lane(worker);
    worker->lane_clients[client->lane]++;
    h2_budget_init(&client->account, worker_now_ms(worker));
    counter_add(&worker->stats.clients_apart, 1);
    worker_tell_client(worker, "client_apart", rpc_conn_peer(client->conn), why);
}

static uint32_t price(const struct client *client, enum client_trouble trouble)
{
    switch (trouble) {
    case CLIENT_YOUNG_RESET:
        return client->lane == 0 ? YOUNG_RESET_TOKENS : 0;
    case CLIENT_BROKEN_REPLY:
        return client->lane == 0 ? BROKEN_REPLY_TOKENS : 0;
    case CLIENT_LANE_LOST:
        return client->lane == 0 ? 0 : LANE_LOST_TOKENS;
    }
    return 0;
}

static bool is_same_loss(struct client *client)
{
    uint64_t now_ms = worker_now_ms(client->worker);
    bool same = client->lane_lost_ms != 0 && now_ms - client->lane_lost_ms < LANE_LOST_MS;
    client->lane_lost_ms = now_ms;
    return same;
}

void client_end(struct client *client, const char *why, const char *debug)
{
    client->ended = true;
    counter_add(&client->worker->stats.downstream_cx_ended, 1);
    worker_tell_client(client->worker, "client_ended", rpc_conn_peer(client->conn), why);
    rpc_conn_close(client->conn, H2_ENHANCE_YOUR_CALM, debug);
}

void client_charge(struct client *client, enum client_trouble trouble)
{
    if (client == NULL || client->ended || (trouble == CLIENT_LANE_LOST && is_same_loss(client))) {
        return;
    }
    uint32_t milli = price(client, trouble) * H2_BUDGET_MILLI;
    if (milli == 0 || h2_budget_spend(&client->account, milli, worker_now_ms(client->worker))) {
        return;
    }
    if (client->lane == 0) {
        client_set_apart(client, "many of its streams were reset while young or answered with what "
                                 "breaks HTTP/2: it gets upstream connections of its own");
        return;
    }
    client_end(client, "endpoints ended its upstream connections again and again: it loses its own",
               "endpoints end the connections of your streams");
}
