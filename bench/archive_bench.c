/* How fast rows go into the archive, and what one takes there.
 *
 *   archive_bench URL [rows] [users] [rows a batch]    defaults: 500000 50000 5000
 *
 * The rows go from memory, as the archiver hands them over: bodies of 180 bytes, users at random,
 * each user's seq rising. The schema is made when it is not there; what is there stays. */
#include "base/clock.h"
#include "base/hash.h"
#include "measure.h"
#include "store/archive.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BODY_SIZE = 180 };

struct bench {
    struct archive *archive;
    struct archive_log log;
    struct archive_batch batch;
    struct archive_outcome outcome;
    uint64_t users;
    uint64_t *seqs;
    uint64_t random;
    int64_t first_ms;
    char body[BODY_SIZE];
};

static void must_work(int err, const struct error_text *why)
{
    if (err == 0)
        return;
    fprintf(stderr, "archive_bench: %s: %s\n", strerror(-err), why->text);
    exit(1);
}

static double cpu_s(void)
{
    return (double)cpu_us() / 1e6;
}

static void fill(struct bench *bench, uint64_t first, uint64_t count)
{
    char user[32];
    char id[32];
    struct error_text why = {.text = "memory is short"};
    archive_batch_clear(&bench->batch);
    for (uint64_t row = first; row < first + count; row++) {
        const uint64_t who = next_random(&bench->random) % bench->users;
        snprintf(user, sizeof user, "user-%" PRIu64, who);
        snprintf(id, sizeof id, "m-%016" PRIx64, next_random(&bench->random));
        const struct archive_row added = {.row = row,
                                          .position = row,
                                          .recipient = text_of(user),
                                          .epoch = 1,
                                          .seq = ++bench->seqs[who],
                                          .at_ms = bench->first_ms + (int64_t)row / 10,
                                          .created_ms = bench->first_ms + (int64_t)row / 10,
                                          .sender = TEXT("user-12345"),
                                          .device = TEXT("phone"),
                                          .id = text_of(id),
                                          .body = {bench->body, sizeof bench->body}};
        must_work(archive_batch_add(&bench->batch, &added), &why);
    }
}

static void run(struct bench *bench, uint64_t rows, uint64_t a_batch)
{
    struct error_text why = {0};
    int64_t us = 0;
    const double cpu = cpu_s();
    for (uint64_t done = 0; done < rows; done += a_batch) {
        fill(bench, done + 1, rows - done < a_batch ? rows - done : a_batch);
        const int64_t start_us = clock_monotonic_us();
        must_work(archive_append(bench->archive, &bench->log, &bench->batch, &bench->outcome, &why),
                  &why);
        us += clock_monotonic_us() - start_us;
    }
    printf("%" PRIu64 " rows in %.2f s: %.0f rows/s, batches of %" PRIu64
           "; CPU of this process %.1f s/M\n",
           bench->outcome.stored, (double)us / 1e6, (double)rows * 1e6 / (double)us, a_batch,
           (cpu_s() - cpu) * 1e6 / (double)rows);
}

int main(int argc, char **argv)
{
    struct bench bench = {.random = 88172645463325252, .first_ms = clock_wall_ms()};
    struct error_text why = {0};
    const uint64_t rows = argc > 2 ? strtoull(argv[2], NULL, 10) : 500000;
    const uint64_t a_batch = argc > 4 ? strtoull(argv[4], NULL, 10) : 5000;
    if (argc < 2 || rows == 0 || a_batch == 0) {
        fprintf(stderr, "usage: archive_bench URL [rows] [users] [rows a batch]\n");
        return 2;
    }
    bench.users = argc > 3 ? strtoull(argv[3], NULL, 10) : 50000;
    bench.seqs = calloc(bench.users, sizeof *bench.seqs);
    memset(bench.body, 'x', sizeof bench.body);
    snprintf(bench.log.region, sizeof bench.log.region, "bench");
    hash_random(bench.log.incarnation, sizeof bench.log.incarnation);
    bench.archive = archive_new(&(struct archive_settings){.url = argv[1],
                                                           .program = "archive_bench",
                                                           .connect_timeout_ms = 5000,
                                                           .statement_timeout_ms = 60000,
                                                           .may_migrate = true},
                                &why);
    if (bench.archive == NULL || bench.seqs == NULL)
        must_work(-1, &why);
    must_work(archive_connect(bench.archive, &why), &why);
    must_work(archive_locate(bench.archive, &bench.log, &why), &why);
    run(&bench, rows, a_batch);
    archive_free(bench.archive);
    archive_batch_free(&bench.batch);
    free(bench.seqs);
    return 0;
}
