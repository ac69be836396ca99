/* The sends of a client that have no outcome yet, in their order. Pure: times come in.
 *
 * A send is written once a connection; written again on the next one, when no answer came within
 * answer_ms, or when it came too fast; and called unknown after give_up_ms, if there is such an
 * end. An edge may ask for a pause, and for slower sends after it: that holds for the connection.
 */
#pragma once

#include "base/buffer.h"
#include "base/list.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct meridian_send {
    struct list link;
    char id[TEXT_MESSAGE_ID_MAX + 1];
    char *frame; /* owned */
    size_t size;
    int64_t first_ms; /* when it was asked for */
    int64_t due_ms;   /* when it is to be written again; meaningless while waiting */
    bool waiting;     /* to be written now */
    unsigned attempts;
};

struct meridian_sends {
    struct list list;
    size_t count;
    size_t max;
    int64_t answer_ms;
    int64_t give_up_ms; /* 0: never */
    int64_t pause_ms;   /* none is written before; 0: there is no pause */
    int64_t apart_ms;   /* from one to the next; 0: as fast as it goes */
};

void meridian_sends_init(struct meridian_sends *sends, size_t max, int64_t answer_ms,
                         int64_t give_up_ms);
void meridian_sends_done(struct meridian_sends *sends);
/* Copies the frame. -EEXIST, -ENOBUFS, -ENOMEM. */
MUST_USE int meridian_sends_add(struct meridian_sends *sends, struct text id, struct text frame,
                                int64_t now_ms, struct meridian_send **ret_send);
struct meridian_send *meridian_sends_find(const struct meridian_sends *sends, struct text id);
/* Has its outcome: frees it. */
void meridian_sends_end(struct meridian_sends *sends, struct meridian_send *send);

/* What is to be written next, or NULL. The caller writes it and says so. */
struct meridian_send *meridian_sends_next(struct meridian_sends *sends, int64_t now_ms);
void meridian_sends_written(struct meridian_sends *sends, struct meridian_send *send,
                            int64_t now_ms);
/* The edge asks for a pause, and for no more than `per_s` a second after it; 0: as before. */
void meridian_sends_slow_down(struct meridian_sends *sends, int64_t wait_ms, uint64_t per_s,
                              int64_t now_ms);
/* It came too fast, and was not taken: it is to be written again, before those behind it. */
void meridian_sends_again(struct meridian_sends *sends, struct meridian_send *send, int64_t wait_ms,
                          int64_t now_ms);
/* The connection is lost: everything is to be written again, in the old order. */
void meridian_sends_disconnected(struct meridian_sends *sends);
/* The first one that is past its end, or NULL. */
struct meridian_send *meridian_sends_expired(const struct meridian_sends *sends, int64_t now_ms);
/* When to ask again, at the latest; -1: nothing is due by itself. */
int64_t meridian_sends_due_ms(const struct meridian_sends *sends);
