#include "cli/evacuate.h"

#include "base/clock.h"
#include "cli/catalogue_choice.h"
#include "cli/evacuate_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum { CONNECT_MS = 3000, LISTEN_MS = 2500, PROGRESS_MS = 1000 };

/* --- what there is --- */

/* Any region but the one that is given up: what that one says is of no use if it is cut off. */
static int open_link(struct cli_evacuate *evacuate, struct error_text *reterr_why)
{
    const struct catalogue *catalogue = evacuate->catalogue;
    const struct catalogue_region *primary = catalogue_primary(catalogue);
    int err = -ETIMEDOUT;
    if (primary != evacuate->plan.from)
        err = cli_link_open(&evacuate->link, primary, CONNECT_MS, reterr_why);
    for (size_t i = 0; i < catalogue->region_count && err < 0; i++)
        if (&catalogue->regions[i] != evacuate->plan.from && &catalogue->regions[i] != primary)
            err = cli_link_open(&evacuate->link, &catalogue->regions[i], CONNECT_MS, reterr_why);
    return err;
}

static int listen(struct cli_evacuate *evacuate, struct error_text *reterr_why)
{
    const struct catalogue_region *from = evacuate->plan.from;
    int err =
        cli_beats_listen(&evacuate->beats, &evacuate->link, evacuate->catalogue, false, LISTEN_MS);
    if (err < 0)
        return error_text_set(reterr_why, err, "%s", strerror(-err));
    for (unsigned i = 0; i < from->shards; i++)
        evacuate->heard += cli_beats_shard(&evacuate->beats, from, i)->heard;
    if (from == catalogue_primary(evacuate->catalogue) && evacuate->heard == 0)
        return error_text_set(reterr_why, -EINVAL,
                              "%s is the primary region, and is not heard: nobody can be given "
                              "another home before `meridian directory promote` has made another "
                              "region the primary",
                              from->name);
    return 0;
}

static void on_user(void *context, struct text user)
{
    struct cli_evacuate *evacuate = context;
    evacuate->count++;
    evacuate->counts[cli_evacuate_target(&evacuate->plan, user)]++;
}

/* Refuses what was not asked for. */
static int judge(const struct cli_evacuate *evacuate, struct error_text *reterr_why)
{
    const struct catalogue_region *from = evacuate->plan.from;
    const bool dead = cli_flag(evacuate->arguments, "dead");
    if (cli_flag(evacuate->arguments, "force") && !dead)
        return error_text_set(reterr_why, -EINVAL, "--force goes with --dead");
    if (evacuate->heard < from->shards && !dead)
        return error_text_set(reterr_why, -EHOSTDOWN,
                              "%zu of the %" PRIu32 " shards of %s are heard: users of the others "
                              "can be fetched out of the archive alone. --dead does that; what it "
                              "costs is told above",
                              evacuate->heard, from->shards, from->name);
    return 0;
}

/* --- moving --- */

struct pass { /* of the users that go to one target in one way */
    struct cli_evacuate *evacuate;
    struct cli_user_lines lines;
    size_t target;
    bool rescues;
};

static bool next_user(void *context, struct text *ret_user)
{
    struct pass *pass = context;
    const struct cli_evacuate *evacuate = pass->evacuate;
    const bool forced = cli_flag(evacuate->arguments, "force");
    while (cli_user_lines_next(&pass->lines, ret_user)) {
        const bool rescues = forced || !cli_evacuate_is_heard(evacuate, *ret_user);
        if (cli_evacuate_target(&evacuate->plan, *ret_user) == pass->target &&
            rescues == pass->rescues)
            return true;
    }
    return false;
}

static void on_result(void *context, const struct cli_move_result *result)
{
    struct cli_evacuate *evacuate = ((struct pass *)context)->evacuate;
    const int64_t now_ms = clock_monotonic_ms();
    if (result->outcome == CLI_MOVE_NOT) {
        evacuate->not_moved++;
        fprintf(stderr, "%.*s stays: %s\n", TEXT_ARGS(result->user), result->why);
    } else {
        evacuate->moved++;
        fprintf(evacuate->done, "%.*s\n", TEXT_ARGS(result->user));
    }
    if (now_ms - evacuate->told_ms < PROGRESS_MS)
        return;
    evacuate->told_ms = now_ms;
    fprintf(stderr, "%" PRIu64 " of %" PRIu64 " moved, %" PRIu64 " not\n", evacuate->moved,
            evacuate->count, evacuate->not_moved);
}

