/* `meridian archive ...` and `meridian user erase`: commands about the central database. */
#pragma once

#include "cli/arguments.h"

struct archive;
/* The one that --url or MERIDIAN_ARCHIVE_URL names, not connected. NULL with the reason. */
MUST_USE struct archive *cli_archive_open(const struct cli_arguments *arguments,
                                          struct error_text *reterr_why);
int cli_archive_migrate(const struct cli_arguments *arguments);
int cli_archive_status(const struct cli_arguments *arguments);
int cli_archive_expire(const struct cli_arguments *arguments);
int cli_user_erase(const struct cli_arguments *arguments);
