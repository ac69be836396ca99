/* The directory by hand: `meridian where`, `meridian directory get` and `set`. */
#pragma once

#include "cli/arguments.h"

int cli_where(const struct cli_arguments *arguments);
int cli_directory_get(const struct cli_arguments *arguments);
int cli_directory_set(const struct cli_arguments *arguments);
