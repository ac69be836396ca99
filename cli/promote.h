/* `meridian directory promote`: the primary region is lost, and another region's mirrors become the
 * origins. See docs/decisions for how, and for why nothing splits when it comes back. */
#pragma once

#include "cli/arguments.h"

int cli_directory_promote(const struct cli_arguments *arguments);
