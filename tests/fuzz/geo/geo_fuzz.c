/* Any bytes as a GeoIP database: it opens or not, and an address has a place, none, or an error.
 * Replayed, each file of the corpus is tried besides with bytes changed here and there: some 1,500
 * of these, with MERIDIAN_TEST_FULL=1 more than 10,000. */
#include "geo/database.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* libmaxminddb 1.7.1 keeps some kilobytes of a file whose metadata it refuses to open. */
const char *__lsan_default_suppressions(void)
{
    return "leak:libmaxminddb";
}

enum { MUTANTS = 100, MUTANTS_FULL = 700, CHANGES = 8 };

static const char *const addresses[] = {"81.2.69.142",   "175.16.199.1", "2001:218::1", "1.1.1.1",
                                        "216.160.83.56", "0.0.0.0",      "ffff::",      "::1"};

static void look_up_all(const char *path)
{
    struct error_text why = {0};
    struct geo_database *database = geo_database_open(path, &why);
    for (size_t i = 0; database != NULL && i < COUNT_OF(addresses); i++) {
        struct address address;
        struct geo_place place;
        if (address_parse(text_of(addresses[i]), &address) != 0)
            abort();
        int err = geo_database_find(database, &address, &place);
        assert(err == 0 || err == -ENOENT || err == -EILSEQ || err == -EAFNOSUPPORT ||
               err == -ENOMEM);
        assert(err != 0 || !place.has_coordinates ||
               (place.latitude >= -90 && place.latitude <= 90 && place.longitude >= -180 &&
                place.longitude <= 180));
    }
    geo_database_close(database);
}

static void try_bytes(const char *path, const uint8_t *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    if (file == NULL || (size > 0 && fwrite(data, 1, size, file) != size) || fclose(file) != 0)
        abort();
    look_up_all(path);
}

/* The same mutants of the same bytes each time. */
static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    return *state >> 8;
}

static void try_mutants(const char *path, const uint8_t *data, size_t size)
{
    uint32_t state = (uint32_t)size;
    uint8_t *mutant = malloc(size);
    if (mutant == NULL)
        abort();
    const size_t count = getenv("MERIDIAN_TEST_FULL") == NULL ? MUTANTS : MUTANTS_FULL;
    for (size_t i = 0; i < count; i++) {
        memcpy(mutant, data, size);
        for (size_t change = next_random(&state) % CHANGES + 1; change > 0; change--)
            mutant[next_random(&state) % size] = (uint8_t)next_random(&state);
        try_bytes(path, mutant, size);
    }
    free(mutant);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[] = "/tmp/geo-fuzz-XXXXXX";
    int descriptor = mkstemp(path);
    if (descriptor < 0)
        abort();
    close(descriptor);
    try_bytes(path, data, size);
    if (size > 0)
        try_mutants(path, data, size);
    unlink(path);
    return 0;
}
