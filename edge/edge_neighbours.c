#include "edge/edge_neighbours.h"

#include "base/table.h"

#include <errno.h>
#include <stdlib.h>

/* All of one neighbourhood share it. */
struct edge_place {
    struct edge_neighbours *neighbours;
    struct network network; /* the key */
    uint32_t count;
    UT_hash_handle hh;
};

struct edge_neighbours {
    struct edge_place *places;
    uint32_t max;
};

struct edge_neighbours *edge_neighbours_new(uint32_t max)
{
    struct edge_neighbours *neighbours = calloc(1, sizeof *neighbours);
    if (neighbours != NULL)
        neighbours->max = max;
    return neighbours;
}

void edge_neighbours_free(struct edge_neighbours *neighbours)
{
    free(neighbours);
}

static struct edge_place *place_new(struct edge_neighbours *neighbours,
                                    const struct network *network)
{
    struct edge_place *place = calloc(1, sizeof *place);
    if (place == NULL)
        return NULL;
    place->neighbours = neighbours;
    place->network = *network;
    HASH_ADD(hh, neighbours->places, network, sizeof place->network, place);
    return place;
}

int edge_neighbours_enter(struct edge_neighbours *neighbours, const struct address *client,
                          struct edge_place **ret_place)
{
    struct edge_place *place = NULL;
    *ret_place = NULL;
    if (neighbours == NULL || neighbours->max == 0)
        return 0;
    struct network network = network_around(client);
    HASH_FIND(hh, neighbours->places, &network, sizeof network, place);
    if (place != NULL && place->count >= neighbours->max)
        return -EUSERS;
    if (place == NULL)
        place = place_new(neighbours, &network);
    if (place == NULL)
        return -ENOMEM;
    place->count++;
    *ret_place = place;
    return 0;
}

void edge_place_leave(struct edge_place *place)
{
    if (place == NULL || --place->count > 0)
        return;
    HASH_DEL(place->neighbours->places, place);
    free(place);
}

size_t edge_neighbours_count(const struct edge_neighbours *neighbours)
{
    return HASH_COUNT(neighbours->places);
}
