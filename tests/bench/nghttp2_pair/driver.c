/* A load of pings on plain nghttp2, and what came of it as one line of JSON. Shares no code with
 * the program that it measures. */
#include "load.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const kind_names[] = {"streams", "unary", "connect", "idle"};

static int usage(void)
{
    fputs(
        "usage: nghttp2-driver --port N [--cacert FILE] [options]\n"
        "  --kind streams|unary|connect|idle  pings on streams that stay; a stream or a connection for each; a ping\n"
        "                         on each stream, then \"idle\" is printed and all is silent until standard input ends\n"
        "  --connections N        (default 1); of kind connect: at a time\n"
        "  --streams N            on each connection (default 1); of kind unary: calls at a time\n"
        "  --rate N               pings per second over all streams, when they are due; 0 (default): when answered\n"
        "  --size N               bytes of text in a ping (default 4)\n"
        "  --warmup-ms N          load that does not count (default 300)\n"
        "  --duration-ms N        load that counts (default 1000)\n"
        "  --deadline-ms N        for opening, and again for ending (default 30000)\n"
        "  --versions LIST        that streams take in turn (default v1.1,v1.2,v2.1,v2.2); vX.Y is vX's to answer\n"
        "  --answer TEXT          of every answer, whose sequence then may be missing; default: that of the ping\n"
        "  --resume               TLS sessions; without --cacert there is no TLS\n"
        "  --pid PID              also measure its CPU (repeatable)\n"
        "Exit code 1: something was not as it must be; standard error says what.\n",
        stderr);
    return 2;
}

/* ---- options -------------------------------------------------------------------------------- */

static int parse_kind(const char *word, enum load_kind *ret_kind)
{
    for (size_t i = 0; i < sizeof(kind_names) / sizeof(*kind_names); i++) {
        if (strcmp(word, kind_names[i]) == 0) {
            *ret_kind = (enum load_kind)i;
            return 0;
        }
    }
    return -1;
}

static int parse_number(const char *word, uint64_t most, uint64_t *ret_number)
{
    char *end;
    uint64_t number = strtoull(word, &end, 10);

    if (*word < '0' || *word > '9' || *end != '\0' || number > most) {
        return -1;
    }
    *ret_number = number;
    return 0;
}

static int parse_size(const char *word, uint64_t most, size_t *ret_size)
{
    uint64_t number;

    if (parse_number(word, most, &number) != 0) {
        return -1;
    }
    *ret_size = (size_t)number;
    return 0;
}

/* Cuts the words in place. */
static int parse_versions(char *words, struct load_options *options)
{
    options->version_count = 0;
    for (char *at = strtok(words, ","); at != NULL; at = strtok(NULL, ",")) {
        if (options->version_count == LOAD_VERSIONS_MAX) {
            return -1;
        }
        options->versions[options->version_count++] = at;
    }
    return options->version_count > 0 ? 0 : -1;
}

static int parse_pid(const char *word, struct load_options *options)
{
    uint64_t pid;

    if (options->pid_count == LOAD_PIDS_MAX || parse_number(word, INT32_MAX, &pid) != 0) {
        return -1;
    }
    options->pids[options->pid_count++] = (pid_t)pid;
    return 0;
}

static int parse_one(int option, char *value, struct load_options *options)
{
    uint64_t port;

    switch (option) {
    case 'p':
        if (parse_number(value, UINT16_MAX, &port) != 0) {
            return -1;
        }
        options->port = (unsigned)port;
        return 0;
    case 'c':
        options->ca_file = value;
        return 0;
    case 'k':
        return parse_kind(value, &options->kind);
    case 'n':
        return parse_size(value, 100000, &options->connections);
    case 's':
        return parse_size(value, 10000, &options->streams);
    case 'r':
        return parse_number(value, 10000000, &options->rate);
    case 'z':
        return parse_size(value, WIRE_MESSAGE_MAX / 2, &options->size);
    case 'w':
        return parse_number(value, 3600000, &options->warmup_ms);
    case 'd':
        return parse_number(value, 3600000, &options->duration_ms);
    case 'e':
        return parse_number(value, 3600000, &options->deadline_ms);
    case 'v':
        return parse_versions(value, options);
    case 'a':
        options->answer = value;
        return 0;
    case 'R':
        options->resume = true;
        return 0;
    case 'i':
        return parse_pid(value, options);
    default:
        return -1;
    }
}

