/* Moves users to one home, several at once, each until it has an outcome; whoever calls says which
 * users, one after the other, so the list may be longer than memory. */
#pragma once

#include "base/error_text.h"
#include "catalogue/catalogue.h"
#include "cli/beats.h"
#include "cli/link.h"
#include "wire/move.h"

enum { CLI_MOVE_PARALLEL = 32, CLI_MOVE_PARALLEL_MAX = 1024, CLI_MOVE_WHY_SIZE = 192 };

enum cli_move_outcome {
    CLI_MOVE_DONE,  /* it is at home there now; of an abort: it stays where it is */
    CLI_MOVE_THERE, /* it was before */
    CLI_MOVE_WOULD, /* nothing stands against it (only with `dry`) */
    CLI_MOVE_NOT,   /* `why` says why not */
    CLI_MOVE_OUTCOMES
};
struct cli_move_result { /* borrowed for the call */
    struct text user;
    enum cli_move_outcome outcome;
    const char *home; /* where it is; "" when nobody has seen it */
    const char *why;
};

struct cli_move_run { /* borrowed for the run */
    struct cli_link *link;
    const struct catalogue *catalogue;
    const struct catalogue_region *to; /* NULL: moves that are on their way are given up */
    /* Not NULL: this region is gone, and the users are fetched out of the archive; forced: also
     * while it is heard. */
    const struct catalogue_region *gone;
    bool forced;
    const struct cli_beats *dry; /* not NULL: nothing is moved; what hubs said, with members */
    size_t parallel;             /* 1 to CLI_MOVE_PARALLEL_MAX */
    void *context;
    /* The next user, borrowed until the next call; false: there is none. */
    bool (*next)(void *context, struct text *ret_user);
    void (*on_result)(void *context, const struct cli_move_result *result);
    size_t counts[CLI_MOVE_OUTCOMES]; /* zeroed before; how many ended so */
};
/* Runs until all are through. -ENOMEM. */
MUST_USE int cli_move_run(struct cli_move_run *run, struct error_text *reterr_why);
