/* The words by which lines of agents and servers are known. Pure. */
#ifndef GRPCROUTE_CHECK_LOG_WORDS_H
#define GRPCROUTE_CHECK_LOG_WORDS_H

#include <stdbool.h>

#define CHECK_LOG_AGENT_FRONT  "[AGENT_"
#define CHECK_LOG_SERVER_FRONT "[SERVER_"

/* The name of the stream log, as "log" in each of its lines has it, and a key of Traefik's. */
#define CHECK_LOG_STREAM_NAME "grpcroute.stream"
#define CHECK_LOG_TRAEFIK_KEY "DownstreamStatus"

/* Where `line` itself begins an agent's or server's text, or NULL. */
const char *check_log_find_front(const char *line);

/* Where `line` has the name of a proxy's log, or NULL. */
const char *check_log_find_stream(const char *line);

/* Whether it has either. */
bool check_log_has_line(const char *line);

/* The words of an agent, a server or a proxy's log, read or not. */
bool check_log_mentions_us(const char *line);

/* Not text: packed, encrypted or torn. What a terminal does with a line (colours, tabs, bells,
 * backspaces) and 0x01, as which a zero shows, do not count. */
bool check_log_is_binary(const char *line);

#endif
