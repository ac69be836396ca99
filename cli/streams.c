#include "cli/streams.h"

#include "json/json.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int64_t second_ns = 1000000000;
static const int64_t day_ns = 86400 * second_ns;

/* What is reserved for the two buckets, in each region. A million users take about 150 MB. */
static const int64_t directory_max_bytes = 256 << 20;
static const int64_t revoked_max_bytes = 32 << 20;
enum { LOG_EXTRA_DAYS = 2, CHECKPOINT_EXTRA_DAYS = 2 };

int64_t cli_log_max_age_ns(uint32_t retention_s)
{
    return retention_s * second_ns + LOG_EXTRA_DAYS * day_ns;
}

unsigned cli_stream_shards(const struct cli_stream *stream)
{
    return stream->destination != NULL ? stream->destination->shards : stream->region->shards;
}

/* What all streams have in common. */
static struct cli_stream stream_in(const struct catalogue_region *region, enum cli_stream_kind kind)
{
    return (struct cli_stream){
        .kind = kind,
        .region = region,
        .retention = "limits",
        .storage = "file",
        .discard = "new",
        .cluster = region->name,
        .max_per_subject = -1,
        .replicas = region->replicas,
        .allow_direct = true,
    };
}

static struct cli_stream log_of(const struct catalogue *catalogue,
                                const struct catalogue_region *region, unsigned shard)
{
    struct cli_stream stream = stream_in(region, CLI_STREAM_LOG);
    stream.shard = shard;
    stream.name = wire_log_stream(region->name, shard);
    stream.subjects = wire_log_subjects(region->name, shard);
    stream.max_age_ns = cli_log_max_age_ns(catalogue_retention_s(catalogue));
    stream.max_bytes = (int64_t)region->log_max_bytes;
    stream.deny_delete = true;
    stream.deny_purge = true;
    stream.rung_by = stream.subjects;
    stream.rings = wire_log_ring(region->name, shard);
    stream.rings_bare = true;
    return stream;
}

static struct cli_stream outbox_of(const struct catalogue_region *region,
                                   const struct catalogue_region *destination)
{
    struct cli_stream stream = stream_in(region, CLI_STREAM_OUTBOX);
    stream.destination = destination;
    stream.name = wire_outbox_stream(region->name, destination->name);
    stream.subjects = wire_outbox_subjects(region->name, destination->name);
    stream.max_bytes = (int64_t)region->outbox_max_bytes;
    stream.rung_by = wire_outbox_lanes(region->name, destination->name);
    stream.rings = wire_outbox_ring(region->name, destination->name);
    stream.rings_bare = true;
    return stream;
}

/* A checkpoint is needed as long as its successor is in the log, and refers to segments that may
 * have been stored a dedupe window before it; the days beside are for a day between checkpoints and
 * one that came late. What is stored again replaces what was there. */
static struct cli_stream checkpoints_of(const struct catalogue *catalogue,
                                        const struct catalogue_region *region)
{
    struct cli_stream stream = stream_in(region, CLI_STREAM_CHECKPOINTS);
    stream.name = wire_checkpoint_stream(region->name);
    stream.subjects = wire_checkpoint_subjects(region->name);
    stream.max_age_ns = cli_log_max_age_ns(catalogue_retention_s(catalogue)) +
                        catalogue->dedupe_window_h * 3600 * second_ns +
                        CHECKPOINT_EXTRA_DAYS * day_ns;
    stream.max_bytes = (int64_t)region->log_max_bytes;
    stream.max_per_subject = 1;
    return stream;
}

static struct cli_stream bucket_in(const struct catalogue_region *region, const char *name,
                                   int64_t max_bytes)
{
    struct cli_stream stream = stream_in(region, CLI_STREAM_BUCKET);
    snprintf(stream.name.text, sizeof stream.name.text, "%s", name);
    /* The stream of bucket X is KV_X, its subjects are $KV.X.> */
    snprintf(stream.subjects.text, sizeof stream.subjects.text, "$KV.%s.>", name + strlen("KV_"));
    stream.max_bytes = max_bytes;
    stream.max_per_subject = 1;
    stream.allow_rollup = true;
    stream.deny_delete = true;
    return stream;
}

