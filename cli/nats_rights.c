#include "cli/nats_rights.h"

#include "cli/pki.h"
#include "cli/streams.h"
#include "wire/names.h"

#include <stdarg.h>
#include <stdio.h>

/* A list of subjects, while it is written. */
struct subjects {
    struct buffer *out;
    bool any;
};

static struct subjects begin(struct buffer *out, const char *what)
{
    buffer_printf(out, "        %s: [", what);
    return (struct subjects){.out = out};
}

static void add(struct subjects *subjects, const char *format, ...) PRINTF_LIKE(2, 3);
static void add(struct subjects *subjects, const char *format, ...)
{
    char subject[WIRE_NAME_MAX + 32];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(subject, sizeof subject, format, arguments);
    va_end(arguments);
    buffer_printf(subjects->out, "%s\n          \"%s\"", subjects->any ? "," : "", subject);
    subjects->any = true;
}

static void end(struct subjects *subjects)
{
    buffer_append_text(subjects->out, TEXT("\n        ]\n"));
}

static void begin_user(struct buffer *out, const char *name, const char *unit)
{
    buffer_printf(out, "      {user: \"CN=%s,OU=%s,O=meridian\", permissions: {\n", name, unit);
}

static void end_user(struct buffer *out)
{
    buffer_append_text(out, TEXT("      }}\n"));
}

/* Reading of a stream: by position and, with ">", by subject. */
static void add_reading(struct subjects *publish, const char *stream)
{
    add(publish, "$JS.API.DIRECT.GET.%s", stream);
    add(publish, "$JS.API.DIRECT.GET.%s.>", stream);
}

/* Of the directory's buckets and the one of revoked tokens: the copy nearby, and the origin. */
static void add_buckets(struct subjects *publish, const struct catalogue *catalogue,
                        const struct catalogue_region *region)
{
    for (size_t i = 0; i < cli_bucket_count(catalogue); i++) {
        struct cli_stream bucket = cli_bucket(catalogue, region, i);
        add_reading(publish, bucket.name.text);
        add(publish, "$JS.API.STREAM.MSG.GET.%s", bucket.name.text);
    }
}

/* --- edges --- */

/* What one process of an edge hears alone; they share the certificate. */
static void add_process(struct subjects *subscribe, const struct catalogue_region *region,
                        const char *process)
{
    add(subscribe, "%s", wire_edge_subject(region->name, process).text);
    add(subscribe, "%s", wire_pubacks_of(process).text);
    add(subscribe, "_INBOX.%s.>", process);
}

static void write_edge(const struct catalogue *catalogue, const struct catalogue_region *region,
                       const struct catalogue_edge *edge, struct buffer *out)
{
    static const char *const verbs[] = {"ack",   "attach",  "detach", "eph",
                                        "fetch", "history", "read",   "who"};
    begin_user(out, edge->name, "edge");
    buffer_append_text(out, TEXT("        publish: {\n"));
    struct subjects publish = begin(out, "allow");
    add(&publish, "log.%s.*.e", region->name);
    add(&publish, "out.%s.*.*", region->name);
    for (size_t i = 0; i < COUNT_OF(verbs); i++)
        add(&publish, "hub.*.*.%s", verbs[i]);
    add(&publish, "hub.%s.*.claim", region->name);
    for (uint32_t number = 1; number <= edge->processes; number++)
        add(&publish, "%s",
            wire_edge_beat_subject(region->name, catalogue_process(edge, number).name).text);
    add_buckets(&publish, catalogue, region);
    end(&publish);
    /* What an outbox is, its genesis says; that is the operator's. */
    struct subjects deny = begin(out, "deny");
    add(&deny, "out.%s.*.genesis", region->name);
    end(&deny);
    buffer_append_text(out, TEXT("        }\n        subscribe: {\n"));
    struct subjects subscribe = begin(out, "allow");
    for (uint32_t number = 1; number <= edge->processes; number++)
        add_process(&subscribe, region, catalogue_process(edge, number).name);
    add(&subscribe, WIRE_HUB_BEATS);
    add(&subscribe, WIRE_EDGE_BEATS);
    add(&subscribe, WIRE_DIRECTORY_CHANGED);
    end(&subscribe);
    buffer_append_text(out, TEXT("        }\n"));
    end_user(out);
}

/* --- hubs --- */

