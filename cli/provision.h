/* `meridian provision`: makes every stream and bucket of a catalogue and begins every log, once.
 * What is there already is compared and never changed, but for the log's config record, which
 * follows the catalogue. */
#pragma once

#include "cli/arguments.h"

int cli_provision(const struct cli_arguments *arguments);
