/* meridian-geo: what the steering of clients knows and decides, on the command line. */
#pragma once

/* Returns the exit code: 0; 1: failed, or not fit; 2: wrong
 * usage. */
int geo_command_run(int argc, char **argv);
