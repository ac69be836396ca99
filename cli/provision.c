#include "cli/provision.h"

#include "cli/buckets.h"
#include "cli/http.h"
#include "cli/jetstream.h"
#include "cli/provision_log.h"
#include "cli/streams.h"
#include "cli/version.h"
#include "json/json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATIENCE_MS = 60000, MONITOR_MS = 1000 };

struct provision {
    const struct catalogue *catalogue;
    struct cli_link link;
    struct cli_jetstream js;
    struct cli_plan plan;
    struct cli_found *found; /* one for each stream of the plan */
    bool check;              /* only look */
    uint8_t level;           /* of logs that are begun now */
    const char *renew;       /* the name of an outbox: only that; NULL: none */
    size_t made;
    size_t drifted; /* streams */
    size_t records;
};

static int judge_server(const struct provision *provision, struct error_text *reterr_why)
{
    const char *version = bus_server_version(provision->link.bus);

    switch (cli_version_judge(version)) {
    case CLI_VERSION_GOOD:
        return 0;
    case CLI_VERSION_OLD:
        fprintf(stderr, "warning: nats-server %s has known ways to lose data; use %s or newer\n",
                version, CLI_VERSION_WANTED);
        return 0;
    case CLI_VERSION_REFUSED:
    case CLI_VERSION_UNKNOWN:
        break;
    }
    return error_text_set(reterr_why, -ENOTSUP, "nats-server '%s' is too old, %s is needed",
                          version, CLI_VERSION_MINIMUM);
}

/* Reads the answer of STREAM.INFO. */
static int read_info(struct text answer, struct json_value *ret_config, uint64_t *ret_last)
{
    struct json_value state, last;
    const struct json_pick outer[] = {{"config", ret_config}, {"state", &state}};
    const struct json_pick inner[] = {{"last_seq", &last}};

    if (json_object_pick(answer, outer, COUNT_OF(outer)) < 0 || ret_config->type != JSON_OBJECT ||
        json_object_pick(state.raw, inner, COUNT_OF(inner)) < 0)
        return -EBADMSG;
    return json_to_u64(last, UINT64_MAX, ret_last);
}

/* A log keeps its messages as long as its last config record says, which the catalogue may have
 * left behind, and checkpoints go by the same; streams of older releases do not ring. That is no
 * drift, it is about to be changed. */
static struct cli_stream as_it_was(const struct cli_stream *stream, const struct cli_found *found)
{
    struct cli_stream was = *stream;
    uint32_t retention_s;

    if (!found->rings) {
        was.rung_by = was.rings = (struct wire_name){0};
        was.rings_bare = false;
    }
    if (stream->kind == CLI_STREAM_CHECKPOINTS)
        was.max_age_ns = found->max_age_ns;
    if (stream->kind == CLI_STREAM_LOG &&
        cli_config_retention(found->notes.config, &retention_s) == 0)
        was.max_age_ns = cli_log_max_age_ns(retention_s);
    return was;
}

static void report_drift(struct provision *provision, const struct cli_stream *stream,
                         struct text lines)
{
    provision->drifted++;
    while (lines.size > 0) {
        const char *end = memchr(lines.data, '\n', lines.size);
        size_t size = end == NULL ? lines.size : (size_t)(end - lines.data);
        fprintf(stderr, "%s: %.*s\n", stream->name.text, (int)size, lines.data);
        size_t past = end == NULL ? size : size + 1;
        lines = (struct text){lines.data + past, lines.size - past};
    }
}

static bool has_notes(const struct cli_stream *stream)
{
    return stream->kind == CLI_STREAM_LOG || stream->kind == CLI_STREAM_OUTBOX;
}

/* Compares a stream that is there with what it should be. */
static int compare(struct provision *provision, const struct cli_stream *stream,
                   struct cli_found *found, struct text config)
{
    struct buffer lines = {0};

