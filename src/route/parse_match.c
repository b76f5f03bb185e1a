/* Matches: which requests a rule takes. */
#include "route/parse_match.h"

#include "base/mem.h"
#include "route/names.h"
#include "route/regex.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* Type and value arrive in any order; the pattern is made when both are known. */
struct pattern_draft {
    bool regex;
    const char *value;       /* borrowed from the document; NULL: not given */
    const yaml_node_t *node; /* of the value */
};

/* What a value must be: the length, and the look of an exact one. */
struct pattern_rule {
    size_t max;
    bool (*is_exact)(const char *value); /* NULL: anything */
    const char *expected;                /* completes the complaint */
};

static int take_type(struct walk *walk, const yaml_node_t *node, struct pattern_draft *draft,
                     const char *expected)
{
    const char *text = walk_text(walk, node);
    if (text == NULL) {
        return 1;
    }
    draft->regex = strcmp(text, "RegularExpression") == 0;
    return !draft->regex && strcmp(text, "Exact") != 0
               ? walk_complain_text(walk, node, text, expected)
               : 0;
}

static int take_value(struct walk *walk, const yaml_node_t *node, struct pattern_draft *draft)
{
    draft->value = walk_text(walk, node);
    draft->node = node;
    return draft->value == NULL;
}

/* Makes the pattern of the field `name`, if it was given. */
static int make_pattern(struct walk *walk, const struct pattern_draft *draft, const char *name,
                        const struct pattern_rule *rule, struct route_pattern *pattern)
{
    if (draft->value == NULL) {
        return 0;
    }
    size_t len = strlen(draft->value);
    if (len == 0 || len > rule->max) {
        return walk_complain(walk, draft->node, "%s has %zu characters; expected 1 to %zu", name,
                             len, rule->max);
    }
    if (draft->regex) {
        char reason[160];
        pattern->regex = route_regex_new(draft->value, reason, sizeof(reason));
        if (pattern->regex == NULL) {
            return walk_complain(walk, draft->node, "%s is a bad regular expression: %s", name,
                                 reason);
        }
    } else if (rule->is_exact != NULL && !rule->is_exact(draft->value)) {
        return walk_complain_text(walk, draft->node, draft->value, rule->expected);
    }
    pattern->value = mem_strdup(draft->value);
    return 0;
}

/* ---- headers --------------------------------------------------------------------------------- */

struct header_draft {
    struct pattern_draft pattern;
    struct route_match *match;
    struct route_header_match *header; /* the match's last one */
};

static int take_header_name(struct walk *walk, const yaml_node_t *node, void *target)
{
    struct header_draft *draft = target;
    if (walk_name(walk, node, names_is_header, "is not a header name", &draft->header->name) != 0) {
        return 1;
    }
    for (char *c = draft->header->name; *c != '\0'; c++) {
        *c = (char)tolower((unsigned char)*c);
    }
    /* Kubernetes would look at the first of them only, silently. */
    for (const struct route_header_match *other = draft->match->headers; other < draft->header;
         other++) {
        if (strcmp(other->name, draft->header->name) == 0) {
            return walk_complain_text(walk, node, other->name,
                                      "is matched already; header names ignore case");
        }
    }
    return 0;
}

static int take_header_type(struct walk *walk, const yaml_node_t *node, void *target)
{
    return take_type(walk, node, &((struct header_draft *)target)->pattern,
                     "is not a header match type; expected Exact or RegularExpression");
}

static int take_header_value(struct walk *walk, const yaml_node_t *node, void *target)
{
    return take_value(walk, node, &((struct header_draft *)target)->pattern);
}

static int take_header(struct walk *walk, const yaml_node_t *node, void *target)
{
    static const struct walk_field fields[] = {
        {"name", take_header_name, true},
        {"type", take_header_type, false},
        {"value", take_header_value, true},
        WALK_END,
    };
    static const struct pattern_rule rule = {.max = ROUTE_VALUE_MAX};
    struct route_match *match = target;
    struct header_draft draft = {.match = match, .header = &match->headers[match->header_count]};
    match->header_count++; /* counted first, so that a half-built one is freed */
    if (walk_mapping(walk, node, fields, &draft) != 0) {
        return 1;
    }
    return make_pattern(walk, &draft.pattern, "value", &rule, &draft.header->pattern);
}

static int take_headers(struct walk *walk, const yaml_node_t *node, void *target)
{
    return walk_sequence(walk, node, ROUTE_HEADERS_MAX, take_header, target);
}

/* ---- method ---------------------------------------------------------------------------------- */

struct method_draft {
    struct pattern_draft service;
    struct pattern_draft method;
    struct pattern_draft type; /* only .regex */
};

static int take_method_type(struct walk *walk, const yaml_node_t *node, void *target)
{
    return take_type(walk, node, &((struct method_draft *)target)->type,
                     "is not a method match type; expected Exact or RegularExpression");
}

static int take_service(struct walk *walk, const yaml_node_t *node, void *target)
{
    return take_value(walk, node, &((struct method_draft *)target)->service);
}

static int take_method_name(struct walk *walk, const yaml_node_t *node, void *target)
{
    return take_value(walk, node, &((struct method_draft *)target)->method);
}

static int take_method(struct walk *walk, const yaml_node_t *node, void *target)
{
    static const struct walk_field fields[] = {
        {"type", take_method_type, false},
        {"service", take_service, false},
        {"method", take_method_name, false},
        WALK_END,
    };
    static const struct pattern_rule service_rule = {
        ROUTE_METHOD_MAX, names_is_service, "is not a gRPC service such as package.Service"};
    static const struct pattern_rule method_rule = {ROUTE_METHOD_MAX, names_is_method,
                                                    "is not a gRPC method"};
    struct route_match *match = target;
    struct method_draft draft = {0};
    if (walk_mapping(walk, node, fields, &draft) != 0) {
        return 1;
    }
    if (draft.service.value == NULL && draft.method.value == NULL) {
        return walk_complain(walk, node, "service or method must be given");
    }
    draft.service.regex = draft.type.regex;
    draft.method.regex = draft.type.regex;
    return make_pattern(walk, &draft.service, "service", &service_rule, &match->service) != 0 ||
           make_pattern(walk, &draft.method, "method", &method_rule, &match->method) != 0;
}

int parse_match(struct walk *walk, const yaml_node_t *node, void *target)
{
    static const struct walk_field fields[] = {
        {"method", take_method, false},
        {"headers", take_headers, false},
        WALK_END,
    };
    return walk_mapping(walk, node, fields, target);
}
