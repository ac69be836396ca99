#include "cli/provision_log.h"

#include "base/hash.h"
#include "wire/record.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define HOUR_NS 3600000000000ll

void cli_found_begin(struct cli_found *found, const struct cli_stream *stream)
{
    struct cli_notes *notes = &found->notes;

    *notes = (struct cli_notes){.shards = cli_stream_shards(stream)};
    snprintf(notes->region, sizeof notes->region, "%s", stream->region->name);
    hash_random(notes->incarnation, sizeof notes->incarnation);
    if (stream->kind == CLI_STREAM_LOG && stream->shard == 0) {
        notes->has_dedupe_key = true;
        hash_random(notes->dedupe_key, sizeof notes->dedupe_key);
    }
}

/* The genesis that a stream should have; borrows from both. */
static struct wire_genesis genesis_of(const struct cli_stream *stream,
                                      const struct cli_notes *notes)
{
    struct wire_genesis genesis = {
        .stream = stream->kind == CLI_STREAM_OUTBOX ? 1 : 0,
        .region = text_of(stream->region->name),
        .destination = TEXT(""),
        .shard = (uint16_t)stream->shard,
        .shards = (uint16_t)cli_stream_shards(stream),
        .hash_name = TEXT(HASH_SHARD_NAME),
        .hash_version = HASH_SHARD_VERSION,
    };

    if (stream->destination != NULL)
        genesis.destination = text_of(stream->destination->name);
    memcpy(genesis.incarnation, notes->incarnation, sizeof genesis.incarnation);
    return genesis;
}

int cli_genesis_check(const struct wire_genesis *genesis, const struct wire_genesis *wanted,
                      const char *stream, struct error_text *reterr_why)
{
    if (genesis->shards != wanted->shards)
        return error_text_set(reterr_why, -EINVAL,
                              "%s was begun for %u shards, the catalogue says %u; the number of "
                              "shards of a region never changes",
                              stream, genesis->shards, wanted->shards);
    if (!text_equal(genesis->region, wanted->region))
        return error_text_set(reterr_why, -EINVAL, "%s was begun by region '%.*s', not '%.*s'",
                              stream, TEXT_ARGS(genesis->region), TEXT_ARGS(wanted->region));
    if (!text_equal(genesis->destination, wanted->destination))
        return error_text_set(reterr_why, -EINVAL, "%s was begun for region '%.*s', not '%.*s'",
                              stream, TEXT_ARGS(genesis->destination),
                              TEXT_ARGS(wanted->destination));
    if (genesis->stream != wanted->stream || genesis->shard != wanted->shard)
        return error_text_set(reterr_why, -EINVAL, "%s was begun as another stream (shard %u)",
                              stream, genesis->shard);
    if (!text_equal(genesis->hash_name, wanted->hash_name) ||
        genesis->hash_version != wanted->hash_version)
        return error_text_set(reterr_why, -EINVAL, "%s places users by '%.*s' version %u, not %s",
                              stream, TEXT_ARGS(genesis->hash_name), genesis->hash_version,
                              HASH_SHARD_NAME);
    if (memcmp(genesis->incarnation, wanted->incarnation, sizeof wanted->incarnation) != 0)
        return error_text_set(reterr_why, -EINVAL,
                              "%s is of another incarnation than its metadata says", stream);
    return 0;
}

/* Decodes a batch that should begin with a genesis. */
static int check_begun(const struct buffer *bytes, const struct wire_genesis *wanted,
                       const char *stream, struct error_text *reterr_why)
{
    struct wire_batch batch;
    struct wire_record record;

    if (wire_batch_read(bytes->data, bytes->size, &batch) < 0 ||
        wire_record_next(&batch.body, &record) < 0 || record.kind != WIRE_GENESIS)
        return error_text_set(reterr_why, -EINVAL, "%s does not begin with a genesis record",
                              stream);
    return cli_genesis_check(&record.genesis, wanted, stream, reterr_why);
}

static int end_batch(struct wire_batch_writer *writer, struct error_text *reterr_why)
{
    int err = wire_batch_end(writer);
    return err < 0 ? error_text_set(reterr_why, err, "out of memory") : 0;
}

/* `whole_stream`: it must be the first record of all, not only of its subject. */
static int write_genesis(struct cli_beginner *beginner, const char *subject,
                         const struct wire_genesis *genesis, bool whole_stream,
                         struct error_text *reterr_why)
{
    struct buffer bytes = {0};
    struct wire_batch_writer writer;
    uint64_t position;

