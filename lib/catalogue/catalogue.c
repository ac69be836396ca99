#include "catalogue/catalogue.h"

#include "catalogue/check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct catalogue *catalogue_new(struct error_text *reterr_why)
{
    struct catalogue *catalogue = calloc(1, sizeof *catalogue);
    if (catalogue == NULL)
        error_text_set(reterr_why, -ENOMEM, "out of memory");
    else
        settings_defaults(catalogue_table, catalogue);
    return catalogue;
}

void catalogue_free(struct catalogue *catalogue)
{
    if (catalogue == NULL)
        return;
    settings_free(catalogue_table, catalogue);
    free(catalogue);
}

/* The table has checked them. */
static int parse_pins(struct catalogue *catalogue)
{
    int err = 0;
    for (size_t i = 0; i < catalogue->pin_count && err == 0; i++) {
        struct catalogue_pin *pin = &catalogue->pins[i];
        if (pin->network[0] != '\0')
            err = network_parse(text_of(pin->network), &pin->parsed);
    }
    return err;
}

/* Takes `catalogue`; gives it back when it was loaded and is good. */
static struct catalogue *checked(struct catalogue *catalogue, int err, const char *path,
                                 struct error_text *reterr_why)
{
    if (err == 0)
        err = catalogue_check(catalogue, path, reterr_why);
    if (err == 0)
        err = parse_pins(catalogue);
    if (err == 0)
        return catalogue;
    catalogue_free(catalogue);
    return NULL;
}

struct catalogue *catalogue_load_file(const char *path, struct error_text *reterr_why)
{
    struct catalogue *catalogue = catalogue_new(reterr_why);
    if (catalogue == NULL)
        return NULL;
    int err = settings_load_file(catalogue_table, catalogue, path, reterr_why);
    return checked(catalogue, err, path, reterr_why);
}

struct catalogue *catalogue_load_text(struct text yaml, const char *path,
                                      struct error_text *reterr_why)
{
    struct catalogue *catalogue = catalogue_new(reterr_why);
    if (catalogue == NULL)
        return NULL;
    int err = settings_load_text(catalogue_table, catalogue, yaml, path, reterr_why);
    return checked(catalogue, err, path, reterr_why);
}

int catalogue_region_index(const struct catalogue *catalogue, struct text name, size_t *ret_index)
{
    for (size_t i = 0; i < catalogue->region_count; i++) {
        if (text_equal(text_of(catalogue->regions[i].name), name)) {
            *ret_index = i;
            return 0;
        }
    }
    return -ENOENT;
}

uint32_t catalogue_retention_s(const struct catalogue *catalogue)
{
    return catalogue->retention_ms > 0 ? (uint32_t)(catalogue->retention_ms / 1000)
                                       : catalogue->retention_d * 86400;
}

const struct catalogue_region *catalogue_region(const struct catalogue *catalogue, struct text name)
{
    size_t index = 0;
    if (catalogue_region_index(catalogue, name, &index) < 0)
        return NULL;
    return &catalogue->regions[index];
}

const struct catalogue_region *catalogue_primary(const struct catalogue *catalogue)
{
    return catalogue_region(catalogue, text_of(catalogue->primary));
}

const struct catalogue_region *catalogue_new_home(const struct catalogue *catalogue,
                                                  const struct catalogue_region *wanted)
{
    if (wanted->new_homes)
        return wanted;
    const struct catalogue_region *region = catalogue->regions; /* catalogue_check(): one has it */
    while (!region->new_homes)
        region++;
    return region;
}

bool catalogue_pin_next(struct text *regions, struct text *ret_name)
{
    if (regions->size == 0)
        return false;
    const char *comma = memchr(regions->data, ',', regions->size);
    size_t size = comma == NULL ? regions->size : (size_t)(comma - regions->data);
    *ret_name = (struct text){regions->data, size};
    while (ret_name->size > 0 && ret_name->data[0] == ' ')
        *ret_name = (struct text){ret_name->data + 1, ret_name->size - 1};
    while (ret_name->size > 0 && ret_name->data[ret_name->size - 1] == ' ')
        ret_name->size--;
    size += comma == NULL ? 0 : 1;
    *regions = (struct text){regions->data + size, regions->size - size};
    return true;
}

