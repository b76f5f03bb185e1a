/* What fuzz targets share: a check that ends the run, and what must hold for whatever is shown. */
#ifndef GRPCROUTE_TESTS_FUZZ_H
#define GRPCROUTE_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* A target that needs it has one. */
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* Aborts, which libFuzzer reports with the input. */
#define FUZZ_CHECK(holds)                                                                          \
    do {                                                                                           \
        if (!(holds)) {                                                                            \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #holds);             \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* What a function prints into memory; the text is owned by the caller, ends with NUL and has none
 * within. */
static inline char *fuzz_printed(void (*print)(FILE *out, const void *what), const void *what)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    FUZZ_CHECK(out != NULL);
    print(out, what);
    fclose(out);
    FUZZ_CHECK(text != NULL && strlen(text) == len);
    return text;
}

/* Nothing that a terminal obeys, besides the ends of lines and tabs. */
static inline bool fuzz_is_plain(const char *text)
{
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++) {
        if ((*at < 0x20 && *at != '\n' && *at != '\t') || *at == 0x7f) {
            return false;
        }
    }
    return true;
}

#endif
