/* The parent of an edge's processes: starts them, starts one again that ended, and passes signals
 * on. It does nothing else, so there is little that could end it; when it ends, they do. */
#pragma once

#include "edge/edge.h"

/* Runs `count` processes (see catalogue_process()) until SIGTERM or SIGINT, which they are passed,
 * as is SIGHUP; a second one hurries them. Returns when all have ended. A process never returns
 * from here: it exits. Call it before there are threads. Negative errno with the reason. */
MUST_USE int edge_parent_run(const struct edge_settings *settings,
                             const struct catalogue *catalogue, uint32_t count,
                             struct error_text *reterr_why);
