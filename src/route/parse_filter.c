/* Filters: RequestHeaderModifier and ResponseHeaderModifier. */
#include "route/parse_filter.h"

#include "base/mem.h"
#include "base/text.h"
#include "h2/limits.h"
#include "route/names.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct change_draft {
    struct route_modifier *modifier;
    struct route_change *change; /* the modifier's last one */
    enum route_change_kind kind;
};

/* ---- names and values ------------------------------------------------------------------------ */

/* Why a filter must not touch the header of this name, or NULL. */
static const char *find_owner(const char *name)
{
    static const struct {
        const char *name; /* with "*" at its end: what begins so */
        const char *owner;
    } rows[] = {
        {":*", "is a pseudo-header field of HTTP/2, which no filter may change"},
        {"grpc-*", "belongs to gRPC, and no filter may change it"},
        {"content-type", "belongs to gRPC, and no filter may change it"},
        {"te", "belongs to gRPC, and no filter may change it"},
        {"content-length", "belongs to HTTP, and no filter may change it"},
        {"host", "is the :authority of HTTP/2, which no filter may change"},
        {"connection", "is for one hop only, and no filter may change it"},
        {"keep-alive", "is for one hop only, and no filter may change it"},
        {"transfer-encoding", "is for one hop only, and no filter may change it"},
        {"upgrade", "is for one hop only, and no filter may change it"},
        {"trailer", "is for one hop only, and no filter may change it"},
        {"http2-settings", "is for one hop only, and no filter may change it"},
        {"proxy-*", "is for one hop only, and no filter may change it"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        size_t len = strlen(rows[i].name);
        bool prefix = rows[i].name[len - 1] == '*';
        if (prefix ? strncmp(name, rows[i].name, len - 1) == 0 : strcmp(name, rows[i].name) == 0) {
            return rows[i].owner;
        }
    }
    return NULL;
}

/* gRPC PROTOCOL-HTTP2, Header-Name: what else comes in may be taken amiss of the connection. */
static bool is_metadata_name(const char *name)
{
    return name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-.")] == '\0';
}

static int check_name(struct walk *walk, const yaml_node_t *node, const struct change_draft *draft)
{
    const char *name = draft->change->name;
    const char *owner = find_owner(name);
    if (owner != NULL) {
        return walk_complain_text(walk, node, name, owner);
    }
    if (!names_is_header(name)) {
        return walk_complain_text(walk, node, name, "is not a header name");
    }
    if (draft->kind != ROUTE_HEADER_REMOVE && !is_metadata_name(name)) {
        return walk_complain_text(walk, node, name,
                                  "is no name of gRPC metadata: letters, digits, '-', '_', '.'");
    }
    for (const struct route_change *other = draft->modifier->changes; other < draft->change;
         other++) {
        if (strcmp(other->name, name) == 0) {
            return walk_complain_text(walk, node, name,
                                      "is changed already by this filter; header names ignore "
                                      "case, and proxies differ in what goes first");
        }
    }
    return 0;
}

static int take_change_name(struct walk *walk, const yaml_node_t *node, void *target)
{
    const struct change_draft *draft = target;
    const char *text = walk_text(walk, node);
    if (text == NULL) {
        return 1;
    }
    draft->change->name = mem_strdup(text);
    for (char *c = draft->change->name; *c != '\0'; c++) {
        *c = (char)tolower((unsigned char)*c);
    }
    return check_name(walk, node, draft);
}

/* gRPC PROTOCOL-HTTP2, ASCII-Value; HTTP/2 allows no blank at its ends. */
static bool is_plain_value(const char *value, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)value[i];
        if (c < 0x20 || c > 0x7e) {
            return false;
        }
    }
    return value[0] != ' ' && value[len - 1] != ' ';
}

static int take_change_value(struct walk *walk, const yaml_node_t *node, void *target)
{
    const struct change_draft *draft = target;
    const char *text = walk_text(walk, node);
    if (text == NULL) {
        return 1;
    }
    size_t len = strlen(text);
    if (len == 0 || len > ROUTE_VALUE_MAX) {
        return walk_complain(walk, node, "value has %zu characters; expected 1 to %d", len,
                             ROUTE_VALUE_MAX);
    }
    if (!is_plain_value(text, len)) {
        return walk_complain_text(walk, node, text,
                                  "is no value of gRPC metadata: visible ASCII, no blank at its "
                                  "ends");
    }
    draft->change->value = mem_strdup(text);
    return 0;
}

/* Name and value arrive in any order. */
static int check_binary(struct walk *walk, const yaml_node_t *node,
                        const struct route_change *change)
{
    size_t len = strlen(change->name);
    bool binary = len >= 4 && strcmp(change->name + len - 4, "-bin") == 0;
    return binary && !text_is_base64_list(change->value, strlen(change->value))
               ? walk_complain_text(walk, node, change->name,
                                    "is binary metadata, whose value must be base64")
               : 0;
}

/* ---- changes --------------------------------------------------------------------------------- */

static void add_change(struct change_draft *draft)
{
    struct route_modifier *modifier = draft->modifier;
    modifier->changes =
        mem_realloc(modifier->changes, (modifier->count + 1) * sizeof(*modifier->changes));
    draft->change = &modifier->changes[modifier->count++];
    *draft->change = (struct route_change){.kind = draft->kind};
}

static int take_change(struct walk *walk, const yaml_node_t *node, void *target)
{
    static const struct walk_field fields[] = {
        {"name", take_change_name, true},
        {"value", take_change_value, true},
        WALK_END,
    };
    struct change_draft *draft = target;
    add_change(draft);
    return walk_mapping(walk, node, fields, draft) != 0 ||
           check_binary(walk, node, draft->change) != 0;
}

