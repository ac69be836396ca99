/* The directory by hand: `meridian directory get`, `set` and `count`. */
#pragma once

#include "cli/arguments.h"

int cli_directory_get(const struct cli_arguments *arguments);
int cli_directory_set(const struct cli_arguments *arguments);
int cli_directory_count(const struct cli_arguments *arguments);
