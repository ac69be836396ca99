#include "store/segment_internal.h"
#include "wire/cursor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

struct segment {
    int fd;
    struct segment_info info;
    struct segment_layout layout;
    uint32_t tail_crc;
    uint8_t *filter; /* lines, aligned to one */
    uint64_t *firsts;
};

/* --- opening --- */

/* -EILSEQ: the file ends before. */
static int read_at(int fd, void *to, size_t size, size_t at)
{
    uint8_t *next = to;
    while (size > 0) {
        const ssize_t got = pread(fd, next, size, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got == 0 ? -EILSEQ : -errno;
        next += got;
        at += (size_t)got;
        size -= (size_t)got;
    }
    return 0;
}

static bool are_zeros(const uint8_t *bytes, size_t size)
{
    return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

static int read_header(struct segment *segment)
{
    uint8_t page[SEGMENT_PAGE];
    int err = read_at(segment->fd, page, sizeof page, 0);
    if (err != 0)
        return err;
    struct wire_cursor in = wire_cursor_of(page, SEGMENT_HEADER_SIZE);
    const uint32_t magic = wire_read_u32(&in);
    const uint32_t version = wire_read_u32(&in);
    segment->info.id = wire_read_u64(&in);
    segment->info.start_ms = wire_read_i64(&in);
    segment->info.end_ms = wire_read_i64(&in);
    segment->info.count = wire_read_u32(&in);
    wire_read_bytes(&in, segment->info.sum.bytes, sizeof segment->info.sum.bytes);
    segment->tail_crc = wire_read_u32(&in);
    const uint32_t crc = (uint32_t)crc32_z(0, page, SEGMENT_HEADER_SIZE - 4);
    if (magic != SEGMENT_MAGIC || version != SEGMENT_VERSION || wire_read_u32(&in) != crc ||
        !are_zeros(page + SEGMENT_HEADER_SIZE, sizeof page - SEGMENT_HEADER_SIZE) ||
        segment->info.count == 0 || segment->info.count > SEGMENT_ENTRIES_MAX)
        return -EILSEQ;
    segment->layout = segment_layout(segment->info.count);
    return 0;
}

static int read_tail(struct segment *segment)
{
    const struct segment_layout *layout = &segment->layout;
    struct stat status;
    if (fstat(segment->fd, &status) != 0)
        return -errno;
    if ((uint64_t)status.st_size != layout->tail_at + layout->tail_size)
        return -EILSEQ;
    const size_t filter_size = (size_t)SEGMENT_LINE * layout->lines;
    segment->filter = aligned_alloc(SEGMENT_LINE, filter_size);
    segment->firsts = malloc(SEGMENT_FIRST_SIZE * (size_t)layout->pages);
    if (segment->filter == NULL || segment->firsts == NULL)
        return -ENOMEM;
    int err = read_at(segment->fd, segment->filter, filter_size, layout->tail_at);
    if (err == 0)
        err = read_at(segment->fd, segment->firsts, layout->tail_size - filter_size,
                      layout->tail_at + filter_size);
    if (err != 0)
        return err;
    uint32_t crc = (uint32_t)crc32_z(0, segment->filter, filter_size);
    crc = (uint32_t)crc32_z(crc, (uint8_t *)segment->firsts, layout->tail_size - filter_size);
    if (crc != segment->tail_crc)
        return -EILSEQ;
    for (uint32_t i = 0; i < layout->pages; i++)
        segment->firsts[i] = segment_first_of((const uint8_t *)&segment->firsts[i]);
    return 0;
}

int segment_open_fd(int fd, struct segment **ret_segment, struct error_text *reterr_why)
{
    struct segment *segment = calloc(1, sizeof *segment);
    if (segment == NULL) {
        close(fd);
        return error_text_set(reterr_why, -ENOMEM, "memory is short");
    }
    segment->fd = fd;
    int err = read_header(segment);
    const char *part = "header";
    if (err == 0) {
        part = "tail";
        err = read_tail(segment);
    }
    if (err != 0) {
        segment_close(segment);
        return error_text_set(reterr_why, err, "the segment's %s %s", part,
                              err == -EILSEQ ? "is damaged" : "cannot be read");
    }
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
    *ret_segment = segment;
    return 0;
}

void segment_close(struct segment *segment)
{
    if (segment == NULL)
        return;
    close(segment->fd);
    free(segment->filter);
    free(segment->firsts);
    free(segment);
}

struct segment_info segment_info(const struct segment *segment)
{
    return segment->info;
}

bool segment_is(const struct segment *segment, const struct segment_info *expected)
{
    const struct segment_info *info = &segment->info;
    return info->id == expected->id && info->start_ms == expected->start_ms &&
           info->end_ms == expected->end_ms && info->count == expected->count &&
           memcmp(info->sum.bytes, expected->sum.bytes, sizeof info->sum.bytes) == 0;
}

size_t segment_memory(const struct segment *segment)
{
    return sizeof *segment + segment->layout.tail_size;
}

/* --- finding --- */

static const uint8_t *line_of(const struct segment *segment, const struct fingerprint *print)
{
    return segment->filter +
           (size_t)SEGMENT_LINE * segment_line_of(print->bytes, segment->layout.lines);
}

void segment_prefetch(const struct segment *segment, const struct fingerprint *print)
{
    __builtin_prefetch(line_of(segment, print));
}

bool segment_may_hold(const struct segment *segment, const struct fingerprint *print)
{
    const uint8_t *line = line_of(segment, print);
    const uint64_t first = segment_first_of(print->bytes);
    for (size_t i = 0; i < SEGMENT_LINE_PROBES; i++) {
        const uint32_t bit = segment_bit_of(first, i);
        if ((line[bit / 8] >> (bit % 8) & 1) == 0)
            return false;
    }
    return true;
}

static int read_page(const struct segment *segment, uint32_t page, uint8_t bytes[SEGMENT_PAGE])
{
    int err = read_at(segment->fd, bytes, SEGMENT_PAGE, (size_t)SEGMENT_PAGE * (1 + (size_t)page));
    if (err != 0)
        return err;
    struct wire_cursor in = wire_cursor_of(bytes + SEGMENT_PAGE_CRC_AT, 4);
    return wire_read_u32(&in) == (uint32_t)crc32_z(0, bytes, SEGMENT_PAGE_CRC_AT) ? 0 : -EILSEQ;
}

static bool find_in_page(const uint8_t *entries, uint32_t count, const struct fingerprint *print,
                         uint32_t *ret_epoch, uint64_t *ret_seq)
{
    uint32_t from = 0;
    while (from < count) { /* it is in [from, count), if at all */
        const uint32_t middle = from + (count - from) / 2;
        const uint8_t *entry = entries + (size_t)middle * SEGMENT_ENTRY_SIZE;
        const int order = memcmp(entry, print->bytes, sizeof print->bytes);
        if (order == 0) {
            struct wire_cursor in =
                wire_cursor_of(entry + sizeof print->bytes, SEGMENT_ENTRY_SIZE - sizeof *print);
            *ret_epoch = wire_read_u32(&in);
            *ret_seq = wire_read_u64(&in);
            return true;
        }
        if (order < 0)
            from = middle + 1;
        else
            count = middle;
    }
    return false;
}

/* The first page that may hold it: the one before the first page that begins at or above it. */
static uint32_t first_page(const struct segment *segment, uint64_t first)
{
    uint32_t from = 0;
    uint32_t to = segment->layout.pages;
    while (from < to) {
        const uint32_t middle = from + (to - from) / 2;
        if (segment->firsts[middle] < first)
            from = middle + 1;
        else
            to = middle;
    }
    return from == 0 ? 0 : from - 1;
}

int segment_find(const struct segment *segment, const struct fingerprint *print,
                 uint32_t *ret_epoch, uint64_t *ret_seq)
{
    if (!segment_may_hold(segment, print))
        return 0;
    const uint64_t first = segment_first_of(print->bytes);
    /* One page; two when it may be the first entry of the next. */
    for (uint32_t page = first_page(segment, first);
         page < segment->layout.pages && segment->firsts[page] <= first; page++) {
        uint8_t bytes[SEGMENT_PAGE];
        int err = read_page(segment, page, bytes);
        if (err != 0)
            return err;
        if (find_in_page(bytes, segment_page_count(segment->info.count, page), print, ret_epoch,
                         ret_seq))
            return 1;
    }
    return 0;
}

/* --- verifying --- */

struct verifying {
    struct fingerprint sum;
    uint8_t last[sizeof(struct fingerprint)];
    bool has_last;
};

static bool verify_page(const struct segment *segment, uint32_t page, const uint8_t *bytes,
                        struct verifying *at)
{
    const uint32_t count = segment_page_count(segment->info.count, page);
    if (segment->firsts[page] != segment_first_of(bytes))
        return false;
    for (uint32_t i = 0; i < count; i++, bytes += SEGMENT_ENTRY_SIZE) {
        struct fingerprint print;
        memcpy(print.bytes, bytes, sizeof print.bytes);
        if ((at->has_last && memcmp(at->last, bytes, sizeof at->last) >= 0) ||
            !segment_may_hold(segment, &print))
            return false;
        memcpy(at->last, bytes, sizeof at->last);
        at->has_last = true;
        hash_sum(&at->sum, bytes, SEGMENT_ENTRY_SIZE);
    }
    return true;
}

int segment_verify(const struct segment *segment)
{
    struct verifying at = {0};
    for (uint32_t page = 0; page < segment->layout.pages; page++) {
        uint8_t bytes[SEGMENT_PAGE];
        int err = read_page(segment, page, bytes);
        if (err != 0)
            return err;
        if (!verify_page(segment, page, bytes, &at))
            return -EILSEQ;
    }
    return memcmp(&at.sum, &segment->info.sum, sizeof at.sum) == 0 ? 0 : -EILSEQ;
}
