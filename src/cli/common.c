/* Options that several commands share. */
#include "cli/common.h"

#include "base/log.h"
#include "base/outfile.h"
#include "base/random.h"
#include "base/text.h"
#include "cli/terminal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *const cli_output_choices[] = {"text", "json", "markdown", NULL};
const char *const cli_log_format_choices[] = {"text", "json", NULL}; /* enum log_format */

void cli_log_apply(const struct cli_log_options *options)
{
    log_configure((enum log_level)options->level, (enum log_format)options->format);
    log_show_utf8(cli_shows_utf8());
    log_show_time(options->timestamps);
}

static int complain_file(const char *command, const char *option, const char *path, int error)
{
    cli_error(command, "%s: %s: %s", option, path, strerror(error));
    return 1;
}

int cli_check_file(const char *command, const char *option, const char *path)
{
    int rv = path != NULL ? outfile_check(path) : 0;
    return rv != 0 ? complain_file(command, option, path, -rv) : 0;
}

int cli_write_file(const char *command, const char *option, const char *path,
                   void (*print)(FILE *out, const void *printed), const void *printed)
{
    if (path == NULL) {
        return 0;
    }
    char *bytes = NULL;
    size_t len = 0;
    FILE *memory = open_memstream(&bytes, &len);
    int rv = memory == NULL ? -errno : 0;
    if (memory != NULL) {
        print(memory, printed);
        rv = fclose(memory) != 0 ? -errno : outfile_write(path, bytes, len);
    }
    free(bytes);
    return rv != 0 ? complain_file(command, option, path, -rv) : 0;
}

uint64_t cli_seed(uint64_t given)
{
    return given != 0 ? given : 1 + random_below(UINT32_MAX);
}

bool cli_is_visible(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] <= 0x20 || text[i] >= 0x7f) {
            return false;
        }
    }
    return true;
}

int cli_check_version(const char *command, const char *version)
{
    if (strlen(version) < CLI_AGENT_VERSION_BYTES && cli_is_visible(version, strlen(version))) {
        return 0;
    }
    cli_error(command, "--version: \"%.100s\" is not valid, expected 1 to 64 visible characters",
              version);
    return 1;
}

size_t cli_take_versions(const char *command, const char *list, size_t max,
                         char versions[][CLI_AGENT_VERSION_BYTES])
{
    size_t count = 0;
    for (const char *at = list; *at != '\0' || count == 0;) {
        at += strspn(at, " ");
        size_t len = strcspn(at, ",");
        const char *next = at + len + (at[len] == ',');
        while (len > 0 && at[len - 1] == ' ') {
            len--;
        }
        if (count == max || len == 0 || len >= CLI_AGENT_VERSION_BYTES ||
            !cli_is_visible(at, len)) {
            cli_error(command,
                      "--versions: \"%.*s\": expected up to %zu versions of 1 to 64 visible "
                      "characters such as v1.1, separated by commas",
                      (int)(len < 80 ? len : 80), at, max);
            return 0;
        }
        snprintf(versions[count], CLI_AGENT_VERSION_BYTES, "%.*s", (int)len, at);
        count++;
        at = next;
    }
    return count;
}
