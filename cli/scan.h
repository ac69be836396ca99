/* Reads what a stream holds from a position to its end, a page at a time, by batches of direct
 * gets: memory holds one page, whatever the stream holds. What is stored while it reads may come or
 * not. */
#pragma once

#include "base/buffer.h"
#include "bus/bus_stream.h"
#include "cli/link.h"

enum { CLI_SCAN_PAGE = 256 };

struct cli_scan_entry { /* texts are borrowed until the next page */
    uint64_t position;
    struct text subject;
    struct text data;
};

struct cli_scan { /* its own, but for the entries */
    struct cli_link *link;
    struct bus_reader *reader;
    bool paused;
    bool ended;
    size_t count; /* of this page */
    struct {
        uint64_t position;
        size_t subject_size;
        size_t data_size;
        size_t at; /* in `bytes`: the subject, then the data */
    } found[CLI_SCAN_PAGE];
    struct buffer bytes;
};

/* `filter` may hold wildcards. -ENOMEM. Close it after a success. */
MUST_USE int cli_scan_open(struct cli_scan *scan, struct cli_link *link, const char *stream,
                           const char *filter, uint64_t from, struct error_text *reterr_why);
/* 1: there is a page of scan->count entries. 0: the end. -ETIMEDOUT: nobody answers; -ENOMEM. */
MUST_USE int cli_scan_next(struct cli_scan *scan, struct error_text *reterr_why);
struct cli_scan_entry cli_scan_at(const struct cli_scan *scan, size_t at);
void cli_scan_close(struct cli_scan *scan); /* a zeroed one is fine */
