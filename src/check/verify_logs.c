#include "check/verify_logs.h"

#include "check/verdict.h"
#include "cli/exit.h"
#include "rpc/ping.h"

#include <stdio.h>

/* By the routes alone: without them nothing is known of it. */
static struct role_expectation of_versionless(const struct role_expects *expects)
{
    if (expects->options->routes != NULL) {
        return role_expects_at_edge(expects, NULL, 0);
    }
    struct role_expectation expect = {.rule = ROLE_EXPECT_UNKNOWN};
    snprintf(expect.reason, sizeof(expect.reason),
             "nothing says where streams without a version belong (--routes)");
    return expect;
}

/* What occurs without having been asked for. */
static struct role_expectation expect(void *user, const char *version)
{
    return version[0] == '\0' ? of_versionless(user) : role_expects_of(user, version);
}

static struct role_expectation servers_of(void *user, const char *cluster)
{
    return role_expects_servers(user, cluster);
}

static void judge(struct check_logs *logs, void *user, struct check_report *ret_report)
{
    (void)user;
    check_logs_verify(logs, ret_report);
    check_report_judge_unknown(ret_report);
}

int verify_logs_run(struct check_plan *plan, const struct check_log_options *logs,
                    const struct check_session_options *session, struct role_expects *expects)
{
    const struct check_log_headers headers = {session->connect.version_header,
                                              session->connect.id_header};
    const struct check_log_owner owner = {
        .expect = expect,
        .servers = servers_of,
        .path = expects->path[0] != '\0' ? expects->path : RPC_PING_PATH,
        .headers = &headers,
        .user = expects,
    };
    return check_log_session_run(plan, logs, session, &owner, judge);
}

int verify_logs_expect(struct role_expects *expects, const struct role_expect_options *options,
                       const char *method)
{
    if (role_expects_init(expects, "verify", options, NULL) != 0) {
        return 1;
    }
    if (method != NULL && role_service_path(method, expects->path) != 0) {
        cli_error("verify", "--method: \"%.100s\" is not /package.Service/Method", method);
        return 1;
    }
    return 0;
}
