/* The processes of a catalogue on this machine: which, with what arguments, asked where. */
#pragma once

#include "catalogue/catalogue.h"
#include "cli/dev_folder.h"
#include "cli/supervisor.h"

struct cli_programs { /* absolute paths */
    struct cli_path meridian;
    struct cli_path edge;
    struct cli_path hub;
    struct cli_path nats;
    struct cli_path edge_config; /* settings of all edges; empty: what the table says */
};

/* Those beside this very program, without an edge_config;
 * nats-server by NATS_SERVER, else the one of the build's folder,
 * else from the PATH. -ENOENT names what is not there. */
MUST_USE int cli_programs_find(struct cli_programs *ret_programs, struct error_text *reterr_why);

/* NATS servers, hubs, edges, in this order. Borrows the catalogue's strings. -ENOMEM. */
MUST_USE int cli_children_new(const struct catalogue *catalogue,
                              const struct cli_programs *programs, const char *folder,
                              struct cli_child **ret_children, size_t *ret_count);
void cli_children_free(struct cli_child *children, size_t count);
