#include "base/list.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

struct item {
    int number;
    struct list node;
};

/* Reads the numbers in order as the digits of one number. */
static int digits(struct list *head)
{
    int value = 0;
    struct list *node;
    struct list *tmp;
    list_each(node, tmp, head)
    {
        value = value * 10 + container_of(node, struct item, node)->number;
    }
    return value;
}

static void members_keep_their_order(void **state)
{
    (void)state;
    struct list head;
    struct item items[3] = {{.number = 1}, {.number = 2}, {.number = 3}};
    list_init(&head);
    assert_true(list_empty(&head));
    for (size_t i = 0; i < 3; i++) {
        list_append(&head, &items[i].node);
    }
    assert_int_equal(digits(&head), 123);
    list_remove(&items[1].node);
    assert_int_equal(digits(&head), 13);
    list_remove(&items[1].node); /* harmless */
    list_append(&head, &items[1].node);
    assert_int_equal(digits(&head), 132);
}

static void members_may_go_while_the_list_is_walked(void **state)
{
    (void)state;
    struct list head;
    struct list *node;
    struct list *tmp;
    struct item items[3] = {{.number = 1}, {.number = 2}, {.number = 3}};
    list_init(&head);
    for (size_t i = 0; i < 3; i++) {
        list_append(&head, &items[i].node);
    }
    list_each(node, tmp, &head)
    {
        list_remove(node);
    }
    assert_true(list_empty(&head));
}

static void taking_moves_all_members(void **state)
{
    (void)state;
    struct list from;
    struct list to;
    struct item items[2] = {{.number = 4}, {.number = 5}};
    list_init(&from);
    list_take(&to, &from);
    assert_true(list_empty(&to));
    list_append(&from, &items[0].node);
    list_append(&from, &items[1].node);
    list_take(&to, &from);
    assert_true(list_empty(&from));
    assert_int_equal(digits(&to), 45);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_keep_their_order),
        cmocka_unit_test(members_may_go_while_the_list_is_walked),
        cmocka_unit_test(taking_moves_all_members),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
