/* What the files of the evacuation share. */
#pragma once

#include "cli/arguments.h"
#include "cli/beats.h"
#include "cli/evacuate_plan.h"
#include "cli/move_run.h"
#include "cli/user_list.h"

enum { CLI_EVACUATE_NAME_SIZE = 64 };

struct cli_evacuate {
    const struct cli_arguments *arguments;
    struct catalogue *catalogue;
    struct cli_link link; /* in another region */
    struct cli_beats beats;
    struct cli_evacuate_plan plan;
    size_t heard; /* shards of the region whose owners are */
    FILE *users;  /* who is at home there */
    FILE *done;   /* who was moved is added: for `region restore` */
    uint64_t count;
    uint64_t counts[CATALOGUE_REGIONS_MAX]; /* by target */
    uint64_t moved;
    uint64_t not_moved;
    int64_t told_ms;
};

/* cli_evacuate_tell.c */
bool cli_evacuate_is_heard(const struct cli_evacuate *evacuate, struct text user);
/* Who goes where, how, and what may be lost by it. */
void cli_evacuate_tell(struct cli_evacuate *evacuate);
