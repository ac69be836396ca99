/* The section `auth:` of an edge's or a hub's settings, without the rest of the file. */
#pragma once

#include "auth/settings.h"

/* Without a path: the defaults. -EINVAL and others with the reason.
 * Free with cli_auth_config_free(), also after a failure. */
MUST_USE int cli_auth_config_load(const char *path, struct auth_settings *ret_settings,
                                  struct error_text *reterr_why);
void cli_auth_config_free(struct auth_settings *settings);
