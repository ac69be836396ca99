#include "cli/census.h"

#include "wire/names.h"

#include <inttypes.h>
#include <string.h>

/* The place of a home; homes past the room for them have none. */
static uint64_t *count_of(struct cli_census *census, struct text home)
{
    size_t at = 0;
    while (at < census->home_count && !text_equal(text_of(census->homes[at].name), home))
        at++;
    if (at == CLI_CENSUS_HOMES_MAX)
        return &census->users_elsewhere;
    if (at == census->home_count) {
        if (text_put(census->homes[at].name, sizeof census->homes[at].name, home) != 0)
            return &census->users_elsewhere;
        census->home_count++;
    }
    return &census->homes[at].users;
}

void cli_census_expect(struct cli_census *census, const char *home)
{
    (void)count_of(census, text_of(home));
}

static void note_damaged(struct cli_census *census, uint64_t position, const char *why)
{
    if (census->damaged < CLI_CENSUS_DAMAGED_MAX) {
        census->first_damaged[census->damaged].position = position;
        census->first_damaged[census->damaged].why = why;
    }
    census->damaged++;
}

void cli_census_take(struct cli_census *census, uint64_t position, struct text subject,
                     struct text data)
{
    char user[TEXT_USER_MAX + 1];
    struct wire_directory_entry entry;
    if (wire_directory_user(subject, user) != 0) {
        note_damaged(census, position, "its key is no user's");
    } else if (wire_directory_entry_read(data.data, data.size, &entry) != 0) {
        note_damaged(census, position, "its value is no home");
    } else {
        census->users++;
        ++*count_of(census, entry.home);
    }
}

void cli_census_print(const struct cli_census *census, struct buffer *out)
{
    for (size_t i = 0; i < census->home_count; i++)
        buffer_printf(out, "%-16s %" PRIu64 "\n", census->homes[i].name, census->homes[i].users);
    if (census->users_elsewhere > 0)
        buffer_printf(out, "%-16s %" PRIu64 "\n", "other homes", census->users_elsewhere);
    buffer_printf(out, "%-16s %" PRIu64 "\n", "all", census->users);
    if (census->damaged == 0)
        return;
    buffer_printf(out, "%" PRIu64 " entries cannot be read\n", census->damaged);
    for (size_t i = 0; i < census->damaged && i < CLI_CENSUS_DAMAGED_MAX; i++)
        buffer_printf(out, "  at position %" PRIu64 ": %s\n", census->first_damaged[i].position,
                      census->first_damaged[i].why);
}
