#include "check/log_part.h"

#include "base/mem.h"
#include "check/log_words.h"

#include <assert.h>
#include <stdlib.h>

struct check_log_part *check_log_parts_find(struct check_log_parts *parts, uint64_t key)
{
    for (size_t i = 0; parts->parts != NULL && i < CHECK_LOG_PARTS; i++) {
        if (parts->parts[i].age > 0 && parts->parts[i].key == key) {
            return &parts->parts[i];
        }
    }
    return NULL;
}

static void give_up(struct check_log_parts *parts, struct check_log_part *part)
{
    const char *line = check_log_buffer_end(&part->text);
    if (part->text.len > 0) {
        bool lost = part->text.mentions_us || check_log_mentions_us(line);
        check_log_count_unread(&parts->unread, line, part->text.len,
                               lost ? CHECK_LOG_LOST : CHECK_LOG_FOREIGN, false);
    }
    check_log_buffer_deinit(&part->text);
    part->age = 0;
}

struct check_log_part *check_log_parts_oldest(struct check_log_parts *parts)
{
    struct check_log_part *oldest = NULL;
    for (size_t i = 0; parts->parts != NULL && i < CHECK_LOG_PARTS; i++) {
        struct check_log_part *part = &parts->parts[i];
        if (part->age > 0 && (oldest == NULL || part->age < oldest->age)) {
            oldest = part;
        }
    }
    return oldest;
}

static struct check_log_part *free_part(struct check_log_parts *parts)
{
    if (parts->parts == NULL) {
        parts->parts = mem_calloc(CHECK_LOG_PARTS, sizeof(struct check_log_part));
    }
    for (size_t i = 0; i < CHECK_LOG_PARTS; i++) {
        if (parts->parts[i].age == 0) {
            return &parts->parts[i];
        }
    }
    struct check_log_part *oldest = check_log_parts_oldest(parts);
    give_up(parts, oldest);
    return oldest;
}

struct check_log_part *check_log_parts_add(struct check_log_parts *parts, uint64_t key,
                                           const char *text, size_t len)
{
    struct check_log_part *part = check_log_parts_find(parts, key);
    if (part == NULL) {
        part = free_part(parts);
        part->key = key;
    }
    part->age = parts->latest = ++parts->clock;
    check_log_buffer_put(&part->text, text, len, CHECK_LOG_PART_BYTES);
    return part;
}

struct check_log_buffer check_log_parts_take(struct check_log_part *part)
{
    struct check_log_buffer text = part->text;
    part->text = (struct check_log_buffer){0};
    part->age = 0;
    return text;
}

void check_log_parts_deinit(struct check_log_parts *parts)
{
    assert(check_log_parts_oldest(parts) == NULL);
    free(parts->parts);
    parts->parts = NULL;
}
