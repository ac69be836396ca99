#include "geo/geo_networks.h"

#include "base/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MIXED = -1, V4_DEPTH = 96 };

/* A ranking without its reasons. */
struct list_of_regions {
    UT_hash_handle hh;
    int32_t id;
    uint8_t count;
    uint16_t regions[CATALOGUE_REGIONS_MAX];
};

struct walk {
    const struct catalogue *catalogue;
    const struct geo_database *database;
    const struct geo_region_state *states;
    const struct geo_networks_ops *ops;
    struct list_of_regions *lists; /* by count and regions */
    struct list_of_regions **by_id;
    int32_t list_count;
    uint64_t leaves;
    uint64_t leaves_max;
};

/* Where in the tree the walk is. `at` is in the notation of lib/base: IPv4 is mapped. */
struct spot {
    struct network at;
    struct geo_branch branch;
    bool in_v6; /* not in the IPv4 part */
};

/* --- rankings by number --- */

enum { KEY_OFFSET = offsetof(struct list_of_regions, count) };

static size_t key_size(const struct list_of_regions *list)
{
    return offsetof(struct list_of_regions, regions) - KEY_OFFSET +
           list->count * sizeof list->regions[0];
}

static int add_list(struct walk *walk, const struct list_of_regions *wanted)
{
    int32_t most = walk->ops->lists_max > 0 ? walk->ops->lists_max : GEO_NETWORKS_LISTS_MAX;
    if (walk->list_count >= most)
        return -E2BIG;
    struct list_of_regions *list = malloc(sizeof *list);
    struct list_of_regions **by_id =
        list == NULL ? NULL : realloc(walk->by_id, ((size_t)walk->list_count + 1) * sizeof(void *));
    if (by_id == NULL) {
        free(list);
        return -ENOMEM;
    }
    *list = *wanted;
    list->id = walk->list_count++;
    walk->by_id = by_id;
    walk->by_id[list->id] = list;
    HASH_ADD_KEYPTR(hh, walk->lists, (const uint8_t *)list + KEY_OFFSET, key_size(list), list);
    return 0;
}

static int rank(struct walk *walk, const struct spot *spot, int32_t *ret_id)
{
    struct geo_client client = {.address = spot->at.address};
    struct geo_ranking ranking;
    struct list_of_regions wanted, *found;
    if (walk->database != NULL)
        (void)!geo_database_place(walk->database, &spot->branch, &client.place);
    geo_rank(walk->catalogue, walk->states, &client, &ranking);
    memset(&wanted, 0, sizeof wanted);
    for (size_t i = 0; i < ranking.count; i++)
        wanted.regions[wanted.count++] = ranking.candidates[i].region;
    HASH_FIND(hh, walk->lists, (const uint8_t *)&wanted + KEY_OFFSET, key_size(&wanted), found);
    if (found == NULL) {
        int err = add_list(walk, &wanted);
        if (err != 0)
            return err;
        found = walk->by_id[walk->list_count - 1];
    }
    *ret_id = found->id;
    return 0;
}

static void tell(const struct walk *walk, const struct network *network, int32_t id)
{
    const struct list_of_regions *list = walk->by_id[id];
    walk->ops->on_network(walk->ops->context, network, list->regions, list->count);
}

/* --- the tree --- */

/* Parts of IPv6 that stand for IPv4, and the IPv4 part of the tree itself. */
static bool stands_for_v4(const struct network *network)
{
    static const struct {
        uint8_t bytes[12];
        uint8_t prefix;
    } parts[] = {
        {{0}, 96},
        {{[10] = 0xff, [11] = 0xff}, 96},
        {{[8] = 0xff, [9] = 0xff}, 96},
        {{0x00, 0x64, 0xff, 0x9b}, 96},
        {{0x20, 0x01, 0, 0}, 32},
        {{0x20, 0x02}, 16},
    };
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        if (network->prefix == parts[i].prefix &&
            memcmp(network->address.bytes, parts[i].bytes, sizeof parts[i].bytes) == 0)
            return true;
    return false;
}

