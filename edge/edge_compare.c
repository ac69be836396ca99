#include "edge/edge_compare.h"

enum {
    MISMATCHES_MAX = 2,    /* beats in a row that tell other attaches than ours */
    AGREE_AFTER_MS = 5000, /* without a beat that differs */
};

void edge_compare_add(struct edge_compare *compare, struct text user, struct text device,
                      uint64_t attach)
{
    compare->attached++;
    compare->digest ^= wire_attach_digest(user, device, attach);
    compare->changed = true;
}

void edge_compare_remove(struct edge_compare *compare, struct text user, struct text device,
                         uint64_t attach)
{
    compare->attached--;
    compare->digest ^= wire_attach_digest(user, device, attach);
    compare->changed = true;
}

static struct wire_edge_count told_of(const struct wire_hub_beat *beat, struct text edge)
{
    struct wire_hub_beat walk = *beat;
    struct wire_edge_count count;
    while (wire_edge_count_next(&walk, &count)) {
        if (text_equal(count.edge, edge))
            return count;
    }
    return (struct wire_edge_count){.edge = edge};
}

enum edge_compared edge_compare_beat(struct edge_compare *compare, const struct wire_hub_beat *beat,
                                     struct text edge, bool pending)
{
    struct wire_edge_count told = told_of(beat, edge);
    bool same = told.attached == compare->attached &&
                (beat->version == 1 || told.digest == compare->digest);
    bool steady = !pending && !compare->changed;
    compare->changed = false;
    if (same)
        compare->attached_again = false;
    if (same || !steady) {
        compare->mismatches = 0;
        return EDGE_COMPARED_SAME;
    }
    if (++compare->mismatches < MISMATCHES_MAX)
        return EDGE_COMPARED_SAME;
    compare->mismatches = 0;
    /* With fewer than ours, attaching again has not come through yet. */
    bool orphans = compare->attached_again && told.attached >= compare->attached;
    compare->attached_again = true;
    return orphans ? EDGE_COMPARED_ORPHANS : EDGE_COMPARED_DIFFERS;
}

bool edge_shards_hear(struct edge_shards *shards, uint32_t ours, uint32_t theirs, int64_t now_ms)
{
    bool before = shards->differ;
    if (ours != theirs) {
        shards->differ = true;
        shards->differed_ms = now_ms;
    } else if (before && now_ms - shards->differed_ms >= AGREE_AFTER_MS) {
        shards->differ = false;
    }
    return shards->differ && !before;
}
