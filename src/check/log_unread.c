#include "check/log_unread.h"

#include "base/text.h"

#include <string.h>

void check_log_count_unread(struct check_log_unread *unread, const char *line, size_t len,
                            enum check_log_meaning meaning, bool harmless)
{
    bool lost = check_log_is_lost(meaning) && !harmless;
    if (unread->lines++ == 0 || (lost && !unread->quote_lost)) {
        text_escape(unread->quote, sizeof(unread->quote), line, len);
        unread->quote_lost = lost;
    }
    unread->lost += lost;
    unread->strange += lost && meaning == CHECK_LOG_STRANGE;
    unread->tails += meaning == CHECK_LOG_TAIL;
    unread->lost_tails += lost && meaning == CHECK_LOG_TAIL;
}

void check_log_add_unread(struct check_log_unread *sum, const struct check_log_unread *unread)
{
    if (unread->lines > 0 && (sum->lines == 0 || (unread->quote_lost && !sum->quote_lost))) {
        memcpy(sum->quote, unread->quote, sizeof(sum->quote));
        sum->quote_lost = unread->quote_lost;
    }
    sum->lines += unread->lines;
    sum->lost += unread->lost;
    sum->strange += unread->strange;
    sum->tails += unread->tails;
    sum->lost_tails += unread->lost_tails;
}
