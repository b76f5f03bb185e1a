/* What a recipe takes is checked so that it needs no quotes in a shell. */
#include "failover/recipe.h"

#include "base/mem.h"
#include "base/text.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define NAME_BYTES   300
#define REPLICAS_MAX 10000
#define PID_MAX      4194304 /* of Linux */
/* How long a rollout may take. */
#define ROLLOUT_TIMEOUT "5m"

static const char LOWER[] = "abcdefghijklmnopqrstuvwxyz";
static const char LOWER_DIGITS[] = "abcdefghijklmnopqrstuvwxyz0123456789-.";

struct recipe {
    const struct failover_recipe_setting *setting;
    char *out;
    const char *reason;
};

static int complain(struct recipe *recipe, const char *reason)
{
    recipe->reason = reason;
    return -1;
}

static int write_command(struct recipe *recipe, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static int write_command(struct recipe *recipe, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(recipe->out, FAILOVER_COMMAND_BYTES, format, arguments);
    va_end(arguments);
    return len >= 0 && len < FAILOVER_COMMAND_BYTES ? 0 : complain(recipe, "it is too long");
}

static bool consists_of(const char *text, size_t len, const char *characters)
{
    size_t taken = strspn(text, characters);
    return len > 0 && taken >= len;
}

/* A name in Kubernetes (RFC 1123 subdomain, or shorter). */
static bool is_name(const char *text, size_t len)
{
    return len <= 253 && consists_of(text, len, LOWER_DIGITS) && text[0] != '-' && text[0] != '.';
}

/* "NAME" or "KIND/NAME" of `len` bytes as "KIND/NAME"; a Deployment where no kind is named. */
static int take_workload(const char *text, size_t len, char out[static NAME_BYTES])
{
    const char *slash = memchr(text, '/', len);
    const char *name = slash != NULL ? slash + 1 : text;
    size_t name_len = len - (size_t)(name - text);
    if (!is_name(name, name_len) ||
        (slash != NULL && !consists_of(text, (size_t)(slash - text), LOWER))) {
        return -1;
    }
    snprintf(out, NAME_BYTES, "%s%.*s", slash != NULL ? "" : "deployment/", (int)len, text);
    return 0;
}

static int expand_scale(struct recipe *recipe, const char *text)
{
    const struct failover_recipe_setting *setting = recipe->setting;
    char workload[NAME_BYTES];
    const char *equals = strchr(text, '=');
    const char *reason;
    uint64_t replicas;
    if (equals == NULL || take_workload(text, (size_t)(equals - text), workload) != 0 ||
        text_parse_u64(equals + 1, 0, REPLICAS_MAX, &replicas, &reason) != 0) {
        return complain(recipe, "expected scale:NAME=N or scale:KIND/NAME=N");
    }
    return write_command(
        recipe,
        "%s -n %s scale %s --replicas=%u && %s -n %s rollout status %s --timeout=" ROLLOUT_TIMEOUT,
        setting->kubectl, setting->namespace, workload, (unsigned)replicas, setting->kubectl,
        setting->namespace, workload);
}

static int expand_rollout(struct recipe *recipe, const char *text)
{
    const struct failover_recipe_setting *setting = recipe->setting;
    char workload[NAME_BYTES];
    if (take_workload(text, strlen(text), workload) != 0) {
        return complain(recipe, "expected rollout:NAME or rollout:KIND/NAME");
    }
    return write_command(
        recipe,
        "%s -n %s rollout restart %s && %s -n %s rollout status %s --timeout=" ROLLOUT_TIMEOUT,
        setting->kubectl, setting->namespace, workload, setting->kubectl, setting->namespace,
        workload);
}

/* ---- reload-cert ----------------------------------------------------------------------------- */

/* A path that a shell takes as it is. */
static bool is_plain_path(const char *text)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./+,@:-";
    return text[0] != '-' && consists_of(text, strlen(text), plain);
}

/* The process is told: PID, or the path of a file with it, behind SIGNAL@ where it is not HUP. */
static int expand_signal(struct recipe *recipe, const char *text)
{
    static const char *const signals[] = {"HUP", "USR1", "USR2"};
    const char *signal = signals[0];
    const char *reason;
    uint64_t pid;
    for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
        size_t len = strlen(signals[i]);
        if (strncmp(text, signals[i], len) == 0 && text[len] == '@') {
            signal = signals[i];
            text += len + 1;
            break;
        }
    }
    if (text_parse_u64(text, 2, PID_MAX, &pid, &reason) == 0) {
        return write_command(recipe, "kill -s %s %u", signal, (unsigned)pid);
    }
    if (strchr(text, '/') == NULL || !is_plain_path(text)) {
        return complain(recipe, "expected reload-cert, reload-cert:SECRET=FOLDER, or "
                                "reload-cert:[SIGNAL@]PID or PIDFILE with a / in it and HUP, USR1 "
                                "or USR2 as signal");
    }
    return write_command(recipe, "kill -s %s \"$(cat %s)\"", signal, text);
}

/* The Secret is written anew from cert.pem and key.pem of a folder. */
static int expand_secret(struct recipe *recipe, const char *secret, size_t len, const char *folder)
{
    const struct failover_recipe_setting *setting = recipe->setting;
    if (!is_name(secret, len) || !is_plain_path(folder)) {
        return complain(recipe, "expected reload-cert:SECRET=FOLDER, FOLDER without blanks and "
                                "quotes");
    }
    return write_command(recipe,
                         "%s -n %s create secret generic %.*s --from-file=%s/cert.pem "
                         "--from-file=%s/key.pem --dry-run=client -o yaml | %s -n %s apply -f -",
                         setting->kubectl, setting->namespace, (int)len, secret, folder, folder,
                         setting->kubectl, setting->namespace);
}

static int expand_reload(struct recipe *recipe, const char *text)
{
    const char *equals = strchr(text, '=');
    if (equals != NULL) {
        return expand_secret(recipe, text, (size_t)(equals - text), equals + 1);
    }
    return expand_signal(recipe, text);
}

/* ---- all of them ----------------------------------------------------------------------------- */

int failover_recipe_expand(const char *fault, const struct failover_recipe_setting *setting,
                           char out[static FAILOVER_COMMAND_BYTES], const char **ret_reason)
{
    static const struct {
        const char *name;
        int (*expand)(struct recipe *recipe, const char *text);
    } recipes[] = {
        {"scale:", expand_scale},
        {"rollout:", expand_rollout},
        {"reload-cert:", expand_reload},
    };
    struct recipe recipe = {.setting = setting, .out = out};
    int rv = 1;
    if (strcmp(fault, "reload-cert") == 0) {
        rv = expand_reload(&recipe, "proxy-certs=certs"); /* as make apply-certs does */
    }
    for (size_t i = 0; rv == 1 && i < ARRAY_SIZE(recipes); i++) {
        size_t len = strlen(recipes[i].name);
        if (strncmp(fault, recipes[i].name, len) == 0) {
            rv = recipes[i].expand(&recipe, fault + len);
        }
    }
    if (rv == 0 && !is_name(setting->namespace, strlen(setting->namespace))) {
        rv = complain(&recipe, "--namespace: expected the name of a namespace");
    }
    if (rv < 0) {
        *ret_reason = recipe.reason;
    }
    return rv;
}
