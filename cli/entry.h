/* One entry of the directory: read with its revision, judged, written by compare-and-set. */
#pragma once

#include "cli/jetstream.h"
#include "wire/names.h"

struct cli_entry {
    char home[TEXT_REGION_MAX + 1];
    uint32_t epoch;
    uint64_t revision; /* where it is stored; 0: there is none */
    bool damaged;      /* it is there and cannot be read: home and epoch say nothing */
};

/* Reads an answer to bus_get_last(). A damaged entry, and none, are no failure. */
MUST_USE int cli_entry_read(const struct bus_message *answer, struct cli_entry *ret_entry);
/* What is stored under a user's key. A damaged one, and none, are no failure. */
MUST_USE int cli_entry_get(struct cli_link *link, struct text user, unsigned buckets,
                           struct cli_entry *ret_entry, struct error_text *reterr_why);
/* The same for who needs one that can be read. -ENOENT, -EBADMSG. */
MUST_USE int cli_entry_find(struct cli_link *link, struct text user, unsigned buckets,
                            struct cli_entry *ret_entry, struct error_text *reterr_why);
/* Writes, when the entry's revision still is `expects`. -ESTALE: it is another. */
MUST_USE int cli_entry_put(struct cli_jetstream *js, struct text user, unsigned buckets,
                           const char *home, uint32_t epoch, uint64_t expects,
                           uint64_t *ret_revision, struct error_text *reterr_why);
/* Tells edges that what they believe of the user may be wrong. Best effort. */
void cli_entry_tell(struct cli_link *link, struct text user);

/* What an operator asks for. */
struct cli_entry_change {
    const char *home;
    uint32_t epoch;    /* 0: not said */
    bool if_revision;  /* only when the revision is `revision` */
    uint64_t revision; /* 0: there must be no entry */
    bool force;        /* also when the user is at home elsewhere, or the entry is damaged */
};
/* Judges it: 1 and the epoch to be written; 0: it is so already. -ESTALE, -EEXIST, -EINVAL, with
 * the reason. An epoch never goes back, and another home has a higher one. Pure. */
MUST_USE int cli_entry_judge(const struct cli_entry *now, const struct cli_entry_change *change,
                             uint32_t *ret_epoch, struct error_text *reterr_why);
