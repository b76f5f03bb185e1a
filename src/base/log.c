/* The door of the log: a message is built and handed to the queue of its file. */
#include "base/log.h"

#include "base/log_line.h"
#include "base/log_out.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* How long the end of the program waits for a reader that takes nothing. */
#define FINISH_MS 1000

static atomic_int configured_level = LOG_INFO;

void log_configure(enum log_level level, enum log_format format)
{
    atomic_store(&configured_level, (int)level);
    log_line_set_format(format);
}

void log_show_utf8(bool shown)
{
    log_line_set_readable(shown);
}

void log_show_time(bool shown)
{
    log_line_set_timestamps(shown);
}

bool log_enabled(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&configured_level, memory_order_relaxed);
}

void log_event(enum log_level level, const struct log_source *source, const char *event,
               const struct log_pair *pairs, const char *format, ...)
{
    char message[LOG_MESSAGE_BYTES];
    if (!log_enabled(level)) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    if (len < 0) {
        message[0] = '\0';
    } else if (len >= (int)sizeof(message)) {
        memcpy(message + sizeof(message) - 4, "...", 4);
    }
    log_out_put(level, source, event, pairs, message);
}

void log_flush(void)
{
    log_out_flush();
}

bool log_finish(void)
{
    return log_out_drain(FINISH_MS);
}

uint64_t log_dropped(void)
{
    return log_out_dropped();
}

void log_end_when_unread(void)
{
    log_out_end_when_unread();
}