static bool holds_such(const struct network *network)
{
    static const char *const parts[] = {"::",        "::ffff:0:0", "::ffff:0:0:0",
                                        "64:ff9b::", "2001::",     "2002::"};
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        struct address address;
        if (address_parse(text_of(parts[i]), &address) == 0 && network_has(network, &address))
            return true;
    }
    return false;
}

static bool holds_pin(const struct walk *walk, const struct network *network)
{
    for (size_t i = 0; i < walk->catalogue->pin_count; i++) {
        const struct catalogue_pin *pin = &walk->catalogue->pins[i];
        if (pin->network[0] != '\0' && pin->parsed.prefix > network->prefix &&
            network_has(network, &pin->parsed.address))
            return true;
    }
    return false;
}

/* Whether all of a leaf is one place with one set of rules. */
static bool is_whole(const struct walk *walk, const struct spot *spot)
{
    if (!spot->branch.leaf || holds_pin(walk, &spot->at))
        return false;
    return !spot->in_v6 || spot->at.prefix >= V4_DEPTH || !holds_such(&spot->at);
}

static int split(const struct walk *walk, const struct spot *spot, struct spot children[2])
{
    struct geo_branch branches[2] = {spot->branch, spot->branch};
    if (spot->at.prefix >= 128)
        return -EILSEQ;
    if (!spot->branch.leaf) {
        int err = geo_database_split(walk->database, &spot->branch, branches);
        if (err != 0)
            return err;
    }
    for (int side = 0; side < 2; side++) {
        children[side] = *spot;
        children[side].branch = branches[side];
        children[side].at.prefix++;
    }
    children[1].at.address.bytes[spot->at.prefix / 8] |= (uint8_t)(0x80 >> spot->at.prefix % 8);
    return 0;
}

/* Sets `ret_id` to the one ranking of all that is under the spot, and tells nothing then; or to
 * MIXED, when all was told. */
static int visit(struct walk *walk, const struct spot *spot, int32_t *ret_id)
{
    struct spot children[2];
    int32_t ids[2];
    *ret_id = MIXED;
    if (spot->in_v6 && stands_for_v4(&spot->at))
        return 0;
    if (is_whole(walk, spot))
        return ++walk->leaves > walk->leaves_max ? -E2BIG : rank(walk, spot, ret_id);
    int err = split(walk, spot, children);
    for (int side = 0; err == 0 && side < 2; side++)
        err = visit(walk, &children[side], &ids[side]);
    if (err != 0)
        return err;
    if (ids[0] == ids[1]) {
        *ret_id = ids[0];
        return 0;
    }
    for (int side = 0; side < 2; side++)
        if (ids[side] != MIXED)
            tell(walk, &children[side].at, ids[side]);
    return 0;
}

static int visit_root(struct walk *walk, const struct spot *root)
{
    int32_t id;
    int err = visit(walk, root, &id);
    if (err == 0 && id != MIXED)
        tell(walk, &root->at, id);
    return err;
}

static void free_lists(struct walk *walk)
{
    HASH_CLEAR(hh, walk->lists);
    for (int32_t id = 0; id < walk->list_count; id++)
        free(walk->by_id[id]);
    free(walk->by_id);
}

int geo_networks_each(const struct catalogue *catalogue, const struct geo_database *database,
                      const struct geo_region_state *states, const struct geo_networks_ops *ops)
{
    static const struct geo_branch nowhere = {.leaf = true};
    struct walk walk = {.catalogue = catalogue, .database = database, .states = states, .ops = ops};
    struct spot v4 = {.at = {{{[10] = 0xff, [11] = 0xff}}, V4_DEPTH}, .branch = nowhere};
    struct spot v6 = {.branch = nowhere, .in_v6 = true};
    int err = 0;
    walk.leaves_max = ops->leaves_max > 0 ? ops->leaves_max : GEO_NETWORKS_LEAVES_MAX;
    if (database != NULL)
        err = geo_database_roots(database, &v4.branch, &v6.branch);
    if (err == 0)
        err = visit_root(&walk, &v4);
    if (err == 0)
        err = visit_root(&walk, &v6);
    free_lists(&walk);
    return err;
}
