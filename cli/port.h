/* Whether a listen address is free, and if not, whose it is. */
#pragma once

#include "base/error_text.h"
#include "base/macros.h"

/* 0: a process could listen at `address` (host:port) now. -EADDRINUSE: `reterr_why` names the
 * address and, where the system tells, the process. -EADDRNOTAVAIL: it is no address of this
 * machine. */
MUST_USE int cli_port_check(const char *address, struct error_text *reterr_why);
