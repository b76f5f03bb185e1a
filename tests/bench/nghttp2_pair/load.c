/* The phases of a load, from the first connection to the last status: see load.h. */
#include "load.h"
#include "tls.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_MS       1000000ULL
#define NS_PER_S        1000000000ULL
#define COMING_UP_MAX   64U /* connections in their handshakes while opening */
#define LONGEST_WAIT_NS (20 * NS_PER_MS)

uint64_t load_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

void load_fail(struct load *load, const char *format, ...)
{
    va_list args;

    if (load->failure[0] != '\0') {
        return;
    }
    va_start(args, format);
    vsnprintf(load->failure, sizeof(load->failure), format, args);
    va_end(args);
    for (char *at = load->failure; *at != '\0'; at++) {
        if (!isprint((unsigned char)*at) || *at == '"' || *at == '\\') {
            *at = '?';
        }
    }
}

size_t load_slots(const struct load *load)
{
    return load->options.connections * load->options.streams;
}

bool load_is_running(const struct load *load)
{
    return load->phase == LOAD_WARMING || load->phase == LOAD_MEASURING;
}

static double cpu_s_of(struct load *load, pid_t pid)
{
    struct timespec used = {0};
    clockid_t clock;

    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0) {
        load_fail(load, "process %d cannot be measured", (int)pid);
    }
    return (double)used.tv_sec + (double)used.tv_nsec / (double)NS_PER_S;
}

/* What was used until now, less what is there: twice gives what was used in between. */
static void take_cpu(struct load *load)
{
    for (size_t i = 0; i < load->options.pid_count; i++) {
        load->cpu_s[i] = cpu_s_of(load, load->options.pids[i]) - load->cpu_s[i];
    }
    load->own_cpu_s = cpu_s_of(load, getpid()) - load->own_cpu_s;
}

/* ---- phases --------------------------------------------------------------------------------- */

static void open_more(struct load *load)
{
    while (load->next_connection < load->options.connections && load->coming_up < COMING_UP_MAX &&
           load->failure[0] == '\0') {
        slot_come_up(&load->connections[load->next_connection++]);
    }
}

static void begin_warmup(struct load *load, uint64_t now_ns)
{
    load->phase = LOAD_WARMING;
    load->phase_ends_ns = now_ns + load->options.warmup_ms * NS_PER_MS;
    if (load->options.kind == LOAD_IDLE) {
        load->phase_ends_ns = UINT64_MAX;
        puts("idle");
        fflush(stdout);
        return;
    }
    load->schedule_ns = now_ns;
    for (size_t i = 0; load->options.rate == 0 && i < load_slots(load); i++) {
        slot_again(load, &load->all[i]);
    }
}

static void begin_measuring(struct load *load, uint64_t now_ns)
{
    load->phase = LOAD_MEASURING;
    load->began_ns = now_ns;
    load->phase_ends_ns = now_ns + load->options.duration_ms * NS_PER_MS;
    load->sent = load->late = load->behind_ns = 0;
    if (load->options.kind == LOAD_IDLE) {
        load->sent = load->answered = load->slots_answered;
    }
    take_cpu(load);
}

static void begin_ending(struct load *load, uint64_t now_ns)
{
    load->phase = LOAD_ENDING;
    load->ended_ns = now_ns;
    load->deadline_ns = now_ns + load->options.deadline_ms * NS_PER_MS;
    take_cpu(load);
}

static bool has_input_ended(void)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    char byte;

    return poll(&input, 1, 0) != 0 && read(STDIN_FILENO, &byte, 1) <= 0;
}

static void end_streams(struct load *load)
{
    bool stays = load->options.kind == LOAD_STREAMS || load->options.kind == LOAD_IDLE;

    if (stays && load->outstanding == 0 && !load->half_closed) {
        load->half_closed = true;
        for (size_t i = 0; i < load_slots(load); i++) {
            stream_half_close(&load->all[i]);
        }
    }
    if (load->open_streams == 0 && load->outstanding == 0 &&
        (load->options.kind != LOAD_CONNECT || load->open_connections == 0)) {
        load->phase = LOAD_DONE;
    }
}

static void check_deadline(struct load *load, uint64_t now_ns)
{
    if (now_ns < load->deadline_ns) {
        return;
    }
    if (load->phase == LOAD_OPENING) {
        load_fail(load, "%zu of %zu were answered in time", load->slots_answered, load_slots(load));
    } else if (load->outstanding > 0) {
        load_fail(load, "%llu pings were never answered", (unsigned long long)load->outstanding);
    } else {
        load_fail(load, "%zu streams and %zu connections did not end in time", load->open_streams,
                  load->open_connections);
    }
}

