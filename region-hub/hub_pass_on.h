/* Messages that came to a mailbox after it had moved: made again out of the view, as they were, for
 * the region where the user is now. One shard thread. */
#pragma once

#include "catalogue/catalogue.h"
#include "log/log.h"
#include "region-hub/hub_apply.h"
#include "region-hub/hub_notice.h"

struct hub_pass_on_counts { /* zeroed */
    uint64_t sent;          /* given to whoever sends them; again when an owner begins anew */
    uint64_t over;          /* their ttl was */
    uint64_t missing;       /* not in the view */
};
struct hub_pass_on {
    struct hub_notice *made; /* the caller's; NULL: nothing is to be sent */
    bool by_directory;       /* this log does not know where to, and the directory is asked */
    size_t region;           /* else: an index in the catalogue */
    size_t bytes;            /* that were read, also when it failed */
};
/* For a notice of kind MAILBOX_NOTICE_PASS_ON that names one row. 0, also when there is nothing to
 * send, which is counted: its ttl is over, or the view does not hold it any more, which is logged
 * within `limit`. -EAGAIN: not now. */
MUST_USE int hub_pass_on(struct hub_apply *apply, const struct catalogue *catalogue,
                         const struct catalogue_region *here, const struct mailbox_notice *notice,
                         struct log_limit *limit, struct hub_pass_on_counts *counts,
                         struct hub_pass_on *ret_passed);

struct hub_pass_on_range { /* for one that names seqs */
    const struct mailbox_notice *notice;
    uint64_t next;    /* the seq wanted next; the caller keeps it: 0 at first, then above `to` */
    size_t bytes_max; /* of bodies, at one go */
    size_t bytes;     /* that were read, also when it failed */
    void *context;
    /* Takes the message, also when it fails. Negative: no more now, and this one again. */
    int (*post)(void *context, const struct hub_pass_on *passed);
};
/* Posts what there is of it. 0: range->next is behind what was done; -EAGAIN: not now. */
MUST_USE int hub_pass_on_range(struct hub_apply *apply, const struct catalogue *catalogue,
                               const struct catalogue_region *here, struct log_limit *limit,
                               struct hub_pass_on_range *range);