static int take_removal(struct walk *walk, const yaml_node_t *node, void *target)
{
    add_change(target);
    return take_change_name(walk, node, target);
}

static int take_set(struct walk *walk, const yaml_node_t *node, void *target)
{
    struct change_draft draft = {.modifier = target, .kind = ROUTE_HEADER_SET};
    return walk_sequence(walk, node, ROUTE_CHANGES_MAX, take_change, &draft);
}

static int take_add(struct walk *walk, const yaml_node_t *node, void *target)
{
    struct change_draft draft = {.modifier = target, .kind = ROUTE_HEADER_ADD};
    return walk_sequence(walk, node, ROUTE_CHANGES_MAX, take_change, &draft);
}

static int take_remove(struct walk *walk, const yaml_node_t *node, void *target)
{
    struct change_draft draft = {.modifier = target, .kind = ROUTE_HEADER_REMOVE};
    return walk_sequence(walk, node, ROUTE_CHANGES_MAX, take_removal, &draft);
}

/* With nothing else a block of what is set and added must pass. */
static int check_size(struct walk *walk, const yaml_node_t *node,
                      const struct route_modifier *modifier)
{
    size_t bytes = 0;
    for (size_t i = 0; i < modifier->count; i++) {
        const struct route_change *change = &modifier->changes[i];
        bytes += change->value == NULL
                     ? 0
                     : strlen(change->name) + strlen(change->value) + H2_FIELD_OVERHEAD_BYTES;
    }
    return bytes < H2_HEADER_BLOCK_BYTES / 2
               ? 0
               : walk_complain(walk, node,
                               "the headers are %zu bytes, more than half of what a header block "
                               "may have (%d)",
                               bytes, H2_HEADER_BLOCK_BYTES);
}

static int take_modifier(struct walk *walk, const yaml_node_t *node,
                         struct route_modifier *modifier)
{
    static const struct walk_field fields[] = {
        {"set", take_set, false},
        {"add", take_add, false},
        {"remove", take_remove, false},
        WALK_END,
    };
    return walk_mapping(walk, node, fields, modifier) != 0 || check_size(walk, node, modifier) != 0;
}

/* ---- filters --------------------------------------------------------------------------------- */

struct filter_draft {
    struct route_rule *rule;
    const char *type; /* borrowed from the document; NULL: none, which is a complaint */
    bool request_given;
    bool response_given;
};

static int complain_type(struct walk *walk, const yaml_node_t *node, const char *type)
{
    return walk_complain_text(walk, node, type,
                              "is not the type of this filter, whose fields are others");
}

static int take_request(struct walk *walk, const yaml_node_t *node, void *target)
{
    struct filter_draft *draft = target;
    return draft->type != NULL && strcmp(draft->type, "RequestHeaderModifier") != 0
               ? complain_type(walk, node, draft->type)
               : take_modifier(walk, node, &draft->rule->request);
}

static int take_response(struct walk *walk, const yaml_node_t *node, void *target)
{
    struct filter_draft *draft = target;
    return draft->type != NULL && strcmp(draft->type, "ResponseHeaderModifier") != 0
               ? complain_type(walk, node, draft->type)
               : take_modifier(walk, node, &draft->rule->response);
}

static int take_modifier_filter(struct walk *walk, const yaml_node_t *node,
                                struct filter_draft *draft)
{
    static const struct walk_field request[] = {
        {"type", walk_any_text, true},
        {"requestHeaderModifier", take_request, true},
        {"responseHeaderModifier", take_response, false},
        WALK_END,
    };
    static const struct walk_field response[] = {
        {"type", walk_any_text, true},
        {"responseHeaderModifier", take_response, true},
        {"requestHeaderModifier", take_request, false},
        WALK_END,
    };
    bool is_request = strcmp(draft->type, "RequestHeaderModifier") == 0;
    bool *given = is_request ? &draft->request_given : &draft->response_given;
    if (*given) {
        return walk_complain_text(walk, node, draft->type, "is a filter of this rule already");
    }
    *given = true;
    return walk_mapping(walk, node, is_request ? request : response, draft);
}

static int take_filter(struct walk *walk, const yaml_node_t *node, void *target)
{
    struct filter_draft *draft = target;
    draft->type = walk_peek(walk, node, "type");
    if (draft->type == NULL) {
        static const struct walk_field fields[] = {{"type", walk_any_text, true}, WALK_END};
        return walk_mapping(walk, node, fields, NULL);
    }
    if (strcmp(draft->type, "RequestHeaderModifier") == 0 ||
        strcmp(draft->type, "ResponseHeaderModifier") == 0) {
        return take_modifier_filter(walk, node, draft);
    }
    if (strcmp(draft->type, "RequestMirror") == 0 || strcmp(draft->type, "ExtensionRef") == 0) {
        return walk_pass_over(walk, node,
                              "the filter %s is not supported by grpcroute; RequestHeaderModifier "
                              "and ResponseHeaderModifier are",
                              draft->type);
    }
    return walk_complain_text(walk, node, draft->type,
                              "is not a filter of GRPCRoute; expected RequestHeaderModifier or "
                              "ResponseHeaderModifier");
}

int parse_filters(struct walk *walk, const yaml_node_t *node, void *target)
{
    struct filter_draft draft = {.rule = target};
    return walk_sequence(walk, node, ROUTE_FILTERS_MAX, take_filter, &draft);
}
