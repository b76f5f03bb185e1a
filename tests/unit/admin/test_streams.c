/* Pages of live streams over several workers, and a walk whose next stream ends. */
#include "admin/streams.h"

#include "base/buf.h"
#include "base/mem.h"
#include "relay/state.h"

#include <cJSON.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WORKERS 3
#define STREAMS 600 /* several batches for each worker */

struct world {
    struct relay relay;
    struct stream_record records[STREAMS];
};

static struct stream_record *record_at(struct list *node)
{
    return container_of(node, struct stream_record, node);
}

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    world->relay.worker_count = WORKERS;
    for (unsigned i = 0; i < WORKERS; i++) {
        streams_init(&world->relay.workers[i].streams);
    }
    for (unsigned i = 0; i < STREAMS; i++) {
        struct stream_record *record = &world->records[i];
        record->number = 10 * (uint64_t)i + 10;
        snprintf(record->agent_id, sizeof(record->agent_id), "Agent-%03u", i);
        snprintf(record->server_id, sizeof(record->server_id), "pod-%u", i % 5);
        streams_add(&world->relay.workers[i % 7 % WORKERS].streams, record);
    }
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    for (unsigned i = 0; i < WORKERS; i++) {
        struct streams *streams = &world->relay.workers[i].streams;
        while (!list_empty(&streams->records)) {
            streams_remove(streams, record_at(streams->records.next));
        }
        streams_deinit(streams);
    }
    free(world);
    return 0;
}

/* A parsed answer, owned. */
static cJSON *ask(struct world *world, uint64_t after, size_t limit, const char *search)
{
    struct buf out = {0};
    const struct streams_query query = {.after = after, .limit = limit, .search = search};
    admin_streams_json(&world->relay, &query, &out);
    cJSON *root = cJSON_ParseWithLength((const char *)buf_data(&out), out.len);
    assert_non_null(root);
    buf_deinit(&out);
    return root;
}

static int count(const cJSON *root)
{
    return cJSON_GetArraySize(cJSON_GetObjectItem(root, "streams"));
}

static void pages_of_any_size_hold_every_stream_once_in_order(void **state)
{
    static const size_t limits[] = {1, 7, 128, 300, STREAMS, STREAMS + 1};
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        uint64_t after = 0;
        uint64_t expected = 10;
        for (bool last = false; !last;) {
            cJSON *root = ask(*state, after, limits[i], "");
            cJSON *row;
            assert_true(count(root) > 0 && count(root) <= (int)limits[i]);
            cJSON_ArrayForEach(row, cJSON_GetObjectItem(root, "streams"))
            {
                after = (uint64_t)cJSON_GetObjectItem(row, "number")->valuedouble;
                assert_int_equal(after, expected);
                expected += 10;
            }
            const cJSON *next = cJSON_GetObjectItem(root, "next");
            last = cJSON_IsNull(next);
            assert_true(last || (uint64_t)next->valuedouble == after);
            cJSON_Delete(root);
        }
        assert_int_equal(expected, 10 * STREAMS + 10);
    }
}

static void search_looks_at_names_in_any_case(void **state)
{
    static const struct {
        const char *search;
        int found;
    } cases[] = {{"agent-0", 100}, {"AGENT-599", 1}, {"POD-3", 120}, {"x", 0}, {"", 600}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cJSON *root = ask(*state, 0, ADMIN_STREAMS_MAX, cases[i].search);
        assert_int_equal(count(root), cases[i].found);
        cJSON_Delete(root);
    }
}

static void a_walk_goes_on_behind_a_stream_that_ends(void **state)
{
    struct world *world = *state;
    struct streams *streams = &world->relay.workers[0].streams;
    struct list *first = streams->records.next;
    struct list *second = first->next;
    struct list *third = second->next;
    streams->walk = second;
    streams_remove(streams, record_at(first));
    assert_ptr_equal(streams->walk, second);
    streams_remove(streams, record_at(second));
    assert_ptr_equal(streams->walk, third);
    streams->walk = streams->records.prev;
    streams_remove(streams, record_at(streams->records.prev));
    assert_ptr_equal(streams->walk, &streams->records);
    streams->walk = NULL;
    cJSON *root = ask(world, 0, ADMIN_STREAMS_MAX, "");
    assert_int_equal(count(root), STREAMS - 3);
    cJSON_Delete(root);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(pages_of_any_size_hold_every_stream_once_in_order),
        TEST(search_looks_at_names_in_any_case),
        TEST(a_walk_goes_on_behind_a_stream_that_ends),
    };
    return cmocka_run_group_tests_name("admin/streams", tests, NULL, NULL);
}
