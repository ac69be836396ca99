#include "cli/dev_children.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_program(const char *path)
{
    return access(path, X_OK) == 0;
}

static bool search_path(const char *name, struct cli_path *ret_path)
{
    const char *list = getenv("PATH");

    while (list != NULL && list[0] != '\0') {
        int size = (int)strcspn(list, ":");
        struct cli_path folder;
        snprintf(folder.text, sizeof folder.text, "%.*s", size, list);
        *ret_path = cli_path_of(folder.text, "%s", name);
        if (is_program(ret_path->text))
            return true;
        list += size + (list[size] == ':');
    }
    return false;
}

static int find_nats(const char *bin, struct cli_path *ret_path, struct error_text *reterr_why)
{
    const char *chosen = getenv("NATS_SERVER");
    /* bin is build/PRESET/bin, and scripts/setup unpacks into build/nats. */
    struct cli_path unpacked = cli_path_of(bin, "../../nats/usr/sbin/nats-server");

    if (chosen != NULL && chosen[0] != '\0') {
        if (realpath(chosen, ret_path->text) != NULL && is_program(ret_path->text))
            return 0;
        return error_text_set(reterr_why, -ENOENT, "NATS_SERVER is %s, which is no program",
                              chosen);
    }
    if (realpath(unpacked.text, ret_path->text) != NULL || search_path("nats-server", ret_path))
        return 0;
    return error_text_set(reterr_why, -ENOENT,
                          "there is no nats-server: scripts/setup gets one, or name one by the "
                          "environment variable NATS_SERVER");
}

int cli_programs_find(struct cli_programs *ret_programs, struct error_text *reterr_why)
{
    struct cli_programs programs = {0};
    struct cli_path bin;
    ssize_t size = readlink("/proc/self/exe", bin.text, sizeof bin.text - 1);

    if (size <= 0)
        return error_text_set(reterr_why, -ENOENT, "/proc is not there");
    bin.text[size] = '\0';
    programs.meridian = bin;
    *strrchr(bin.text, '/') = '\0';
    programs.edge = cli_path_of(bin.text, "meridian-edge");
    programs.hub = cli_path_of(bin.text, "meridian-hub");
    if (!is_program(programs.edge.text))
        return error_text_set(reterr_why, -ENOENT, "%s is not there", programs.edge.text);
    if (!is_program(programs.hub.text))
        return error_text_set(reterr_why, -ENOENT, "%s is not there", programs.hub.text);
    int err = find_nats(bin.text, &programs.nats, reterr_why);
    if (err == 0)
        *ret_programs = programs;
    return err;
}

/* Copies the words up to NULL. */
static int set_arguments(struct cli_child *child, ...)
{
    va_list words;
    const char *word;
    int err = 0;

    va_start(words, child);
    for (size_t i = 0; err == 0 && (word = va_arg(words, const char *)) != NULL; i++) {
        child->arguments[i] = i < CLI_CHILD_ARGUMENTS_MAX ? strdup(word) : NULL;
        if (child->arguments[i] == NULL)
            err = -ENOMEM;
    }
    va_end(words);
    return err;
}

static struct cli_child *next_child(struct cli_child *children, size_t *count, const char *folder,
                                    enum cli_child_kind kind, const char *region, const char *name)
{
    struct cli_child *child = &children[(*count)++];
    struct cli_path log = cli_path_of(folder, "log/%s.log", name);

    child->kind = kind;
    child->region = region;
    child->name = name;
    snprintf(child->log, sizeof child->log, "%s", log.text);
    return child;
}

static int add_nodes(const struct catalogue_region *region, const struct cli_programs *programs,
                     const char *folder, struct cli_child *children, size_t *count)
{
    int err = 0;
    for (size_t i = 0; i < region->node_count && err == 0; i++) {
        const struct catalogue_node *node = &region->nodes[i];
        struct cli_child *child =
            next_child(children, count, folder, CLI_CHILD_NATS, region->name, node->name);
        struct cli_path config = cli_path_of(folder, "nats/%s.conf", node->name);
        child->address = node->monitor;
        child->path = "/healthz";
        err = set_arguments(child, programs->nats.text, "--config", config.text, NULL);
    }
    return err;
}

static int add_hubs(const struct catalogue_region *region, const struct cli_programs *programs,
                    const char *folder, struct cli_child *children, size_t *count)
{
    struct cli_path catalogue = cli_path_of(folder, "catalogue.yaml");
    int err = 0;
    for (size_t i = 0; i < region->hub_count && err == 0; i++) {
        const struct catalogue_hub *hub = &region->hubs[i];
        struct cli_child *child =
            next_child(children, count, folder, CLI_CHILD_HUB, region->name, hub->name);
        struct cli_path data = cli_path_of(folder, "hub/%s", hub->name);
        child->address = hub->health;
        child->path = "/readyz";
        err = set_arguments(child, programs->hub.text, "--catalogue", catalogue.text, "--region",
                            region->name, "--name", hub->name, "--data", data.text, NULL);
    }
    return err;
}

static int add_edges(const struct catalogue_region *region, const struct cli_programs *programs,
                     const char *folder, struct cli_child *children, size_t *count)
{
    struct cli_path catalogue = cli_path_of(folder, "catalogue.yaml");
    int err = 0;
    for (size_t i = 0; i < region->edge_count && err == 0; i++) {
        const struct catalogue_edge *edge = &region->edges[i];
        struct cli_child *child =
            next_child(children, count, folder, CLI_CHILD_EDGE, region->name, edge->name);
        child->address = edge->listen;
        child->path = "/readyz";
        err = set_arguments(child, programs->edge.text, "--catalogue", catalogue.text, "--region",
                            region->name, "--name", edge->name,
                            programs->edge_config.text[0] == '\0' ? NULL : "--config",
                            programs->edge_config.text, NULL);
    }
    return err;
}

static int add_all(const struct catalogue *catalogue, const struct cli_programs *programs,
                   const char *folder, struct cli_child *children, size_t *count)
{
    static int (*const add[])(const struct catalogue_region *, const struct cli_programs *,
                              const char *, struct cli_child *,
                              size_t *) = {add_nodes, add_hubs, add_edges};
    int err = 0;

    for (size_t kind = 0; kind < COUNT_OF(add); kind++) {
        for (size_t i = 0; i < catalogue->region_count && err == 0; i++)
            err = add[kind](&catalogue->regions[i], programs, folder, children, count);
    }
    return err;
}

int cli_children_new(const struct catalogue *catalogue, const struct cli_programs *programs,
                     const char *folder, struct cli_child **ret_children, size_t *ret_count)
{
    size_t max = 0, count = 0;

    for (size_t i = 0; i < catalogue->region_count; i++) {
        const struct catalogue_region *region = &catalogue->regions[i];
        max += region->node_count + region->hub_count + region->edge_count;
    }
    assert(max > 0); /* the catalogue has seen to it */
    struct cli_child *children = calloc(max, sizeof *children);
    if (children == NULL)
        return -ENOMEM;
    int err = add_all(catalogue, programs, folder, children, &count);
    if (err < 0) {
        cli_children_free(children, count);
        return err;
    }
    *ret_children = children;
    *ret_count = count;
    return 0;
}

void cli_children_free(struct cli_child *children, size_t count)
{
    for (size_t i = 0; children != NULL && i < count; i++) {
        for (char **word = children[i].arguments; *word != NULL; word++)
            free(*word);
    }
    free(children);
}