static struct cli_stream mirror_in(const struct catalogue_region *region, struct wire_name name,
                                   const struct cli_stream *origin)
{
    struct cli_stream stream = stream_in(region, CLI_STREAM_MIRROR);
    stream.name = name;
    stream.mirror = origin->name;
    stream.max_bytes = origin->max_bytes;
    stream.max_per_subject = 1;
    stream.allow_ttl = origin->allow_ttl;
    stream.mirror_direct = true;
    return stream;
}

static void plan_region(struct cli_plan *plan, const struct catalogue *catalogue,
                        const struct catalogue_region *region)
{
    for (unsigned shard = 0; shard < region->shards; shard++)
        plan->streams[plan->count++] = log_of(catalogue, region, shard);
    for (size_t i = 0; i < catalogue->region_count; i++) {
        if (&catalogue->regions[i] != region)
            plan->streams[plan->count++] = outbox_of(region, &catalogue->regions[i]);
    }
    plan->streams[plan->count++] = checkpoints_of(catalogue, region);
}

size_t cli_bucket_count(const struct catalogue *catalogue)
{
    return catalogue->directory_buckets + 1; /* the last one: revoked tokens */
}

bool cli_bucket_is_directory(const struct catalogue *catalogue, size_t which)
{
    return which < catalogue->directory_buckets;
}

static struct wire_bucket bucket_of(const struct catalogue *catalogue, size_t which)
{
    return (struct wire_bucket){.number = (unsigned)which, .of = catalogue->directory_buckets};
}

/* A bucket of several is given as much as one alone: it is split because that is not enough. */
struct cli_stream cli_bucket(const struct catalogue *catalogue,
                             const struct catalogue_region *region, size_t which)
{
    if (!cli_bucket_is_directory(catalogue, which)) {
        struct cli_stream revoked = bucket_in(region, WIRE_REVOKED_STREAM, revoked_max_bytes);
        revoked.allow_ttl = true;
        return revoked;
    }
    struct wire_name name = wire_directory_stream(bucket_of(catalogue, which));
    struct cli_stream stream = bucket_in(region, name.text, directory_max_bytes);
    stream.buckets = catalogue->directory_buckets;
    return stream;
}

struct cli_stream cli_bucket_mirror(const struct catalogue *catalogue,
                                    const struct catalogue_region *region, size_t which)
{
    struct cli_stream origin = cli_bucket(catalogue, region, which);
    struct wire_name name = cli_bucket_is_directory(catalogue, which)
                                ? wire_directory_mirror(bucket_of(catalogue, which), region->name)
                                : wire_revoked_mirror(region->name);
    return mirror_in(region, name, &origin);
}

static void plan_buckets(struct cli_plan *plan, const struct catalogue *catalogue)
{
    const struct catalogue_region *primary = catalogue_primary(catalogue);

    for (size_t which = 0; which < cli_bucket_count(catalogue); which++)
        plan->streams[plan->count++] = cli_bucket(catalogue, primary, which);
    for (size_t i = 0; i < catalogue->region_count; i++) {
        const struct catalogue_region *region = &catalogue->regions[i];
        for (size_t which = 0; region != primary && which < cli_bucket_count(catalogue); which++)
            plan->streams[plan->count++] = cli_bucket_mirror(catalogue, region, which);
    }
}

int cli_plan_init(struct cli_plan *plan, const struct catalogue *catalogue)
{
    size_t max = cli_bucket_count(catalogue) * catalogue->region_count;
    for (size_t i = 0; i < catalogue->region_count; i++)
        max += catalogue->regions[i].shards + catalogue->region_count;

    *plan = (struct cli_plan){.streams = calloc(max, sizeof *plan->streams)};
    if (plan->streams == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < catalogue->region_count; i++)
        plan_region(plan, catalogue, &catalogue->regions[i]);
    plan_buckets(plan, catalogue);
    assert(plan->count <= max);
    return 0;
}

void cli_plan_done(struct cli_plan *plan)
{
    free(plan->streams);
    *plan = (struct cli_plan){0};
}

uint64_t cli_plan_bytes(const struct cli_plan *plan, const struct catalogue_region *region)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < plan->count; i++) {
        const struct cli_stream *stream = &plan->streams[i];
        if (stream->region == region)
            bytes += (uint64_t)(stream->max_bytes * stream->replicas);
    }
    return bytes;
}