    struct json_value max_age = {.type = JSON_ABSENT}, ring = {.type = JSON_ABSENT};
    const struct json_pick picks[] = {{"max_age", &max_age}, {"republish", &ring}};
    uint64_t max_age_ns = 0;
    if (json_object_pick(config, picks, COUNT_OF(picks)) == 0 &&
        json_to_u64(max_age, INT64_MAX, &max_age_ns) == 0)
        found->max_age_ns = (int64_t)max_age_ns;
    found->there = true;
    found->rings = ring.type == JSON_OBJECT;
    int err = has_notes(stream) ? cli_notes_read(config, &found->notes) : 0;
    if (err < 0)
        buffer_printf(&lines, "its metadata was not written by meridian provision\n");
    else if (has_notes(stream) && found->notes.shards != cli_stream_shards(stream))
        buffer_printf(&lines,
                      "was begun for %" PRIu64
                      " shards, the catalogue says %u; the number of shards "
                      "of a region never changes\n",
                      found->notes.shards, cli_stream_shards(stream));
    struct cli_stream was = as_it_was(stream, found);
    err = cli_stream_drift(&was, config, &lines);
    if (err >= 0 && lines.size > 0)
        report_drift(provision, stream, buffer_text(&lines));
    if (lines.failed)
        err = -ENOMEM;
    buffer_free(&lines);
    return err < 0 ? err : 0;
}

static int look_at(struct provision *provision, size_t i, struct error_text *reterr_why)
{
    const struct cli_stream *stream = &provision->plan.streams[i];
    struct cli_found *found = &provision->found[i];
    struct buffer answer = {0};
    struct json_value config;
    struct cli_js_error error;
    char call[WIRE_NAME_MAX + 16];

    snprintf(call, sizeof call, "STREAM.INFO.%s", stream->name.text);
    int err = cli_js_call(&provision->js, call, TEXT(""), &answer, &error, reterr_why);
    if (err == -EREMOTEIO && error.err_code == CLI_JS_STREAM_NOT_FOUND) {
        err = 0;
    } else if (err == 0) {
        err = read_info(buffer_text(&answer), &config, &found->last);
        if (err == 0)
            err = compare(provision, stream, found, config.raw);
        if (err < 0)
            error_text_set(reterr_why, err, "%s: cannot read what JetStream says of it",
                           stream->name.text);
    }
    buffer_free(&answer);
    return err;
}

static int look_at_all(struct provision *provision, struct error_text *reterr_why)
{
    int err = 0;

    for (size_t i = 0; i < provision->plan.count && err == 0; i++)
        err = look_at(provision, i, reterr_why);
    if (err == 0 && provision->drifted > 0)
        return error_text_set(reterr_why, -EEXIST,
                              "%zu streams have other settings than expected; nothing was changed",
                              provision->drifted);
    return err;
}

/* What a node's JetStream may still reserve, by its monitoring; -ENODATA when it does not tell. */
static int room_of_node(const struct catalogue_node *node, uint64_t *ret_bytes)
{
    struct buffer body = {0};
    struct json_value config, reserved, storage;
    const struct json_pick outer[] = {{"config", &config}, {"reserved_storage", &reserved}};
    const struct json_pick inner[] = {{"max_storage", &storage}};
    uint64_t max = 0, taken = 0;
    int err = -ENODATA;

    if (node->monitor[0] != '\0' && cli_http_get(node->monitor, "/jsz", MONITOR_MS, &body) == 200 &&
        json_object_pick(buffer_text(&body), outer, COUNT_OF(outer)) == 0 &&
        json_object_pick(config.raw, inner, COUNT_OF(inner)) == 0 &&
        json_to_u64(storage, INT64_MAX, &max) == 0 &&
        (reserved.type == JSON_ABSENT || json_to_u64(reserved, INT64_MAX, &taken) == 0))
        err = 0;
    buffer_free(&body);
    if (err == 0)
        *ret_bytes = max > taken ? max - taken : 0;
    return err;
}

static int check_room_in(const struct provision *provision, const struct catalogue_region *region,
                         struct error_text *reterr_why)
{
    uint64_t needed = 0, room = 0;

