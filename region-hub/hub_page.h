/* A page of a user's history while it fills: which rows belong on it, when it is full, and how it
 * is written. Rows are offered along its way, from its cursor on: rising from one, or falling from
 * one. Pure. */
#pragma once

#include "store/archive.h"
#include "wire/frame.h"

#include <stdbool.h>
#include <stdint.h>

/* Counted for a row beside its body, and twice its other texts: what it takes as JSON, too. */
enum { HUB_PAGE_ROW_BYTES = 128 };

struct hub_page {
    uint64_t request;
    bool rises;
    struct archive_cursor at; /* exclusive: where the next row is looked for */
    uint16_t rows_max;
    uint32_t bytes_max;
    /* Up to this seq the mailbox's epoch has the messages of the one before it, which stand in the
     * archive under both; seq 0: it has none of them. */
    struct archive_cursor base;
    bool rose_into;            /* it rises, and began before that epoch */
    uint64_t lowest;           /* it falls: the last seq that was looked at in that epoch */
    int64_t now_ms;            /* log time */
    struct archive_batch rows; /* in the order of the way */
    uint64_t bytes;
    bool full;          /* a row was offered that has no room: there is more */
    const char *reason; /* why some that belong on it are not; "": none is missing. Static. */
    int error;          /* memory was short */
};

void hub_page_init(struct hub_page *page, const struct wire_history_ask *ask, int64_t now_ms);
/* The mailbox goes on from another epoch: each message is shown once, and of the epoch before
 * nothing that is behind the base, since it came again behind it or was lost. Before any row. */
void hub_page_set_base(struct hub_page *page, struct archive_cursor base);
void hub_page_done(struct hub_page *page);
/* Nothing can come any more on its way: it falls, and is at the first cursor there is. */
bool hub_page_is_at_end(const struct hub_page *page);
/* The next row on its way, copied; or passed over: notices are no messages, and what is past its
 * ttl is gone. False: no further one is wanted, and this one is not on it. */
bool hub_page_take(struct hub_page *page, const struct archive_row *row);
/* Some are not to be had. The first reason stays. */
void hub_page_miss(struct hub_page *page, const char *reason);
/* How many rows to ask for: one more than fit, which tells whether there is more. */
uint32_t hub_page_wants(const struct hub_page *page);
/* The page and its rows, in rising order; with another code than WIRE_OK no rows. */
void hub_page_write(const struct hub_page *page, enum wire_answer code,
                    struct wire_frame_writer *frame);
