/* What is said of options and exit codes, in help and manual pages. */
#include "cli/describe.h"

#include "cli/value.h"

#include <stdio.h>
#include <string.h>

const struct cli_exit_code cli_exit_codes[] = {
    {"0", "All good"},
    {"1", "A check failed"},
    {"2", "Wrong options, configuration or fault command; unwritable file"},
    {"3", "Could not connect"},
    {"4", "Not enough evidence for a verdict"},
    {"129, 130, 143", "Interrupted (SIGHUP, SIGINT, SIGTERM)"},
    {NULL, NULL},
};

/* Adds a fact to the bracket behind a sentence. */
static void add_fact(char *facts, const char *label, const char *value)
{
    size_t len = strlen(facts);
    snprintf(facts + len, CLI_SENTENCE_BYTES - len, "%s%s%s", len > 0 ? "; " : "", label, value);
}

static void add_choices(char *facts, const struct cli_option *option)
{
    char choices[CLI_SENTENCE_BYTES / 2] = "";
    for (size_t i = 0; option->choices[i] != NULL; i++) {
        size_t len = strlen(choices);
        snprintf(choices + len, sizeof(choices) - len, "%s%s", i > 0 ? ", " : "",
                 option->choices[i]);
    }
    add_fact(facts, "", choices);
}

void cli_describe_option(const struct cli_option *option, char out[static CLI_SENTENCE_BYTES])
{
    char facts[CLI_SENTENCE_BYTES] = "";
    char range[CLI_RANGE_BYTES];
    cli_value_range(option, range);
    if (option->required) {
        add_fact(facts, "required", "");
    }
    if (option->kind == CLI_CHOICE) {
        add_choices(facts, option);
    }
    if (range[0] != '\0') {
        add_fact(facts, range, "");
    }
    if (option->fallback != NULL) {
        add_fact(facts, "default ", option->fallback);
    }
    if (option->environment != NULL) {
        add_fact(facts, "environment ", option->environment);
    }
    if (option->environment_negated) {
        strncat(facts, "=false", sizeof(facts) - strlen(facts) - 1);
    }
    if (option->kind == CLI_LIST) {
        add_fact(facts, "repeatable", "");
    }
    snprintf(out, CLI_SENTENCE_BYTES, facts[0] != '\0' ? "%s (%s)" : "%s%s", option->help, facts);
}
