/* What was used lately of what is shared out: an entry for each connection, user or neighbourhood
 * that has sent or logged in within the last moments. An entry with nothing to remember is as none,
 * so the table holds only who is busy now, and is small again when nobody is.
 *
 * Open addressing, 32 bytes an entry. Pure: the caller passes keys and times. */
#pragma once

#include "base/macros.h"
#include "edge/edge_bucket.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EDGE_SHARE_QUIET_MS = 1000 }; /* a flood with such a pause in it is another one */

struct edge_share {
    uint64_t key; /* never 0 */
    struct edge_bucket sends;
    struct edge_bucket logins;
    uint32_t flood_ms; /* low bits of the time: since when it has sent too fast; 0: it does not */
    uint32_t last_ms;  /* the last time it did */
};

struct edge_shares; /* opaque */

/* Remembers at most `max`. NULL when memory is short. */
MUST_USE struct edge_shares *edge_shares_new(size_t max);
void edge_shares_free(struct edge_shares *shares); /* NULL is fine */
/* Entries are borrowed until the next call. NULL: it has none. */
struct edge_share *edge_shares_find(const struct edge_shares *shares, uint64_t key);
/* Makes one where there is none; NULL when there are so many, and three quarters of them are busy,
 * or when memory is short. */
struct edge_share *edge_shares_of(struct edge_shares *shares, uint64_t key, int64_t now_ms);
/* Gives memory back. Call it about twice a second. */
void edge_shares_tick(struct edge_shares *shares, int64_t now_ms);
size_t edge_shares_bytes(const struct edge_shares *shares);
