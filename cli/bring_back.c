/* Users that were evacuated come back, by plan. */
#include "cli/evacuate.h"

#include "base/clock.h"
#include "cli/catalogue_choice.h"
#include "cli/evacuate_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { LISTEN_MS = 2500, PROGRESS_MS = 1000 };

struct restore {
    struct catalogue *catalogue;
    struct cli_link link;
    struct cli_beats beats;
    struct cli_user_lines lines;
    struct cli_move_run run;
    int64_t told_ms;
};

static bool next_user(void *context, struct text *ret_user)
{
    struct restore *restore = context;
    return cli_user_lines_next(&restore->lines, ret_user);
}

static void on_result(void *context, const struct cli_move_result *result)
{
    struct restore *restore = context;
    const int64_t now_ms = clock_monotonic_ms();
    const size_t *counts = restore->run.counts;
    if (result->outcome == CLI_MOVE_NOT)
        fprintf(stderr, "%.*s: %s\n", TEXT_ARGS(result->user), result->why);
    if (now_ms - restore->told_ms < PROGRESS_MS)
        return;
    restore->told_ms = now_ms;
    fprintf(stderr, "%zu moved, %zu there already, %zu not\n", counts[CLI_MOVE_DONE],
            counts[CLI_MOVE_THERE], counts[CLI_MOVE_NOT]);
}

static int open_users(struct restore *restore, const struct cli_arguments *arguments,
                      struct error_text *reterr_why)
{
    char name[CLI_EVACUATE_NAME_SIZE];
    snprintf(name, sizeof name, "evacuated-%.16s.users", arguments->operands[0]);
    const char *path = cli_value_or(arguments, "users", name);
    restore->lines.file = fopen(path, "r");
    if (restore->lines.file == NULL)
        return error_text_set(reterr_why, -EINVAL, "cannot read %s: %s", path, strerror(errno));
    return 0;
}

static int begin(struct restore *restore, const struct cli_arguments *arguments,
                 struct error_text *reterr_why)
{
    restore->catalogue = cli_catalogue_choose(arguments, reterr_why);
    if (restore->catalogue == NULL)
        return -EINVAL;
    restore->run.to = catalogue_region(restore->catalogue, text_of(arguments->operands[0]));
    if (restore->run.to == NULL)
        return error_text_set(reterr_why, -EINVAL, "the catalogue has no region '%s'",
                              arguments->operands[0]);
    int err = open_users(restore, arguments, reterr_why);
    if (err == 0)
        err = cli_link_open_any(&restore->link, restore->catalogue, reterr_why);
    if (err == 0 && (err = cli_beats_listen(&restore->beats, &restore->link, restore->catalogue,
                                            true, LISTEN_MS)) < 0)
        error_text_set(reterr_why, err, "%s", strerror(-err));
    return err;
}

/* What it brings back moves by plan: the region must be there. */
static int judge(const struct restore *restore, struct error_text *reterr_why)
{
    const struct catalogue_region *to = restore->run.to;
    for (unsigned i = 0; i < to->shards; i++)
        if (!cli_beats_shard(&restore->beats, to, i)->heard)
            return error_text_set(reterr_why, -EHOSTDOWN, "no owner of shard %u of %s is heard", i,
                                  to->name);
    return 0;
}

static int run(struct restore *restore, bool dry, struct error_text *reterr_why)
{
    const size_t *counts = restore->run.counts;
    restore->run.link = &restore->link;
    restore->run.catalogue = restore->catalogue;
    restore->run.dry = dry ? &restore->beats : NULL;
    restore->run.parallel = CLI_MOVE_PARALLEL;
    restore->run.context = restore;
    restore->run.next = next_user;
    restore->run.on_result = on_result;
    int err = cli_move_run(&restore->run, reterr_why);
    printf("%zu %s, %zu there already, %zu not\n", counts[dry ? CLI_MOVE_WOULD : CLI_MOVE_DONE],
           dry ? "would move" : "moved", counts[CLI_MOVE_THERE], counts[CLI_MOVE_NOT]);
    if (err == 0 && counts[CLI_MOVE_NOT] > 0)
        err = error_text_set(reterr_why, -EAGAIN, "not all are back: run it again");
    return err;
}

int cli_region_restore(const struct cli_arguments *arguments)
{
    struct restore restore = {0};
    struct error_text why = {0};
    int err = begin(&restore, arguments, &why);
    if (err == 0)
        err = judge(&restore, &why);
    if (err == 0)
        err = run(&restore, cli_flag(arguments, "dry-run"), &why);
    if (err < 0)
        fprintf(stderr, "meridian %s: %s\n", arguments->command->name, why.text);
    if (restore.lines.file != NULL)
        fclose(restore.lines.file);
    cli_user_lines_done(&restore.lines);
    cli_beats_done(&restore.beats);
    cli_link_close(&restore.link);
    catalogue_free(restore.catalogue);
    return err == 0 ? CLI_OK : err == -EINVAL ? CLI_USAGE : CLI_FAILED;
}
