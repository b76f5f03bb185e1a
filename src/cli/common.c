/* Options that several commands share. */
#include "cli/common.h"

#include "base/log.h"
#include "base/text.h"

#include <errno.h>
#include <string.h>

const char *const cli_output_choices[] = {"text", "json", NULL};
const char *const cli_log_format_choices[] = {"text", "json", NULL}; /* enum log_format */
const char *const cli_log_level_choices[] = {"debug", "info", "warn", "error",
                                             NULL}; /* log_level */

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