    for (size_t i = 0; i < provision->plan.count; i++) {
        const struct cli_stream *stream = &provision->plan.streams[i];
        if (stream->region == region && !provision->found[i].there)
            needed += (uint64_t)(stream->max_bytes * stream->replicas);
    }
    for (size_t i = 0; i < region->node_count; i++) {
        uint64_t bytes;
        if (room_of_node(&region->nodes[i], &bytes) < 0)
            return 0; /* JetStream itself refuses then, at the first stream that does not fit */
        room += bytes;
    }
    if (needed <= room)
        return 0;
    return error_text_set(reterr_why, -ENOSPC,
                          "region %s: the streams reserve %" PRIu64 " MiB, its NATS servers have "
                          "%" PRIu64 " MiB left (max_file); nothing was made",
                          region->name, needed >> 20, room >> 20);
}

static int check_room(const struct provision *provision, struct error_text *reterr_why)
{
    int err = 0;
    for (size_t i = 0; i < provision->catalogue->region_count && err == 0; i++)
        err = check_room_in(provision, &provision->catalogue->regions[i], reterr_why);
    return err;
}

static int make(struct provision *provision, size_t i, struct error_text *reterr_why)
{
    const struct cli_stream *stream = &provision->plan.streams[i];
    struct cli_found *found = &provision->found[i];
    struct buffer notes = {0}, config = {0}, answer = {0};
    struct cli_js_error error;
    char call[WIRE_NAME_MAX + 16];

    if (has_notes(stream)) {
        cli_found_begin(found, stream);
        cli_notes_write(&found->notes, &notes);
    }
    if (stream->buckets > 0)
        cli_buckets_note(stream->buckets, &notes);
    cli_stream_write(stream, buffer_text(&notes), &config);
    snprintf(call, sizeof call, "STREAM.CREATE.%s", stream->name.text);
    int err =
        notes.failed || config.failed
            ? error_text_set(reterr_why, -ENOMEM, "out of memory")
            : cli_js_call(&provision->js, call, buffer_text(&config), &answer, &error, reterr_why);
    if (err == 0) {
        found->there = true;
        found->max_age_ns = stream->max_age_ns;
        found->rings = true;
        provision->made++;
        printf("made %s\n", stream->name.text);
    }
    buffer_free(&notes);
    buffer_free(&config);
    buffer_free(&answer);
    return err;
}

static int make_missing(struct provision *provision, struct error_text *reterr_why)
{
    int err = 0;

    for (size_t i = 0; i < provision->plan.count && err == 0; i++) {
        if (provision->found[i].there)
            continue;
        if (provision->check) {
            provision->made++;
            printf("%s is missing\n", provision->plan.streams[i].name.text);
        } else {
            err = make(provision, i, reterr_why);
        }
    }
    return err;
}

/* The log that keeps the region's dedupe key: its shard 0. */
static const struct cli_found *key_keeper(const struct provision *provision,
                                          const struct catalogue_region *region)
{
    for (size_t i = 0; i < provision->plan.count; i++) {
        const struct cli_stream *stream = &provision->plan.streams[i];
        if (stream->kind == CLI_STREAM_LOG && stream->region == region && stream->shard == 0)
            return &provision->found[i];
    }
    return NULL;
}

static int begin_all(struct provision *provision, struct error_text *reterr_why)
{
    struct cli_beginner beginner = {.js = &provision->js,
                                    .catalogue = provision->catalogue,
                                    .level = provision->level,
                                    .check = provision->check};
    int err = 0;

    for (size_t i = 0; i < provision->plan.count && err == 0; i++) {
        const struct cli_stream *stream = &provision->plan.streams[i];
        struct cli_found *found = &provision->found[i];
        if (!found->there)
            continue;
        if (stream->kind == CLI_STREAM_LOG) {
            const struct cli_found *keeper = key_keeper(provision, stream->region);
            err = cli_begin_log(&beginner, stream, found, keeper->notes.dedupe_key, reterr_why);
        } else if (stream->kind == CLI_STREAM_OUTBOX) {
            err = cli_begin_outbox(&beginner, stream, found, reterr_why);
        } else if (stream->kind == CLI_STREAM_CHECKPOINTS) {
            err = cli_follow_age(&beginner, stream, found, reterr_why);
        }
        if (err == 0 && has_notes(stream))
            err = cli_follow_ring(&beginner, stream, found, reterr_why);
    }
    provision->records = beginner.records;
    return err;
}

