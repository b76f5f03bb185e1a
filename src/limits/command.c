/* `grpcroute limits`: what does the path do to a stream? */
#include "limits/command.h"

#include "base/clock.h"
#include "base/mem.h"
#include "cli/common.h"
#include "cli/exit.h"
#include "cli/result.h"
#include "limits/compare_command.h"
#include "limits/contract.h"
#include "limits/run.h"
#include "limits/tell.h"
#include "role/connect.h"

#include <stdlib.h>
#include <string.h>

#define WITHIN_NS (90 * NS_PER_S)
/* Less than that ends before the two tries of a shape have begun. */
#define WITHIN_MIN_NS (1 * NS_PER_S)

struct options {
    struct role_connect_options connect;
    const char *version;
    uint64_t within_ns;
    bool gentle;
    const char *shapes;
    const char *contract;
    struct cli_output_options report;
};

/* clang-format off */
static const struct cli_option options_table[] = {
    ROLE_CONNECT_OPTIONS(struct options, connect),
    ROLE_SERVICE_OPTIONS(struct options, connect.service),
    {.name = "version", .kind = CLI_STRING, .offset = offsetof(struct options, version),
     .argument = "VERSION", .fallback = "v1.1", .help = "Version of the agent to play"},
    {.name = "within", .kind = CLI_DURATION, .offset = offsetof(struct options, within_ns),
     .argument = "DURATION", .fallback = "0", .max = LIMITS_WITHIN_MAX_NS,
     .help = "How long to look for limits of time; 0 for 90s, or as long as --contract needs"},
    {.name = "gentle", .kind = CLI_FLAG, .offset = offsetof(struct options, gentle),
     .help = "For paths in production: no thousands of streams, no large messages, no slow reader, "
             "no GOAWAY of the server"},
    {.name = "shapes", .kind = CLI_STRING, .offset = offsetof(struct options, shapes),
     .argument = "LIST",
     .help = "Only these, separated by commas, e.g. idle,half_close; without it all but idle_path, "
             "which takes --within once more"},
    {.name = "contract", .kind = CLI_FILE, .offset = offsetof(struct options, contract),
     .argument = "FILE",
     .help = "What the service needs, a line each, e.g. 'idle >= 10m'; fails where the path does "
             "not keep it"},
    CLI_OUTPUT_OPTIONS(struct options, report),
    CLI_REPORT_OPTION(struct options, report),
};
/* clang-format on */

/* ---- options --------------------------------------------------------------------------------- */

static void want_all(struct limits_result *result)
{
    for (unsigned i = 0; i < LIMITS_SHAPES; i++) {
        limits_finding_init(&result->findings[i], i);
        result->findings[i].wanted = true;
    }
}

static int want_named(struct limits_result *result, const char *list)
{
    for (unsigned i = 0; i < LIMITS_SHAPES; i++) {
        result->findings[i].wanted = false;
    }
    for (const char *at = list; *at != '\0';) {
        size_t len = strcspn(at, ",");
        enum limits_shape shape = limits_shape_find(at, len);
        if (shape == LIMITS_SHAPES) {
            cli_error("limits",
                      "--shapes: there is no shape \"%.*s\"; expected names of %s to %s, "
                      "as the result of a run has them",
                      (int)(len < 80 ? len : 80), at, limits_shape_name(0),
                      limits_shape_name(LIMITS_SHAPES - 1));
            return 1;
        }
        result->findings[shape].wanted = result->findings[shape].named = true;
        at += len + (at[len] == ',');
    }
    return 0;
}

/* What a promise needs is measured, but for what --shapes leaves out. */
static void want_promised(struct limits_result *result, const struct limits_contract *contract)
{
    for (size_t i = 0; i < contract->count; i++) {
        result->findings[contract->promises[i].shape].named = true;
    }
}

static uint64_t within_of(const struct options *options, const struct limits_contract *contract)
{
    uint64_t needs_ns = contract != NULL ? limits_contract_within_ns(contract) : 0;
    if (options->within_ns != 0) {
        return options->within_ns;
    }
    return needs_ns > WITHIN_NS ? needs_ns : WITHIN_NS;
}

/* ---- the run --------------------------------------------------------------------------------- */