static void add_own_streams(struct subjects *publish, const struct catalogue *catalogue,
                            const struct catalogue_region *region)
{
    for (uint32_t shard = 0; shard < region->shards; shard++) {
        struct wire_name log = wire_log_stream(region->name, shard);
        add_reading(publish, log.text);
        add(publish, "$JS.API.STREAM.INFO.%s", log.text);
    }
    for (size_t i = 0; i < catalogue->region_count; i++) {
        if (&catalogue->regions[i] == region)
            continue;
        struct wire_name outbox = wire_outbox_stream(region->name, catalogue->regions[i].name);
        add_reading(publish, outbox.text);
        add(publish, "$JS.API.STREAM.INFO.%s", outbox.text);
        add(publish, "$JS.API.STREAM.PURGE.%s", outbox.text);
    }
    add_reading(publish, wire_checkpoint_stream(region->name).text);
}

/* The directory is written by every region's hubs, by compare-and-set. */
static void add_directory(struct subjects *publish, const struct catalogue *catalogue,
                          const struct catalogue_region *region)
{
    for (unsigned i = 0; i < catalogue->directory_buckets; i++) {
        const struct wire_bucket bucket = {.number = i, .of = catalogue->directory_buckets};
        add(publish, "%s", wire_directory_users(bucket).text);
        add(publish, "%s", wire_directory_beat(bucket).text);
        add(publish, "$JS.API.STREAM.INFO.%s", wire_directory_stream(bucket).text);
    }
    add_buckets(publish, catalogue, region);
}

static void write_hub_publish(const struct catalogue *catalogue,
                              const struct catalogue_region *region, struct buffer *out)
{
    struct subjects publish = begin(out, "allow");
    add(&publish, "log.%s.*.h", region->name);
    add(&publish, "log.*.*.l.%s", region->name);
    add(&publish, "out.%s.*.*", region->name);
    add(&publish, "%s", wire_checkpoint_subjects(region->name).text);
    add(&publish, "edge.*.*");
    add(&publish, "beat.hub.%s.>", region->name);
    add(&publish, "hub.*.*.lane");
    add(&publish, "hub.%s.*.claim", region->name);
    add(&publish, "move.*.*");
    add(&publish, WIRE_DIRECTORY_CHANGED);
    add(&publish, "_INBOX.>"); /* answers; whose ids nobody else knows */
    add_own_streams(&publish, catalogue, region);
    add_directory(&publish, catalogue, region);
    end(&publish);
    struct subjects deny = begin(out, "deny");
    add(&deny, "out.%s.*.genesis", region->name);
    end(&deny);
}

static void write_hub_subscribe(const struct catalogue *catalogue,
                                const struct catalogue_region *region,
                                const struct catalogue_hub *hub, struct buffer *out)
{
    struct subjects subscribe = begin(out, "allow");
    add(&subscribe, "hub.%s.*.*", region->name);
    add(&subscribe, "move.%s.*", region->name);
    add(&subscribe, WIRE_EDGE_BEATS);
    add(&subscribe, WIRE_HUB_BEATS);
    add(&subscribe, "beat.hub.%s.*.*", region->name);
    add(&subscribe, WIRE_DIRECTORY_CHANGED);
    add(&subscribe, "pa.%s.*.>", region->name);
    for (size_t i = 0; i < catalogue->region_count; i++)
        if (&catalogue->regions[i] != region)
            add(&subscribe, "pa.%s_%s.*.>", region->name, catalogue->regions[i].name);
    for (uint32_t shard = 0; shard < region->shards; shard++) { /* a connection each */
        add(&subscribe, "pa.*.*.%s-%u.*", hub->name, shard);
        add(&subscribe, "_INBOX.%s-%u.>", hub->name, shard);
    }
    end(&subscribe);
}

static void write_hub(const struct catalogue *catalogue, const struct catalogue_region *region,
                      const struct catalogue_hub *hub, struct buffer *out)
{
    begin_user(out, hub->name, "hub");
    buffer_append_text(out, TEXT("        publish: {\n"));
    write_hub_publish(catalogue, region, out);
    buffer_append_text(out, TEXT("        }\n        subscribe: {\n"));
    write_hub_subscribe(catalogue, region, hub, out);
    buffer_append_text(out, TEXT("        }\n"));
    end_user(out);
}

/* Makes and mends: all of the one account, nothing of the servers' own. */
static void write_operator(struct buffer *out)
{
    begin_user(out, CLI_PKI_OPERATOR, "operator");
    buffer_append_text(out, TEXT("        publish: \">\"\n        subscribe: \">\"\n"));
    end_user(out);
}

void cli_nats_users(const struct catalogue *catalogue, const struct catalogue_region *region,
                    struct buffer *out)
{
    for (size_t i = 0; i < region->hub_count; i++)
        write_hub(catalogue, region, &region->hubs[i], out);
    for (size_t i = 0; i < region->edge_count; i++)
        write_edge(catalogue, region, &region->edges[i], out);
    write_operator(out);
}
