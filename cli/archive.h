/* `meridian archive ...` and `meridian user erase`: commands about the central database. */
#pragma once

#include "cli/arguments.h"

int cli_archive_migrate(const struct cli_arguments *arguments);
int cli_archive_status(const struct cli_arguments *arguments);
int cli_archive_expire(const struct cli_arguments *arguments);
int cli_user_erase(const struct cli_arguments *arguments);
