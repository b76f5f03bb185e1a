#include "limits/quick.h"

#include "base/clock.h"

static const struct rpc_probe_script echo = {.headers_at_once = true, .echo = true};

static void on_answer(void *user)
{
    struct limits_quick *quick = user;
    if (quick->asked_ns == 0) {
        return;
    }
    uint64_t took_ns = limits_ground_now_ns(quick->ground) - quick->asked_ns;
    quick->slowest_ns = took_ns > quick->slowest_ns ? took_ns : quick->slowest_ns;
    quick->answered++;
    quick->asked_ns = 0;
}

static void on_closed(void *user, const struct rpc_status *status)
{
    struct limits_quick *quick = user;
    quick->on_ended(quick->user, status);
}

static const struct limits_call_events events = {.on_answer = on_answer, .on_closed = on_closed};

void limits_quick_init(struct limits_quick *quick, struct limits_ground *ground,
                       void (*on_ended)(void *user, const struct rpc_status *status), void *user)
{
    *quick = (struct limits_quick){.ground = ground, .on_ended = on_ended, .user = user};
    limits_call_init(&quick->call, ground, &events, quick);
}

int limits_quick_open(struct limits_quick *quick, const struct limits_link *link)
{
    return limits_call_open(&quick->call, link, &echo);
}

void limits_quick_ask(struct limits_quick *quick, uint64_t now_ns)
{
    if (quick->asked_ns == 0 && now_ns >= quick->next_ns && limits_call_send(&quick->call) == 0) {
        quick->asked_ns = now_ns;
        quick->next_ns = now_ns + LIMITS_QUICK_EVERY_MS * NS_PER_MS;
        quick->asked++;
    }
}

void limits_quick_count(struct limits_quick *quick)
{
    quick->asked = quick->asked_ns != 0;
    quick->answered = 0;
    quick->slowest_ns = 0;
}

bool limits_quick_is_late(const struct limits_quick *quick, uint64_t now_ns, uint64_t ms)
{
    return quick->asked_ns != 0 && now_ns > quick->asked_ns + ms * NS_PER_MS;
}
