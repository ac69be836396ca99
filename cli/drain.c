#include "cli/drain.h"

#include "base/clock.h"
#include "bus/bus_stream.h"
#include "cli/beats.h"
#include "cli/catalogue_choice.h"
#include "cli/drains.h"
#include "cli/jetstream.h"
#include "settings/settings.h"
#include "wire/names.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { PATIENCE_MS = 5000, GET_MS = 2000, TRIES = 10, PAUSE_MS = 200, LISTEN_MS = 1500 };

struct drain_times {
    int64_t over_ms;
    int64_t wait_ms;
};
static const struct setting times_table[] = {
    SETTING_DURATION(struct drain_times, over_ms, "over", 600000, 0, 86400000, ""),
    SETTING_DURATION(struct drain_times, wait_ms, "wait", 0, 0, 86400000, ""),
    SETTINGS_END,
};

struct draining {
    const struct cli_arguments *arguments;
    struct catalogue *catalogue;
    const struct catalogue_region *region;
    struct cli_link link;
    struct drain_times times;
    bool back;
};

struct there {
    uint64_t position;
    struct wire_drains drains;
};

static int on_there(void *context, const struct bus_message *answer)
{
    struct there *there = context;
    struct bus_entry entry;
    int err = bus_entry_read(answer, &entry, NULL);
    if (err != 0)
        return err == -ENOENT ? 0 : err;
    there->position = entry.position;
    return wire_drains_read(entry.data, entry.size, &there->drains);
}

static int put(struct draining *draining, const struct there *there, struct error_text *reterr_why)
{
    struct cli_jetstream js = {.link = &draining->link, .patience_ms = PATIENCE_MS};
    struct wire_name subject = wire_directory_drains(draining->catalogue->directory_buckets);
    struct buffer bytes = {0};
    uint64_t position;
    int err = wire_drains_write(&bytes, &there->drains);
    if (err == 0)
        err = cli_js_publish_subject(&js, subject.text, there->position, buffer_text(&bytes),
                                     &position, reterr_why);
    buffer_free(&bytes);
    return err;
}

/* 1: changed; 0: it was so already. -ESTALE: somebody else changed it meanwhile. */
static int change_once(struct draining *draining, struct error_text *reterr_why)
{
    const struct catalogue *catalogue = draining->catalogue;
    const struct wire_bucket first = {.of = catalogue->directory_buckets};
    struct there there = {.position = 0};
    int64_t now_ms = clock_wall_ms();
    int err = cli_link_get_last(&draining->link, wire_directory_stream(first).text,
                                wire_directory_drains(first.of).text, GET_MS, on_there, &there);
    if (err != 0)
        return error_text_set(reterr_why, err, "cannot read which regions drain: %s",
                              strerror(-err));
    cli_drains_tidy(&there.drains, catalogue, now_ms);
    int changed = draining->back
                      ? cli_drains_end(&there.drains, draining->region, now_ms,
                                       (uint32_t)(draining->times.over_ms / 1000))
                      : cli_drains_begin(&there.drains, catalogue, draining->region, now_ms,
                                         cli_flag(draining->arguments, "force"), reterr_why);
    if (changed != 1)
        return changed;
    err = put(draining, &there, reterr_why);
    return err == 0 ? 1 : err;
}

static int change(struct draining *draining, struct error_text *reterr_why)
{
    int changed = change_once(draining, reterr_why);
    for (int i = 1; i < TRIES && changed == -ESTALE; i++) { /* or a mirror was behind */
        cli_link_rest(&draining->link, PAUSE_MS);
        changed = change_once(draining, reterr_why);
    }
    if (changed < 0)
        return changed;
    const char *name = draining->region->name;
    if (draining->back && changed == 1 && draining->times.over_ms >= 1000)
        printf("%s comes back over %" PRIi64 " s\n", name, draining->times.over_ms / 1000);
    else if (draining->back)
        printf(changed == 1 ? "%s is in use again\n" : "%s is in use\n", name);
    else
        printf(changed == 1 ? "%s drains\n" : "%s drains already\n", name);
    return 0;
}

/* Connections of the region's edges that are heard, or -errno. */
static int64_t count_connections(struct draining *draining)
{
    const struct catalogue *catalogue = draining->catalogue;
    struct cli_beats beats;
    int64_t sum = 0;
    int err = cli_beats_listen(&beats, &draining->link, catalogue, false, LISTEN_MS);
    const struct cli_edge_beat *beat = beats.edges;
    for (size_t r = 0; err == 0 && r < catalogue->region_count; r++)
        for (size_t i = 0; i < catalogue_processes(&catalogue->regions[r]); i++, beat++)
            if (&catalogue->regions[r] == draining->region && beat->heard)
                sum += beat->connections;
    cli_beats_done(&beats);
    return err == 0 ? sum : err;
}

static int wait_until_empty(struct draining *draining, struct error_text *reterr_why)
{
    int64_t until_ms = clock_monotonic_ms() + draining->times.wait_ms;
    int64_t left = -1, said = -1;
    while (draining->times.wait_ms > 0 && left != 0) {
        left = count_connections(draining);
        if (left < 0)
            return error_text_set(reterr_why, (int)left, "%s", strerror((int)-left));
        if (left != said)
            printf("%" PRIi64 " connections\n", left);
        fflush(stdout);
        said = left;
        if (left > 0 && clock_monotonic_ms() >= until_ms)
            return error_text_set(reterr_why, -ETIMEDOUT, "%" PRIi64 " connections are left", left);
    }
    return 0;
}

static int read_time(struct draining *draining, const char *name, struct error_text *reterr_why)
{
    struct buffer assignment = {0};
    const char *value = cli_value(draining->arguments, name);
    if (value == NULL)
        return 0;
    buffer_printf(&assignment, "%s=%s", name, value);
    int err = assignment.failed ? -ENOMEM
                                : settings_set(times_table, &draining->times,
                                               (const char *)assignment.data, reterr_why);
    buffer_free(&assignment);
    return err;
}

static int open_all(struct draining *draining, struct error_text *reterr_why)
{
    const char *name = draining->arguments->operands[0];
    settings_defaults(times_table, &draining->times);
    int err = read_time(draining, draining->back ? "over" : "wait", reterr_why);
    if (err != 0)
        return err;
    draining->catalogue = cli_catalogue_choose(draining->arguments, reterr_why);
    if (draining->catalogue == NULL)
        return -ENOENT;
    draining->region = catalogue_region(draining->catalogue, text_of(name));
    if (draining->region == NULL)
        return error_text_set(reterr_why, -EINVAL, "the catalogue has no region '%s'", name);
    return cli_link_open_any(&draining->link, draining->catalogue, reterr_why);
}

static int run(const struct cli_arguments *arguments, bool back)
{
    struct draining draining = {.arguments = arguments, .back = back};
    struct error_text why = {0};
    int err = open_all(&draining, &why);
    if (err == 0)
        err = change(&draining, &why);
    if (err == 0 && !back)
        err = wait_until_empty(&draining, &why);
    if (err != 0)
        fprintf(stderr, "meridian %s: %s\n", arguments->command->name, why.text);
    cli_link_close(&draining.link);
    catalogue_free(draining.catalogue);
    return err == 0 ? CLI_OK : err == -EINVAL ? CLI_USAGE : CLI_FAILED;
}

int cli_drain_region(const struct cli_arguments *arguments)
{
    return run(arguments, false);
}

int cli_undrain_region(const struct cli_arguments *arguments)
{
    return run(arguments, true);
}
