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
/* For a notice of kind MAILBOX_NOTICE_PASS_ON. 0, also when there is nothing to send, which is
 * counted: its ttl is over, or the view does not hold it any more, which is logged within `limit`.
 * -EAGAIN: not now. */
MUST_USE int hub_pass_on(struct hub_apply *apply, const struct catalogue *catalogue,
                         const struct catalogue_region *here, const struct mailbox_notice *notice,
                         struct log_limit *limit, struct hub_pass_on_counts *counts,
                         struct hub_pass_on *ret_passed);
