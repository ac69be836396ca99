/* How the library is to connect. */
#pragma once

#include "bus/link.h"

/* All but the event loop. The files of settings->credentials are read here, so each connection is
 * made with what lies there then: a certificate that was renewed needs no restart. Free with
 * natsOptions_Destroy(), also on failure. */
MUST_USE natsStatus bus_link_options(natsOptions **ret_options,
                                     const struct bus_link_settings *settings);
