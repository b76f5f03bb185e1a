/* The words by which lines of agents and servers are known. Pure. */
#ifndef GRPCROUTE_CHECK_LOG_WORDS_H
#define GRPCROUTE_CHECK_LOG_WORDS_H

#include <stdbool.h>

#define CHECK_LOG_AGENT_FRONT  "[AGENT_"
#define CHECK_LOG_SERVER_FRONT "[SERVER_"

/* Where `line` itself begins an agent's or server's text, or NULL. */
const char *check_log_find_front(const char *line);

/* The words of an agent or server, read or not. */
bool check_log_mentions_us(const char *line);

/* Not text: packed, encrypted or torn. What a terminal does with a line (colours, tabs, bells,
 * backspaces) and 0x01, as which a zero shows, do not count. */
bool check_log_is_binary(const char *line);

#endif
