/* Rendered files, put in place one by one by rename: who reads them sees the old one or the new. */
#pragma once

#include "geo/geo_gdnsd.h"

/* Puts `folder`/`name` in place. */
MUST_USE int geo_render_put_file(const char *folder, const char *name, const struct buffer *bytes,
                                 struct error_text *reterr_why);
/* Makes `folder` as gdnsd wants its configuration: config, geoip/meridian.nets, zones/ZONE. The
 * networks come last, as gdnsd takes them up at once. Errors as geo_gdnsd_render(), and -errno. */
MUST_USE int geo_render_gdnsd(const struct geo_gdnsd_settings *settings, const char *folder,
                              struct error_text *reterr_why);
