/* meridian pki make, renew, authority. */
#pragma once

#include "cli/arguments.h"

/* The one user besides hubs and edges: who runs `meridian`. */
#define CLI_PKI_OPERATOR "operator"

int cli_pki_make(const struct cli_arguments *arguments);
int cli_pki_renew(const struct cli_arguments *arguments);
int cli_pki_new_authority(const struct cli_arguments *arguments);
