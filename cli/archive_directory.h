/* How far the directory is archived, and how much of it is not. */
#pragma once

#include "cli/arguments.h"
#include "store/archive_directory.h"

/* Prints a line for each bucket that the archive knows. How many entries wait is what the directory
 * itself says: without a catalogue, or where no region answers, it is unknown. */
MUST_USE int cli_archive_directory_print(struct archive *archive,
                                         const struct cli_arguments *arguments,
                                         struct error_text *reterr_why);
