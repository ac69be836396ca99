#include "region-hub/hub_cursor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum {
    CURSOR = WIRE_ATTACH_HAS_CURSOR,
    HEAD = WIRE_ATTACH_FROM_HEAD,
    RESUMED = WIRE_ATTACHED_RESUMED,
    RESYNC = WIRE_ATTACHED_RESYNC,
};

/* Messages 1 to 90, of which 12 is the first that is kept. */
static void a_device_begins_where_it_can(void **state)
{
    (void)state;
    static const struct {
        uint32_t epoch; /* of the mailbox */
        uint64_t base;
        bool known;
        uint64_t confirmed;
        uint64_t noted;
        uint8_t asked;
        uint32_t asked_epoch;
        uint64_t asked_seq;
        uint64_t seq;
        uint8_t flags;
    } rows[] = {
        /* without a cursor */
        {1, 0, false, 0, 0, 0, 0, 0, 11, 0},
        {1, 0, false, 0, 0, HEAD, 0, 0, 90, 0},
        {1, 0, false, 0, 40, 0, 0, 0, 40, 0},
        {1, 0, true, 30, 0, 0, 0, 0, 30, RESUMED},
        {1, 0, true, 30, 40, 0, 0, 0, 40, RESUMED},
        {1, 0, true, 30, 20, 0, 0, 0, 30, RESUMED},
        {1, 0, true, 30, 0, HEAD, 0, 0, 30, RESUMED},
        /* with one of this epoch */
        {1, 0, false, 0, 0, CURSOR, 1, 50, 50, RESUMED},
        {1, 0, true, 60, 70, CURSOR, 1, 50, 50, RESUMED},
        {1, 0, false, 0, 0, CURSOR, 1, 90, 90, RESUMED},
        {1, 0, false, 0, 0, CURSOR, 1, 91, 11, RESYNC},
        {1, 0, true, 60, 0, CURSOR | HEAD, 1, 91, 60, RESYNC},
        {2, 80, false, 0, 0, CURSOR, 2, 90, 90, RESUMED},
        /* with one of the epoch before */
        {2, 80, false, 0, 0, CURSOR, 1, 79, 79, RESUMED},
        {2, 80, false, 0, 0, CURSOR, 1, 80, 80, RESUMED},
        {2, 80, false, 0, 0, CURSOR, 1, 81, 11, RESYNC},
        {2, 80, true, 85, 0, CURSOR, 1, 81, 85, RESYNC},
        {2, 80, true, 85, 86, CURSOR, 1, 80, 80, RESUMED},
        {2, 0, false, 0, 0, CURSOR, 1, 0, 0, RESUMED}, /* it had seen nothing */
        {2, 0, false, 0, 0, CURSOR, 1, 1, 11, RESYNC},
        /* with another one */
        {3, 80, false, 0, 0, CURSOR, 1, 10, 11, RESYNC},
        {1, 0, false, 0, 0, CURSOR, 2, 10, 11, RESYNC},
        {1, 0, false, 0, 0, CURSOR, 0, 0, 11, RESYNC},
        {1, 0, false, 0, 0, CURSOR, UINT32_MAX, 0, 11, RESYNC},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct hub_cursor_of of = {.epoch = rows[i].epoch,
                                         .head = 90,
                                         .base = rows[i].base,
                                         .first = 12,
                                         .known = rows[i].known,
                                         .confirmed = rows[i].confirmed,
                                         .noted = rows[i].noted};
        const struct wire_attach asked = {
            .flags = rows[i].asked, .epoch = rows[i].asked_epoch, .seq = rows[i].asked_seq};
        const struct hub_cursor cursor = hub_cursor_choose(&of, &asked);
        if (cursor.seq != rows[i].seq || cursor.flags != rows[i].flags)
            fail_msg("row %zu: seq %llu, flags %u", i, (unsigned long long)cursor.seq,
                     cursor.flags);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_device_begins_where_it_can)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
