/* The names in the order of a request's fields, each with the marks of its last values. */
#include "h2/varying.h"

#include <string.h>

/* Multiplied with and the high half taken, it spreads every bit (2^64 by the golden ratio). */
#define SPREAD 0x9E3779B97F4A7C15U

/* The two ends of a text, which may overlap: of less than 4 bytes all of it. Fixed sizes, so that
 * each is one load. */
static void take_ends(const char *text, size_t len, uint64_t *ret_head, uint64_t *ret_tail)
{
    if (len >= sizeof(*ret_head)) {
        memcpy(ret_head, text, sizeof(*ret_head));
        memcpy(ret_tail, text + len - sizeof(*ret_tail), sizeof(*ret_tail));
        return;
    }
    uint32_t head = 0;
    uint32_t tail = 0;
    if (len >= sizeof(head)) {
        memcpy(&head, text, sizeof(head));
        memcpy(&tail, text + len - sizeof(tail), sizeof(tail));
    } else {
        for (size_t i = 0; i < len; i++) {
            head = head << 8 | (uint8_t)text[i];
        }
    }
    *ret_head = head;
    *ret_tail = tail;
}

static uint32_t mark_of(const char *text, size_t len)
{
    uint64_t head;
    uint64_t tail;
    take_ends(text, len, &head, &tail);
    uint64_t mixed = (head ^ len) * SPREAD;
    mixed = (mixed ^ (mixed >> 32) ^ tail) * SPREAD;
    return (uint32_t)(mixed >> 32) | 1U;
}

static struct h2_varying_name *add_name(struct h2_varying *varying, uint32_t name)
{
    if (varying->count < H2_VARYING_NAMES) {
        varying->at = varying->count;
        varying->count++;
    } else if (varying->at == H2_VARYING_NAMES) {
        varying->at = 0;
    }
    struct h2_varying_name *place = &varying->names[varying->at];
    *place = (struct h2_varying_name){.name = name};
    return place;
}

static struct h2_varying_name *find_name(struct h2_varying *varying, uint32_t name)
{
    for (size_t left = varying->count; left > 0; left--) {
        if (varying->at >= varying->count) {
            varying->at = 0;
        }
        if (varying->names[varying->at].name == name) {
            return &varying->names[varying->at];
        }
        varying->at++;
    }
    return add_name(varying, name);
}

/* Returns whether it is none of the last ones. */
static bool note_value(struct h2_varying_name *place, uint32_t value)
{
    for (size_t i = 0; i < H2_VARYING_VALUES; i++) {
        if (place->values[i] == value) {
            return false;
        }
    }
    place->values[place->oldest] = value;
    place->oldest = (uint8_t)((place->oldest + 1) % H2_VARYING_VALUES);
    return true;
}

bool h2_varying_note(struct h2_varying *varying, const struct h2_header *field)
{
    struct h2_varying_name *place = find_name(varying, mark_of(field->name, field->name_len));
    varying->at++;
    if (!note_value(place, mark_of(field->value, field->value_len))) {
        place->fresh = 0;
    } else if (place->fresh < H2_VARYING_NEW) {
        place->fresh++;
    }
    return place->fresh == H2_VARYING_NEW;
}
