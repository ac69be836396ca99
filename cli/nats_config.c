#include "cli/nats_config.h"

#include "cli/nats_accounts.h"
#include "cli/nats_rights.h"

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

static void write_file(const char *key, const char *folder, const char *file, struct buffer *out)
{
    struct buffer path = {0};
    buffer_printf(&path, "%s/%s", folder, file);
    buffer_append(&path, "", 1);
    buffer_printf(out, "  %s: ", key);
    if (path.failed)
        out->failed = true;
    else
        write_string(out, (const char *)path.data);
    buffer_append_text(out, TEXT("\n"));
    buffer_free(&path);
}

/* `believed`: whose certificates are let in. `maps`: they are looked up among the users. */
static void write_tls(const char *folder, const char *believed, bool maps, struct buffer *out)
{
    buffer_append_text(out, TEXT("tls {\n"));
    write_file("cert_file", folder, "certificate.pem", out);
    write_file("key_file", folder, "key.pem", out);
    write_file("ca_file", folder, believed, out);
    buffer_printf(out, "  %s: true\n  timeout: 5\n}\n", maps ? "verify_and_map" : "verify");
}

static void write_cluster(const struct catalogue_region *region, const struct catalogue_node *node,
                          const char *credentials, struct buffer *out)
{
    buffer_printf(out, "cluster {\n  name: %s\n  listen: \"%s\"\n  routes: [", region->name,
                  node->cluster);
    write_urls(region, false, out);
    buffer_append_text(out, TEXT("]\n"));
    if (credentials != NULL) {
        write_tls(credentials, "ca.pem", true, out);
        buffer_printf(out, "authorization {\n  user: \"" CLI_NATS_NODES_OF "\"\n}\n", region->name);
    }
    buffer_append_text(out, TEXT("}\n"));
}

static void write_gateway(const struct catalogue *catalogue, const struct catalogue_region *region,
                          const struct catalogue_node *node, const char *credentials,
                          struct buffer *out)
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
    buffer_append_text(out, TEXT("  ]\n"));
    if (credentials != NULL)
        write_tls(credentials, "ca.pem", false, out);
    buffer_append_text(out, TEXT("}\n"));
}

/* A server all alone is no cluster: with a route to itself only, and no gateway by which it could
 * hear of others, it waits for ever for a majority. */
bool cli_nats_has_cluster(const struct catalogue *catalogue, const struct catalogue_region *region)
{
    return catalogue->region_count > 1 || region->node_count > 1;
}

void cli_nats_config(const struct catalogue *catalogue, const struct catalogue_region *region,
                     const struct catalogue_node *node, const struct cli_nats_place *place,
                     struct buffer *out)
{
    buffer_printf(out, "# %s\n", place->title);
    buffer_printf(out, "server_name: %s\nserver_tags: [\"region:%s\"]\n", node->name, region->name);
    buffer_printf(out, "listen: \"%s\"\n", node->client);
    if (node->monitor[0] != '\0')
        buffer_printf(out, "http: \"%s\"\n", node->monitor);
    buffer_append_text(out, TEXT("jetstream {\n  store_dir: "));
    write_string(out, place->store_dir);
    buffer_printf(out, "\n  max_mem: 64MB\n  max_file: %" PRIu64 "\n  sync_interval: always\n}\n",
                  place->max_bytes);
    if (place->credentials != NULL) {
        write_tls(place->credentials, "clients.pem", true, out);
        cli_nats_accounts(catalogue, region, out);
    }
    if (cli_nats_has_cluster(catalogue, region))
        write_cluster(region, node, place->credentials, out);
    if (catalogue->region_count > 1)
        write_gateway(catalogue, region, node, place->credentials, out);
    buffer_append_text(out, TEXT("ping_interval: \"2s\"\nping_max: 2\n"));
}
