/* Options that several commands share. */
#include "cli/common.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *const cli_output_choices[] = {"text", "json", NULL};
const char *const cli_log_format_choices[] = {"text", "json", NULL}; /* enum log_format */
const char *const cli_log_level_choices[] = {"debug", "info", "warn", "error",
                                             NULL}; /* log_level */

int cli_connect_check(const char *command, const struct cli_connect_options *options)
{
    if (options->cacert != NULL && options->plaintext) {
        cli_error(command, "--cacert: contradicts --plaintext (USE_TLS=false), which means no TLS");
        return 1;
    }
    if (options->cacert != NULL && options->tls_skip_verify) {
        cli_error(command, "--cacert: contradicts --tls-skip-verify, which verifies nothing");
        return 1;
    }
    return 0;
}

void cli_log_apply(const struct cli_log_options *options)
{
    log_configure((enum log_level)options->level, (enum log_format)options->format);
}

static int complain_file(const char *command, const char *option, const char *path, int error)
{
    cli_error(command, "%s: %s: %s", option, path, strerror(error));
    return 1;
}

int cli_check_file(const char *command, const char *option, const char *path)
{
    FILE *file = path != NULL ? fopen(path, "a") : NULL;
    if (path != NULL && file == NULL) {
        return complain_file(command, option, path, errno);
    }
    if (file != NULL) {
        fclose(file);
    }
    return 0;
}

int cli_write_file(const char *command, const char *option, const char *path,
                   void (*print)(FILE *out, const void *printed), const void *printed)
{
    if (path == NULL) {
        return 0;
    }
    FILE *file = fopen(path, "w");
    int error = file == NULL ? errno : 0;
    if (file != NULL) {
        print(file, printed);
        error = fflush(file) != 0 || ferror(file) ? errno : 0;
        error = fclose(file) != 0 && error == 0 ? errno : error;
    }
    return error != 0 ? complain_file(command, option, path, error) : 0;
}

size_t cli_take_versions(const char *command, const char *list, size_t max,
                         char versions[][TEXT_VERSION_BYTES])
{
    size_t count = 0;
    for (const char *at = list; *at != '\0' || count == 0;) {
        struct text_version version;
        const char *reason;
        size_t len = strcspn(at, ",");
        bool fits = count < max && len < TEXT_VERSION_BYTES;
        if (fits) {
            memcpy(versions[count], at, len);
            versions[count][len] = '\0';
        }
        if (!fits || text_parse_version(versions[count], &version, &reason) != 0) {
            cli_error(command,
                      "--versions: expected up to %zu versions such as v1.1, separated by commas",
                      max);
            return 0;
        }
        count++;
        at += len + (at[len] == ',');
    }
    return count;
}

/* ---- --endpoints ----------------------------------------------------------------------------- */

static int complain_endpoints(const char *command, const char *text, const char *what)
{
    char shown[120];
    text_escape(shown, sizeof(shown), text, strlen(text));
    cli_error(command, "--endpoints: \"%s\": %s; expected NAME=HOST:PORT[,HOST:PORT...]", shown,
              what);
    return 1;
}

int cli_unknown_endpoints(const char *command, const char *text)
{
    return complain_endpoints(command, text, "no rule of the routes has a backend of that name");
}

int cli_parse_endpoints(const char *command, const char *text, size_t max, struct text_address *ret,
                        size_t *ret_count, size_t *ret_name_len)
{
    const char *equals = strchr(text, '=');
    if (equals == NULL) {
        return complain_endpoints(command, text, "no \"=\"");
    }
    char *copy = mem_strdup(equals + 1);
    char *rest = copy;
    const char *reason = NULL;
    size_t count = 0;
    for (char *item = strsep(&rest, ","); item != NULL && reason == NULL;
         item = strsep(&rest, ",")) {
        if (count == max) {
            reason = "too many addresses";
        } else if (text_parse_address(item, 0, &ret[count], &reason) == 0) {
            reason = ret[count++].host[0] == '\0' ? "missing host" : NULL;
        }
    }
    free(copy);
    *ret_count = count;
    *ret_name_len = (size_t)(equals - text);
    return reason != NULL ? complain_endpoints(command, text, reason) : 0;
}
