/* Everything that is checked and written before the first process of `meridian dev up` starts. */
#pragma once

#include "cli/dev_children.h"

struct cli_dev {
    struct cli_path folder;
    struct catalogue *catalogue; /* owned */
    struct cli_programs programs;
};

/* Loads the catalogue, finds the programs, checks that they and the machine will do (versions,
 * addresses that are taken, room on the disk), then writes what the processes need into the folder.
 * -errno with a sentence; fill `dev` with zeros before, and free it with cli_dev_done() after. */
MUST_USE int cli_dev_prepare(struct cli_dev *dev, const char *catalogue_path, const char *folder,
                             struct error_text *reterr_why);
void cli_dev_done(struct cli_dev *dev);