const struct catalogue_edge *catalogue_edge(const struct catalogue *catalogue, struct text name,
                                            const struct catalogue_region **ret_region)
{
    for (size_t i = 0; i < catalogue->region_count; i++) {
        const struct catalogue_region *region = &catalogue->regions[i];
        for (size_t j = 0; j < region->edge_count; j++) {
            if (!text_equal(text_of(region->edges[j].name), name))
                continue;
            if (ret_region != NULL)
                *ret_region = region;
            return &region->edges[j];
        }
    }
    return NULL;
}

struct catalogue_process catalogue_process(const struct catalogue_edge *edge, uint32_t number)
{
    struct catalogue_process process = {""};
    char name[sizeof process.name + sizeof "-p4294967295"];
    if (edge->processes == 1)
        (void)snprintf(name, sizeof name, "%s", edge->name);
    else
        (void)snprintf(name, sizeof name, "%s-p%u", edge->name, number);
    (void)!text_put(process.name, sizeof process.name, text_of(name)); /* check.c: it fits */
    return process;
}

/* The number in "-p<number>" at the end, which then is cut off; 0: there is none. */
static uint32_t cut_number(struct text *process)
{
    uint32_t number = 0;
    size_t at = process->size;
    while (at > 0 && process->data[at - 1] >= '0' && process->data[at - 1] <= '9')
        at--;
    if (at < 3 || process->data[at - 1] != 'p' || process->data[at - 2] != '-')
        return 0;
    for (size_t i = at; i < process->size && number <= CATALOGUE_PROCESSES_MAX; i++)
        number = 10 * number + (uint32_t)(process->data[i] - '0');
    if (at == process->size || process->data[at] == '0')
        return 0;
    process->size = at - 2;
    return number;
}

const struct catalogue_edge *catalogue_edge_of(const struct catalogue *catalogue,
                                               struct text process,
                                               const struct catalogue_region **ret_region,
                                               uint32_t *ret_number)
{
    const struct catalogue_region *region;
    uint32_t number = 1;
    const struct catalogue_edge *edge = catalogue_edge(catalogue, process, &region);
    if (edge == NULL || edge->processes > 1) { /* nobody is called as an edge of several */
        number = cut_number(&process);
        edge = number == 0 ? NULL : catalogue_edge(catalogue, process, &region);
        if (edge == NULL || edge->processes == 1 || number > edge->processes)
            return NULL;
    }
    *ret_region = region;
    *ret_number = number;
    return edge;
}

int catalogue_process_index(const struct catalogue *catalogue, struct text process,
                            size_t *ret_index)
{
    const struct catalogue_region *region;
    uint32_t number;
    const struct catalogue_edge *found = catalogue_edge_of(catalogue, process, &region, &number);
    if (found == NULL)
        return -ENOENT;
    *ret_index = number - 1;
    for (const struct catalogue_edge *edge = region->edges; edge != found; edge++)
        *ret_index += edge->processes;
    for (const struct catalogue_region *before = catalogue->regions; before != region; before++)
        *ret_index += catalogue_processes(before);
    return 0;
}

size_t catalogue_processes(const struct catalogue_region *region)
{
    size_t count = 0;
    for (size_t i = 0; i < region->edge_count; i++)
        count += region->edges[i].processes;
    return count;
}

const struct catalogue_hub *catalogue_hub(const struct catalogue *catalogue, struct text name,
                                          const struct catalogue_region **ret_region)
{
    for (size_t i = 0; i < catalogue->region_count; i++) {
        const struct catalogue_region *region = &catalogue->regions[i];
        for (size_t j = 0; j < region->hub_count; j++) {
            if (!text_equal(text_of(region->hubs[j].name), name))
                continue;
            if (ret_region != NULL)
                *ret_region = region;
            return &region->hubs[j];
        }
    }
    return NULL;
}

void catalogue_nats_urls(const struct catalogue_region *region, struct buffer *out)
{
    for (size_t i = 0; i < region->node_count; i++)
        buffer_printf(out, "%snats://%s", i == 0 ? "" : ",", region->nodes[i].client);
}