static int renew(struct provision *provision, struct error_text *reterr_why)
{
    struct cli_beginner beginner = {.js = &provision->js, .catalogue = provision->catalogue};

    for (size_t i = 0; i < provision->plan.count; i++) {
        const struct cli_stream *stream = &provision->plan.streams[i];
        struct cli_found *found = &provision->found[i];
        if (strcmp(stream->name.text, provision->renew) != 0)
            continue;
        if (stream->kind != CLI_STREAM_OUTBOX || !found->there)
            break;
        int err = cli_renew_outbox(&beginner, stream, found, reterr_why);
        if (err == 0)
            printf("%s has a new incarnation: all that is in it is forwarded again\n",
                   stream->name.text);
        return err;
    }
    return error_text_set(reterr_why, -ENOENT, "there is no outbox %s", provision->renew);
}

static int make_all(struct provision *provision, struct error_text *reterr_why)
{
    int err = check_room(provision, reterr_why);

    if (err == 0)
        err = make_missing(provision, reterr_why);
    if (err == 0)
        err = begin_all(provision, reterr_why);
    return err;
}

static int run(struct provision *provision, struct error_text *reterr_why)
{
    const struct catalogue_region *primary = catalogue_primary(provision->catalogue);
    int err = cli_link_open(&provision->link, primary, PATIENCE_MS, reterr_why);

    if (err == 0)
        err = judge_server(provision, reterr_why);
    if (err == 0 && (err = cli_plan_init(&provision->plan, provision->catalogue)) == 0) {
        provision->found = calloc(provision->plan.count, sizeof *provision->found);
        if (provision->found == NULL)
            err = -ENOMEM;
    }
    if (err == -ENOMEM)
        error_text_set(reterr_why, err, "out of memory");
    if (err == 0)
        err = cli_buckets_check(&provision->js, provision->catalogue, reterr_why);
    if (err == 0)
        err = look_at_all(provision, reterr_why);
    if (err < 0)
        return err;
    return provision->renew != NULL ? renew(provision, reterr_why)
                                    : make_all(provision, reterr_why);
}

static int conclude(const struct provision *provision)
{
    size_t streams = provision->plan.count;

    if (provision->renew != NULL)
        return CLI_OK;
    if (provision->made == 0 && provision->records == 0) {
        printf("all %zu streams are as they should be\n", streams);
        return CLI_OK;
    }
    if (provision->check) {
        printf("%zu of %zu streams and %zu records are missing\n", provision->made, streams,
               provision->records);
        return CLI_FAILED;
    }
    printf("made %zu of %zu streams, wrote %zu records\n", provision->made, streams,
           provision->records);
    return CLI_OK;
}

int cli_provision(const struct cli_arguments *arguments)
{
    struct error_text why = {0};
    uint64_t level = WIRE_LEVEL;
    const char *asked = cli_value(arguments, "level");
    if (asked != NULL && (text_to_u64(text_of(asked), WIRE_LEVEL, &level) < 0 || level == 0)) {
        fprintf(stderr, "meridian provision: --level is 1 to %d\n", WIRE_LEVEL);
        return CLI_USAGE;
    }
    const char *path = cli_value_or(arguments, "catalogue", "config/regions.yaml");
    struct catalogue *catalogue = catalogue_load_file(path, &why);
    struct provision provision = {.catalogue = catalogue,
                                  .check = cli_flag(arguments, "check"),
                                  .level = (uint8_t)level,
                                  .renew = cli_value(arguments, "renew-outbox")};
    int code = CLI_FAILED;

    provision.js = (struct cli_jetstream){.link = &provision.link, .patience_ms = PATIENCE_MS};
    if (catalogue != NULL && run(&provision, &why) == 0)
        code = conclude(&provision);
    else
        fprintf(stderr, "meridian provision: %s\n", why.text);
    free(provision.found);
    cli_plan_done(&provision.plan);
    cli_link_close(&provision.link);
    catalogue_free(catalogue);
    return code;
}