static int measure(const struct options *options, const struct role_target *target,
                   struct limits_result *result, const struct limits_contract *contract)
{
    const struct limits_report report = {.result = result, .contract = contract};
    result->target = target->name;
    int rv = limits_run(result, target, options->version);
    if (rv < 0) {
        cli_error("limits", "cannot start an event loop: %s", strerror(-rv));
        return EXIT_USAGE;
    }
    if (!result->connected && result->interrupted_by == 0) {
        cli_error("limits", "%s", result->reason);
    }
    return limits_tell(&report, &options->report);
}

static int run_at(const struct options *options, struct limits_result *result,
                  const struct limits_contract *contract)
{
    struct role_target target;
    int rv = EXIT_USAGE;
    if (role_target_init(&target, "limits", &options->connect) != 0) {
        return EXIT_USAGE;
    }
    role_target_warn(&target, "limits");
    if (role_service_hold(target.service, "limits", 1U << ROLE_CALL_BIDI,
                          "such a call cannot be held open") == 0) {
        rv = measure(options, &target, result, contract);
    }
    role_target_deinit(&target);
    return rv;
}

static int read_contract(const struct options *options, struct limits_contract *contract)
{
    char reason[LIMITS_REASON_BYTES];
    int rv = limits_contract_read(options->contract, contract, reason);
    if (rv != 0) {
        cli_error("limits", "--contract: %s", reason);
    }
    return rv;
}

static int run_with(const struct options *options, struct limits_result *result,
                    struct limits_contract *contract)
{
    bool given = options->contract != NULL;
    if (cli_check_version("limits", options->version) != 0) {
        return EXIT_USAGE;
    }
    if (options->within_ns != 0 && options->within_ns < WITHIN_MIN_NS) {
        cli_error("limits",
                  "--within is below 1s, in which no limit of time is met; write --within "
                  "10s, or leave it out for 90s");
        return EXIT_USAGE;
    }
    want_all(result);
    if (options->shapes != NULL && want_named(result, options->shapes) != 0) {
        return EXIT_USAGE;
    }
    int rv = given ? read_contract(options, contract) : 0;
    if (rv != 0) {
        return rv;
    }
    want_promised(result, contract);
    result->gentle = options->gentle;
    result->within_ns = within_of(options, given ? contract : NULL);
    return run_at(options, result, given ? contract : NULL);
}

static int run(const void *parsed, int argc, char **argv)
{
    const struct options *options = parsed;
    if (argc > 0 && strcmp(argv[0], "compare") == 0) {
        cli_result_begin_inner("limits compare");
        return limits_compare_command(argc - 1, argv + 1, &options->report);
    }
    if (argc > 0) {
        cli_error("limits", "\"%s\" is not valid, expected compare BEFORE NOW, or nothing",
                  argv[0]);
        return EXIT_USAGE;
    }
    struct limits_result *result = mem_new(struct limits_result);
    struct limits_contract *contract = mem_new(struct limits_contract);
    int rv = run_with(options, result, contract);
    free(contract);
    free(result);
    return rv;
}

static const char *const inner_commands[] = {"compare", NULL};

static const struct cli_inner inner_table[] = {
    {"compare", (const char *const[]){"output", "json-file", "junit-file", NULL}}, /* no page */
    {NULL, NULL},
};

const struct cli_command limits_command = {
    .name = "limits",
    .summary = "Measure what the path does to streams, and name the setting",
    .description =
        "Holds streams and connections in many states at once, each on connections of its own,\n"
        "and sees what ends them, when, and at which hop: age, silence in each direction, PINGs,\n"
        "half-close, streams on a connection, sizes, statuses, ends. Two streams per state must\n"
        "agree. The other end is `grpcroute server`; before another server what needs its probe\n"
        "service is told as not measured. A limit is no fault: only --contract makes a verdict.\n\n"
        "`limits compare BEFORE NOW` shows what changed between two results (-o json; - is standard\n"
        "input), and fails when something is worse.",
    .examples = "  # What production will do to an agent that is silent for a minute and more\n"
                "  grpcroute limits --target proxy.example.com:8443 --cacert ca.pem\n"
                "  # Does the path keep what the service needs?\n"
                "  grpcroute limits --cacert certs/ca.pem --contract needs.txt --gentle\n"
                "  # What does the new gateway change?\n"
                "  grpcroute limits compare old.json new.json\n",
    .positional = "[compare BEFORE NOW]",
    .positional_words = inner_commands,
    .positional_files = true,
    .inner = inner_table,
    .options = options_table,
    .option_count = ARRAY_SIZE(options_table),
    .struct_bytes = sizeof(struct options),
    .gives_verdict = true,
    .outputs_offset = offsetof(struct options, report),
    .run = run,
};
