/* Which catalogue a command uses when it is not told. */
#pragma once

#include "catalogue/catalogue.h"
#include "cli/arguments.h"

#define CLI_CATALOGUE_DEFAULT "config/regions.yaml"

/* The option --catalogue, else MERIDIAN_CATALOGUE, else that of the cluster which runs on this
 * machine in the default folder, else config/regions.yaml. NULL with the reason. */
MUST_USE struct catalogue *cli_catalogue_choose(const struct cli_arguments *arguments,
                                                struct error_text *reterr_why);
