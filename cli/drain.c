#include "cli/drain.h"

#include "base/clock.h"
#include "cli/amend.h"
#include "cli/beats.h"
#include "cli/catalogue_choice.h"
#include "cli/drains.h"
#include "settings/settings.h"
#include "wire/names.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { LISTEN_MS = 1500 };

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
    const struct drain_kind *kind;
    struct catalogue *catalogue;
    const struct catalogue_region *region; /* of a region */
    size_t first, count;                   /* its processes, of all edges' */
    struct cli_link link;
    struct drain_times times;
    bool back;
    struct wire_drains drains; /* as they are read, and then changed */
    struct wire_edge_drains edge_drains;
};

/* What may drain. */
struct drain_kind {
    /* -EINVAL with the reason. */
    int (*find)(struct draining *draining, struct error_text *reterr_why);
    struct wire_name (*subject)(unsigned buckets);
    int (*read)(void *context, const void *bytes, size_t size);
    int (*change)(void *context, struct error_text *reterr_why);
    int (*write)(const void *context, struct buffer *out);
};

static const char *name_of(const struct draining *draining)
{
    return draining->arguments->operands[0];
}

/* --- regions --- */

static int find_region(struct draining *draining, struct error_text *reterr_why)
{
    const struct catalogue *catalogue = draining->catalogue;
    const struct catalogue_region *region = catalogue_region(catalogue, text_of(name_of(draining)));
    if (region == NULL)
        return error_text_set(reterr_why, -EINVAL, "the catalogue has no region '%s'",
                              name_of(draining));
    draining->region = region;
    draining->count = catalogue_processes(region);
    for (const struct catalogue_region *each = catalogue->regions; each != region; each++)
        draining->first += catalogue_processes(each);
    return 0;
}

static int read_regions(void *context, const void *bytes, size_t size)
{
    struct draining *draining = context;
    return wire_drains_read(bytes, size, &draining->drains);
}

static int change_regions(void *context, struct error_text *reterr_why)
{
    struct draining *draining = context;
    int64_t now_ms = clock_wall_ms();
    cli_drains_tidy(&draining->drains, draining->catalogue, now_ms);
    if (draining->back)
        return cli_drains_end(&draining->drains, draining->region, now_ms,
                              (uint32_t)(draining->times.over_ms / 1000));
    return cli_drains_begin(&draining->drains, draining->catalogue, draining->region, now_ms,
                            cli_flag(draining->arguments, "force"), reterr_why);
}

static int write_regions(const void *context, struct buffer *out)
{
    const struct draining *draining = context;
    return wire_drains_write(out, &draining->drains);
}

/* --- edges --- */

static int find_edge(struct draining *draining, struct error_text *reterr_why)
{
    draining->count =
        cli_edge_processes(draining->catalogue, text_of(name_of(draining)), &draining->first);
    return draining->count > 0
               ? 0
               : error_text_set(reterr_why, -EINVAL, "the catalogue has no edge '%s'",
                                name_of(draining));
}

static int read_edges(void *context, const void *bytes, size_t size)
{
    struct draining *draining = context;
    return wire_edge_drains_read(bytes, size, &draining->edge_drains);
}

static int change_edges(void *context, struct error_text *reterr_why)
{
    struct draining *draining = context;
    struct text name = text_of(name_of(draining));
    cli_edge_drains_tidy(&draining->edge_drains, draining->catalogue);
    if (draining->back)
        return cli_edge_drains_end(&draining->edge_drains, draining->catalogue, name);
    return cli_edge_drains_begin(&draining->edge_drains, draining->catalogue, name, clock_wall_ms(),
                                 cli_flag(draining->arguments, "force"), reterr_why);
}

static int write_edges(const void *context, struct buffer *out)
{
    const struct draining *draining = context;
    return wire_edge_drains_write(out, &draining->edge_drains);
}

static const struct drain_kind of_region = {find_region, wire_directory_drains, read_regions,
                                            change_regions, write_regions};
static const struct drain_kind of_edge = {find_edge, wire_directory_edge_drains, read_edges,
                                          change_edges, write_edges};

/* --- both --- */

static void reset(void *context)
{
    struct draining *draining = context;
    draining->drains.count = 0;
    draining->edge_drains.count = 0;
}

static void say_changed(const struct draining *draining, bool changed)
{
    const char *name = name_of(draining);
    bool slowly = draining->region != NULL && draining->times.over_ms >= 1000;
    if (draining->back && changed && slowly)
        printf("%s comes back over %" PRIi64 " s\n", name, draining->times.over_ms / 1000);
    else if (draining->back)
        printf(changed ? "%s is in use again\n" : "%s is in use\n", name);
    else
        printf(changed ? "%s drains\n" : "%s drains already\n", name);
}

static int change(struct draining *draining, struct error_text *reterr_why)
{
    const struct wire_bucket first = {.of = draining->catalogue->directory_buckets};
    const struct drain_kind *kind = draining->kind;
    struct wire_name stream = wire_directory_stream(first), subject = kind->subject(first.of);
    int changed = cli_amend(&(struct cli_amend){.link = &draining->link,
                                                .stream = stream.text,
                                                .subject = subject.text,
                                                .reset = reset,
                                                .read = kind->read,
                                                .change = kind->change,
                                                .write = kind->write,
                                                .context = draining},
                            reterr_why);
    if (changed >= 0)
        say_changed(draining, changed == 1);
    return changed < 0 ? changed : 0;
}

/* Connections of its processes that are heard, or -errno. */
static int64_t count_connections(struct draining *draining)
{
    struct cli_beats beats;
    int64_t sum = 0;
    int err = cli_beats_listen(&beats, &draining->link, draining->catalogue, false, LISTEN_MS);
    for (size_t i = 0; err == 0 && i < draining->count; i++)
        if (beats.edges[draining->first + i].heard)
            sum += beats.edges[draining->first + i].connections;
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

/* Of an option that the command may have. */
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
    bool waits = !draining->back, slowly = draining->back && draining->kind == &of_region;
    settings_defaults(times_table, &draining->times);
    int err = waits || slowly ? read_time(draining, waits ? "wait" : "over", reterr_why) : 0;
    if (err != 0)
        return err;
    draining->catalogue = cli_catalogue_choose(draining->arguments, reterr_why);
    if (draining->catalogue == NULL)
        return -ENOENT;
    err = draining->kind->find(draining, reterr_why);
    return err == 0 ? cli_link_open_any(&draining->link, draining->catalogue, reterr_why) : err;
}

static int run(const struct cli_arguments *arguments, const struct drain_kind *kind, bool back)
{
    struct draining draining = {.arguments = arguments, .kind = kind, .back = back};
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
    return run(arguments, &of_region, false);
}

int cli_undrain_region(const struct cli_arguments *arguments)
{
    return run(arguments, &of_region, true);
}

int cli_drain_edge(const struct cli_arguments *arguments)
{
    return run(arguments, &of_edge, false);
}

int cli_undrain_edge(const struct cli_arguments *arguments)
{
    return run(arguments, &of_edge, true);
}
