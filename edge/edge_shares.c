#include "edge/edge_shares.h"

#include <assert.h>
#include <stdlib.h>

enum {
    CAPACITY_MIN = 64,
    TICK_MS = 10000, /* between looks for what can be given back */
    FULL_MS = 100,   /* so long nobody is looked for who could make room: to look is dear */
};

struct edge_shares {
    struct edge_share *slots;
    size_t capacity; /* a power of two, or 0 */
    size_t used;     /* slots, also of who has nothing to remember any more */
    size_t max;
    int64_t full_until_ms;
    int64_t tick_ms;
};

struct edge_shares *edge_shares_new(size_t max)
{
    struct edge_shares *shares = calloc(1, sizeof *shares);
    if (shares != NULL)
        shares->max = max;
    return shares;
}

void edge_shares_free(struct edge_shares *shares)
{
    if (shares == NULL)
        return;
    free(shares->slots);
    free(shares);
}

static bool is_busy(const struct edge_share *share, int64_t now_ms)
{
    if (share->key == 0)
        return false;
    bool floods =
        share->flood_ms != 0 && (uint32_t)now_ms - share->last_ms <= (uint32_t)EDGE_SHARE_QUIET_MS;
    return floods || !edge_bucket_is_full(&share->sends, now_ms) ||
           !edge_bucket_is_full(&share->logins, now_ms);
}

/* The slot of the key, or the empty one that it would have. */
static struct edge_share *slot_of(const struct edge_shares *shares, uint64_t key)
{
    size_t at = key & (shares->capacity - 1);
    while (shares->slots[at].key != 0 && shares->slots[at].key != key)
        at = (at + 1) & (shares->capacity - 1);
    return &shares->slots[at];
}

static size_t count_busy(const struct edge_shares *shares, int64_t now_ms)
{
    size_t busy = 0;
    for (size_t i = 0; i < shares->capacity; i++)
        busy += is_busy(&shares->slots[i], now_ms);
    return busy;
}

/* Moves who is busy. */
static bool rebuild(struct edge_shares *shares, size_t capacity, int64_t now_ms)
{
    struct edge_shares old = *shares;
    struct edge_share *slots = calloc(capacity, sizeof *slots);
    if (slots == NULL)
        return false;
    shares->slots = slots;
    shares->capacity = capacity;
    shares->used = 0;
    for (size_t i = 0; i < old.capacity; i++) {
        if (!is_busy(&old.slots[i], now_ms))
            continue;
        *slot_of(shares, old.slots[i].key) = old.slots[i];
        shares->used++;
    }
    free(old.slots);
    return true;
}

/* Half full at most. */
static size_t capacity_for(size_t busy)
{
    size_t capacity = CAPACITY_MIN;
    while (capacity < 2 * (busy + 1))
        capacity *= 2;
    return capacity;
}

/* Each time it is worth its work: the table doubles, or a quarter of it is free then. */
static bool make_room(struct edge_shares *shares, int64_t now_ms)
{
    if (now_ms < shares->full_until_ms)
        return false;
    size_t busy = count_busy(shares, now_ms);
    bool frees = shares->used < shares->max || busy <= shares->max - shares->max / 4;
    if (frees && rebuild(shares, capacity_for(busy), now_ms))
        return true;
    shares->full_until_ms = now_ms + FULL_MS;
    return false;
}

struct edge_share *edge_shares_find(const struct edge_shares *shares, uint64_t key)
{
    struct edge_share *slot = shares->capacity == 0 ? NULL : slot_of(shares, key);
    return slot == NULL || slot->key == 0 ? NULL : slot;
}

struct edge_share *edge_shares_of(struct edge_shares *shares, uint64_t key, int64_t now_ms)
{
    assert(key != 0);
    struct edge_share *slot = edge_shares_find(shares, key);
    if (slot != NULL)
        return slot;
    bool tight = shares->used >= shares->max || (shares->used + 1) * 4 > shares->capacity * 3;
    if (tight && !make_room(shares, now_ms))
        return NULL;
    slot = slot_of(shares, key);
    *slot = (struct edge_share){.key = key};
    shares->used++;
    return slot;
}

void edge_shares_tick(struct edge_shares *shares, int64_t now_ms)
{
    if (shares->used == 0 || now_ms - shares->tick_ms < TICK_MS)
        return;
    shares->tick_ms = now_ms;
    size_t busy = count_busy(shares, now_ms);
    if (busy == 0) {
        free(shares->slots);
        shares->slots = NULL;
        shares->capacity = shares->used = 0;
    } else if (capacity_for(busy) * 4 <= shares->capacity) {
        (void)rebuild(shares, capacity_for(busy), now_ms);
    }
}

size_t edge_shares_bytes(const struct edge_shares *shares)
{
    return shares->capacity * sizeof *shares->slots;
}
