#include "cli/promote.h"

#include "base/clock.h"
#include "cli/catalogue_choice.h"
#include "cli/mirrors.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    CONNECT_MS = 10000,
    PRIMARY_MS = 3000, /* so long it is given to answer */
    PATIENCE_MS = 60000,
    FILL_MS = 600000, /* without progress */
    PAUSE_MS = 200,
};

struct promote {
    struct catalogue *catalogue;
    const struct catalogue_region *region; /* that becomes the primary */
    struct cli_link link;
    struct cli_jetstream js;
    bool dry_run;
    bool force;
    bool asks_force; /* a dry run: --force would be needed */
};

/* Tells a step. False in a dry run: it is not to be done. */
PRINTF_LIKE(2, 3) static bool begin(const struct promote *promote, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    printf("%s", promote->dry_run ? "would: " : "");
    vprintf(format, args);
    printf("\n");
    fflush(stdout);
    va_end(args);
    return !promote->dry_run;
}

/* --- the steps of one bucket --- */

/* The mirror keeps what it has and follows nobody any more. From here on nothing can be lost by
 * what is done to the origin. */
static int detach(struct promote *promote, const struct cli_stream *mirror,
                  const struct cli_look *look, struct error_text *reterr_why)
{
    struct cli_stream alone = *mirror;
    alone.mirror.text[0] = '\0';
    alone.mirror_direct = false;
    alone.subjects = mirror->name; /* a stream of its own listens to something */
    if (!begin(promote, "detach %s, which has %" PRIu64 " entries up to position %" PRIu64,
               mirror->name.text, look->messages, look->last))
        return 0;
    return cli_stream_call(&promote->js, "UPDATE", &alone, reterr_why);
}

static int unregister(struct promote *promote, const struct cli_stream *origin,
                      struct error_text *reterr_why)
{
    if (!begin(promote, "unregister %s of the lost region", origin->name.text))
        return 0;
    return cli_stream_delete(&promote->js, origin->name.text, reterr_why);
}

/* It answers nobody before it has everything, and keeps the positions, so that whoever has followed
 * the old origin goes on with the new one. */
static int make(struct promote *promote, const struct cli_stream *origin,
                const struct cli_stream *mirror, struct error_text *reterr_why)
{
    struct cli_stream filling = *origin;
    filling.subjects.text[0] = '\0';
    filling.mirror = mirror->name;
    filling.allow_direct = false;
    if (!begin(promote, "make %s anew in %s, from %s", origin->name.text, promote->region->name,
               mirror->name.text))
        return 0;
    return cli_stream_call(&promote->js, "CREATE", &filling, reterr_why);
}

static int look_at_both(struct promote *promote, const struct cli_stream *origin,
                        const struct cli_stream *mirror, struct cli_look *ret_origin,
                        struct cli_look *ret_mirror, struct error_text *reterr_why)
{
    int err = cli_look(&promote->js, origin->name.text, ret_origin, reterr_why);
    return err == 0 ? cli_look(&promote->js, mirror->name.text, ret_mirror, reterr_why) : err;
}

static int fill(struct promote *promote, const struct cli_stream *origin,
                const struct cli_stream *mirror, struct error_text *reterr_why)
{
    struct cli_look to, from;
    uint64_t before = 0;
    int64_t until = clock_monotonic_ms() + FILL_MS;

    if (!begin(promote, "wait until %s has all of it", origin->name.text))
        return 0;
    for (;;) {
        int err = look_at_both(promote, origin, mirror, &to, &from, reterr_why);
        if (err < 0)
            return err;
        if (from.state == CLI_LOOK_THERE && to.state == CLI_LOOK_THERE && to.last == from.last &&
            to.messages == from.messages)
            return 0;
        if (to.last != before)
            until = clock_monotonic_ms() + FILL_MS;
        before = to.last;
        if (clock_monotonic_ms() > until)
            return error_text_set(reterr_why, -ETIMEDOUT, "%s does not fill", origin->name.text);
        cli_link_rest(&promote->link, PAUSE_MS);
    }
}

static int open_to_all(struct promote *promote, const struct cli_stream *origin,
                       struct error_text *reterr_why)
{
    if (!begin(promote, "make %s writable", origin->name.text))
        return 0;
    return cli_stream_call(&promote->js, "UPDATE", origin, reterr_why);
}

static int drop_detached(struct promote *promote, const struct cli_stream *mirror,
                         struct error_text *reterr_why)
{
    if (!begin(promote, "delete %s: its region has the origin now", mirror->name.text))
        return 0;
    return cli_stream_delete(&promote->js, mirror->name.text, reterr_why);
}

/* --- one bucket, from where it is --- */

enum stage { STAGE_OLD, STAGE_GONE, STAGE_FILLING, STAGE_DONE };

static enum stage stage_of(const struct promote *promote, const struct cli_look *origin)
{
    if (origin->state == CLI_LOOK_GONE)
        return STAGE_GONE;
    if (origin->state == CLI_LOOK_SILENT || strcmp(origin->cluster, promote->region->name) != 0)
        return STAGE_OLD;
    return origin->mirror.text[0] != '\0' ? STAGE_FILLING : STAGE_DONE;
}

