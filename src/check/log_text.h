/* From a file's bytes to lines of UTF-8: encodings, carriage returns and colours. Pure. */
#ifndef GRPCROUTE_CHECK_LOG_TEXT_H
#define GRPCROUTE_CHECK_LOG_TEXT_H

#include <stddef.h>
#include <stdint.h>

#define CHECK_LOG_HEAD_BYTES 4 /* enough to know an encoding by */
/* What one byte can lead to: the whole head, or a character. */
#define CHECK_LOG_DECODED_BYTES 8

enum check_log_encoding { CHECK_LOG_UNKNOWN, CHECK_LOG_UTF8, CHECK_LOG_UTF16LE, CHECK_LOG_UTF16BE };

/* Decodes a file; zeroed at first. */
struct check_log_decoder {
    enum check_log_encoding encoding;
    uint8_t head[CHECK_LOG_HEAD_BYTES]; /* the file's first bytes, then the unit that is under way */
    size_t head_len;
    uint32_t high; /* the first half of a surrogate pair, or 0 */
};

/* Takes the next byte of the file and returns how many bytes of UTF-8 were written. UTF-16 is known
 * by its byte order mark or by its zeros; anything else passes through as it is. */
size_t check_log_decode(struct check_log_decoder *decoder, uint8_t byte,
                        char out[static CHECK_LOG_DECODED_BYTES]);

/* The end of the file: writes what the head of a very short one still holds. */
size_t check_log_decode_end(struct check_log_decoder *decoder,
                            char out[static CHECK_LOG_DECODED_BYTES]);

/* Makes a line readable in place: takes out a byte order mark, colours (ECMA-48 SGR and EL), the zeros of UTF-16 that
 * was appended to another file, and blanks at the end; shows other zeros as 0x01, so that they hide
 * nothing. Ends it with NUL, for which there must be room, and returns its new length. */
size_t check_log_clean(char *line, size_t len);

#endif
