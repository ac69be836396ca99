/* Which edges a command that is a client connects to. */
#pragma once

#include "base/error_text.h"
#include "base/macros.h"
#include "cli/arguments.h"

#include <stddef.h>

struct cli_edges {
    const char **urls; /* taken in turn */
    size_t count;
    struct catalogue *catalogue; /* what they are borrowed from, or NULL */
};

/* The option --edge, else all edges of the catalogue that cli_catalogue_choose() finds, beginning
 * with a random one. -EINVAL, -ENOMEM. Free with cli_edges_done(), also after a failure. */
MUST_USE int cli_edges_choose(struct cli_edges *edges, const struct cli_arguments *arguments,
                              struct error_text *reterr_why);
void cli_edges_done(struct cli_edges *edges);
