/* Notices as messages: who is told what of a mailbox, in which words and under which id. A notice
 * made again, by whichever hub, has the same id, so the home of the addressee drops it as a repeat.
 * Pure: rows come in, messages go out. */
#pragma once

#include "base/buffer.h"
#include "base/list.h"
#include "mailbox/mailbox.h"

enum {
    HUB_NOTICE_CHUNK = 256,      /* seqs that one delivered notice may tell of */
    HUB_NOTICE_READ_SEQS = 1024, /* seqs below a read cursor that are looked at... */
    HUB_NOTICE_READ_IDS = 64,    /* ...and ids that a read notice names, the newest */
    HUB_NOTICE_ID_SIZE = 32,
};

/* What a notice is about. `from` and `to` are seqs in the mailbox of `user`. */
struct hub_notice_about {
    enum mailbox_notice_kind kind;
    struct text user;
    uint32_t epoch;
    uint64_t from;
    uint64_t to;
};

/* A message for one addressee. */
struct hub_notice {
    struct list link;
    char id[HUB_NOTICE_ID_SIZE + 1];
    struct buffer body;
    struct buffer passed; /* not empty: instead of a notice, this message as it is */
    size_t to_size;
    char to[]; /* a user id */
};
void hub_notice_free(struct hub_notice *notice); /* NULL is fine */
struct text hub_notice_to(const struct hub_notice *notice);
/* Borrows from the notice. A created_ms of 0 is the caller's to set. */
void hub_notice_message(const struct hub_notice *notice, struct wire_message *ret_message);

/* The part of seqs that holds `seq`: its borders do not depend on who asks. */
uint64_t hub_notice_chunk_end(uint64_t seq);

/* Gathers the ids of rows by their sender, in the order of the rows. */
struct hub_gather {
    struct list groups;
    uint8_t want;   /* WIRE_WANT_...: rows that do not want it are passed over */
    struct text of; /* rows of other senders are passed over; empty: no sender is */
    size_t ids_max; /* of one sender; beyond it the oldest are dropped */
};
struct hub_gather_row {
    struct text sender;
    struct text id;
    uint8_t wants;
    uint16_t flags;
};
/* `of` is empty, and may be set before any row. */
void hub_gather_begin(struct hub_gather *gather, uint8_t want, size_t ids_max);
MUST_USE int hub_gather_add(struct hub_gather *gather,
                            const struct hub_gather_row *row); /* -ENOMEM */
/* Appends a notice for each sender to `notices`, and forgets all. -ENOMEM: nothing was appended. */
MUST_USE int hub_gather_end(struct hub_gather *gather, const struct hub_notice_about *about,
                            struct list *notices);
void hub_gather_drop(struct hub_gather *gather); /* forgets all; fine at any time */

/* No notice, but somebody's message that goes after its addressee. NULL when memory is short. */
MUST_USE struct hub_notice *hub_notice_pass_on(struct text to, const struct wire_message *message);
/* The user's own device was dropped; its cursor was at about->to. NULL when memory is short. */
MUST_USE struct hub_notice *hub_notice_dropped(const struct hub_notice_about *about,
                                               struct text device);
