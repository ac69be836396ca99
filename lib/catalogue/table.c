/* The rows of config/regions.yaml. */
#include "catalogue/catalogue.h"

#define MIB (1ull << 20)
#define GIB (1ull << 30)
#define TIB (1ull << 40)

#define RULE_REGION "a region's name (a to z, 0 to 9, '-')"
#define RULE_PROCESS "a process's name (a to z, 0 to 9, '-')"

#define NAME(owner, valid, rule, doc)                                                              \
    SETTING_TEXT_VALID(owner, name, "name", "", 1, valid, rule, doc, SETTING_REQUIRED)
#define ADDRESS(owner, member, name, doc)                                                          \
    SETTING_TEXT_VALID(owner, member, name, "", 1, settings_is_address, SETTINGS_RULE_ADDRESS,     \
                       doc, SETTING_REQUIRED)

static const struct setting node_table[] = {
    NAME(struct catalogue_node, text_is_process_name, RULE_PROCESS,
         "Name of the NATS server, unique over all regions."),
    ADDRESS(struct catalogue_node, client, "client", "Where hubs and edges connect."),
    ADDRESS(struct catalogue_node, cluster, "cluster", "Where the region's other nodes connect."),
    ADDRESS(struct catalogue_node, gateway, "gateway", "Where the other regions connect."),
    SETTING_TEXT_VALID(struct catalogue_node, monitor, "monitor", "", 0, settings_is_address,
                       SETTINGS_RULE_ADDRESS, "Where it answers monitoring; empty: nowhere."),
    SETTINGS_END,
};

static const struct setting hub_table[] = {
    NAME(struct catalogue_hub, text_is_process_name, RULE_PROCESS,
         "Name of the hub, unique over all regions."),
    ADDRESS(struct catalogue_hub, health, "health", "Where it answers /healthz and /readyz."),
    SETTINGS_END,
};

static const struct setting edge_table[] = {
    NAME(struct catalogue_edge, text_is_process_name, RULE_PROCESS,
         "Name of the edge, unique over all regions."),
    ADDRESS(struct catalogue_edge, listen, "listen", "Where it accepts clients."),
    SETTING_TEXT_VALID(struct catalogue_edge, url, "url", "", 1, settings_is_url, SETTINGS_RULE_URL,
                       "The address that clients are told.", SETTING_REQUIRED),
    SETTING_U32(struct catalogue_edge, processes, "processes", 1, 1, CATALOGUE_PROCESSES_MAX,
                "Processes that share the address, and a parent that starts them: one a core."),
    SETTINGS_END,
};

static const struct setting region_table[] = {
    NAME(struct catalogue_region, text_is_region_name, RULE_REGION,
         "Name of the region; it stands in subjects and streams and never changes."),
    SETTING_TEXT(struct catalogue_region, place, "place", "", 0, "Where it is, for people."),
    SETTING_F64(struct catalogue_region, latitude, "latitude", 0, -90, 90,
                "Degrees, north is positive.", SETTING_REQUIRED),
    SETTING_F64(struct catalogue_region, longitude, "longitude", 0, -180, 180,
                "Degrees, east is positive.", SETTING_REQUIRED),
    SETTING_U32(struct catalogue_region, weight, "weight", 100, 0, 1000,
                "Share of users among regions equally near; 0: only when there is no other."),
    SETTING_U32(struct catalogue_region, capacity, "capacity", 100000, 1, 100000000,
                "Connections the region is built for."),
    SETTING_BOOL(struct catalogue_region, drain, "drain", false,
                 "Whether clients are sent to other regions."),
    SETTING_BOOL(struct catalogue_region, new_homes, "new_homes", true,
                 "Whether users that nobody has seen may get their home here."),
    SETTING_U32(struct catalogue_region, shards, "shards", 4, 1, CATALOGUE_SHARDS_MAX,
                "Logs of the region; fixed when it is provisioned."),
    SETTING_U32(struct catalogue_region, replicas, "replicas", 1, 1, 5,
                "Nodes that hold each log: 1, 3 or 5."),
    SETTING_BYTES(struct catalogue_region, log_max_bytes, "log_max_bytes", GIB, MIB, TIB,
                  "Disk reserved for each log, on each of its nodes."),
    SETTING_BYTES(struct catalogue_region, outbox_max_bytes, "outbox_max_bytes", GIB, MIB, TIB,
                  "Disk reserved for what waits for each other region."),
    SETTING_LIST(struct catalogue_region, nodes, node_count, "nodes", struct catalogue_node, line,
                 node_table, CATALOGUE_NODES_MAX, "NATS servers of the region."),
    SETTING_LIST(struct catalogue_region, hubs, hub_count, "hubs", struct catalogue_hub, line,
                 hub_table, CATALOGUE_HUBS_MAX, "Hubs of the region; two or more, to survive one."),
    SETTING_LIST(struct catalogue_region, edges, edge_count, "edges", struct catalogue_edge, line,
                 edge_table, CATALOGUE_EDGES_MAX, "Edges of the region."),
    SETTINGS_END,
};