static int check_old(struct promote *promote, const struct cli_stream *name,
                     const struct cli_look *origin, struct error_text *reterr_why)
{
    if (origin->state != CLI_LOOK_THERE || promote->force)
        return 0;
    if (promote->dry_run) {
        promote->asks_force = true;
        return 0;
    }
    return error_text_set(reterr_why, -EBUSY,
                          "%s still answers, in %s: what it has and the mirrors have not would be "
                          "lost; --force does it all the same",
                          name->name.text, origin->cluster);
}

static int promote_bucket(struct promote *promote, size_t which, struct error_text *reterr_why)
{
    struct cli_stream origin = cli_bucket(promote->catalogue, promote->region, which);
    struct cli_stream mirror = cli_bucket_mirror(promote->catalogue, promote->region, which);
    struct cli_look now, from;
    int err = look_at_both(promote, &origin, &mirror, &now, &from, reterr_why);

    if (err < 0)
        return err;
    enum stage stage = stage_of(promote, &now);
    if (stage != STAGE_DONE && from.state != CLI_LOOK_THERE)
        return error_text_set(reterr_why, -ENOENT,
                              "%s is not there, so there is nothing to promote: see `meridian "
                              "directory rebuild`",
                              mirror.name.text);
    if (stage == STAGE_OLD)
        err = check_old(promote, &origin, &now, reterr_why);
    if (err == 0 && stage != STAGE_DONE && from.mirror.text[0] != '\0')
        err = detach(promote, &mirror, &from, reterr_why);
    if (err == 0 && stage == STAGE_OLD)
        err = unregister(promote, &origin, reterr_why);
    if (err == 0 && (stage == STAGE_OLD || stage == STAGE_GONE))
        err = make(promote, &origin, &mirror, reterr_why);
    if (err == 0 && stage != STAGE_DONE)
        err = fill(promote, &origin, &mirror, reterr_why);
    if (err == 0 && stage != STAGE_DONE)
        err = open_to_all(promote, &origin, reterr_why);
    if (err == 0 && from.state != CLI_LOOK_GONE)
        err = drop_detached(promote, &mirror, reterr_why);
    return err;
}

/* --- all --- */

/* The catalogue may name the new primary already: then there is nobody to ask. */
static int check_primary(struct promote *promote, struct error_text *reterr_why)
{
    const struct catalogue_region *primary = catalogue_primary(promote->catalogue);
    struct cli_link link = {0};
    struct error_text why = {0};

    if (primary == promote->region || promote->force ||
        cli_link_open(&link, primary, PRIMARY_MS, &why) < 0)
        return 0;
    cli_link_close(&link);
    if (promote->dry_run) {
        promote->asks_force = true;
        return 0;
    }
    return error_text_set(reterr_why, -EBUSY,
                          "the primary region %s still answers; --force promotes %s all the same",
                          primary->name, promote->region->name);
}

static int promote_all(struct promote *promote, struct error_text *reterr_why)
{
    struct cli_mirrors mirrors = {.js = &promote->js,
                                  .catalogue = promote->catalogue,
                                  .origin = promote->region,
                                  .dry_run = promote->dry_run};
    size_t count = cli_bucket_count(promote->catalogue);
    int err = check_primary(promote, reterr_why);

    if (err == 0)
        err = cli_link_open(&promote->link, promote->region, CONNECT_MS, reterr_why);
    if (err == 0)
        err = cli_look_ready(&promote->js, reterr_why);
    for (size_t which = 0; which < count && err == 0; which++)
        err = promote_bucket(promote, which, reterr_why);
    for (size_t which = 0; which < count && err == 0 && !promote->dry_run; which++)
        err = cli_mirrors_renew(&mirrors, which, reterr_why);
    if (err == 0 && promote->dry_run)
        printf("would: put back what only other regions' mirrors have, and make those anew\n");
    return err;
}

static void tell_operator(const struct promote *promote)
{
    if (promote->asks_force)
        printf("\nThe primary still answers: without --force nothing would be done.\n");
    printf("\nWhat is left for you to do:\n"
           "  1. see that the lost region's hubs and edges do not start before its NATS servers "
           "have joined again\n"
           "  2. write 'primary: %s' into the catalogue, everywhere\n"
           "  3. restart the hubs of %s, one after the other: the owner of its shard 0 then beats "
           "for the directory\n"
           "  4. when the lost region is back: run this again, then `meridian provision`, which "
           "makes its mirror\n",
           promote->region->name, promote->region->name);
}

int cli_directory_promote(const struct cli_arguments *arguments)
{
    struct error_text why = {0};
    struct promote promote = {.dry_run = cli_flag(arguments, "dry-run"),
                              .force = cli_flag(arguments, "force")};
    int err = 0;

    promote.js = (struct cli_jetstream){.link = &promote.link, .patience_ms = PATIENCE_MS};
    promote.catalogue = cli_catalogue_choose(arguments, &why);
    if (promote.catalogue == NULL)
        err = -ENOENT;
    else
        promote.region = catalogue_region(promote.catalogue, text_of(arguments->operands[0]));
    if (err == 0 && promote.region == NULL)
        err = error_text_set(&why, -EINVAL, "the catalogue has no region '%s'",
                             arguments->operands[0]);
    if (err == 0)
        err = promote_all(&promote, &why);
    if (err == 0)
        tell_operator(&promote);
    else
        fprintf(stderr, "meridian directory promote: %s\n", why.text);
    cli_link_close(&promote.link);
    catalogue_free(promote.catalogue);
    return err == 0 ? CLI_OK : err == -EINVAL ? CLI_USAGE : CLI_FAILED;
}
