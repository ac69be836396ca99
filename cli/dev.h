/* `meridian dev`: the regions of a catalogue on this machine, each with its own NATS servers, hubs
 * and edges, held by one supervisor. */
#pragma once

#include "cli/arguments.h"

int cli_dev_up(const struct cli_arguments *arguments);
int cli_dev_down(const struct cli_arguments *arguments);
int cli_dev_status(const struct cli_arguments *arguments);
