#include "cli/nats_config.h"

#include <inttypes.h>

/* A string of NATS's configuration, which knows JSON's escapes as far as a path needs them. */
static void write_string(struct buffer *out, const char *string)
{
    buffer_append_text(out, TEXT("\""));
    for (; *string != '\0'; string++) {
        if (*string == '"' || *string == '\\')
            buffer_append_text(out, TEXT("\\"));
        buffer_append(out, string, 1);
    }
    buffer_append_text(out, TEXT("\""));
}

static void write_urls(const struct catalogue_region *region, bool gateways, struct buffer *out)
{
    for (size_t i = 0; i < region->node_count; i++) {
        const struct catalogue_node *node = &region->nodes[i];
        buffer_printf(out, "%s\"nats://%s\"", i == 0 ? "" : ", ",
                      gateways ? node->gateway : node->cluster);
    }
}

static void write_cluster(const struct catalogue_region *region, const struct catalogue_node *node,
                          struct buffer *out)
{
    buffer_printf(out, "cluster {\n  name: %s\n  listen: \"%s\"\n  routes: [", region->name,
                  node->cluster);
    write_urls(region, false, out);
    buffer_append_text(out, TEXT("]\n}\n"));
}

static void write_gateway(const struct catalogue *catalogue, const struct catalogue_region *region,
                          const struct catalogue_node *node, struct buffer *out)
{
    buffer_printf(out,
                  "gateway {\n  name: %s\n  listen: \"%s\"\n  reject_unknown_cluster: true\n"
                  "  gateways: [\n",
                  region->name, node->gateway);
    for (size_t i = 0; i < catalogue->region_count; i++) {
        buffer_printf(out, "    {name: %s, urls: [", catalogue->regions[i].name);
        write_urls(&catalogue->regions[i], true, out);
        buffer_append_text(out, TEXT("]}\n"));
    }
    buffer_append_text(out, TEXT("  ]\n}\n"));
}

/* A server all alone is no cluster: with a route to itself only, and no gateway by which it could
 * hear of others, it waits for ever for a majority. */
bool cli_nats_has_cluster(const struct catalogue *catalogue, const struct catalogue_region *region)
{
    return catalogue->region_count > 1 || region->node_count > 1;
}

void cli_nats_config(const struct catalogue *catalogue, const struct catalogue_region *region,
                     const struct catalogue_node *node, const char *store_dir, uint64_t max_bytes,
                     struct buffer *out)
{
    buffer_printf(out, "# Written by `meridian dev up`, anew each time.\n");
    buffer_printf(out, "server_name: %s\nserver_tags: [\"region:%s\"]\n", node->name, region->name);
    buffer_printf(out, "listen: \"%s\"\n", node->client);
    if (node->monitor[0] != '\0')
        buffer_printf(out, "http: \"%s\"\n", node->monitor);
    buffer_append_text(out, TEXT("jetstream {\n  store_dir: "));
    write_string(out, store_dir);
    buffer_printf(out, "\n  max_mem: 64MB\n  max_file: %" PRIu64 "\n  sync_interval: always\n}\n",
                  max_bytes);
    if (cli_nats_has_cluster(catalogue, region))
        write_cluster(region, node, out);
    if (catalogue->region_count > 1)
        write_gateway(catalogue, region, node, out);
    buffer_append_text(out, TEXT("ping_interval: \"2s\"\nping_max: 2\n"));
}
