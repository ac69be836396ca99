#include "cli/scan.h"

#include "base/clock.h"

#include <errno.h>

enum { SILENT_MAX_MS = 15000, TURN_MS = 100 };

static void on_entry(void *context, const struct bus_entry *entry)
{
    struct cli_scan *scan = context;
    if (scan->count == CLI_SCAN_PAGE) { /* a page is a batch, but for what comes after a break */
        bus_reader_seek(scan->reader, entry->position);
        return;
    }
    scan->found[scan->count].position = entry->position;
    scan->found[scan->count].subject_size = entry->subject.size;
    scan->found[scan->count].data_size = entry->size;
    scan->found[scan->count].at = scan->bytes.size;
    buffer_append_text(&scan->bytes, entry->subject);
    buffer_append(&scan->bytes, entry->data, entry->size);
    scan->count++;
}

static void on_pause(void *context, bool caught_up)
{
    struct cli_scan *scan = context;
    scan->ended = caught_up;
    scan->paused = caught_up || scan->count > 0;
    if (scan->paused)
        bus_reader_hold(scan->reader, true);
}

int cli_scan_open(struct cli_scan *scan, struct cli_link *link, const char *stream,
                  const char *filter, uint64_t from, struct error_text *reterr_why)
{
    *scan = (struct cli_scan){.link = link};
    scan->reader =
        bus_reader_open(link->bus, &(struct bus_reader_settings){.stream = stream,
                                                                 .filter = filter,
                                                                 .from = from,
                                                                 .batch_max = CLI_SCAN_PAGE,
                                                                 .on_entry = on_entry,
                                                                 .on_pause = on_pause,
                                                                 .context = scan});
    return scan->reader == NULL ? error_text_set(reterr_why, -ENOMEM, "out of memory") : 0;
}

int cli_scan_next(struct cli_scan *scan, struct error_text *reterr_why)
{
    int64_t until = clock_monotonic_ms() + SILENT_MAX_MS;
    if (scan->ended)
        return 0;
    scan->count = 0;
    scan->paused = false;
    buffer_clear(&scan->bytes);
    bus_reader_hold(scan->reader, false);
    while (!scan->paused && clock_monotonic_ms() < until)
        loop_turn(scan->link->loop, TURN_MS);
    if (!scan->paused)
        return error_text_set(reterr_why, -ETIMEDOUT, "the stream cannot be read: nobody answers");
    if (scan->bytes.failed)
        return error_text_set(reterr_why, -ENOMEM, "out of memory");
    return scan->count > 0 ? 1 : 0;
}

struct cli_scan_entry cli_scan_at(const struct cli_scan *scan, size_t at)
{
    const char *bytes = (const char *)scan->bytes.data + scan->found[at].at;
    return (struct cli_scan_entry){
        .position = scan->found[at].position,
        .subject = {bytes, scan->found[at].subject_size},
        .data = {bytes + scan->found[at].subject_size, scan->found[at].data_size},
    };
}

void cli_scan_close(struct cli_scan *scan)
{
    bus_reader_close(scan->reader);
    buffer_free(&scan->bytes);
    *scan = (struct cli_scan){0};
}
