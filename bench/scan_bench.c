/* Whether one who reads a view in its order disturbs the one who writes it.
 *
 *   scan_bench [rows] [folder]     defaults: 1000000 /tmp
 *
 * A view is filled, 1,000 rows of 180 bytes a transaction: alone, then with a thread that reads all
 * rows from the first one on, 5,000 at a time, as the archiver does, and begins again at the end.
 */
#include "base/clock.h"
#include "measure.h"
#include "store/view.h"
#include "store/view_scan.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BODY_SIZE = 180, ROWS_A_COMMIT = 1000, ROWS_A_READ = 5000, BYTES_A_READ = 4 << 20 };

struct reading {
    const char *path;
    _Atomic bool stop;
    uint64_t next_row;
    uint64_t rows;
    uint64_t not_now;
};

static bool on_row(void *context, const struct view_row *row)
{
    struct reading *reading = context;
    reading->next_row = row->row + 1;
    reading->rows++;
    return true;
}

static void *read_on(void *context)
{
    struct reading *reading = context;
    struct view_scan *scan = view_scan_new(reading->path);
    must(scan != NULL, "memory");
    while (!atomic_load(&reading->stop)) {
        const uint64_t from = reading->next_row;
        int err = view_scan_read(scan, from, ROWS_A_READ, BYTES_A_READ, on_row, reading);
        reading->not_now += err != 0;
        if (reading->next_row == from)
            reading->next_row = 1;
    }
    view_scan_free(scan);
    return NULL;
}

static void remove_view(const char *path)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    char name[512];
    for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
        snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
        (void)unlink(name);
    }
}

static int64_t wal_bytes(const char *path)
{
    char name[512];
    struct stat status;
    snprintf(name, sizeof name, "%s-wal", path);
    return stat(name, &status) == 0 ? status.st_size : 0;
}

static int64_t fill(struct view *view, const char *path, uint64_t rows)
{
    char body[BODY_SIZE];
    int64_t wal_max = 0;
    memset(body, '1', sizeof body);
    for (uint64_t row = 1; row <= rows; row += ROWS_A_COMMIT) {
        must(view_begin(view) == 0, "begin");
        for (uint64_t i = row; i < row + ROWS_A_COMMIT; i++) {
            const struct view_row added = {.row = i,
                                           .position = i,
                                           .user = TEXT("user-12345"),
                                           .epoch = 1,
                                           .seq = i,
                                           .sender = TEXT("user-54321"),
                                           .device = TEXT("phone"),
                                           .id = TEXT("0123456789abcdef"),
                                           .body = {body, sizeof body}};
            must(view_append(view, &added) == 0, "append");
        }
        must(view_commit(view, row) == 0, "commit");
        const int64_t bytes = wal_bytes(path);
        wal_max = bytes > wal_max ? bytes : wal_max;
    }
    return wal_max;
}

static void measure(const char *path, uint64_t rows, bool with_reader)
{
    struct reading reading = {.path = path, .next_row = 1};
    struct error_text why;
    struct view *view;
    pthread_t thread;
    remove_view(path);
    must(view_open(path, &view, &why) == 0, "open");
    if (with_reader)
        must(pthread_create(&thread, NULL, read_on, &reading) == 0, "thread");
    const int64_t start_us = clock_monotonic_us();
    const int64_t wal_max = fill(view, path, rows);
    const double passed_s = (double)(clock_monotonic_us() - start_us) / 1e6;
    if (with_reader) {
        atomic_store(&reading.stop, true);
        pthread_join(thread, NULL);
    }
    printf("%-14s %7.0f rows/s written, %8.0f rows/s read, %" PRIu64
           " reads put off, journal up to %.0f MiB\n",
           with_reader ? "with a reader" : "alone", (double)rows / passed_s,
           (double)reading.rows / passed_s, reading.not_now, (double)wal_max / (1 << 20));
    view_close(view);
    remove_view(path);
}

int main(int argc, char **argv)
{
    uint64_t rows = 1000000;
    char path[480];
    if (argc > 1)
        must(text_to_u64(text_of(argv[1]), 100000000, &rows) == 0, "rows?");
    snprintf(path, sizeof path, "%s/scan-bench-%d.db", argc > 2 ? argv[2] : "/tmp", (int)getpid());
    for (int i = 0; i < 2; i++) {
        measure(path, rows, false);
        measure(path, rows, true);
    }
    return 0;
}
