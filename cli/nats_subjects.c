#include "cli/nats_subjects.h"

#include "cli/streams.h"
#include "wire/names.h"

#include <stdarg.h>
#include <stdio.h>

struct cli_nats_subjects cli_nats_subjects_begin(struct buffer *out, const char *what)
{
    buffer_printf(out, "        %s: [", what);
    return (struct cli_nats_subjects){.out = out, .before = "\"", .after = "\""};
}

void cli_nats_subjects_add(struct cli_nats_subjects *subjects, const char *format, ...)
{
    char subject[WIRE_NAME_MAX + 32];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(subject, sizeof subject, format, arguments);
    va_end(arguments);
    buffer_printf(subjects->out, "%s\n          %s%s%s", subjects->any ? "," : "", subjects->before,
                  subject, subjects->after);
    subjects->any = true;
}

void cli_nats_subjects_end(struct cli_nats_subjects *subjects)
{
    buffer_append_text(subjects->out, TEXT("\n        ]\n"));
}

void cli_nats_add_reading(struct cli_nats_subjects *subjects, const char *stream)
{
    cli_nats_subjects_add(subjects, "$JS.API.DIRECT.GET.%s", stream);
    cli_nats_subjects_add(subjects, "$JS.API.DIRECT.GET.%s.>", stream);
}

void cli_nats_add_buckets(struct cli_nats_subjects *subjects, const struct catalogue *catalogue,
                          const struct catalogue_region *region)
{
    for (size_t i = 0; i < cli_bucket_count(catalogue); i++) {
        struct cli_stream bucket = cli_bucket(catalogue, region, i);
        cli_nats_add_reading(subjects, bucket.name.text);
        cli_nats_subjects_add(subjects, "$JS.API.STREAM.MSG.GET.%s", bucket.name.text);
    }
}

/* Lane by lane: what an outbox is, its genesis says, and that is the operator's. */
static void add_outbox(struct cli_nats_subjects *subjects, const struct catalogue_region *region,
                       const struct catalogue_region *to)
{
    for (uint32_t shard = 0; shard < to->shards; shard++)
        cli_nats_subjects_add(subjects, "%s", wire_outbox_lane(region->name, to->name, shard).text);
}

void cli_nats_add_edge_asks(struct cli_nats_subjects *subjects, const struct catalogue *catalogue,
                            const struct catalogue_region *region,
                            const struct catalogue_edge *edge)
{
    /* Also claims: where a new user is at home a token or the catalogue may say. */
    static const char *const verbs[] = {"ack",   "attach",  "claim", "detach", "eph",
                                        "fetch", "history", "read",  "who"};
    cli_nats_subjects_add(subjects, "log.%s.*.e", region->name);
    for (size_t i = 0; i < catalogue->region_count; i++)
        if (&catalogue->regions[i] != region)
            add_outbox(subjects, region, &catalogue->regions[i]);
    for (size_t i = 0; i < COUNT_OF(verbs); i++)
        cli_nats_subjects_add(subjects, "hub.*.*.%s", verbs[i]);
    for (uint32_t number = 1; number <= edge->processes; number++)
        cli_nats_subjects_add(
            subjects, "%s",
            wire_edge_beat_subject(region->name, catalogue_process(edge, number).name).text);
    cli_nats_add_buckets(subjects, catalogue, region);
}

void cli_nats_add_edge_hears(struct cli_nats_subjects *subjects,
                             const struct catalogue_region *region,
                             const struct catalogue_edge *edge)
{
    for (uint32_t number = 1; number <= edge->processes; number++)
        cli_nats_subjects_add(
            subjects, "%s",
            wire_edge_subject(region->name, catalogue_process(edge, number).name).text);
    cli_nats_subjects_add(subjects, WIRE_HUB_BEATS);
    cli_nats_subjects_add(subjects, WIRE_EDGE_BEATS);
    cli_nats_subjects_add(subjects, WIRE_DIRECTORY_CHANGED);
}
