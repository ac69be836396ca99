#include "base/error_text.h"

#include <stdarg.h>
#include <stdio.h>

int error_text_set(struct error_text *reterr_why, int error, const char *format, ...)
{
    if (reterr_why == NULL)
        return error;
    va_list args;
    va_start(args, format);
    vsnprintf(reterr_why->text, sizeof reterr_why->text, format, args);
    va_end(args);
    return error;
}
