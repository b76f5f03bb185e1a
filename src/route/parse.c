/* From YAML to a route table. Each function takes one part of a GRPCRoute; complaints carry the line and the path. */
#include "base/mem.h"
#include "base/text.h"
#include "route/regex.h"
#include "route/table.h"
#include "route/walk.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SHOWN_BYTES 100
#define API_VERSION "gateway.networking.k8s.io/v1"

static const char *show(char out[static SHOWN_BYTES], const char *text)
{
    text_escape(out, SHOWN_BYTES, text, strlen(text));
    return out;
}

/* ---- names and values ------------------------------------------------------------------------ */

/* RFC 1123 subdomain: lower case letters, digits, '-' and '.', beginning and ending with a letter or digit. */
static bool is_dns_name(const char *name)
{
    size_t len = strlen(name);
    if (len == 0 || len > 253 || !isalnum((unsigned char)name[0]) ||
        !isalnum((unsigned char)name[len - 1])) {
        return false;
    }
    return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-.") == len;
}

static int take_dns_name(struct yaml_walk *walk, yaml_node_t *node, char **target)
{
    const char *text = yaml_scalar(walk, node);
    if (text == NULL) {
        return 1;
    }
    if (!is_dns_name(text)) {
        char shown[SHOWN_BYTES];
        return yaml_complain(walk, node,
                             "\"%s\" is not a name; expected lower case letters, digits, '-' "
                             "and '.'",
                             show(shown, text));
    }
    *target = mem_strdup(text);
    return 0;
}

/* A type and its value arrive in any order; the pattern is made when both are known. */
struct pattern_draft {
    bool regex;
    const char *value;
    const yaml_node_t *value_node;
};

static int take_type(struct yaml_walk *walk, yaml_node_t *node, struct pattern_draft *draft)
{
    const char *text = yaml_scalar(walk, node);
    if (text == NULL) {
        return 1;
    }
    draft->regex = strcmp(text, "RegularExpression") == 0;
    if (!draft->regex && strcmp(text, "Exact") != 0) {
        char shown[SHOWN_BYTES];
        return yaml_complain(walk, node,
                             "\"%s\" is not a match type; expected Exact or RegularExpression",
                             show(shown, text));
    }
    return 0;
}

static int make_pattern(struct yaml_walk *walk, const yaml_node_t *node, const char *value,
                        bool regex, struct route_pattern *pattern)
{
    size_t len = strlen(value);
    if (len == 0 || len > ROUTE_VALUE_MAX) {
        return yaml_complain(walk, node, "a value has 1 to %d characters, this one %zu",
                             ROUTE_VALUE_MAX, len);
    }
    char reason[160];
    if (regex) {
        pattern->regex = route_regex_new(value, reason, sizeof(reason));
        if (pattern->regex == NULL) {
            return yaml_complain(walk, node, "bad regular expression: %s", reason);
        }
    }
    pattern->value = mem_strdup(value);
    return 0;
}

/* ---- matches --------------------------------------------------------------------------------- */

struct header_draft {
    struct pattern_draft pattern;
    struct route_header_match *match;
};

static bool is_token(const char *name)
{
    static const char others[] = "!#$%&'*+-.^_`|~"; /* RFC 9110 section 5.6.2 */
    for (const char *c = name; *c != '\0'; c++) {
        if (!isalnum((unsigned char)*c) && strchr(others, *c) == NULL) {
            return false;
        }
    }
    return name[0] != '\0' && strlen(name) <= 256;
}

static int take_header_name(struct yaml_walk *walk, yaml_node_t *node, void *target)
{
    struct header_draft *draft = target;
    const char *text = yaml_scalar(walk, node);
    if (text == NULL) {
        return 1;
    }
    if (!is_token(text)) {
        char shown[SHOWN_BYTES];
        return yaml_complain(walk, node, "\"%s\" is not a header name", show(shown, text));
    }
    draft->match->name = mem_strdup(text);
    for (char *c = draft->match->name; *c != '\0'; c++) {
        *c = (char)tolower((unsigned char)*c);
    }
    return 0;
}

static int take_header_type(struct yaml_walk *walk, yaml_node_t *node, void *target)
{
    return take_type(walk, node, &((struct header_draft *)target)->pattern);
}

static int take_header_value(struct yaml_walk *walk, yaml_node_t *node, void *target)
{
    struct header_draft *draft = target;
    draft->pattern.value = yaml_scalar(walk, node);
    draft->pattern.value_node = node;
    return draft->pattern.value == NULL;
}

