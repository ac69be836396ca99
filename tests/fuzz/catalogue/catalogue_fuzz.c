/* Any bytes as a catalogue. What loads can be found again, and prints as a file that loads. */
#include "catalogue/catalogue.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_region(const struct catalogue *catalogue, const struct catalogue_region *region)
{
    const struct catalogue_region *owner = NULL;
    struct buffer urls = {0};
    assert(catalogue_region(catalogue, text_of(region->name)) == region);
    for (size_t i = 0; i < region->edge_count; i++) {
        const struct catalogue_edge *edge = &region->edges[i];
        struct catalogue_process last = catalogue_process(edge, edge->processes);
        uint32_t number;
        assert(catalogue_edge(catalogue, text_of(edge->name), &owner) == edge && owner == region);
        assert(catalogue_edge_of(catalogue, text_of(last.name), &owner, &number) == edge &&
               owner == region && number == edge->processes);
    }
    for (size_t i = 0; i < region->hub_count; i++)
        assert(catalogue_hub(catalogue, text_of(region->hubs[i].name), &owner) ==
                   &region->hubs[i] &&
               owner == region);
    catalogue_nats_urls(region, &urls);
    assert(urls.size > 0);
    buffer_free(&urls);
}

static void check_print(const struct catalogue *catalogue)
{
    struct error_text why;
    struct buffer printed = {0};
    settings_print(catalogue_table, catalogue, &printed);
    struct catalogue *again = catalogue_load_text(buffer_text(&printed), "printed", &why);
    assert(again != NULL || printed.size > SETTINGS_FILE_MAX_BYTES);
    catalogue_free(again);
    buffer_free(&printed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error_text why;
    struct text yaml = {(const char *)data, size};
    struct catalogue *catalogue = catalogue_load_text(yaml, "file", &why);
    if (catalogue == NULL)
        return 0;
    assert(catalogue_primary(catalogue) != NULL);
    for (size_t i = 0; i < catalogue->region_count; i++)
        check_region(catalogue, &catalogue->regions[i]);
    check_print(catalogue);
    catalogue_free(catalogue);
    return 0;
}
