/* meridian nats config. */
#pragma once

#include "cli/arguments.h"

int cli_nats_print(const struct cli_arguments *arguments);
