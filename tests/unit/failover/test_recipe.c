#include "failover/recipe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
/* cmocka needs those first */
#include <cmocka.h>

static const struct failover_recipe_setting setting = {.kubectl = "kubectl --context kind",
                                                       .namespace = "prod"};

static void assert_command(const char *fault, const char *command)
{
    char out[FAILOVER_COMMAND_BYTES];
    const char *reason = NULL;
    assert_int_equal(failover_recipe_expand(fault, &setting, out, &reason), 0);
    assert_string_equal(out, command);
}

static void short_names_are_these_commands(void **state)
{
    assert_command(
        "scale:server-v1=4",
        "kubectl --context kind -n prod scale deployment/server-v1 --replicas=4 && "
        "kubectl --context kind -n prod rollout status deployment/server-v1 --timeout=5m");
    assert_command("scale:statefulset/db.a=0",
                   "kubectl --context kind -n prod scale statefulset/db.a --replicas=0 && "
                   "kubectl --context kind -n prod rollout status statefulset/db.a --timeout=5m");
    assert_command(
        "rollout:proxy-ingress",
        "kubectl --context kind -n prod rollout restart deployment/proxy-ingress && "
        "kubectl --context kind -n prod rollout status deployment/proxy-ingress --timeout=5m");
    assert_command(
        "reload-cert",
        "kubectl --context kind -n prod create secret generic proxy-certs --from-file=certs/cert.pem "
        "--from-file=certs/key.pem --dry-run=client -o yaml | kubectl --context kind -n prod apply -f -");
    assert_command(
        "reload-cert:tls=/etc/new",
        "kubectl --context kind -n prod create secret generic tls --from-file=/etc/new/cert.pem "
        "--from-file=/etc/new/key.pem --dry-run=client -o yaml | kubectl --context kind -n prod apply -f -");
    assert_command("reload-cert:123", "kill -s HUP 123");
    assert_command("reload-cert:USR2@123", "kill -s USR2 123");
    assert_command("reload-cert:/run/nginx.pid", "kill -s HUP \"$(cat /run/nginx.pid)\"");
    assert_command("reload-cert:USR2@./haproxy.pid", "kill -s USR2 \"$(cat ./haproxy.pid)\"");
    (void)state;
}

/* Whatever stands in a short name, no shell sees more than a word of it. */
static void mistakes_are_told_and_never_run(void **state)
{
    static const char *const mistakes[] = {
        "scale:",
        "scale:server-v1",
        "scale:server-v1=",
        "scale:server-v1=x",
        "scale:server-v1=-1",
        "scale:=4",
        "scale:a;b=4",
        "scale:a b=4",
        "scale:$(x)=4",
        "scale:-f=4",
        "scale:a=4;reboot",
        "scale:a/b/c=4",
        "scale:/a=4",
        "scale:A=4",
        "scale:a=10001",
        "scale:a=4 ",
        "rollout:",
        "rollout:a=1",
        "rollout:a b",
        "rollout:`x`",
        "rollout:a\nb",
        "rollout:--all",
        "rollout:deployment/",
        "reload-cert:",
        "reload-cert:nginx.pid",
        "reload-cert:0",
        "reload-cert:1",
        "reload-cert:-1",
        "reload-cert:KILL@12",
        "reload-cert:HUP@",
        "reload-cert:/run/a b",
        "reload-cert:/run/$(x)",
        "reload-cert:/run/\"x",
        "reload-cert:a=",
        "reload-cert:=b",
        "reload-cert:a=b c",
        "reload-cert:a=-f",
        "reload-cert:A b=c",
        "reload-cert:99999999",
    };
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        char out[FAILOVER_COMMAND_BYTES];
        const char *reason = NULL;
        if (failover_recipe_expand(mistakes[i], &setting, out, &reason) != -1 || reason == NULL) {
            fail_msg("'%s' was taken", mistakes[i]);
        }
    }
    (void)state;
}

static void other_commands_are_the_users_own(void **state)
{
    static const char *const own[] = {
        "",           "true",   "scale", "scale server-v1", "reload-certs", "nginx -s reload",
        " scale:a=1", "rollout"};
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        char out[FAILOVER_COMMAND_BYTES];
        const char *reason;
        assert_int_equal(failover_recipe_expand(own[i], &setting, out, &reason), 1);
    }
    (void)state;
}

static void a_bad_namespace_and_a_long_kubectl_are_refused(void **state)
{
    char out[FAILOVER_COMMAND_BYTES];
    char kubectl[FAILOVER_COMMAND_BYTES];
    const char *reason = NULL;
    const struct failover_recipe_setting bad = {.kubectl = "kubectl", .namespace = "a;b"};
    assert_int_equal(failover_recipe_expand("rollout:a", &bad, out, &reason), -1);
    assert_non_null(strstr(reason, "--namespace"));
    memset(kubectl, 'k', sizeof(kubectl) - 1);
    kubectl[sizeof(kubectl) - 1] = '\0';
    const struct failover_recipe_setting longer = {.kubectl = kubectl, .namespace = "a"};
    assert_int_equal(failover_recipe_expand("rollout:a", &longer, out, &reason), -1);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_names_are_these_commands),
        cmocka_unit_test(mistakes_are_told_and_never_run),
        cmocka_unit_test(other_commands_are_the_users_own),
        cmocka_unit_test(a_bad_namespace_and_a_long_kubectl_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
