/* A folder with what a process shows at NATS: ca.pem (whose servers it believes), certificate.pem
 * (with its chain) and key.pem (without a passphrase), as `meridian pki` makes it. */
#pragma once

#include "base/error_text.h"
#include "base/macros.h"

#include <limits.h>

struct bus_credentials {
    char authority[PATH_MAX];
    char certificate[PATH_MAX];
    char key[PATH_MAX];
};

/* Their paths; cut when the folder's is too long. */
struct bus_credentials bus_credentials_of(const char *folder);
/* That all three can be read, and that nobody but the key's owner and group can read the key.
 * -errno, -EPERM; the reason names the file. */
MUST_USE int bus_credentials_check(const char *folder, struct error_text *reterr_why);
