/* Entries of the directory that operators change, by compare-and-set: several may at one time. */
#pragma once

#include "cli/link.h"

/* All are called anew for each attempt, `read` only when there is an entry. */
struct cli_amend {
    struct cli_link *link;
    const char *stream, *subject;
    void (*reset)(void *context); /* nothing is read yet */
    int (*read)(void *context, const void *bytes, size_t size);
    /* Changes what was read. 1; 0: it is so already; negative errno with the reason. */
    int (*change)(void *context, struct error_text *reterr_why);
    int (*write)(const void *context, struct buffer *out);
    void *context;
};

/* 1: it was changed; 0: it was so already. Negative errno with the reason. */
MUST_USE int cli_amend(const struct cli_amend *amend, struct error_text *reterr_why);
