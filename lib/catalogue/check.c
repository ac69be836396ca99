#include "catalogue/check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A text that must be unique, and where it stands. */
struct entry {
    const char *text;
    uint32_t line;
};

struct entries {
    struct entry *all;
    size_t count;
    struct catalogue_process *made; /* names that stand nowhere in the file */
    size_t made_count;
};

static int by_text_then_line(const void *a, const void *b)
{
    const struct entry *left = a;
    const struct entry *right = b;
    int order = strcmp(left->text, right->text);
    return order != 0 ? order : (left->line > right->line) - (left->line < right->line);
}

static void add(struct entries *entries, const char *text, uint32_t line)
{
    entries->all[entries->count++] = (struct entry){text, line};
}

/* On every interface: says nothing about which machine, so it may stand there often. */
static bool is_wildcard(const char *address)
{
    return strncmp(address, "0.0.0.0:", 8) == 0 || strncmp(address, "[::]:", 5) == 0;
}

static void add_address(struct entries *entries, const char *address, uint32_t line)
{
    if (address[0] != '\0' && !is_wildcard(address))
        add(entries, address, line);
}

/* What an edge of several processes is called itself is taken, too. */
static void add_processes(struct entries *entries, const struct catalogue_edge *edge)
{
    for (uint32_t number = 1; edge->processes > 1 && number <= edge->processes; number++) {
        struct catalogue_process *made = &entries->made[entries->made_count++];
        *made = catalogue_process(edge, number);
        add(entries, made->name, edge->line);
    }
}

static void add_names(struct entries *entries, const struct catalogue_region *region)
{
    for (size_t i = 0; i < region->node_count; i++)
        add(entries, region->nodes[i].name, region->nodes[i].line);
    for (size_t i = 0; i < region->hub_count; i++)
        add(entries, region->hubs[i].name, region->hubs[i].line);
    for (size_t i = 0; i < region->edge_count; i++)
        add(entries, region->edges[i].name, region->edges[i].line);
    for (size_t i = 0; i < region->edge_count; i++)
        add_processes(entries, &region->edges[i]);
}

static void add_addresses(struct entries *entries, const struct catalogue_region *region)
{
    for (size_t i = 0; i < region->node_count; i++) {
        const struct catalogue_node *node = &region->nodes[i];
        add_address(entries, node->client, node->line);
        add_address(entries, node->cluster, node->line);
        add_address(entries, node->gateway, node->line);
        add_address(entries, node->monitor, node->line);
    }
    for (size_t i = 0; i < region->hub_count; i++)
        add_address(entries, region->hubs[i].health, region->hubs[i].line);
    for (size_t i = 0; i < region->edge_count; i++)
        add_address(entries, region->edges[i].listen, region->edges[i].line);
}

static void add_region(struct entries *entries, const struct catalogue_region *region)
{
    add(entries, region->name, region->line);
}

/* The most entries that one of the functions above adds for all regions. */
static size_t count_entries(const struct catalogue *catalogue)
{
    size_t count = 1;
    for (size_t i = 0; i < catalogue->region_count; i++) {
        const struct catalogue_region *region = &catalogue->regions[i];
        count += 1 + 4 * region->node_count + region->hub_count + region->edge_count +
                 catalogue_processes(region);
    }
    return count;
}

/* No two of what `add_some` finds in the regions may be equal; `what` names it. */
static int check_unique(const struct catalogue *catalogue, const char *path, const char *what,
                        void (*add_some)(struct entries *, const struct catalogue_region *),
                        struct error_text *reterr_why)
{
    size_t most = count_entries(catalogue);
    struct entries entries = {.all = calloc(most, sizeof *entries.all),
                              .made = calloc(most, sizeof *entries.made)};
    int err = 0;
    if (entries.all == NULL || entries.made == NULL)
        err = error_text_set(reterr_why, -ENOMEM, "%s: out of memory", path);
    for (size_t i = 0; i < catalogue->region_count && err == 0; i++)
        add_some(&entries, &catalogue->regions[i]);
    if (entries.count > 0)
        qsort(entries.all, entries.count, sizeof *entries.all, by_text_then_line);
    for (size_t i = 1; i < entries.count && err == 0; i++)
        if (strcmp(entries.all[i - 1].text, entries.all[i].text) == 0)
            err = error_text_set(reterr_why, -EINVAL, "%s:%u: %s '%s' is taken by line %u", path,
                                 entries.all[i].line, what, entries.all[i].text,
                                 entries.all[i - 1].line);
    free(entries.all);
    free(entries.made);
    return err;
}

