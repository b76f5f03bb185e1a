/* Which shell's completion script. */
#include "cli/completion.h"

#include "base/mem.h"
#include "cli/completion_impl.h"

#include <string.h>

int cli_completion(const struct cli_program *program, const char *shell, FILE *out)
{
    static const struct {
        const char *shell;
        void (*write)(const struct cli_program *program, FILE *out);
    } SCRIPTS[] = {
        {"bash", cli_completion_bash},
        {"zsh", cli_completion_zsh},
        {"fish", cli_completion_fish},
    };
    for (size_t i = 0; i < ARRAY_SIZE(SCRIPTS); i++) {
        if (strcmp(shell, SCRIPTS[i].shell) == 0) {
            SCRIPTS[i].write(program, out);
            return 0;
        }
    }
    return 1;
}
