/* `meridian where`: a user's home, shard, and who serves it. */
#pragma once

#include "cli/arguments.h"

int cli_where(const struct cli_arguments *arguments);
