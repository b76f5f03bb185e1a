#include "base/clock.h"
#include "harness.h"
#include "net/resolve.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <semaphore.h>
#include <string.h>

/* A name server that does not answer: in place of the C library's function. */
static sem_t hanging;   /* how many calls hang */
static sem_t may_go_on; /* lets one of them go on */

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                struct addrinfo **ret)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

    if (strcmp(host, "hangs.example") == 0) {
        sem_post(&hanging);
        sem_wait(&may_go_on);
        return EAI_AGAIN;
    }
    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    return real(host, service, hints, ret);
}

struct answer {
    bool starting;
    bool done;
    int calls;
    size_t count;
    char first[NET_ADDRESS_TEXT_BYTES];
    bool sorted;
    struct net_error error;
};

static void on_done(void *user, const struct sockaddr_storage *addresses, size_t count,
                    const struct net_error *error)
{
    struct answer *answer = user;

    assert_false(answer->starting);
    assert_true((count == 0) == (error != NULL));
    answer->done = true;
    answer->calls++;
    answer->count = count;
    if (error != NULL) {
        answer->error = *error;
        return;
    }
    net_address_format((const struct sockaddr *)&addresses[0], answer->first);
    answer->sorted = true;
    for (size_t i = 1; i < count; i++) {
        answer->sorted &=
            addresses[i - 1].ss_family == AF_INET || addresses[i].ss_family != AF_INET;
        answer->sorted &= memcmp(&addresses[i - 1], &addresses[i], sizeof(addresses[0])) != 0;
    }
}

static void resolve(const char *host, struct answer *answer)
{
    struct net_loop loop;

    memset(answer, 0, sizeof(*answer));
    assert_int_equal(net_loop_init(&loop), 0);
    answer->starting = true;
    net_resolve_start(&loop, host, 50051, on_done, answer);
    answer->starting = false;
    run_until(&loop, &answer->done);
    net_loop_run(&loop);
    assert_int_equal(answer->calls, 1);
    net_loop_deinit(&loop);
}

static void literal_addresses_resolve_to_themselves(void **state)
{
    struct answer answer;

    (void)state;
    resolve("127.0.0.1", &answer);
    assert_int_equal(answer.count, 1);
    assert_string_equal(answer.first, "127.0.0.1:50051");
    resolve("::1", &answer);
    assert_int_equal(answer.count, 1);
    assert_string_equal(answer.first, "[::1]:50051");
}

static void localhost_resolves_sorted_without_duplicates(void **state)
{
    struct answer answer;

    (void)state;
    resolve("localhost", &answer);
    assert_in_range(answer.count, 1, 2); /* 127.0.0.1, and ::1 where there is IPv6 */
    assert_true(answer.sorted);
}

static void a_bad_name_is_a_dns_error_that_names_it(void **state)
{
    struct answer answer;

    (void)state;
    resolve("no..name\x1b[31m", &answer);
    assert_int_equal(answer.error.kind, NET_RESOLVE_FAILED);
    assert_non_null(strstr(answer.error.text, "no..name\\x1b[31m"));
}

static void a_cancelled_lookup_never_answers(void **state)
{
    const char *hosts[] = {"localhost", "127.0.0.1", "no..name"};
    struct answer answer = {0};
    struct net_loop loop;

    (void)state;
    assert_int_equal(net_loop_init(&loop), 0);
    for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
        net_resolve_cancel(net_resolve_start(&loop, hosts[i], 1, on_done, &answer));
    }
    net_loop_run(&loop);
    assert_int_equal(answer.calls, 0);
    net_loop_deinit(&loop);
}

static void a_lookup_that_hangs_holds_nobody_up_who_gives_up(void **state)
{
    struct answer answer = {0};
    struct net_resolve *hung[5]; /* one more than run at a time */
    struct net_loop loop;
    uint64_t start_ms;

    (void)state;
    assert_int_equal(net_loop_init(&loop), 0);
    for (size_t i = 0; i < ARRAY_SIZE(hung); i++) {
        hung[i] = net_resolve_start(&loop, "hangs.example", 1, on_done, &answer);
    }
    for (int i = 0; i < 4; i++) {
        sem_wait(&hanging);
    }
    for (size_t i = 0; i < ARRAY_SIZE(hung); i++) {
        net_resolve_cancel(hung[i]);
    }
    start_ms = clock_now_ms();
    net_loop_deinit(&loop);
    assert_in_range(clock_now_ms() - start_ms, 0, 1000);
    for (int i = 0; i < 4; i++) {
        sem_post(&may_go_on);
    }
    assert_int_equal(answer.calls, 0);
}

static void more_lookups_than_run_at_a_time_all_answer(void **state)
{
    static struct answer answers[40];
    struct net_loop loop;

    (void)state;
    assert_int_equal(net_loop_init(&loop), 0);
    for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
        net_resolve_start(&loop, "localhost", 1, on_done, &answers[i]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
        run_until(&loop, &answers[i].done);
    }
    net_loop_run(&loop);
    for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
        assert_int_equal(answers[i].calls, 1);
        assert_true(answers[i].count > 0);
    }
    net_loop_deinit(&loop);
}

static void dual_stack_peers_show_as_ipv4(void **state)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(7)};
    char text[NET_ADDRESS_TEXT_BYTES];

    (void)state;
    inet_pton(AF_INET6, "::ffff:10.1.2.3", &address.sin6_addr);
    assert_string_equal(net_address_format((struct sockaddr *)&address, text), "10.1.2.3:7");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(literal_addresses_resolve_to_themselves),
        cmocka_unit_test(localhost_resolves_sorted_without_duplicates),
        cmocka_unit_test(a_bad_name_is_a_dns_error_that_names_it),
        cmocka_unit_test(a_cancelled_lookup_never_answers),
        cmocka_unit_test(a_lookup_that_hangs_holds_nobody_up_who_gives_up),
        cmocka_unit_test(more_lookups_than_run_at_a_time_all_answer),
        cmocka_unit_test(dual_stack_peers_show_as_ipv4),
    };

    sem_init(&hanging, 0, 0);
    sem_init(&may_go_on, 0, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
