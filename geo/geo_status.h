/* meridian-geo status: how every region and edge is, as the bus tells within some seconds. */
#pragma once

#include "base/buffer.h"
#include "base/error_text.h"
#include "regions/regions.h"

/* Listens until all edges were heard, REGIONS_SILENT_MS at most, and appends a line for each region
 * and edge. 0; -EAGAIN: blind, no edge of any region is heard, which a line says too; other errors
 * with the reason. */
MUST_USE int geo_status_run(const struct catalogue *catalogue, struct buffer *out,
                            struct error_text *reterr_why);
/* The lines. Pure. */
void geo_status_write(const struct catalogue *catalogue, const struct regions *regions,
                      int64_t now_ms, struct buffer *out);
