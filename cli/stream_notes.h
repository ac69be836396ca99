/* What provisioning keeps in a stream's metadata: records of a log expire, and after that this is
 * the only place that still says how the log began and what it was told last. Pure. */
#pragma once

#include "base/buffer.h"
#include "wire/record.h"

#include <stdbool.h>

enum { CLI_CONFIG_TEXT_MAX = 192 };

struct cli_notes {
    uint8_t incarnation[16];
    char region[TEXT_REGION_MAX + 1];
    uint64_t shards;        /* of the region (log), or of the destination (outbox) */
    uint8_t dedupe_key[16]; /* a log only */
    bool has_dedupe_key;
    char config[CLI_CONFIG_TEXT_MAX]; /* the config record written last; empty: none yet */
};

/* Appends a JSON object. */
void cli_notes_write(const struct cli_notes *notes, struct buffer *out);
/* Reads the `metadata` of a stream's configuration. -ENOENT: there is none of ours; -EBADMSG. */
MUST_USE int cli_notes_read(struct text config, struct cli_notes *ret_notes);

/* A config record in words, without its key: "level=1 retention_s=604800 ...". */
void cli_config_describe(const struct wire_config *config, char ret_text[CLI_CONFIG_TEXT_MAX]);
/* The retention that such a text names. -EBADMSG. */
MUST_USE int cli_config_level(const char *text, uint8_t *ret_level); /* the same of the level */
MUST_USE int cli_config_retention(const char *text, uint32_t *ret_retention_s);
