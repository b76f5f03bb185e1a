/* Lines of logs and of output that was written to a file: encodings, carriage returns and colours.
 * Pure. */
#ifndef GRPCROUTE_BASE_TEXT_LINE_H
#define GRPCROUTE_BASE_TEXT_LINE_H

#include <stddef.h>
#include <stdint.h>

#define TEXT_HEAD_BYTES 4 /* enough to know an encoding by */
/* What one byte can lead to: the whole head, or a character. */
#define TEXT_DECODED_BYTES 8

enum text_encoding { TEXT_UNKNOWN, TEXT_UTF8, TEXT_UTF16LE, TEXT_UTF16BE };

/* Decodes a file; zeroed at first. */
struct text_decoder {
    enum text_encoding encoding;
    uint8_t head[TEXT_HEAD_BYTES]; /* the file's first bytes, then the unit that is under way */
    size_t head_len;
    uint32_t high; /* the first half of a surrogate pair, or 0 */
};

/* Takes the next byte of the file and returns how many bytes of UTF-8 were written. UTF-16 is known
 * by its byte order mark or by its zeros; anything else passes through as it is. */
size_t text_decode(struct text_decoder *decoder, uint8_t byte, char out[static TEXT_DECODED_BYTES]);

/* The end of the file: writes what the head of a very short one still holds. */
size_t text_decode_end(struct text_decoder *decoder, char out[static TEXT_DECODED_BYTES]);

/* Makes a line readable in place: takes out a byte order mark, colours (ECMA-48 SGR and EL), the
 * zeros of UTF-16 that was appended to another file, and blanks at the end; shows other zeros as
 * 0x01, so that they hide nothing. Ends it with NUL, for which there must be room, and returns its
 * new length. */
size_t text_clean_line(char *line, size_t len);

#endif
