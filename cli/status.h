/* `meridian status`: what hubs and edges tell by their beats. */
#pragma once

#include "cli/arguments.h"

int cli_status(const struct cli_arguments *arguments);
