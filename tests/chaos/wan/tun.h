/* A TUN device (IP packets as a descriptor) in another network namespace. */
#pragma once

#include "base/error_text.h"

#define WAN_DEVICE "wan0"

/* Attaches to the device WAN_DEVICE of the namespace, which is made if it is not there: a
 * non-blocking descriptor, each read and write of which is one packet. The calling thread is in
 * that namespace meanwhile. -errno with a sentence. */
MUST_USE int wan_tun_open(const char *namespace_path, struct error_text *reterr_why);