    wire_batch_begin(&writer, &bytes);
    wire_genesis_write(&writer, genesis);
    int err = end_batch(&writer, reterr_why);
    if (err == 0 && whole_stream)
        err = cli_js_publish(beginner->js, subject, 0, buffer_text(&bytes), &position, reterr_why);
    else if (err == 0)
        err = cli_js_publish_subject(beginner->js, subject, 0, buffer_text(&bytes), &position,
                                     reterr_why);
    buffer_free(&bytes);
    return err;
}

static struct wire_config config_of(const struct catalogue *catalogue, const uint8_t key[16],
                                    uint8_t level)
{
    struct wire_config config = {
        .level = level,
        .dedupe_window_s = catalogue->dedupe_window_h * 3600,
        .retention_s = catalogue_retention_s(catalogue),
        .mailbox_max_messages = catalogue->mailbox_max_messages > UINT32_MAX
                                    ? UINT32_MAX
                                    : (uint32_t)catalogue->mailbox_max_messages,
        .mailbox_max_bytes = catalogue->mailbox_max_bytes,
        .devices_max = (uint16_t)catalogue->devices_max,
    };

    memcpy(config.dedupe_key, key, sizeof config.dedupe_key);
    return config;
}

static int append_config(struct cli_beginner *beginner, const char *subject, int64_t expect,
                         const struct wire_config *config, struct error_text *reterr_why)
{
    struct buffer bytes = {0};
    struct wire_batch_writer writer;
    uint64_t position;

    wire_batch_begin(&writer, &bytes);
    wire_config_write(&writer, config);
    int err = end_batch(&writer, reterr_why);
    if (err == 0)
        err = cli_js_publish(beginner->js, subject, expect, buffer_text(&bytes), &position,
                             reterr_why);
    /* A hub that is already running may have been first; the config then comes a little later. */
    if (err == -ESTALE)
        err = cli_js_publish(beginner->js, subject, -1, buffer_text(&bytes), &position, reterr_why);
    buffer_free(&bytes);
    return err;
}

/* `metadata` may be empty. */
static int update_stream(struct cli_beginner *beginner, const struct cli_stream *stream,
                         const struct buffer *metadata, struct error_text *reterr_why)
{
    struct buffer config = {0}, answer = {0};
    struct cli_js_error error;
    char call[WIRE_NAME_MAX + 16];

    cli_stream_write(stream, buffer_text(metadata), &config);
    snprintf(call, sizeof call, "STREAM.UPDATE.%s", stream->name.text);
    int err =
        metadata->failed || config.failed
            ? error_text_set(reterr_why, -ENOMEM, "out of memory")
            : cli_js_call(beginner->js, call, buffer_text(&config), &answer, &error, reterr_why);
    buffer_free(&config);
    buffer_free(&answer);
    return err;
}

/* The stream's metadata and its age follow the config record that was just written. */
static int update_notes(struct cli_beginner *beginner, const struct cli_stream *stream,
                        const struct cli_notes *notes, struct error_text *reterr_why)
{
    struct buffer metadata = {0};
    cli_notes_write(notes, &metadata);
    int err = update_stream(beginner, stream, &metadata, reterr_why);
    buffer_free(&metadata);
    return err;
}

int cli_follow_ring(struct cli_beginner *beginner, const struct cli_stream *stream,
                    struct cli_found *found, struct error_text *reterr_why)
{
    if (found->rings)
        return 0;
    beginner->records++;
    printf("%s: %s what is stored\n", stream->name.text, beginner->check ? "should tell" : "tells");
    if (beginner->check)
        return 0;
    int err = update_notes(beginner, stream, &found->notes, reterr_why);
    if (err == 0)
        found->rings = true;
    return err;
}

int cli_follow_age(struct cli_beginner *beginner, const struct cli_stream *stream,
                   struct cli_found *found, struct error_text *reterr_why)
{
    const struct buffer none = {0};
    if (found->max_age_ns == stream->max_age_ns)
        return 0;
    beginner->records++;
    printf("%s: %s %lld hours\n", stream->name.text, beginner->check ? "should keep" : "keeps",
           (long long)(stream->max_age_ns / HOUR_NS));
    if (beginner->check)
        return 0;
    int err = update_stream(beginner, stream, &none, reterr_why);
    if (err == 0)
        found->max_age_ns = stream->max_age_ns;
    return err;
}

static int follow_config(struct cli_beginner *beginner, const struct cli_stream *stream,
                         struct cli_found *found, const struct wire_config *config,
                         struct error_text *reterr_why)
{
    struct wire_name subject = wire_log_from_hubs(stream->region->name, stream->shard);
    char wanted[CLI_CONFIG_TEXT_MAX];

