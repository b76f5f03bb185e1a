/* A fleet of agents for tests of scale: thousands of connections from one process, all at once.
 *
 *   fleet ADDRESS PORT CA|- CONNECTIONS STREAMS
 *
 * It obeys lines of standard input, and answers each with a line of JSON:
 *   open          dial all that are closed; until every stream was answered once, or one minute
 *   ping N COUNT  COUNT pings one after the other on the first stream of each of the first N
 *   lost          until all have been closed by the other side
 * "failed" counts connections that ended early, "causes" says of what. */
#include "agent.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>

#define DEADLINE_US 60000000u
#define EVENTS      512
#define CAUSES      4

struct fleet {
    struct sockaddr_in target;
    SSL_CTX *ctx;
    unsigned connections;
    unsigned streams;
    struct agent *agents;
    int epoll;
    uint64_t *opened_us; /* by order of opening: from the dial to the last stream's pong */
    unsigned opened;
    uint64_t pongs; /* of the present command */
};

static uint64_t now_us(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void watch(struct fleet *fleet, struct agent *agent, int operation)
{
    struct epoll_event event = {
        .data.ptr = agent, .events = agent_wants_to_write(agent) ? EPOLLIN | EPOLLOUT : EPOLLIN};
    epoll_ctl(fleet->epoll, operation, agent->fd, &event);
}

static void advance(struct fleet *fleet, struct agent *agent)
{
    bool wrote = agent_wants_to_write(agent);
    size_t answered = agent_answered(agent);

    agent_advance(agent, fleet->streams);
    fleet->pongs += agent_answered(agent) - answered;
    if (agent->state == AGENT_CLOSED) {
        return;
    }
    if (agent_wants_to_write(agent) != wrote) {
        watch(fleet, agent, EPOLL_CTL_MOD);
    }
    if (answered < fleet->streams && agent_answered(agent) >= fleet->streams) {
        fleet->opened_us[fleet->opened++] = now_us(CLOCK_MONOTONIC) - agent->begun_us;
    }
}

static void turn(struct fleet *fleet, int wait_ms)
{
    struct epoll_event events[EVENTS];
    int count = epoll_wait(fleet->epoll, events, EVENTS, wait_ms);

    for (int i = 0; i < count; i++) {
        advance(fleet, events[i].data.ptr);
    }
}

static unsigned count_closed(const struct fleet *fleet)
{
    unsigned count = 0;
    for (unsigned i = 0; i < fleet->connections; i++) {
        count += fleet->agents[i].state == AGENT_CLOSED;
    }
    return count;
}

/* ---- what is said ---------------------------------------------------------------------------- */

static int compare(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static void print_causes(const struct fleet *fleet)
{
    const char *causes[CAUSES];
    unsigned counts[CAUSES] = {0};
    unsigned known = 0;

    for (unsigned i = 0; i < fleet->connections; i++) {
        const char *cause = fleet->agents[i].cause;
        unsigned at = 0;
        if (fleet->agents[i].state != AGENT_CLOSED || cause[0] == '\0') {
            continue;
        }
        while (at < known && strcmp(causes[at], cause) != 0) {
            at++;
        }
        if (at == known && known < CAUSES) {
            causes[known++] = cause;
        }
        counts[at < CAUSES ? at : CAUSES - 1]++;
    }
    printf("\"causes\": {");
    for (unsigned i = 0; i < known; i++) {
        printf("%s\"%s\": %u", i > 0 ? ", " : "", causes[i], counts[i]);
    }
    printf("}");
}

static void report(struct fleet *fleet, uint64_t since_us, uint64_t cpu_us)
{
    unsigned resent = 0;
    uint64_t slowest = 0;
    uint64_t middle = 0;

    for (unsigned i = 0; i < fleet->connections; i++) {
        resent += fleet->agents[i].syns_resent > 0;
    }
    if (fleet->opened > 0) {
        qsort(fleet->opened_us, fleet->opened, sizeof(*fleet->opened_us), compare);
        slowest = fleet->opened_us[fleet->opened - 1];
        middle = fleet->opened_us[fleet->opened / 2];
    }
    printf("{\"opened\": %u, \"failed\": %u, \"pongs\": %llu, \"seconds\": %.6f, "
           "\"cpu_seconds\": %.6f, \"median_s\": %.6f, \"slowest_s\": %.6f, "
           "\"syns_resent\": %u, ",
           fleet->opened, count_closed(fleet), (unsigned long long)fleet->pongs,
           (double)(now_us(CLOCK_MONOTONIC) - since_us) / 1e6,
           (double)(now_us(CLOCK_PROCESS_CPUTIME_ID) - cpu_us) / 1e6, (double)middle / 1e6,
           (double)slowest / 1e6, resent);
    print_causes(fleet);
    printf("}\n");
    fflush(stdout);
}

/* ---- commands -------------------------------------------------------------------------------- */

/* A connection that was lost is not dialled again: that it was is what the fleet is to find. */
static void do_open(struct fleet *fleet)
{
    uint64_t end_us = now_us(CLOCK_MONOTONIC) + DEADLINE_US;
    unsigned wanted = 0;

    fleet->opened = 0;
    for (unsigned i = 0; i < fleet->connections; i++) {
        struct agent *agent = &fleet->agents[i];
        if (agent->state != AGENT_CLOSED) {
            continue;
        }
        wanted++;
        if (agent_dial(agent, &fleet->target, fleet->ctx) == 0) {
            agent->begun_us = now_us(CLOCK_MONOTONIC);
            watch(fleet, agent, EPOLL_CTL_ADD);
        }
    }
    while (fleet->opened + count_closed(fleet) < wanted && now_us(CLOCK_MONOTONIC) < end_us) {
        turn(fleet, 100);
    }
}

static void do_ping(struct fleet *fleet, unsigned agents, unsigned count)
{
    uint64_t end_us = now_us(CLOCK_MONOTONIC) + DEADLINE_US;
    uint64_t wanted = (uint64_t)agents * count;

    for (unsigned i = 0; i < agents && i < fleet->connections; i++) {
        agent_ping(&fleet->agents[i], count);
    }
    while (fleet->pongs < wanted && count_closed(fleet) == 0 && now_us(CLOCK_MONOTONIC) < end_us) {
        turn(fleet, 100);
    }
}

static void do_lost(struct fleet *fleet)
{
    uint64_t end_us = now_us(CLOCK_MONOTONIC) + DEADLINE_US;

    while (count_closed(fleet) < fleet->connections && now_us(CLOCK_MONOTONIC) < end_us) {
        turn(fleet, 100);
    }
}

static void obey(struct fleet *fleet, const char *line)
{
    uint64_t since_us = now_us(CLOCK_MONOTONIC);
    uint64_t cpu_us = now_us(CLOCK_PROCESS_CPUTIME_ID);
    unsigned agents;
    unsigned count;

    fleet->pongs = 0;
    if (strcmp(line, "open\n") == 0) {
        do_open(fleet);
    } else if (sscanf(line, "ping %u %u", &agents, &count) == 2) {
        do_ping(fleet, agents, count);
    } else if (strcmp(line, "lost\n") == 0) {
        do_lost(fleet);
    } else {
        fprintf(stderr, "fleet: no such command: %s", line);
        exit(2);
    }
    report(fleet, since_us, cpu_us);
}

/* ---- life ------------------------------------------------------------------------------------ */

static SSL_CTX *make_ctx(const char *ca)
{
    static const unsigned char h2[] = {2, 'h', '2'};
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    if (ctx == NULL || SSL_CTX_load_verify_locations(ctx, ca, NULL) != 1) {
        fprintf(stderr, "fleet: cannot read authorities from %s\n", ca);
        exit(2);
    }
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_alpn_protos(ctx, h2, sizeof(h2));
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    return ctx;
}

int main(int argc, char **argv)
{
    struct fleet fleet = {.epoll = epoll_create1(EPOLL_CLOEXEC)};
    char line[128];

    if (argc != 6 || inet_pton(AF_INET, argv[1], &fleet.target.sin_addr) != 1) {
        fprintf(stderr, "usage: fleet ADDRESS PORT CA|- CONNECTIONS STREAMS\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    fleet.target.sin_family = AF_INET;
    fleet.target.sin_port = htons((uint16_t)strtoul(argv[2], NULL, 10));
    fleet.ctx = strcmp(argv[3], "-") != 0 ? make_ctx(argv[3]) : NULL;
    fleet.connections = (unsigned)strtoul(argv[4], NULL, 10);
    fleet.streams = (unsigned)strtoul(argv[5], NULL, 10);
    fleet.agents = calloc(fleet.connections, sizeof(*fleet.agents));
    fleet.opened_us = calloc(fleet.connections, sizeof(*fleet.opened_us));
    while (fgets(line, sizeof(line), stdin) != NULL) {
        obey(&fleet, line);
    }
    for (unsigned i = 0; i < fleet.connections; i++) {
        agent_close(&fleet.agents[i], NULL);
    }
    SSL_CTX_free(fleet.ctx);
    free(fleet.agents);
    free(fleet.opened_us);
    return 0;
}
