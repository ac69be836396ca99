/* Counts users by home, in bounded memory. Pure. */
#pragma once

#include "base/buffer.h"
#include "base/text.h"

#include <stdint.h>

enum { CLI_CENSUS_HOMES_MAX = 128, CLI_CENSUS_DAMAGED_MAX = 10 };

struct cli_census { /* zero-initialise */
    struct {
        char name[TEXT_REGION_MAX + 1];
        uint64_t users;
    } homes[CLI_CENSUS_HOMES_MAX];
    size_t home_count;
    uint64_t users;
    uint64_t users_elsewhere; /* in homes past those that have room */
    uint64_t damaged;         /* entries that cannot be read */
    struct {
        uint64_t position;
        const char *why; /* static */
    } first_damaged[CLI_CENSUS_DAMAGED_MAX];
};

/* Takes a home, so that it is shown with 0 users, too. */
void cli_census_expect(struct cli_census *census, const char *home);
/* Counts one entry, as the stream holds it. */
void cli_census_take(struct cli_census *census, uint64_t position, struct text subject,
                     struct text data);
/* Appends a line for each home and for what is odd. */
void cli_census_print(const struct cli_census *census, struct buffer *out);
