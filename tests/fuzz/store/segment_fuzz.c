/* Bytes are a segment file. What opens is searched for what its pages hold and for what they do
 * not. When the whole of it verifies, each entry must be found as it stands there.
 *
 * So that the fuzzer gets past the CRCs, an input whose first byte is odd has them set right: that
 * of each page, of the tail, of the header. */
#include "store/segment.h"
#include "wire/cursor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

enum { PAGE = 4096, PAGE_ENTRIES = 146, COUNT_AT = 32, TAIL_CRC_AT = 52, HEADER_CRC_AT = 56 };

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void put_crc(uint8_t *to, const uint8_t *bytes, size_t size)
{
    const uint32_t crc = (uint32_t)crc32_z(0, bytes, size);
    for (size_t i = 0; i < sizeof crc; i++)
        to[i] = (uint8_t)(crc >> (8 * i));
}

static uint32_t count_of(const uint8_t *file)
{
    struct wire_cursor in = wire_cursor_of(file + COUNT_AT, 4);
    return wire_read_u32(&in);
}

static void mend(uint8_t *file, size_t size)
{
    if (size < PAGE)
        return;
    const size_t pages = ((size_t)count_of(file) + PAGE_ENTRIES - 1) / PAGE_ENTRIES;
    size_t at = PAGE;
    for (size_t i = 0; i < pages && size - at >= PAGE; i++, at += PAGE)
        put_crc(file + at + PAGE - 4, file + at, PAGE - 4);
    put_crc(file + TAIL_CRC_AT, file + at, size - at);
    put_crc(file + HEADER_CRC_AT, file, HEADER_CRC_AT);
}

static void look_for(const struct segment *segment, const uint8_t *entry, bool is_in_it)
{
    struct fingerprint print;
    uint32_t epoch = 0;
    uint64_t seq = 0;
    memcpy(print.bytes, entry, sizeof print.bytes);
    segment_prefetch(segment, &print);
    const int found = segment_find(segment, &print, &epoch, &seq);
    require(found == 0 || found == 1 || found == -EILSEQ);
    if (!is_in_it)
        return;
    struct wire_cursor in = wire_cursor_of(entry + sizeof print.bytes, 12);
    require(found == 1 && epoch == wire_read_u32(&in) && seq == wire_read_u64(&in));
}

static void look_for_all(const struct segment *segment, const uint8_t *file, size_t size)
{
    const bool whole = segment_verify(segment) == 0;
    const uint32_t count = segment_info(segment).count;
    for (uint32_t i = 0; i < count; i++) {
        const size_t at = PAGE + (size_t)(i / PAGE_ENTRIES) * PAGE +
                          (size_t)(i % PAGE_ENTRIES) * SEGMENT_ENTRY_SIZE;
        require(at + SEGMENT_ENTRY_SIZE <= size);
        look_for(segment, file + at, whole);
    }
    for (size_t at = 0; at + SEGMENT_ENTRY_SIZE <= size; at += 61)
        look_for(segment, file + at, false);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    uint8_t *file = malloc(size);
    const int fd = memfd_create("segment", MFD_CLOEXEC);
    require(file != NULL && fd >= 0);
    memcpy(file, data + 1, size - 1);
    if (data[0] % 2 == 1)
        mend(file, size - 1);
    require(write(fd, file, size - 1) == (ssize_t)(size - 1));
    struct segment *segment = NULL;
    struct error_text why;
    if (segment_open_fd(fd, &segment, &why) == 0)
        look_for_all(segment, file, size - 1);
    segment_close(segment);
    free(file);
    return 0;
}
