/* The catalogue of regions: config/regions.yaml, the one file that every process of every region
 * shares. Loaded whole and checked whole; never changed afterwards, so any thread may read it. */
#pragma once

#include "base/address.h"
#include "base/buffer.h"
#include "base/error_text.h"
#include "base/macros.h"
#include "base/text.h"
#include "settings/address.h"
#include "settings/settings.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CATALOGUE_REGIONS_MAX = 64,
    CATALOGUE_SHARDS_MAX = 64, /* of one region */
    CATALOGUE_NODES_MAX = 16,  /* of one region, as the next two */
    CATALOGUE_HUBS_MAX = 64,
    CATALOGUE_EDGES_MAX = 256,
    CATALOGUE_PROCESSES_MAX = 64, /* of one edge */
    CATALOGUE_DEVICES_MAX = 32,   /* of one user */
    CATALOGUE_PLACE_MAX = 63,
    CATALOGUE_URL_MAX = 255,
    CATALOGUE_PINS_MAX = 1024,
    CATALOGUE_TENANT_MAX = 64,
    CATALOGUE_BUCKETS_MAX = 64, /* of the directory */
};

/* Texts are terminated, never NULL. `line` is where an entry starts in the file. Addresses are
 * host:port, see settings_address_parse(). */
struct catalogue_node { /* a NATS server */
    char name[TEXT_PROCESS_MAX + 1];
    char client[SETTINGS_ADDRESS_SIZE];
    char cluster[SETTINGS_ADDRESS_SIZE];
    char gateway[SETTINGS_ADDRESS_SIZE];
    char monitor[SETTINGS_ADDRESS_SIZE]; /* empty: none */
    uint32_t line;
};

struct catalogue_hub {
    char name[TEXT_PROCESS_MAX + 1];
    char health[SETTINGS_ADDRESS_SIZE]; /* where /healthz and /readyz are answered */
    uint32_t line;
};

struct catalogue_edge {
    char name[TEXT_PROCESS_MAX + 1];
    char listen[SETTINGS_ADDRESS_SIZE];
    char url[CATALOGUE_URL_MAX + 1]; /* what clients are told */
    uint32_t processes;              /* that share its address */
    uint32_t line;
};

struct catalogue_region {
    char name[TEXT_REGION_MAX + 1];
    char place[CATALOGUE_PLACE_MAX + 1];
    double latitude;
    double longitude;
    uint32_t weight;           /* share of users among regions equally near */
    uint32_t capacity;         /* connections the region is built for */
    bool drain;                /* no new users, open ones are sent elsewhere */
    bool new_homes;            /* users that nobody has seen may get their home here */
    uint32_t shards;           /* fixed by the region's genesis records */
    uint32_t replicas;         /* of its streams: 1, 3 or 5 */
    uint64_t log_max_bytes;    /* of each shard's log */
    uint64_t outbox_max_bytes; /* of the outbox to each other region */
    struct catalogue_node *nodes;
    size_t node_count;
    struct catalogue_hub *hubs;
    size_t hub_count;
    struct catalogue_edge *edges;
    size_t edge_count;
    uint32_t line;
};

/* Where some clients belong whatever is nearer: exactly one of the first four is not empty. */
struct catalogue_pin {
    char network[NETWORK_TEXT_SIZE]; /* 192.0.2.0/24, 2001:db8::/32 */
    char country[3];                 /* ISO 3166-1 alpha-2 */
    char continent[3];               /* AF, AN, AS, EU, NA, OC, SA */
    char tenant[CATALOGUE_TENANT_MAX + 1];
    char regions[CATALOGUE_URL_MAX + 1]; /* comma-separated, the first choice first */
    struct network parsed;               /* of `network` */
    uint32_t line;
};

/* What becomes of a message to a user that nobody has seen. */
enum catalogue_unknown { CATALOGUE_REJECT, CATALOGUE_ADOPT };

struct catalogue {
    char primary[TEXT_REGION_MAX + 1]; /* the region that holds the directory's origin */
    uint32_t dedupe_window_h;
    uint32_t retention_d;
    int64_t retention_ms; /* 0: as retention_d says; see catalogue_retention_s() */
    uint32_t devices_max;
    uint64_t mailbox_max_messages;
    uint64_t mailbox_max_bytes;
    enum catalogue_unknown unknown_recipients;
    uint32_t directory_buckets;       /* streams of the directory, fixed when it is provisioned */
    char geo_database[512];           /* path of a MaxMind DB file; empty: none */
    struct catalogue_region *regions; /* in the order of the file */
    size_t region_count;
    struct catalogue_pin *pins;
    size_t pin_count;
};

/* The rows, for the reference and for settings_print(). */
extern const struct setting catalogue_table[];

/* NULL with the reason, which names file and line. Free with catalogue_free(). */
MUST_USE struct catalogue *catalogue_load_file(const char *path, struct error_text *reterr_why);
/* The same from bytes; `path` is only named in errors. */
MUST_USE struct catalogue *catalogue_load_text(struct text yaml, const char *path,
                                               struct error_text *reterr_why);
void catalogue_free(struct catalogue *catalogue); /* NULL is fine */

/* How long a message waits for its devices. */
uint32_t catalogue_retention_s(const struct catalogue *catalogue);
/* Borrowed from the catalogue; NULL when there is none of that name. Names of processes are unique
 * over all regions; `ret_region`, where given, tells whose it is. */
const struct catalogue_region *catalogue_region(const struct catalogue *catalogue,
                                                struct text name);
const struct catalogue_region *catalogue_primary(const struct catalogue *catalogue);
/* The place of a region in catalogue->regions, or -ENOENT. */
MUST_USE int catalogue_region_index(const struct catalogue *catalogue, struct text name,
                                    size_t *ret_index);
/* Where a new user gets a home who might have it in `wanted`: there, or in the first region that
 * new users may be at home in, which there is. */
const struct catalogue_region *catalogue_new_home(const struct catalogue *catalogue,
                                                  const struct catalogue_region *wanted);
/* Takes the next name off a pin's regions; false at the end. */
bool catalogue_pin_next(struct text *regions, struct text *ret_name);
const struct catalogue_edge *catalogue_edge(const struct catalogue *catalogue, struct text name,
                                            const struct catalogue_region **ret_region);
/* An edge of several processes is as many edges to all others: NAME-p1, NAME-p2... by `number`,
 * from 1 on; the one process of an edge is called as it is. */
struct catalogue_process {
    char name[TEXT_PROCESS_MAX + 1];
};
struct catalogue_process catalogue_process(const struct catalogue_edge *edge, uint32_t number);
/* The edge that a process of this name belongs to, and its number. NULL: none. */
const struct catalogue_edge *catalogue_edge_of(const struct catalogue *catalogue,
                                               struct text process,
                                               const struct catalogue_region **ret_region,
                                               uint32_t *ret_number);
/* Its place among all processes of all edges, in the catalogue's order. -ENOENT. */
MUST_USE int catalogue_process_index(const struct catalogue *catalogue, struct text process,
                                     size_t *ret_index);
/* Of all its edges. */
size_t catalogue_processes(const struct catalogue_region *region);
const struct catalogue_hub *catalogue_hub(const struct catalogue *catalogue, struct text name,
                                          const struct catalogue_region **ret_region);
/* Appends "nats://host:port,nats://host:port": the region's nodes, for bus_open(). A terminator
 * that is not part of the size follows, so out->data is a string (unless out->failed). */
void catalogue_nats_urls(const struct catalogue_region *region, struct buffer *out);
