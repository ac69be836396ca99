#include "cli/edges.h"

#include "base/hash.h"
#include "catalogue/catalogue.h"
#include "cli/catalogue_choice.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

static void fill(struct cli_edges *edges)
{
    const struct catalogue *catalogue = edges->catalogue;
    size_t total = edges->count, at = 0;
    uint32_t first;

    hash_random(&first, sizeof first);
    for (size_t r = 0; r < catalogue->region_count; r++) {
        const struct catalogue_region *region = &catalogue->regions[r];
        for (size_t i = 0; i < region->edge_count; i++, at++)
            edges->urls[(at + first) % total] = region->edges[i].url;
    }
}

int cli_edges_choose(struct cli_edges *edges, const struct cli_arguments *arguments,
                     struct error_text *reterr_why)
{
    const char *chosen = cli_value(arguments, "edge");

    *edges = (struct cli_edges){.count = 1};
    if (chosen == NULL) {
        edges->catalogue = cli_catalogue_choose(arguments, reterr_why);
        if (edges->catalogue == NULL)
            return -EINVAL;
        edges->count = 0;
        for (size_t r = 0; r < edges->catalogue->region_count; r++)
            edges->count += edges->catalogue->regions[r].edge_count;
    }
    assert(edges->count > 0); /* the catalogue has seen to it */
    edges->urls = calloc(edges->count, sizeof *edges->urls);
    if (edges->urls == NULL)
        return error_text_set(reterr_why, -ENOMEM, "out of memory");
    if (chosen == NULL)
        fill(edges);
    else
        edges->urls[0] = chosen;
    return 0;
}

void cli_edges_done(struct cli_edges *edges)
{
    free(edges->urls);
    catalogue_free(edges->catalogue);
}
