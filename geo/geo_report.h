/* What was found out about a client and its regions: as JSON for programs, as lines for people. */
#pragma once

#include "base/buffer.h"
#include "geo/rank.h"

/* {"address":...,"country":...,"continent":...,"latitude":...,"longitude":...} */
void geo_report_place(const struct address *address, const struct geo_place *place,
                      struct buffer *out);
/* {"rule":...,"blind":...,"candidates":[{"region","state","distance_km","rtt_ms","measured"}]} */
void geo_report_ranking(const struct catalogue *catalogue, const struct geo_ranking *ranking,
                        struct buffer *out);
/* Why the client is sent where it is: the rule that decided, the place, and a line a region. */
void geo_report_explanation(const struct catalogue *catalogue, const struct geo_client *client,
                            const struct geo_ranking *ranking, struct buffer *out);