/* One row a field: how it is called in the API, and where its value stands here. */
static const struct stream_field {
    const char *key;
    const char *inside; /* it is a member of this object, or NULL */
    enum { FIELD_TEXT, FIELD_NAME, FIELD_NAMES, FIELD_NUMBER, FIELD_FLAG, FIELD_IF_SET } type;
    size_t offset;
} stream_fields[] = {
    {"subjects", NULL, FIELD_NAMES, offsetof(struct cli_stream, subjects)},
    {"name", "mirror", FIELD_NAME, offsetof(struct cli_stream, mirror)},
    {"retention", NULL, FIELD_TEXT, offsetof(struct cli_stream, retention)},
    {"storage", NULL, FIELD_TEXT, offsetof(struct cli_stream, storage)},
    {"discard", NULL, FIELD_TEXT, offsetof(struct cli_stream, discard)},
    {"cluster", "placement", FIELD_TEXT, offsetof(struct cli_stream, cluster)},
    {"max_age", NULL, FIELD_NUMBER, offsetof(struct cli_stream, max_age_ns)},
    {"max_bytes", NULL, FIELD_NUMBER, offsetof(struct cli_stream, max_bytes)},
    {"max_msgs_per_subject", NULL, FIELD_NUMBER, offsetof(struct cli_stream, max_per_subject)},
    {"num_replicas", NULL, FIELD_NUMBER, offsetof(struct cli_stream, replicas)},
    {"deny_delete", NULL, FIELD_FLAG, offsetof(struct cli_stream, deny_delete)},
    {"deny_purge", NULL, FIELD_FLAG, offsetof(struct cli_stream, deny_purge)},
    {"allow_direct", NULL, FIELD_FLAG, offsetof(struct cli_stream, allow_direct)},
    {"allow_rollup_hdrs", NULL, FIELD_FLAG, offsetof(struct cli_stream, allow_rollup)},
    {"mirror_direct", NULL, FIELD_FLAG, offsetof(struct cli_stream, mirror_direct)},
    {"allow_msg_ttl", NULL, FIELD_FLAG, offsetof(struct cli_stream, allow_ttl)},
    {"src", "republish", FIELD_NAME, offsetof(struct cli_stream, rung_by)},
    {"dest", "republish", FIELD_NAME, offsetof(struct cli_stream, rings)},
    {"headers_only", "republish", FIELD_IF_SET, offsetof(struct cli_stream, rings_bare)},
};

/* The value as it should stand in JSON; nothing when the field is to be left out. */
static void write_wanted(const struct cli_stream *stream, const struct stream_field *field,
                         struct buffer *out)
{
    const void *at = (const char *)stream + field->offset;
    const char *name = ((const struct wire_name *)at)->text;

    switch (field->type) {
    case FIELD_TEXT:
        json_write_string(out, text_of(*(const char *const *)at));
        break;
    case FIELD_NAME:
        if (name[0] != '\0')
            json_write_string(out, text_of(name));
        break;
    case FIELD_NAMES:
        if (name[0] == '\0')
            break;
        buffer_append_text(out, TEXT("["));
        json_write_string(out, text_of(name));
        buffer_append_text(out, TEXT("]"));
        break;
    case FIELD_NUMBER:
        buffer_printf(out, "%" PRId64, *(const int64_t *)at);
        break;
    case FIELD_FLAG:
        buffer_append_text(out, *(const bool *)at ? TEXT("true") : TEXT("false"));
        break;
    case FIELD_IF_SET:
        if (*(const bool *)at)
            buffer_append_text(out, TEXT("true"));
        break;
    }
}

/* Fields that are members of one object stand next to each other in the table. */
static void open_object(const char **inside, const char *wanted, struct buffer *out)
{
    if (*inside != NULL && wanted != NULL && strcmp(*inside, wanted) == 0) {
        buffer_append_text(out, TEXT(","));
        return;
    }
    if (*inside != NULL)
        buffer_append_text(out, TEXT("}"));
    buffer_append_text(out, TEXT(","));
    if (wanted != NULL)
        buffer_printf(out, "\"%s\":{", wanted);
    *inside = wanted;
}

