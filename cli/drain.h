/* `meridian drain` and `undrain`, of a region or an edge: marks it in the directory, which edges
 * and meridian-geo follow. */
#pragma once

#include "cli/arguments.h"

int cli_drain_region(const struct cli_arguments *arguments);
int cli_undrain_region(const struct cli_arguments *arguments);
int cli_drain_edge(const struct cli_arguments *arguments);
int cli_undrain_edge(const struct cli_arguments *arguments);