static int take_header(struct yaml_walk *walk, yaml_node_t *node, void *target)
{
    static const struct yaml_field fields[] = {
        {"name", take_header_name, true},
        {"type", take_header_type, false},
        {"value", take_header_value, true},
        {NULL, NULL, false},
    };
    struct route_match *match = target;
    struct header_draft draft = {.match = &match->headers[match->header_count]};
    match->header_count++; /* counted first, so that a half-built one is freed */
    if (yaml_take_mapping(walk, node, fields, &draft) != 0) {
        return 1;
    }
    for (size_t i = 0; i + 1 < match->header_count; i++) {
        if (strcmp(match->headers[i].name, draft.match->name) == 0) {
            return yaml_complain(walk, node, "header \"%s\" is matched twice", draft.match->name);
        }
    }
    return make_pattern(walk, draft.pattern.value_node, draft.pattern.value, draft.pattern.regex,
                        &draft.match->pattern);
}

static int take_headers(struct yaml_walk *walk, yaml_node_t *node, void *target)
{
    return yaml_take_sequence(walk, node, ROUTE_HEADERS_MAX, take_header, target);
}

struct method_draft {
    struct pattern_draft type;
    const char *service;
    const char *method;
};

static int take_method_type(struct yaml_walk *walk, yaml_node_t *node, void *target)
{
    return take_type(walk, node, &((struct method_draft *)target)->type);
}

static int take_service(struct yaml_walk *walk, yaml_node_t *node, void *target)
{
    struct method_draft *draft = target;
    draft->service = yaml_scalar(walk, node);
    return draft->service == NULL;
}

static int take_method_name(struct yaml_walk *walk, yaml_node_t *node, void *target)
{
    struct method_draft *draft = target;
    draft->method = yaml_scalar(walk, node);
    return draft->method == NULL;
}

static int take_method(struct yaml_walk *walk, yaml_node_t *node, void *target)
{
    static const struct yaml_field fields[] = {
        {"type", take_method_type, false},
        {"service", take_service, false},
        {"method", take_method_name, false},
        {NULL, NULL, false},
    };
    struct route_match *match = target;
    struct method_draft draft = {0};
    if (yaml_take_mapping(walk, node, fields, &draft) != 0) {
        return 1;
    }
    if (draft.service == NULL && draft.method == NULL) {
        return yaml_complain(walk, node, "service or method must be given");
    }
    if (draft.service != NULL &&
        make_pattern(walk, node, draft.service, draft.type.regex, &match->service) != 0) {
        return 1;
    }
    return draft.method != NULL &&
           make_pattern(walk, node, draft.method, draft.type.regex, &match->method) != 0;
}

static int take_match(struct yaml_walk *walk, yaml_node_t *node, void *target)
{
    static const struct yaml_field fields[] = {
        {"method", take_method, false},
        {"headers", take_headers, false},
        {NULL, NULL, false},
    };
    struct route_rule *rule = target;
    return yaml_take_mapping(walk, node, fields, &rule->matches[rule->match_count++]);
}

static int take_matches(struct yaml_walk *walk, yaml_node_t *node, void *target)
{
    struct route_rule *rule = target;
    rule->matches = mem_calloc(ROUTE_MATCHES_MAX, sizeof(*rule->matches));
    return yaml_take_sequence(walk, node, ROUTE_MATCHES_MAX, take_match, rule);
}

/* ---- backends and rules ---------------------------------------------------------------------- */

static int take_backend_name(struct yaml_walk *walk, yaml_node_t *node, void *target)
{
    return take_dns_name(walk, node, &((struct route_backend *)target)->name);
}

static int take_port(struct yaml_walk *walk, yaml_node_t *node, void *target)
{
    uint64_t port = 0;
    int rv = yaml_take_number(walk, node, 1, UINT16_MAX, &port);
    ((struct route_backend *)target)->port = (uint16_t)port;
    return rv;
}

static int take_weight(struct yaml_walk *walk, yaml_node_t *node, void *target)
{
    uint64_t weight = 0;
    int rv = yaml_take_number(walk, node, 0, ROUTE_WEIGHT_MAX, &weight);
    ((struct route_backend *)target)->weight = (uint32_t)weight;
    return rv;
}

