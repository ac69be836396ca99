#include "cli/version.h"

#include <stdio.h>

/* As a number that compares; negative: it is no version. A pre-release counts as its release. */
static long number_of(const char *version)
{
    unsigned major, minor, patch = 0;

    if (version[0] == 'v')
        version++;
    if (sscanf(version, "%4u.%4u.%4u", &major, &minor, &patch) < 2)
        return -1;
    return (long)major * 1000000 + (long)minor * 1000 + (long)patch;
}

enum cli_version_verdict cli_version_judge(const char *version)
{
    long number = number_of(version);

    if (number < 0)
        return CLI_VERSION_UNKNOWN;
    if (number < number_of(CLI_VERSION_MINIMUM))
        return CLI_VERSION_REFUSED;
    return number < number_of(CLI_VERSION_WANTED) ? CLI_VERSION_OLD : CLI_VERSION_GOOD;
}
