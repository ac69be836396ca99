/* What comes next for a user whose home is gone and who is fetched out of the archive: the
 * decisions alone. What the directory has said, what is applied and what was read come in; one step
 * comes out. Pure: whoever owns the shard next is given the same facts and goes on.
 *
 * The compare-and-set of the directory decides, from (home, epoch) as it was read to (here, epoch +
 * 1). The home that is gone is not asked: should it be there after all, its mailbox is of a lower
 * epoch from then on, and it leaves when it learns of that. */
#pragma once

#include "mailbox/mailbox.h"
#include "wire/move.h"

#include <stdbool.h>

enum hub_rescue_directory { /* what was read of it */
                            HUB_RESCUE_UNREAD,
                            HUB_RESCUE_NOBODY,
                            HUB_RESCUE_HERE,      /* at home in our region */
                            HUB_RESCUE_THERE,     /* in the one that is gone */
                            HUB_RESCUE_ELSEWHERE, /* in a third */
};
struct hub_rescue_facts {
    enum hub_rescue_directory directory;
    enum mailbox_where where;
    bool is_ours;      /* what is staged: of this rescue */
    bool is_next;      /* the mailbox's epoch is the one after the directory's */
    bool has_messages; /* a mailbox that is at home here, as far as the log knows, has some */
    bool is_measured;  /* it is known what is to be copied */
    bool is_empty;     /* then: nothing */
    bool is_whole;     /* all of it is applied */
};
enum hub_rescue_step {
    HUB_RESCUE_READ,    /* the directory */
    HUB_RESCUE_MEASURE, /* ask the archive what there is */
    HUB_RESCUE_COPY,    /* the next rows */
    HUB_RESCUE_COPIED,  /* write the record that makes the rows a mailbox */
    HUB_RESCUE_DECIDE,  /* the compare-and-set */
    HUB_RESCUE_DONE,    /* write the end */
    HUB_RESCUE_FINISH,  /* with `code` */
};
struct hub_rescue_next {
    enum hub_rescue_step step;
    uint8_t code; /* enum wire_move_code */
};
struct hub_rescue_next hub_rescue_next(const struct hub_rescue_facts *facts);