void cli_stream_write(const struct cli_stream *stream, struct text metadata, struct buffer *out)
{
    struct buffer value = {0};
    const char *inside = NULL;

    buffer_append_text(out, TEXT("{\"name\":"));
    json_write_string(out, text_of(stream->name.text));
    for (size_t i = 0; i < COUNT_OF(stream_fields); i++) {
        const struct stream_field *field = &stream_fields[i];
        buffer_clear(&value);
        write_wanted(stream, field, &value);
        if (value.size == 0)
            continue;
        open_object(&inside, field->inside, out);
        buffer_printf(out, "\"%s\":%.*s", field->key, TEXT_ARGS(buffer_text(&value)));
    }
    if (inside != NULL)
        buffer_append_text(out, TEXT("}"));
    if (metadata.size > 0)
        buffer_printf(out, ",\"metadata\":%.*s", TEXT_ARGS(metadata));
    buffer_append_text(out, TEXT("}"));
    out->failed |= value.failed;
    buffer_free(&value);
}

/* The raw value of a field; JSON_ABSENT when it, or what it is inside of, is not there. */
static int find_value(struct text config, const struct stream_field *field,
                      struct json_value *ret_value)
{
    const char *outer = field->inside == NULL ? field->key : field->inside;
    const struct json_pick pick[] = {{outer, ret_value}};
    int err = json_object_pick(config, pick, COUNT_OF(pick));

    if (err < 0 || field->inside == NULL || ret_value->type != JSON_OBJECT)
        return err;
    struct json_value inner;
    const struct json_pick pick_inner[] = {{field->key, &inner}};
    err = json_object_pick(ret_value->raw, pick_inner, COUNT_OF(pick_inner));
    if (err == 0)
        *ret_value = inner;
    return err;
}

/* JetStream may write a string in other ways than ours (">" as "\u003e"): all are written again. */
static void write_found(struct json_value value, struct buffer *out)
{
    struct buffer words = {0};
    struct json_reader reader;
    struct json_value element;
    bool first = true;

    if (value.type == JSON_STRING && json_string_decode(value, &words) == 0) {
        json_write_string(out, buffer_text(&words));
    } else if (value.type == JSON_ARRAY && json_array_open(&reader, value.raw) == 0) {
        buffer_append_text(out, TEXT("["));
        for (; json_array_next(&reader, &element) == 1; first = false) {
            buffer_append_text(out, first ? TEXT("") : TEXT(","));
            write_found(element, out);
        }
        buffer_append_text(out, TEXT("]"));
    } else {
        buffer_append_text(out, value.raw);
    }
    out->failed |= words.failed;
    buffer_free(&words);
}

/* What JetStream leaves out is false, zero or nothing; what we leave out is nothing as well. */
static struct text shown(const struct buffer *value, const struct stream_field *field)
{
    if (value->size > 0)
        return buffer_text(value);
    if (field->type == FIELD_FLAG)
        return TEXT("false");
    return field->type == FIELD_NUMBER ? TEXT("0") : TEXT("absent");
}

/* 1 when the field differs (and a line is appended), else 0. */
static int drift_of(const struct stream_field *field, const struct buffer *found,
                    const struct buffer *wanted, struct buffer *out)
{
    struct text is = shown(found, field), should = shown(wanted, field);

    if (text_equal(is, should))
        return 0;
    if (field->inside != NULL)
        buffer_printf(out, "%s.", field->inside);
    buffer_printf(out, "%s is %.*s, should be %.*s\n", field->key, TEXT_ARGS(is),
                  TEXT_ARGS(should));
    return 1;
}

int cli_stream_drift(const struct cli_stream *stream, struct text config, struct buffer *out)
{
    struct buffer wanted = {0}, found = {0};
    int different = 0;

    for (size_t i = 0; i < COUNT_OF(stream_fields); i++) {
        struct json_value value = {0};
        if (find_value(config, &stream_fields[i], &value) < 0) {
            different = -EBADMSG;
            break;
        }
        buffer_clear(&wanted);
        buffer_clear(&found);
        write_wanted(stream, &stream_fields[i], &wanted);
        write_found(value, &found);
        different += drift_of(&stream_fields[i], &found, &wanted, out);
    }
    out->failed |= wanted.failed || found.failed;
    buffer_free(&wanted);
    buffer_free(&found);
    return different;
}