static int take_backend_kind(struct yaml_walk *walk, yaml_node_t *node, void *target)
{
    (void)target;
    const char *text = yaml_scalar(walk, node);
    if (text == NULL) {
        return 1;
    }
    return strcmp(text, "Service") == 0
               ? 0
               : yaml_complain(walk, node, "only backends of kind Service are supported");
}

static int take_backend(struct yaml_walk *walk, yaml_node_t *node, void *target)
{
    static const struct yaml_field fields[] = {
        {"name", take_backend_name, true},        {"port", take_port, true},
        {"weight", take_weight, false},           {"kind", take_backend_kind, false},
        {"group", yaml_take_anything, false},     {"namespace", yaml_take_anything, false},
        {"filters", NULL, false},                 {NULL, NULL, false},
    };
    struct route_rule *rule = target;
    struct route_backend *backend = &rule->backends[rule->backend_count++];
    backend->weight = 1;
    return yaml_take_mapping(walk, node, fields, backend);
}

static int take_backends(struct yaml_walk *walk, yaml_node_t *node, void *target)
{
    return yaml_take_sequence(walk, node, ROUTE_BACKENDS_MAX, take_backend, target);
}

static int take_rule_name(struct yaml_walk *walk, yaml_node_t *node, void *target)
{
    return take_dns_name(walk, node, &((struct route_rule *)target)->name);
}

static int take_rule(struct yaml_walk *walk, yaml_node_t *node, void *target)
{
    static const struct yaml_field fields[] = {
        {"name", take_rule_name, false},          {"matches", take_matches, false},
        {"backendRefs", take_backends, true},     {"filters", NULL, false},
        {"sessionPersistence", NULL, false},      {NULL, NULL, false},
    };
    struct route_table *table = target;
    return yaml_take_mapping(walk, node, fields, &table->rules[table->rule_count++]);
}

static int take_rules(struct yaml_walk *walk, yaml_node_t *node, void *target)
{
    return yaml_take_sequence(walk, node, ROUTE_RULES_MAX, take_rule, target);
}

static int take_hostname(struct yaml_walk *walk, yaml_node_t *node, void *target)
{
    struct route_table *table = target;
    const char *text = yaml_scalar(walk, node);
    if (text == NULL) {
        return 1;
    }
    const char *name = strncmp(text, "*.", 2) == 0 ? text + 2 : text;
    if (!is_dns_name(name)) {
        char shown[SHOWN_BYTES];
        return yaml_complain(walk, node, "\"%s\" is not a host name", show(shown, text));
    }
    table->hostnames[table->hostname_count++] = mem_strdup(text);
    return 0;
}

static int take_hostnames(struct yaml_walk *walk, yaml_node_t *node, void *target)
{
    return yaml_take_sequence(walk, node, ROUTE_HOSTNAMES_MAX, take_hostname, target);
}

/* ---- the document ---------------------------------------------------------------------------- */

static int take_spec(struct yaml_walk *walk, yaml_node_t *node, void *target)
{
    static const struct yaml_field fields[] = {
        {"rules", take_rules, true},
        {"hostnames", take_hostnames, false},
        {"parentRefs", yaml_take_anything, false},
        {NULL, NULL, false},
    };
    return yaml_take_mapping(walk, node, fields, target);
}

static int take_metadata(struct yaml_walk *walk, yaml_node_t *node, void *target)
{
    static const struct yaml_field fields[] = {
        {"name", yaml_take_anything, false},
        {"namespace", yaml_take_anything, false},
        {"labels", yaml_take_anything, false},
        {"annotations", yaml_take_anything, false},
        {NULL, NULL, false},
    };
    return yaml_take_mapping(walk, node, fields, target);
}

static int take_api_version(struct yaml_walk *walk, yaml_node_t *node, void *target)
{
    (void)target;
    const char *text = yaml_scalar(walk, node);
    if (text == NULL) {
        return 1;
    }
    if (strcmp(text, API_VERSION) != 0) {
        char shown[SHOWN_BYTES];
        return yaml_complain(walk, node, "\"%s\" is not supported; expected " API_VERSION,
                             show(shown, text));
    }
    return 0;
}

static int take_document(struct yaml_walk *walk, yaml_node_t *root, struct route_table *table)
{
    static const struct yaml_field fields[] = {
        {"apiVersion", take_api_version, true}, {"kind", yaml_take_anything, true},
        {"metadata", take_metadata, false},     {"spec", take_spec, true},
        {"status", yaml_take_anything, false},  {NULL, NULL, false},
    };
    if (yaml_take_mapping(walk, root, fields, table) != 0) {
        return 1;
    }
    return table->rule_count > 0
               ? 0
               : yaml_complain(walk, root, "spec.rules: at least one rule is needed");
}

