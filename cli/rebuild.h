/* `meridian directory rebuild`: fills a directory that is empty or damaged, from the archive. */
#pragma once

#include "cli/arguments.h"

int cli_directory_rebuild(const struct cli_arguments *arguments);