static int parse(int argc, char **argv, struct load_options *options)
{
    static const struct option longs[] = {
        {"port", 1, NULL, 'p'},        {"cacert", 1, NULL, 'c'},    {"kind", 1, NULL, 'k'},
        {"connections", 1, NULL, 'n'}, {"streams", 1, NULL, 's'},   {"rate", 1, NULL, 'r'},
        {"size", 1, NULL, 'z'},        {"warmup-ms", 1, NULL, 'w'}, {"duration-ms", 1, NULL, 'd'},
        {"deadline-ms", 1, NULL, 'e'}, {"versions", 1, NULL, 'v'},  {"answer", 1, NULL, 'a'},
        {"resume", 0, NULL, 'R'},      {"pid", 1, NULL, 'i'},       {NULL, 0, NULL, 0}};
    int option;

    while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (parse_one(option, optarg, options) != 0) {
            return -1;
        }
    }
    bool has_rate_of_its_own = options->kind == LOAD_STREAMS;
    return optind == argc && options->port > 0 && options->connections > 0 &&
                   options->streams > 0 && (options->rate == 0 || has_rate_of_its_own) &&
                   (options->streams == 1 || options->kind != LOAD_CONNECT)
               ? 0
               : -1;
}

/* ---- the result ----------------------------------------------------------------------------- */

static void print(const struct load *load)
{
    const struct load_options *options = &load->options;
    double seconds = (double)(load->ended_ns - load->began_ns) / 1e9;

    printf("{\"driver\": \"nghttp2\", \"kind\": \"%s\", \"connections\": %zu, \"streams\": %zu, ",
           kind_names[options->kind], options->connections, options->streams);
    printf("\"rate\": %llu, \"size\": %zu, ", (unsigned long long)options->rate, options->size);
    printf("\"sent\": %llu, \"answered\": %llu, ", (unsigned long long)load->sent,
           (unsigned long long)load->answered);
    printf("\"error\": \"%s\", \"seconds\": %.6f, ", load->failure, seconds);
    printf("\"p50_us\": %.1f, \"p99_us\": %.1f, ",
           (double)histogram_at(&load->latencies, 0.5) / 1e3,
           (double)histogram_at(&load->latencies, 0.99) / 1e3);
    printf("\"late\": %llu, \"behind_ms\": %.3f, ", (unsigned long long)load->late,
           (double)load->behind_ns / 1e6);
    printf("\"resumed\": %llu, \"own_cpu_s\": %.6f, \"cpu_s\": [",
           (unsigned long long)load->resumed, load->own_cpu_s);
    for (size_t i = 0; i < options->pid_count; i++) {
        printf("%s%.6f", i > 0 ? ", " : "", load->cpu_s[i]);
    }
    puts("]}");
}

int main(int argc, char **argv)
{
    static char versions[] = "v1.1,v1.2,v2.1,v2.2";
    static struct load load;
    struct load_options options = {.connections = 1,
                                   .streams = 1,
                                   .size = 4,
                                   .warmup_ms = 300,
                                   .duration_ms = 1000,
                                   .deadline_ms = 30000};

    parse_versions(versions, &options);
    if (parse(argc, argv, &options) != 0) {
        return usage();
    }
    int rc = load_run(&load, &options);
    print(&load);
    if (rc != 0) {
        fprintf(stderr, "nghttp2-driver: %s\n", load.failure);
    }
    load_deinit(&load);
    return rc == 0 ? 0 : 1;
}