/* The longest name of a process has to be one. */
static int check_edge(const struct catalogue_edge *edge, const char *path,
                      struct error_text *reterr_why)
{
    char name[sizeof edge->name + sizeof "-p4294967295"];
    int size = snprintf(name, sizeof name, "%s-p%u", edge->name, edge->processes);
    if (edge->processes == 1 || size <= TEXT_PROCESS_MAX)
        return 0;
    return error_text_set(reterr_why, -EINVAL,
                          "%s:%u: the processes of edge '%s' are called up to '%s', must be at "
                          "most %d characters",
                          path, edge->line, edge->name, name, TEXT_PROCESS_MAX);
}

static int check_region(const struct catalogue_region *region, const char *path,
                        struct error_text *reterr_why)
{
    const char *lacks = region->node_count == 0   ? "node"
                        : region->hub_count == 0  ? "hub"
                        : region->edge_count == 0 ? "edge"
                                                  : NULL;
    if (lacks != NULL)
        return error_text_set(reterr_why, -EINVAL, "%s:%u: region '%s' has no %s, must have one",
                              path, region->line, region->name, lacks);
    if (region->replicas % 2 == 0)
        return error_text_set(reterr_why, -EINVAL,
                              "%s:%u: 'replicas' of region '%s' is %u, must be 1, 3 or 5", path,
                              region->line, region->name, region->replicas);
    if (region->replicas > region->node_count)
        return error_text_set(
            reterr_why, -EINVAL,
            "%s:%u: 'replicas' of region '%s' is %u, must not exceed its %zu nodes", path,
            region->line, region->name, region->replicas, region->node_count);
    int err = 0;
    for (size_t i = 0; i < region->edge_count && err == 0; i++)
        err = check_edge(&region->edges[i], path, reterr_why);
    return err;
}

static int check_pin(const struct catalogue *catalogue, const struct catalogue_pin *pin,
                     const char *path, struct error_text *reterr_why)
{
    int subjects = (pin->network[0] != '\0') + (pin->country[0] != '\0') +
                   (pin->continent[0] != '\0') + (pin->tenant[0] != '\0');
    struct text left = text_of(pin->regions);
    struct text name;
    size_t index;
    if (subjects != 1)
        return error_text_set(reterr_why, -EINVAL,
                              "%s:%u: a pin has one of 'network', 'country', 'continent' and "
                              "'tenant', this one has %d",
                              path, pin->line, subjects);
    while (catalogue_pin_next(&left, &name))
        if (catalogue_region_index(catalogue, name, &index) != 0)
            return error_text_set(reterr_why, -EINVAL,
                                  "%s:%u: a pin names '%.*s', must be the name of a region", path,
                                  pin->line, TEXT_ARGS(name));
    return 0;
}

static int check_primary(const struct catalogue *catalogue, const char *path,
                         struct error_text *reterr_why)
{
    if (catalogue->primary[0] == '\0')
        return error_text_set(reterr_why, -EINVAL, "%s: 'primary' is missing", path);
    if (catalogue_primary(catalogue) == NULL)
        return error_text_set(reterr_why, -EINVAL,
                              "%s: 'primary' is %s, must be the name of a region", path,
                              catalogue->primary);
    return 0;
}

static int check_new_homes(const struct catalogue *catalogue, const char *path,
                           struct error_text *reterr_why)
{
    for (size_t i = 0; i < catalogue->region_count; i++)
        if (catalogue->regions[i].new_homes)
            return 0;
    return error_text_set(reterr_why, -EINVAL,
                          "%s: 'new_homes' is false in every region, must be true in one", path);
}

static int check_retention(const struct catalogue *catalogue, const char *path,
                           struct error_text *reterr_why)
{
    if (catalogue->retention_ms % 1000 == 0)
        return 0;
    return error_text_set(reterr_why, -EINVAL,
                          "%s: 'retention' must be whole seconds, or 0 for 'retention_d'", path);
}

int catalogue_check(const struct catalogue *catalogue, const char *path,
                    struct error_text *reterr_why)
{
    if (catalogue->region_count == 0)
        return error_text_set(reterr_why, -EINVAL, "%s: 'regions' is empty, must have one", path);
    int err = check_unique(catalogue, path, "region", add_region, reterr_why);
    for (size_t i = 0; i < catalogue->region_count && err == 0; i++)
        err = check_region(&catalogue->regions[i], path, reterr_why);
    if (err == 0)
        err = check_unique(catalogue, path, "name", add_names, reterr_why);
    if (err == 0)
        err = check_unique(catalogue, path, "address", add_addresses, reterr_why);
    for (size_t i = 0; i < catalogue->pin_count && err == 0; i++)
        err = check_pin(catalogue, &catalogue->pins[i], path, reterr_why);
    if (err == 0)
        err = check_retention(catalogue, path, reterr_why);
    if (err == 0)
        err = check_new_homes(catalogue, path, reterr_why);
    return err == 0 ? check_primary(catalogue, path, reterr_why) : err;
}
