#include "cli/move.h"

#include "base/clock.h"
#include "cli/beats.h"
#include "cli/catalogue_choice.h"
#include "cli/move_run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LISTEN_MS = 2500, PROGRESS_MS = 1000 };

struct move {
    const struct cli_arguments *arguments;
    struct catalogue *catalogue;
    struct cli_link link;
    struct cli_beats beats;
    struct cli_move_run run;
    const char *user; /* the only one; NULL: taken already, or there is a list */
    FILE *users;      /* NULL: no list */
    char *line;
    size_t line_size;
    int64_t told_ms;
};

/* --- which users --- */

static bool next_user(void *context, struct text *ret_user)
{
    struct move *move = context;
    if (move->user != NULL) {
        *ret_user = text_of(move->user);
        move->user = NULL;
        return true;
    }
    while (move->users != NULL) {
        ssize_t size = getline(&move->line, &move->line_size, move->users);
        if (size < 0)
            return false;
        while (size > 0 && (move->line[size - 1] == '\n' || move->line[size - 1] == '\r'))
            size--;
        *ret_user = (struct text){move->line, (size_t)size};
        if (size > 0)
            return true;
    }
    return false;
}

/* --- what became of them --- */

static void tell_progress(struct move *move)
{
    const int64_t now_ms = clock_monotonic_ms();
    const size_t *counts = move->run.counts;
    if (move->users == NULL || now_ms - move->told_ms < PROGRESS_MS)
        return;
    move->told_ms = now_ms;
    fprintf(stderr, "%zu moved, %zu there already, %zu not\n", counts[CLI_MOVE_DONE],
            counts[CLI_MOVE_THERE], counts[CLI_MOVE_NOT]);
}

static void tell_abort(const struct cli_move_result *result)
{
    if (result->outcome == CLI_MOVE_DONE)
        printf("the move of %.*s was given up: the user stays in %s\n", TEXT_ARGS(result->user),
               result->home);
    else
        printf("%.*s does not move: the user is at home in %s\n", TEXT_ARGS(result->user),
               result->home);
}

static void on_result(void *context, const struct cli_move_result *result)
{
    struct move *move = context;
    const bool is_one = move->users == NULL;
    if (result->outcome == CLI_MOVE_NOT)
        fprintf(stderr, "%.*s: %s\n", TEXT_ARGS(result->user), result->why);
    else if (move->run.to == NULL)
        tell_abort(result);
    else if (result->outcome == CLI_MOVE_WOULD)
        printf("%.*s would move from %s to %s\n", TEXT_ARGS(result->user), result->home,
               move->run.to->name);
    else if (is_one || move->run.dry != NULL)
        printf("%.*s is at home in %s%s\n", TEXT_ARGS(result->user), move->run.to->name,
               result->outcome == CLI_MOVE_THERE ? " already" : "");
    tell_progress(move);
}

static void tell_summary(const struct move *move)
{
    const size_t *counts = move->run.counts;
    if (move->users == NULL)
        return;
    if (move->run.dry != NULL)
        printf("%zu would move, %zu are there already, %zu would not\n", counts[CLI_MOVE_WOULD],
               counts[CLI_MOVE_THERE], counts[CLI_MOVE_NOT]);
    else
        printf("%zu moved, %zu were there already, %zu not\n", counts[CLI_MOVE_DONE],
               counts[CLI_MOVE_THERE], counts[CLI_MOVE_NOT]);
}

/* --- what is asked for --- */

static int read_parallel(struct move *move, struct error_text *reterr_why)
{
    const char *value = cli_value(move->arguments, "parallel");
    uint64_t number = CLI_MOVE_PARALLEL;
    if (value != NULL &&
        (text_to_u64(text_of(value), CLI_MOVE_PARALLEL_MAX, &number) != 0 || number == 0))
        return error_text_set(reterr_why, -EINVAL, "--parallel is 1 to %d, not '%s'",
                              (int)CLI_MOVE_PARALLEL_MAX, value);
    move->run.parallel = number;
    return 0;
}

static int open_users(struct move *move, const char *path, struct error_text *reterr_why)
{
    move->users = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
    if (move->users == NULL)
        return error_text_set(reterr_why, -EINVAL, "cannot read %s: %s", path, strerror(errno));
    return 0;
}

static int read_region(struct move *move, const char *name, struct error_text *reterr_why)
{
    move->run.to = catalogue_region(move->catalogue, text_of(name));
    if (move->run.to == NULL)
        return error_text_set(reterr_why, -EINVAL, "the catalogue has no region '%s'", name);
    return 0;
}

static int read_arguments(struct move *move, struct error_text *reterr_why)
{
    const struct cli_arguments *arguments = move->arguments;
    const char *users = cli_value(arguments, "users");
    const bool is_abort = cli_flag(arguments, "abort");
    const size_t wanted = users != NULL || is_abort ? 1 : 2;
    if (is_abort && (users != NULL || cli_flag(arguments, "dry-run")))
        return error_text_set(reterr_why, -EINVAL, "--abort is for one user, and done at once");
    if (arguments->operand_count != wanted)
        return error_text_set(reterr_why, -EINVAL,
                              "it is `meridian move USER REGION`, `meridian move --users FILE "
                              "REGION` or `meridian move --abort USER`");
    int err = read_parallel(move, reterr_why);
    if (err == 0 && !is_abort)
        err = read_region(move, arguments->operands[wanted - 1], reterr_why);
    if (err == 0 && users != NULL)
        return open_users(move, users, reterr_why);
    move->user = arguments->operands[0];
    if (move->users == NULL)
        move->run.parallel = 1;
    return err;
}

static int run(struct move *move, struct error_text *reterr_why)
{
    int err = cli_link_open_any(&move->link, move->catalogue, reterr_why);
    if (err == 0 && cli_flag(move->arguments, "dry-run")) {
        err = cli_beats_listen(&move->beats, &move->link, move->catalogue, true, LISTEN_MS);
        if (err < 0)
            return error_text_set(reterr_why, err, "cannot listen to the hubs: %s", strerror(-err));
        move->run.dry = &move->beats;
    }
    if (err == 0)
        err = cli_move_run(&move->run, reterr_why);
    if (err == 0)
        tell_summary(move);
    return err;
}

int cli_move(const struct cli_arguments *arguments)
{
    struct error_text why = {0};
    struct move move = {.arguments = arguments};
    move.run = (struct cli_move_run){
        .link = &move.link, .context = &move, .next = next_user, .on_result = on_result};
    move.catalogue = cli_catalogue_choose(arguments, &why);
    move.run.catalogue = move.catalogue;
    int err = move.catalogue == NULL ? -ENOENT : read_arguments(&move, &why);
    if (err == 0)
        err = run(&move, &why);
    if (err < 0)
        fprintf(stderr, "meridian move: %s\n", why.text);
    cli_beats_done(&move.beats);
    cli_link_close(&move.link);
    if (move.users != NULL && move.users != stdin)
        fclose(move.users);
    free(move.line);
    catalogue_free(move.catalogue);
    if (err < 0)
        return err == -EINVAL ? CLI_USAGE : CLI_FAILED;
    return move.run.counts[CLI_MOVE_NOT] == 0 ? CLI_OK : CLI_FAILED;
}