static void advance(struct load *load, uint64_t now_ns)
{
    switch (load->phase) {
    case LOAD_OPENING:
        open_more(load);
        if (load->slots_answered == load_slots(load) &&
            (load->options.kind != LOAD_CONNECT || load->open_connections == 0)) {
            begin_warmup(load, now_ns);
        } else {
            check_deadline(load, now_ns);
        }
        break;
    case LOAD_WARMING:
        if (load->options.kind == LOAD_IDLE ? has_input_ended() : now_ns >= load->phase_ends_ns) {
            begin_measuring(load, now_ns);
        }
        break;
    case LOAD_MEASURING:
        if (now_ns >= load->phase_ends_ns || load->options.kind == LOAD_IDLE) {
            begin_ending(load, now_ns);
        }
        break;
    case LOAD_ENDING:
        end_streams(load);
        if (load->phase != LOAD_DONE) {
            check_deadline(load, now_ns);
        }
        break;
    case LOAD_DONE:
        break;
    }
    if (load->options.rate > 0 && load_is_running(load)) {
        slot_send_scheduled(load, now_ns);
    }
}

static int64_t wait_ns_of(const struct load *load, uint64_t now_ns)
{
    uint64_t until_ns = now_ns + LONGEST_WAIT_NS;

    if (load_is_running(load) && load->phase_ends_ns < until_ns) {
        until_ns = load->phase_ends_ns;
    }
    if (load_is_running(load) && load->options.rate > 0 &&
        slot_due_ns(load, load->scheduled) < until_ns) {
        until_ns = slot_due_ns(load, load->scheduled);
    }
    return until_ns > now_ns ? (int64_t)(until_ns - now_ns) : 0;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static void *zeroed(size_t count, size_t size)
{
    void *memory = calloc(count, size);

    if (memory == NULL) {
        abort();
    }
    return memory;
}

static void make_slots(struct load *load)
{
    const struct load_options *options = &load->options;

    load->connections = zeroed(options->connections, sizeof(*load->connections));
    load->all = zeroed(load_slots(load), sizeof(*load->all));
    for (size_t i = 0; i < load_slots(load); i++) {
        load->all[i].connection = &load->connections[i / options->streams];
        load->all[i].index = i;
    }
    for (size_t i = 0; i < options->connections; i++) {
        load->connections[i].load = load;
        load->connections[i].index = i;
        load->connections[i].streams = &load->all[i * options->streams];
    }
}

static int set_up(struct load *load)
{
    uint8_t *text = zeroed(load->options.size + 1, 1);

    for (size_t i = 0; i < load->options.size; i++) {
        text[i] = (uint8_t)('a' + i % 23);
    }
    load->text = (struct wire_text){text, load->options.size};
    make_slots(load);
    load->callbacks = stream_callbacks();
    if (nghttp2_option_new(&load->session_options) != 0) {
        abort();
    }
    nghttp2_option_set_no_closed_streams(load->session_options, 1);
    prctl(PR_SET_TIMERSLACK, 1UL); /* of its 50 us a schedule would be late */
    if (load->options.ca_file != NULL) {
        load->tls = tls_client(load->options.ca_file);
    }
    if (link_loop_init(&load->loop) != 0 || (load->options.ca_file != NULL && load->tls == NULL)) {
        load_fail(load, "it cannot be set up");
        return -1;
    }
    if (load->tls != NULL && load->options.resume) {
        SSL_CTX_set_app_data(load->tls, load);
        SSL_CTX_set_session_cache_mode(load->tls,
                                       SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(load->tls, slot_on_session);
    }
    return 0;
}

static void close_all(struct load *load)
{
    load->phase = LOAD_DONE;
    for (size_t i = 0; i < load->options.connections; i++) {
        if (load->connections[i].is_open) {
            link_close(&load->connections[i].link);
        }
    }
    link_loop_turn(&load->loop, 0);
}

int load_run(struct load *load, const struct load_options *options)
{
    *load = (struct load){.options = *options};
    load->deadline_ns = load_now_ns() + options->deadline_ms * NS_PER_MS;
    if (set_up(load) != 0) {
        return -1;
    }
    while (load->phase != LOAD_DONE && load->failure[0] == '\0') {
        advance(load, load_now_ns());
        if (link_loop_turn(&load->loop, wait_ns_of(load, load_now_ns())) != 0) {
            load_fail(load, "epoll: %s", strerror(errno));
        }
    }
    close_all(load);
    return load->failure[0] == '\0' ? 0 : -1;
}

void load_deinit(struct load *load)
{
    for (size_t i = 0; load->all != NULL && i < load_slots(load); i++) {
        wire_bytes_deinit(&load->all[i].held);
        wire_bytes_deinit(&load->all[i].out);
    }
    free((void *)(uintptr_t)load->text.data);
    free(load->all);
    free(load->connections);
    nghttp2_session_callbacks_del(load->callbacks);
    nghttp2_option_del(load->session_options);
    SSL_SESSION_free(load->session);
    SSL_CTX_free(load->tls);
    link_loop_deinit(&load->loop);
}