    cli_config_describe(config, wanted);
    if (strcmp(found->notes.config, wanted) == 0)
        return 0;
    beginner->records++;
    if (beginner->check) {
        printf("%s lacks a config record: %s\n", stream->name.text, wanted);
        return 0;
    }
    int err = append_config(beginner, subject.text, found->last <= 1 ? 1 : -1, config, reterr_why);
    if (err == 0) {
        snprintf(found->notes.config, sizeof found->notes.config, "%s", wanted);
        err = update_notes(beginner, stream, &found->notes, reterr_why);
    }
    if (err == 0)
        printf("%s: config %s\n", stream->name.text, wanted);
    return err;
}

/* Position 1 of a log that is not empty. One that has expired was checked often before. */
static int check_first(struct cli_beginner *beginner, const struct cli_stream *stream,
                       const struct wire_genesis *wanted, struct error_text *reterr_why)
{
    struct buffer bytes = {0};
    int err = cli_js_get(beginner->js, stream->name.text, 1, &bytes, reterr_why);

    if (err == 0)
        err = check_begun(&bytes, wanted, stream->name.text, reterr_why);
    buffer_free(&bytes);
    return err == -ENOENT ? 0 : err;
}

int cli_begin_log(struct cli_beginner *beginner, const struct cli_stream *stream,
                  struct cli_found *found, const uint8_t dedupe_key[16],
                  struct error_text *reterr_why)
{
    struct wire_name subject = wire_log_from_hubs(stream->region->name, stream->shard);
    struct wire_genesis wanted = genesis_of(stream, &found->notes);
    uint8_t level = beginner->level;
    int err = 0;

    /* Only owners raise the level of a log that there is: see docs/operations.md. */
    if (found->notes.config[0] != '\0' && cli_config_level(found->notes.config, &level) < 0)
        return error_text_set(reterr_why, -EINVAL, "the metadata of %s names no level",
                              stream->name.text);
    struct wire_config config = config_of(beginner->catalogue, dedupe_key, level);

    if (found->last == 0)
        beginner->records++;
    if (found->last == 0 && !beginner->check)
        err = write_genesis(beginner, subject.text, &wanted, true, reterr_why);
    /* -ESTALE: an attempt without an answer was stored after all. */
    if (found->last > 0 || err == -ESTALE)
        err = check_first(beginner, stream, &wanted, reterr_why);
    return err < 0 ? err : follow_config(beginner, stream, found, &config, reterr_why);
}

int cli_begin_outbox(struct cli_beginner *beginner, const struct cli_stream *stream,
                     const struct cli_found *found, struct error_text *reterr_why)
{
    struct wire_name subject = wire_outbox_genesis(stream->region->name, stream->destination->name);
    struct wire_genesis wanted = genesis_of(stream, &found->notes);
    struct buffer bytes = {0};
    int err = found->last == 0 ? -ENOENT
                               : cli_js_get_last(beginner->js, stream->name.text, subject.text,
                                                 &bytes, reterr_why);

    if (err == 0) {
        err = check_begun(&bytes, &wanted, stream->name.text, reterr_why);
    } else if (err == -ENOENT) {
        beginner->records++;
        err = 0;
        if (!beginner->check)
            err = write_genesis(beginner, subject.text, &wanted, false, reterr_why);
        if (err == -ESTALE) /* an attempt without an answer was stored after all */
            err = 0;
    }
    buffer_free(&bytes);
    return err;
}

int cli_renew_outbox(struct cli_beginner *beginner, const struct cli_stream *stream,
                     struct cli_found *found, struct error_text *reterr_why)
{
    struct wire_name subject = wire_outbox_genesis(stream->region->name, stream->destination->name);
    struct buffer bytes = {0};
    struct wire_batch_writer writer;
    uint64_t position;

    hash_random(found->notes.incarnation, sizeof found->notes.incarnation);
    struct wire_genesis genesis = genesis_of(stream, &found->notes);
    wire_batch_begin(&writer, &bytes);
    wire_genesis_write(&writer, &genesis);
    int err = end_batch(&writer, reterr_why);
    if (err == 0) /* the last one of its subject counts */
        err = cli_js_publish(beginner->js, subject.text, -1, buffer_text(&bytes), &position,
                             reterr_why);
    buffer_free(&bytes);
    if (err == 0)
        err = update_notes(beginner, stream, &found->notes, reterr_why);
    return err;
}
