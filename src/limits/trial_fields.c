#include "limits/trial_fields.h"

#include "base/mem.h"
#include "rpc/metadata.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_HEADER "grpc-timeout"
#define PAD_NAME_BYTES 24
/* Beside the pads: of any call, its id, the script and the timeout. */
#define OWN_FIELDS (LIMITS_CALL_FIELDS + 3)

static size_t add_own(const struct limits_trial *trial, struct limits_trial_texts *texts,
                      struct h2_header *fields)
{
    const struct limits_trial_setup *setup = &trial->setup;
    size_t count = limits_call_fields(trial->ground, fields, texts->agent);
    fields[count++] = H2_HEADER(RPC_PROBE_ID_HEADER, trial->id);
    if (rpc_probe_script_header(&setup->script, texts->script) > 0) {
        fields[count++] = H2_HEADER(RPC_PROBE_SCRIPT_HEADER, texts->script);
    }
    if (setup->timeout_ns != 0) {
        rpc_timeout_format(texts->timeout, setup->timeout_ns);
        fields[count++] = H2_HEADER(TIMEOUT_HEADER, texts->timeout);
    }
    for (size_t i = 0; i < setup->binary_count; i++) {
        const struct rpc_probe_field *field = &setup->binary[i];
        assert(i < RPC_PROBE_FIELDS && field->value_len <= LIMITS_TRIAL_BINARY_BYTES);
        rpc_binary_encode(texts->binary[i], sizeof(texts->binary[i]), field->value,
                          field->value_len);
        fields[count++] = H2_HEADER(field->name, texts->binary[i]);
    }
    return count;
}

/* One field whose value brings all up to the bytes that are wanted, or short ones up to their
 * number. */
static size_t add_pads(const struct limits_trial_setup *setup, struct limits_trial_texts *texts,
                       struct h2_header *fields, size_t count)
{
    size_t pads = setup->metadata_fields > count ? setup->metadata_fields - count : 0;
    size_t held = h2_fields_text_bytes(fields, count) + strlen(RPC_PROBE_PAD_HEADER "1");
    size_t value_len = 1;
    if (setup->metadata_bytes > held) {
        pads = 1;
        value_len = setup->metadata_bytes - held;
    }
    texts->pad_names = mem_calloc(pads + 1, PAD_NAME_BYTES);
    texts->pad_value = mem_calloc(1, value_len + 1);
    memset(texts->pad_value, 'x', value_len);
    for (size_t i = 0; i < pads; i++) {
        char *name = texts->pad_names + i * PAD_NAME_BYTES;
        snprintf(name, PAD_NAME_BYTES, RPC_PROBE_PAD_HEADER "%zu", i + 1);
        fields[count++] = H2_HEADER(name, texts->pad_value);
    }
    return count;
}

void limits_trial_fields_init(struct limits_trial_fields *fields, const struct limits_trial *trial)
{
    const struct limits_trial_setup *setup = &trial->setup;
    fields->texts = mem_new(struct limits_trial_texts);
    fields->fields = mem_calloc(OWN_FIELDS + setup->binary_count + 1 + setup->metadata_fields,
                                sizeof(struct h2_header));
    size_t count = add_own(trial, fields->texts, fields->fields);
    fields->count = add_pads(setup, fields->texts, fields->fields, count);
}

void limits_trial_fields_deinit(struct limits_trial_fields *fields)
{
    free(fields->texts->pad_names);
    free(fields->texts->pad_value);
    free(fields->texts);
    free(fields->fields);
}
