/* How many clients a core can place and rank in a second, as each WebSocket of an edge that knows
 * places does it once.
 *
 *   geo_bench DATABASE [addresses]     default: 1000000
 *
 * Random IPv4 addresses, the same in every run; the database is read once to warm it up, then
 * look-ups alone are timed, then with a ranking of 3, 8 and 64 regions. CPU seconds of one thread.
 */
#include "geo/rank.h"
#include "measure.h"

#include <inttypes.h>

struct bench {
    struct geo_database *database;
    struct address *addresses;
    size_t count;
    struct catalogue_region regions[CATALOGUE_REGIONS_MAX];
    uint64_t found;
    uint64_t sum; /* of what was decided, so that nothing is left out */
};

static void make_addresses(struct bench *bench)
{
    uint64_t random = 88172645463325252;
    bench->addresses = calloc(bench->count, sizeof *bench->addresses);
    must(bench->addresses != NULL, "memory");
    for (size_t i = 0; i < bench->count; i++) {
        uint64_t dice = next_random(&random);
        uint8_t *bytes = bench->addresses[i].bytes;
        bytes[10] = bytes[11] = 0xff; /* IPv4 */
        for (size_t b = 0; b < 4; b++)
            bytes[12 + b] = (uint8_t)(dice >> (8 * b));
    }
}

static void make_regions(struct bench *bench)
{
    uint64_t random = 362436069;
    for (size_t i = 0; i < CATALOGUE_REGIONS_MAX; i++) {
        bench->regions[i].weight = 100;
        bench->regions[i].latitude = (double)(next_random(&random) % 180) - 90;
        bench->regions[i].longitude = (double)(next_random(&random) % 360) - 180;
    }
}

/* One address after the other, ranked among so many regions; 0: only looked up. */
static void run(struct bench *bench, size_t regions)
{
    const struct catalogue catalogue = {.regions = bench->regions, .region_count = regions};
    struct geo_region_state states[CATALOGUE_REGIONS_MAX] = {{.drain = false}};
    struct geo_ranking ranking;
    bench->found = 0;
    int64_t begin_us = cpu_us();
    for (size_t i = 0; i < bench->count; i++) {
        struct geo_client client = {.address = bench->addresses[i]};
        bench->found += geo_database_find(bench->database, &client.address, &client.place) == 0;
        if (regions == 0)
            continue;
        geo_rank(&catalogue, states, &client, &ranking);
        bench->sum += ranking.candidates[0].region;
    }
    double each_us = (double)(cpu_us() - begin_us) / (double)bench->count;
    printf("%2zu regions: %.2f us each, %.2f M/s\n", regions, each_us, 1 / each_us);
}

int main(int argc, char **argv)
{
    static const size_t regions[] = {0, 3, 8, CATALOGUE_REGIONS_MAX};
    struct error_text why = {0};
    struct bench bench = {.count = argc > 2 ? strtoul(argv[2], NULL, 10) : 1000000};
    must(argc > 1 && bench.count > 0, "usage: geo_bench DATABASE [addresses]");
    bench.database = geo_database_open(argv[1], &why);
    must(bench.database != NULL, why.text);
    make_addresses(&bench);
    make_regions(&bench);
    struct geo_database_facts facts = geo_database_facts(bench.database);
    printf("%s, %" PRIu32 " nodes; %zu addresses\n", facts.type, facts.nodes, bench.count);
    printf("once, cold: ");
    run(&bench, 0);
    printf("%.1f %% found\n", 100.0 * (double)bench.found / (double)bench.count);
    for (size_t i = 0; i < COUNT_OF(regions); i++)
        run(&bench, regions[i]);
    geo_database_close(bench.database);
    free(bench.addresses);
    return bench.sum == UINT64_MAX;
}
