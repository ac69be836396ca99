/* A client's ask for a page of history: one at a time, said once a connection until it is answered.
 * Pure. */
#pragma once

#include "base/buffer.h"
#include "base/macros.h"
#include "meridian/client.h"

#include <stdbool.h>

struct meridian_recall {
    bool waits; /* for its answer */
    bool said;  /* on this connection */
    uint64_t number;
    char before[32]; /* empty: none, as `after` */
    char after[32];
    unsigned limit; /* 0: the edge's own */
};

/* Either cursor may be NULL. -EBUSY: one waits; -EINVAL: both, or a bad one. */
MUST_USE int meridian_recall_ask(struct meridian_recall *recall, const char *before,
                                 const char *after, unsigned limit);
void meridian_recall_write(const struct meridian_recall *recall, struct buffer *out);
/* Whether an answer with this id is the one that is waited for. */
bool meridian_recall_is(const struct meridian_recall *recall, const char *id);

/* The messages of a page, which are a JSON array: their texts are in `strings`, the list is to be
 * freed. -EBADMSG, -ENOMEM. */
MUST_USE int meridian_recall_read(struct text messages, struct buffer *strings,
                                  struct meridian_message **ret_messages, size_t *ret_count);
