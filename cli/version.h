/* Which versions of nats-server are good enough. Pure. */
#pragma once

#include "base/macros.h"

enum cli_version_verdict {
    CLI_VERSION_GOOD,
    CLI_VERSION_OLD,     /* works, with known ways to lose data */
    CLI_VERSION_REFUSED, /* cannot do what is needed */
    CLI_VERSION_UNKNOWN, /* is no version */
};
#define CLI_VERSION_MINIMUM "2.11"
#define CLI_VERSION_WANTED "2.12.3"

/* "2.15.1", "v2.12.0-beta.1". */
enum cli_version_verdict cli_version_judge(const char *version);
