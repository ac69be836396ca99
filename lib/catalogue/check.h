/* What one row of a table cannot say: that entries fit each other. Only for this folder. */
#pragma once

#include "catalogue/catalogue.h"

/* -EINVAL, -ENOMEM. `path` is named in errors. */
MUST_USE int catalogue_check(const struct catalogue *catalogue, const char *path,
                             struct error_text *reterr_why);