static int run_pass(struct cli_evacuate *evacuate, size_t target, bool rescues,
                    struct error_text *reterr_why)
{
    struct pass pass = {.evacuate = evacuate,
                        .lines = {.file = evacuate->users},
                        .target = target,
                        .rescues = rescues};
    struct cli_move_run run = {.link = &evacuate->link,
                               .catalogue = evacuate->catalogue,
                               .to = evacuate->plan.targets[target],
                               .gone = rescues ? evacuate->plan.from : NULL,
                               .forced = rescues && cli_flag(evacuate->arguments, "force"),
                               .parallel = CLI_MOVE_PARALLEL,
                               .context = &pass,
                               .next = next_user,
                               .on_result = on_result};
    rewind(evacuate->users);
    int err = cli_move_run(&run, reterr_why);
    cli_user_lines_done(&pass.lines);
    return err;
}

static int open_done(struct cli_evacuate *evacuate, char *name, struct error_text *reterr_why)
{
    snprintf(name, CLI_EVACUATE_NAME_SIZE, "evacuated-%s.users", evacuate->plan.from->name);
    const char *path = cli_value_or(evacuate->arguments, "list", name);
    evacuate->done = fopen(path, "a");
    if (evacuate->done == NULL)
        return error_text_set(reterr_why, -EIO, "cannot write %s: %s", path, strerror(errno));
    return 0;
}

static int move_all(struct cli_evacuate *evacuate, struct error_text *reterr_why)
{
    char name[CLI_EVACUATE_NAME_SIZE];
    int err = open_done(evacuate, name, reterr_why);
    for (size_t i = 0; i < evacuate->plan.target_count && err == 0; i++) {
        err = run_pass(evacuate, i, false, reterr_why);
        if (err == 0)
            err = run_pass(evacuate, i, true, reterr_why);
    }
    if (evacuate->done == NULL)
        return err;
    const char *path = cli_value_or(evacuate->arguments, "list", name);
    if (fclose(evacuate->done) != 0 && err == 0)
        err = error_text_set(reterr_why, -EIO, "cannot write %s: %s", path, strerror(errno));
    printf("%" PRIu64 " moved, %" PRIu64 " not\n", evacuate->moved, evacuate->not_moved);
    if (evacuate->moved > 0)
        printf("who was moved stands in %s, for `meridian region restore`\n", path);
    if (err == 0 && evacuate->not_moved > 0)
        err = error_text_set(reterr_why, -EAGAIN, "not all were moved: run it again");
    return err;
}

int cli_region_evacuate(const struct cli_arguments *arguments)
{
    struct cli_evacuate evacuate = {.arguments = arguments};
    struct error_text why = {0};
    int err = -EINVAL;
    evacuate.catalogue = cli_catalogue_choose(arguments, &why);
    if (evacuate.catalogue != NULL)
        err = cli_evacuate_plan(&evacuate.plan, evacuate.catalogue, arguments->operands[0],
                                cli_value(arguments, "to"), &why);
    if (err == 0)
        err = open_link(&evacuate, &why);
    if (err == 0)
        err = listen(&evacuate, &why);
    if (err == 0)
        err = cli_user_list_of(&evacuate.link, evacuate.catalogue, evacuate.plan.from, &evacuate,
                               on_user, &evacuate.users, &why);
    if (err == 0) {
        cli_evacuate_tell(&evacuate);
        fflush(stdout);
        if (!cli_flag(arguments, "dry-run")) {
            err = judge(&evacuate, &why);
            if (err == 0)
                err = move_all(&evacuate, &why);
        }
    }
    if (err < 0)
        fprintf(stderr, "meridian %s: %s\n", arguments->command->name, why.text);
    if (evacuate.users != NULL)
        fclose(evacuate.users);
    cli_beats_done(&evacuate.beats);
    cli_link_close(&evacuate.link);
    catalogue_free(evacuate.catalogue);
    return err == 0 ? CLI_OK : err == -EINVAL ? CLI_USAGE : CLI_FAILED;
}
