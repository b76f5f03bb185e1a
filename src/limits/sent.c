#include "limits/sent.h"

#include "base/clock.h"

#define ASK_EVERY_MS 300

void limits_sent_init(struct limits_sent *sent, struct limits_ground *ground,
                      void (*on_told)(void *user, const struct limits_told *told), void *user)
{
    *sent = (struct limits_sent){.ground = ground, .on_told = on_told, .user = user};
}

void limits_sent_begin(struct limits_sent *sent, const char *id, uint64_t now_ns)
{
    sent->id = id;
    sent->grew_ns = now_ns;
    sent->ask_ns = now_ns + ASK_EVERY_MS * NS_PER_MS;
}

static void on_seen(void *user, const struct rpc_probe_seen *server)
{
    struct limits_sent *sent = user;
    sent->heard_ns = limits_ground_now_ns(sent->ground);
    if (server->sent_bytes > sent->bytes) {
        sent->bytes = server->sent_bytes;
        sent->grew_ns = sent->heard_ns;
    }
}

static void on_told(void *user, const struct limits_told *told)
{
    struct limits_sent *sent = user;
    sent->asking = false;
    sent->ask_ns = limits_ground_now_ns(sent->ground) + ASK_EVERY_MS * NS_PER_MS;
    sent->on_told(sent->user, told);
}

void limits_sent_ask(struct limits_sent *sent, uint64_t now_ns)
{
    if (!sent->asking && now_ns >= sent->ask_ns) {
        sent->asking = true;
        limits_ask_start(&sent->ask, sent->ground, sent->id, false, on_told, sent);
        sent->ask.on_seen = on_seen;
    }
}

void limits_sent_stop(struct limits_sent *sent)
{
    limits_ask_stop(&sent->ask);
}

bool limits_sent_is_still(const struct limits_sent *sent)
{
    return sent->heard_ns > sent->grew_ns + LIMITS_SENT_STILL_MS * NS_PER_MS;
}
