#pragma once

#include "cli/arguments.h"

/* Commands, by table. */
int cli_region_evacuate(const struct cli_arguments *arguments);
int cli_region_restore(const struct cli_arguments *arguments);
