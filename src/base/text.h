/* Parsing and showing small texts: durations, addresses, versions, escapes. All pure. */
#ifndef GRPCROUTE_BASE_TEXT_H
#define GRPCROUTE_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TEXT_HOST_BYTES 256 /* RFC 1035 section 2.3.4: 253 and the end */

struct text_address {
    char host[TEXT_HOST_BYTES]; /* empty: all interfaces; IPv6 without brackets */
    uint16_t port;
};

/* "[HOST]:PORT" with its NUL. */
#define TEXT_ADDRESS_BYTES (TEXT_HOST_BYTES + 8)

/* The longest version with its NUL. */
#define TEXT_VERSION_BYTES 22

/* vMAJOR or vMAJOR.MINOR. */
struct text_version {
    uint32_t major;
    uint32_t minor;
    bool has_minor;
};

/* The parsers below return 0, or 1 with a static phrase in `*ret_reason` that names what was
 * expected ("a duration such as 250ms, 5s or 1m30s"); `*ret` is written only on success. */

/* "250ms", "5s", "2m", "1h", "1m30s", "1.5s" (as Go prints durations), up to INT64_MAX ns; larger
 * units come first; "0" needs no unit. */
int text_parse_duration(const char *text, uint64_t *ret_ns, const char **ret_reason);

/* "host:port", ":port", "[v6]:port"; with `default_port` non-zero the port may be missing. Port 0
 * is taken: to listen there means any free port. The host is checked for its form, not looked up.
 */
int text_parse_address(const char *text, uint16_t default_port, struct text_address *ret,
                       const char **ret_reason);

/* "v1" or "v1.2": decimal, no leading zeros, at most 9 digits each. */
int text_parse_version(const char *text, struct text_version *ret, const char **ret_reason);

/* True when a server of `server_version` is one for agents of `agent_version`: both are versions,
 * of one major. */
bool text_same_major(const char *server_version, const char *agent_version);

/* Whole decimal number in [min, max]. */
int text_parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *ret,
                   const char **ret_reason);

/* Bytes as Kubernetes and people write them: "65536", "512Ki", "64MiB", "2G", "2GB"; Ki, Mi, Gi are
 * powers of 1024, k, M, G of 1000. */
int text_parse_size(const char *text, uint64_t *ret_bytes, const char **ret_reason);

/* Enough for any duration. */
#define TEXT_DURATION_BYTES 24
/* Shows nanoseconds as people write them: "850us", "12.3ms", "4.20s", "2m05s", "1h02m"; 16 bytes
 * are enough below a century. Returns `out`. */
char *text_format_duration(char *out, size_t out_bytes, uint64_t ns);

/* Shows a share of 1 with three digits, which are enough of them that what is not all or nothing
 * does not look like it: "90.7 %", "25 %", "99.97 %", "< 0.01 %"; 16 bytes are enough up to a
 * million times. Returns `out`. */
char *text_format_percent(char *out, size_t out_bytes, double share);

/* Shows bytes with three digits: "950 B", "1.50 KiB", "12.3 MiB"; 16 bytes are enough. Returns
 * `out`. */
char *text_format_size(char *out, size_t out_bytes, double bytes);

/* "host:port", an IPv6 address in brackets; TEXT_ADDRESS_BYTES are enough. Returns `out`. */
char *text_format_address(char *out, size_t out_bytes, const char *host, uint16_t port);

/* Copies `len` bytes to `out`, with every byte outside printable ASCII as \xNN; cuts with "..."
 * when `out_bytes` is too small; always ends with NUL. Returns the length written. Escaping twice
 * is as good as once, so a message may pass several doors (a peer that writes \x0a itself looks the
 * same). The one door through which a peer's bytes reach a log or a terminal. */
size_t text_escape(char *out, size_t out_bytes, const char *bytes, size_t len);

/* Makes an escaped text readable in place: escapes that together are a visible character in UTF-8
 * become that character; controls, marks that turn or hide text, and broken bytes stay escaped. For
 * the last step before people read it, where UTF-8 can be shown. */
void text_make_readable(char *text);

/* Base64 with or without padding, several values separated by commas (gRPC PROTOCOL-HTTP2,
 * Custom-Metadata). */
bool text_is_base64_list(const char *text, size_t len);

/* Number of single-character edits between two words, for "did you mean". */
size_t text_distance(const char *a, const char *b);

/* Decodes the character at the front of `len` bytes. Returns its length in bytes, 1 to 4, or 0 when
 * `len` is 0 or the bytes are not well-formed UTF-8 (RFC 3629 section 4). */
size_t text_utf8_decode(const char *bytes, size_t len, uint32_t *ret_code_point);

/* The character at the front of `len` > 0 bytes, for a person to read: '?' for what must not reach
 * a terminal or a report (no UTF-8, a control character other than a newline, U+FFFE, U+FFFF).
 * Returns how many bytes it takes. */
size_t text_next_visible(const char *bytes, size_t len, uint32_t *ret_code_point);

/* True when the `len` bytes are well-formed UTF-8. */
bool text_is_utf8(const char *bytes, size_t len);

#endif
