/* The layout of a segment file, for the two files that know it: segment.c reads what segment_file.c
 * writes. */
#pragma once

#include "store/segment.h"

#include <string.h>

#define SEGMENT_MAGIC 0x3147534du /* "MSG1" */
enum {
    SEGMENT_VERSION = 1,
    SEGMENT_PAGE = 4096,
    SEGMENT_PAGE_ENTRIES = 146,
    SEGMENT_PAGE_CRC_AT = SEGMENT_PAGE - 4,
    SEGMENT_HEADER_SIZE = 60, /* the CRC of what is before it is the last of it */
    SEGMENT_LINE = 64,
    SEGMENT_LINE_ENTRIES = 51,
    SEGMENT_LINE_PROBES = 6,
    SEGMENT_FIRST_SIZE = 8,
};
_Static_assert(SEGMENT_PAGE_ENTRIES *SEGMENT_ENTRY_SIZE <= SEGMENT_PAGE_CRC_AT, "a page holds it");

struct segment_layout {
    uint32_t pages;
    uint32_t lines;
    size_t tail_at;
    size_t tail_size;
};
static inline struct segment_layout segment_layout(uint32_t count)
{
    struct segment_layout layout = {
        .pages = (count + SEGMENT_PAGE_ENTRIES - 1) / SEGMENT_PAGE_ENTRIES,
        .lines = (count + SEGMENT_LINE_ENTRIES - 1) / SEGMENT_LINE_ENTRIES,
    };
    layout.tail_at = (size_t)SEGMENT_PAGE * (1 + (size_t)layout.pages);
    layout.tail_size = (size_t)SEGMENT_LINE * layout.lines + SEGMENT_FIRST_SIZE * layout.pages;
    return layout;
}

/* How many entries page `page`, from 0, of a segment has. */
static inline uint32_t segment_page_count(uint32_t count, uint32_t page)
{
    const uint32_t left = count - page * SEGMENT_PAGE_ENTRIES;
    return left < SEGMENT_PAGE_ENTRIES ? left : SEGMENT_PAGE_ENTRIES;
}

/* Fingerprints are as good as random, so parts of them serve as they are: bytes 8 to 11 choose the
 * line of the filter, bytes 0 to 7 the bits in it. */
static inline uint32_t segment_line_of(const uint8_t *print, uint32_t lines)
{
    const uint32_t part = (uint32_t)print[8] | (uint32_t)print[9] << 8 | (uint32_t)print[10] << 16 |
                          (uint32_t)print[11] << 24;
    return (uint32_t)((uint64_t)part * lines >> 32);
}

/* The first 8 bytes as a number that sorts as they do. */
static inline uint64_t segment_first_of(const uint8_t *print)
{
    uint64_t first = 0;
    for (size_t i = 0; i < SEGMENT_FIRST_SIZE; i++)
        first = first << 8 | print[i];
    return first;
}

static inline uint32_t segment_bit_of(uint64_t first, size_t probe)
{
    return (uint32_t)(first >> (9 * probe)) & (8 * SEGMENT_LINE - 1);
}
