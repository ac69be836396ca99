#include "cli/nats_rights.h"

#include "cli/nats_subjects.h"
#include "cli/pki.h"
#include "wire/names.h"

static void begin_user(struct buffer *out, const char *name, const char *unit)
{
    buffer_printf(out, "      {user: \"CN=%s,OU=%s,O=meridian\", permissions: {\n", name, unit);
}

static void end_user(struct buffer *out)
{
    buffer_append_text(out, TEXT("      }}\n"));
}

/* --- edges --- */

/* What comes back to one process of an edge; they share the certificate. */
static void add_answers(struct cli_nats_subjects *subscribe, const char *process)
{
    cli_nats_subjects_add(subscribe, "%s", wire_pubacks_of(process).text);
    cli_nats_subjects_add(subscribe, "_INBOX.%s.>", process);
}

void cli_nats_edge_user(const struct catalogue *catalogue, const struct catalogue_region *region,
                        const struct catalogue_edge *edge, struct buffer *out)
{
    begin_user(out, edge->name, "edge");
    buffer_append_text(out, TEXT("        publish: {\n"));
    struct cli_nats_subjects publish = cli_nats_subjects_begin(out, "allow");
    cli_nats_add_edge_asks(&publish, catalogue, region, edge);
    cli_nats_subjects_end(&publish);
    buffer_append_text(out, TEXT("        }\n        subscribe: {\n"));
    struct cli_nats_subjects subscribe = cli_nats_subjects_begin(out, "allow");
    cli_nats_add_edge_hears(&subscribe, region, edge);
    for (uint32_t number = 1; number <= edge->processes; number++)
        add_answers(&subscribe, catalogue_process(edge, number).name);
    cli_nats_subjects_end(&subscribe);
    buffer_append_text(out, TEXT("        }\n"));
    end_user(out);
}

/* --- hubs --- */

static void add_own_streams(struct cli_nats_subjects *publish, const struct catalogue *catalogue,
                            const struct catalogue_region *region)
{
    for (uint32_t shard = 0; shard < region->shards; shard++) {
        struct wire_name log = wire_log_stream(region->name, shard);
        cli_nats_add_reading(publish, log.text);
        cli_nats_subjects_add(publish, "$JS.API.STREAM.INFO.%s", log.text);
    }
    for (size_t i = 0; i < catalogue->region_count; i++) {
        if (&catalogue->regions[i] == region)
            continue;
        struct wire_name outbox = wire_outbox_stream(region->name, catalogue->regions[i].name);
        cli_nats_add_reading(publish, outbox.text);
        cli_nats_subjects_add(publish, "$JS.API.STREAM.INFO.%s", outbox.text);
        cli_nats_subjects_add(publish, "$JS.API.STREAM.PURGE.%s", outbox.text);
    }
    cli_nats_add_reading(publish, wire_checkpoint_stream(region->name).text);
}

/* The directory is written by every region's hubs, by compare-and-set. */
static void add_directory(struct cli_nats_subjects *publish, const struct catalogue *catalogue,
                          const struct catalogue_region *region)
{
    for (unsigned i = 0; i < catalogue->directory_buckets; i++) {
        const struct wire_bucket bucket = {.number = i, .of = catalogue->directory_buckets};
        cli_nats_subjects_add(publish, "%s", wire_directory_users(bucket).text);
        cli_nats_subjects_add(publish, "%s", wire_directory_beat(bucket).text);
        cli_nats_subjects_add(publish, "$JS.API.STREAM.INFO.%s",
                              wire_directory_stream(bucket).text);
    }
    cli_nats_add_buckets(publish, catalogue, region);
}

static void write_hub_publish(const struct catalogue *catalogue,
                              const struct catalogue_region *region, struct buffer *out)
{
    struct cli_nats_subjects publish = cli_nats_subjects_begin(out, "allow");
    cli_nats_subjects_add(&publish, "log.%s.*.h", region->name);
    cli_nats_subjects_add(&publish, "log.*.*.l.%s", region->name);
    cli_nats_subjects_add(&publish, "out.%s.*.*", region->name);
    cli_nats_subjects_add(&publish, "%s", wire_checkpoint_subjects(region->name).text);
    cli_nats_subjects_add(&publish, "edge.*.*");
    cli_nats_subjects_add(&publish, "beat.hub.%s.>", region->name);
    cli_nats_subjects_add(&publish, "hub.*.*.lane");
    cli_nats_subjects_add(&publish, "hub.%s.*.claim", region->name);
    cli_nats_subjects_add(&publish, "move.*.*");
    cli_nats_subjects_add(&publish, WIRE_DIRECTORY_CHANGED);
    /* Answers, to hubs and to edges' accounts; whose ids nobody else knows. */
    cli_nats_subjects_add(&publish, "_INBOX.>");
    cli_nats_subjects_add(&publish, "_R_.>");
    add_own_streams(&publish, catalogue, region);
    add_directory(&publish, catalogue, region);
    cli_nats_subjects_end(&publish);
    struct cli_nats_subjects deny = cli_nats_subjects_begin(out, "deny");
    cli_nats_subjects_add(&deny, "out.%s.*.genesis", region->name);
    cli_nats_subjects_end(&deny);
}

static void write_hub_subscribe(const struct catalogue *catalogue,
                                const struct catalogue_region *region,
                                const struct catalogue_hub *hub, struct buffer *out)
{
    struct cli_nats_subjects subscribe = cli_nats_subjects_begin(out, "allow");
    cli_nats_subjects_add(&subscribe, "hub.%s.*.*", region->name);
    cli_nats_subjects_add(&subscribe, "move.%s.*", region->name);
    cli_nats_subjects_add(&subscribe, WIRE_EDGE_BEATS);
    cli_nats_subjects_add(&subscribe, WIRE_HUB_BEATS);
    cli_nats_subjects_add(&subscribe, "beat.hub.%s.*.*", region->name);
    cli_nats_subjects_add(&subscribe, WIRE_DIRECTORY_CHANGED);
    cli_nats_subjects_add(&subscribe, "pa.%s.*.>", region->name);
    for (size_t i = 0; i < catalogue->region_count; i++)
        if (&catalogue->regions[i] != region)
            cli_nats_subjects_add(&subscribe, "pa.%s_%s.*.>", region->name,
                                  catalogue->regions[i].name);
    for (uint32_t shard = 0; shard < region->shards; shard++) { /* a connection each */
        cli_nats_subjects_add(&subscribe, "pa.*.*.%s-%u.*", hub->name, shard);
        cli_nats_subjects_add(&subscribe, "_INBOX.%s-%u.>", hub->name, shard);
    }
    cli_nats_subjects_end(&subscribe);
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

/* Makes and mends: all of the streams' account, nothing of the servers' own. */
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
    write_operator(out);
}
