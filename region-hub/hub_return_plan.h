/* What becomes of a mailbox that a region still holds when it comes back, or has been cut off: the
 * decisions alone. Pure.
 *
 * The directory may have given its user another home meanwhile, under a higher epoch, with what was
 * archived. Then the mailbox leaves: what comes is passed on from now on, and so is what it has
 * itself behind the point from which the other one went on. */
#pragma once

#include "mailbox/mailbox.h"

#include <stdbool.h>

struct hub_return_facts {
    bool is_read;    /* the directory, as all that follows */
    bool is_unknown; /* it has no such user */
    bool is_here;    /* the user is at home here */
    bool is_later;   /* its epoch is above that of ours: it went on without us */
    enum mailbox_where where;
    bool has_answer; /* of the other home: what it went on from */
};
enum hub_return_step {
    HUB_RETURN_READ,   /* the directory */
    HUB_RETURN_ASK,    /* the other home */
    HUB_RETURN_FREEZE, /* write that it leaves, and the end of that */
    HUB_RETURN_END,    /* the end alone: it is frozen */
    HUB_RETURN_ABORT,  /* the same, of one that had brought it here */
    HUB_RETURN_STAYS,  /* nothing is to be done */
};
enum hub_return_step hub_return_next(const struct hub_return_facts *facts);

/* The first seq of ours that the other mailbox may not have; above our head: it has all. */
uint64_t hub_return_from(const struct mailbox_user *ours, uint32_t epoch, uint64_t base);
