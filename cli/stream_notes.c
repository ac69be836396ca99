#include "cli/stream_notes.h"

#include "json/json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void write_hex(struct buffer *out, const char *key, const uint8_t bytes[16])
{
    buffer_printf(out, "\"%s\":\"", key);
    for (size_t i = 0; i < 16; i++)
        buffer_printf(out, "%02x", bytes[i]);
    buffer_append_text(out, TEXT("\","));
}

void cli_notes_write(const struct cli_notes *notes, struct buffer *out)
{
    buffer_append_text(out, TEXT("{"));
    write_hex(out, "meridian.incarnation", notes->incarnation);
    if (notes->has_dedupe_key)
        write_hex(out, "meridian.dedupe_key", notes->dedupe_key);
    buffer_printf(out, "\"meridian.region\":\"%s\",", notes->region);
    buffer_printf(out, "\"meridian.shards\":\"%" PRIu64 "\",", notes->shards);
    buffer_printf(out, "\"meridian.config\":\"%s\"}", notes->config);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int read_hex(struct text from, uint8_t ret_bytes[16])
{
    uint8_t bytes[16];

    if (from.size != 2 * sizeof bytes)
        return -EBADMSG;
    for (size_t i = 0; i < sizeof bytes; i++) {
        int high = hex_digit(from.data[2 * i]), low = hex_digit(from.data[2 * i + 1]);
        if (high < 0 || low < 0)
            return -EBADMSG;
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    memcpy(ret_bytes, bytes, sizeof bytes);
    return 0;
}

enum { NOTE_INCARNATION, NOTE_DEDUPE_KEY, NOTE_REGION, NOTE_SHARDS, NOTE_CONFIG, NOTES };

static int read_values(const struct text values[NOTES], struct cli_notes *notes)
{
    if (read_hex(values[NOTE_INCARNATION], notes->incarnation) < 0 ||
        text_put(notes->region, sizeof notes->region, values[NOTE_REGION]) < 0 ||
        text_to_u64(values[NOTE_SHARDS], UINT16_MAX, &notes->shards) < 0 ||
        text_put(notes->config, sizeof notes->config, values[NOTE_CONFIG]) < 0)
        return -EBADMSG;
    if (values[NOTE_DEDUPE_KEY].size == 0)
        return 0;
    notes->has_dedupe_key = true;
    return read_hex(values[NOTE_DEDUPE_KEY], notes->dedupe_key);
}

int cli_notes_read(struct text config, struct cli_notes *ret_notes)
{
    struct json_value metadata, found[NOTES];
    const struct json_pick outer[] = {{"metadata", &metadata}};
    const struct json_pick inner[NOTES] = {
        {"meridian.incarnation", &found[NOTE_INCARNATION]},
        {"meridian.dedupe_key", &found[NOTE_DEDUPE_KEY]},
        {"meridian.region", &found[NOTE_REGION]},
        {"meridian.shards", &found[NOTE_SHARDS]},
        {"meridian.config", &found[NOTE_CONFIG]},
    };
    struct text values[NOTES] = {0};
    struct cli_notes notes = {0};
    char room[CLI_CONFIG_TEXT_MAX]; /* none of ours needs an escape */

    if (json_object_pick(config, outer, COUNT_OF(outer)) < 0)
        return -EBADMSG;
    if (metadata.type != JSON_OBJECT)
        return -ENOENT;
    if (json_object_pick(metadata.raw, inner, COUNT_OF(inner)) < 0)
        return -EBADMSG;
    if (found[NOTE_INCARNATION].type == JSON_ABSENT)
        return -ENOENT;
    for (size_t i = 0; i < NOTES; i++) {
        if (found[i].type != JSON_ABSENT &&
            json_string_read(found[i], room, sizeof room, &values[i]) < 0)
            return -EBADMSG;
    }
    int err = read_values(values, &notes);
    if (err == 0)
        *ret_notes = notes;
    return err;
}

void cli_config_describe(const struct wire_config *config, char ret_text[CLI_CONFIG_TEXT_MAX])
{
    snprintf(ret_text, CLI_CONFIG_TEXT_MAX,
             "level=%u retention_s=%" PRIu32 " dedupe_window_s=%" PRIu32
             " mailbox_max_messages=%" PRIu32 " mailbox_max_bytes=%" PRIu64 " devices_max=%u",
             config->level, config->retention_s, config->dedupe_window_s,
             config->mailbox_max_messages, config->mailbox_max_bytes, config->devices_max);
}

/* The number behind "<key>=". */
static int read_number(const char *text, const char *key, uint64_t max, uint64_t *ret_number)
{
    const char *at = strstr(text, key);

    if (at == NULL)
        return -EBADMSG;
    at += strlen(key);
    struct text digits = {at, strspn(at, "0123456789")};
    return text_to_u64(digits, max, ret_number) < 0 ? -EBADMSG : 0;
}

int cli_config_level(const char *text, uint8_t *ret_level)
{
    uint64_t level;

    if (read_number(text, "level=", UINT8_MAX, &level) < 0)
        return -EBADMSG;
    *ret_level = (uint8_t)level;
    return 0;
}

int cli_config_retention(const char *text, uint32_t *ret_retention_s)
{
    uint64_t seconds;

    if (read_number(text, "retention_s=", UINT32_MAX, &seconds) < 0)
        return -EBADMSG;
    *ret_retention_s = (uint32_t)seconds;
    return 0;
}
