/* Why something was refused, in words for the operator. */
#pragma once

#include "base/macros.h"

struct error_text {
    char text[512];
};

/* NULL is allowed and ignored. Returns `error`, so that callers can `return
 * error_text_set(...)`. */
int error_text_set(struct error_text *reterr_why, int error, const char *format, ...)
    PRINTF_LIKE(3, 4);