static bool is_code(struct text text)
{
    return text.size == 2 && text.data[0] >= 'A' && text.data[0] <= 'Z' && text.data[1] >= 'A' &&
           text.data[1] <= 'Z';
}

static bool is_continent(struct text text)
{
    static const char *const codes[] = {"AF", "AN", "AS", "EU", "NA", "OC", "SA"};
    for (size_t i = 0; i < COUNT_OF(codes); i++)
        if (text_equal(text, text_of(codes[i])))
            return true;
    return false;
}

static bool is_network(struct text text)
{
    struct network network;
    return network_parse(text, &network) == 0;
}

static const struct setting pin_table[] = {
    SETTING_TEXT_VALID(struct catalogue_pin, network, "network", "", 0, is_network,
                       "a network without bits past its prefix, as 192.0.2.0/24",
                       "Clients of this network: 192.0.2.0/24, 2001:db8::/32."),
    SETTING_TEXT_VALID(struct catalogue_pin, country, "country", "", 0, is_code,
                       "a country's two capital letters", "Clients in this country."),
    SETTING_TEXT_VALID(struct catalogue_pin, continent, "continent", "", 0, is_continent,
                       "AF, AN, AS, EU, NA, OC or SA", "Clients on this continent."),
    SETTING_TEXT(struct catalogue_pin, tenant, "tenant", "", 0, "Users of this tenant."),
    SETTING_TEXT(struct catalogue_pin, regions, "regions", "", 1,
                 "Where they go and nowhere else: names of regions, the first choice first.",
                 SETTING_REQUIRED),
    SETTINGS_END,
};

static const char *const unknown_names[] = {
    [CATALOGUE_REJECT] = "reject", [CATALOGUE_ADOPT] = "adopt", NULL};

const struct setting catalogue_table[] = {
    SETTING_TEXT_VALID(struct catalogue, primary, "primary", "", 1, text_is_region_name,
                       RULE_REGION, "Region that holds the directory's origin."),
    SETTING_ENUM(struct catalogue, unknown_recipients, "unknown_recipients", CATALOGUE_REJECT,
                 unknown_names,
                 "A message to a user nobody has seen: reject it, or adopt the user near its "
                 "sender."),
    SETTING_U32(struct catalogue, directory_buckets, "directory_buckets", 1, 1,
                CATALOGUE_BUCKETS_MAX,
                "Streams that the directory is split into; fixed when it is provisioned."),
    SETTING_U32(struct catalogue, dedupe_window_h, "dedupe_window_h", 96, 1, 720,
                "Hours in which a message sent again is recognised."),
    SETTING_U32(struct catalogue, retention_d, "retention_d", 7, 1, 365,
                "Days a message waits for its devices."),
    SETTING_DURATION(struct catalogue, retention_ms, "retention", 0, 0, 365ull * 86400 * 1000,
                     "The same as a duration of whole seconds (36h), which then counts; 0: as "
                     "retention_d says."),
    SETTING_U32(struct catalogue, devices_max, "devices_max", CATALOGUE_DEVICES_MAX, 1,
                CATALOGUE_DEVICES_MAX, "Devices of one user."),
    SETTING_U64(struct catalogue, mailbox_max_messages, "mailbox_max_messages", 100000, 1,
                1000000000, "Messages that one user's mailbox holds."),
    SETTING_BYTES(struct catalogue, mailbox_max_bytes, "mailbox_max_bytes", 256 * MIB, 64 << 10,
                  TIB, "Bytes that one user's mailbox holds."),
    SETTING_LIST(struct catalogue, regions, region_count, "regions", struct catalogue_region, line,
                 region_table, CATALOGUE_REGIONS_MAX, "The regions."),
    SETTING_TEXT(struct catalogue, geo_database, "geo_database", "", 0,
                 "Path of a MaxMind DB file that says where addresses are; empty: none."),
    SETTING_LIST(struct catalogue, pins, pin_count, "pins", struct catalogue_pin, line, pin_table,
                 CATALOGUE_PINS_MAX, "Clients that belong to some regions, whatever is nearer."),
    SETTINGS_END,
};