/* The document's `kind`, or NULL. */
static const char *kind_of(yaml_document_t *document, const yaml_node_t *root)
{
    if (root == NULL || root->type != YAML_MAPPING_NODE) {
        return NULL;
    }
    for (yaml_node_pair_t *pair = root->data.mapping.pairs.start;
         pair < root->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = yaml_document_get_node(document, pair->key);
        const yaml_node_t *value = yaml_document_get_node(document, pair->value);
        if (key->type == YAML_SCALAR_NODE && value->type == YAML_SCALAR_NODE &&
            strcmp((const char *)key->data.scalar.value, "kind") == 0) {
            return (const char *)value->data.scalar.value;
        }
    }
    return NULL;
}

static int take_if_route(struct yaml_walk *walk, struct route_table *table)
{
    yaml_node_t *root = yaml_document_get_root_node(walk->document);
    const char *kind = kind_of(walk->document, root);
    if (kind == NULL && root != NULL) {
        return yaml_complain(walk, root, "not a Kubernetes object: field \"kind\" is missing");
    }
    if (kind == NULL || strcmp(kind, "GRPCRoute") != 0) {
        return 0;
    }
    if (table->rule_count > 0) {
        return yaml_complain(walk, root, "a second GRPCRoute; exactly one is expected");
    }
    return take_document(walk, root, table);
}

static int complain_syntax(const yaml_parser_t *parser, const char *name, struct route_error *error)
{
    snprintf(error->text, sizeof(error->text), "%.100s:%zu: not YAML: %s", name,
             parser->problem_mark.line + 1, parser->problem != NULL ? parser->problem : "no memory");
    return 1;
}

/* Takes all documents of the stream. Returns 0, or 1 with the error set. */
static int take_documents(yaml_parser_t *parser, const char *name, struct route_table *table,
                          struct route_error *error)
{
    for (;;) {
        yaml_document_t document;
        if (!yaml_parser_load(parser, &document)) {
            return complain_syntax(parser, name, error);
        }
        bool end = yaml_document_get_root_node(&document) == NULL;
        struct yaml_walk walk = {.document = &document, .file = name, .error = error};
        int rv = end ? 0 : take_if_route(&walk, table);
        yaml_document_delete(&document);
        if (rv != 0 || end) {
            return rv;
        }
    }
}

int route_table_parse(const char *bytes, size_t len, const char *name, struct route_table **ret,
                      struct route_error *ret_error)
{
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser)) {
        snprintf(ret_error->text, sizeof(ret_error->text), "%.100s: no memory", name);
        return 1;
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)bytes, len);
    struct route_table *table = mem_new(struct route_table);
    int rv = take_documents(&parser, name, table, ret_error);
    yaml_parser_delete(&parser);
    if (rv == 0 && table->rule_count == 0) {
        snprintf(ret_error->text, sizeof(ret_error->text), "%.100s: no GRPCRoute in this file", name);
        rv = 1;
    }
    if (rv != 0) {
        route_table_free(table);
        return 1;
    }
    table->source = mem_strndup(bytes, len);
    *ret = table;
    return 0;
}

/* ---- files ----------------------------------------------------------------------------------- */

static int complain_file(struct route_error *error, const char *path, const char *what)
{
    snprintf(error->text, sizeof(error->text), "%.200s: %s", path, what);
    return 1;
}

int route_table_load_file(const char *path, struct route_table **ret, struct route_error *ret_error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return complain_file(ret_error, path, strerror(errno));
    }
    char *bytes = mem_calloc(1, ROUTE_FILE_BYTES + 1);
    size_t len = 0;
    ssize_t got;
    while ((got = read(fd, bytes + len, ROUTE_FILE_BYTES + 1 - len)) > 0) {
        len += (size_t)got;
    }
    int error = errno;
    close(fd);
    int rv;
    if (got < 0) {
        rv = complain_file(ret_error, path, strerror(error));
    } else if (len > ROUTE_FILE_BYTES) {
        rv = complain_file(ret_error, path, "larger than 1 MiB");
    } else {
        rv = route_table_parse(bytes, len, path, ret, ret_error);
    }
    free(bytes);
    return rv;
}
