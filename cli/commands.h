/* Every command of `meridian`, and its help. */
#pragma once

#include "cli/arguments.h"

extern const struct cli_command cli_commands[];

/* Runs what the words after the program's name say. Returns the exit code. */
int cli_run(int argc, char *const *argv);
