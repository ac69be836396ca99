/* Entries and frames of the golden files, for the tests of frames. */
#pragma once

#include "golden.h"
#include "wire/frame.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SIZE_AT = 2, HEAD_SIZE = 6 }; /* of an entry */

static const struct wire_frame head = {
    .generation = 4712, .shard = 3, .region = {"dub", 3}, .from = {"dub-hub-1", 9}};
enum { FRAME_HEAD_SIZE = 18 + 4 + 10 }; /* of that one */

static inline void assert_text(struct text text, const char *expected)
{
    assert_int_equal(text.size, strlen(expected));
    assert_memory_equal(text.data, expected, text.size);
}

/* Sixteen bytes that count up. */
static inline void assert_counts_up(const uint8_t *bytes, uint8_t first)
{
    for (uint8_t i = 0; i < 16; i++)
        assert_int_equal(bytes[i], first + i);
}

static inline void count_up(uint8_t *bytes, uint8_t first)
{
    for (uint8_t i = 0; i < 16; i++)
        bytes[i] = (uint8_t)(first + i);
}

static inline void assert_written(const struct wire_entry *entry, const char *file)
{
    struct buffer out = {0};
    struct wire_frame_writer writer;
    wire_frame_begin(&writer, &out, &head);
    assert_int_equal(out.size, FRAME_HEAD_SIZE);
    wire_entry_write(&writer, entry);
    golden_assert_equal(file, out.data + FRAME_HEAD_SIZE, out.size - FRAME_HEAD_SIZE);
    buffer_free(&out);
}

static inline int decode_to(const void *bytes, size_t size, struct wire_entry *ret_entry)
{
    struct wire_frame frame = {.count = 1, .entries = wire_cursor_of(bytes, size)};
    return wire_entry_next(&frame, ret_entry);
}

static inline int decode(const void *bytes, size_t size)
{
    struct wire_entry entry;
    return decode_to(bytes, size, &entry);
}

static inline int decode_copy(const struct buffer *message)
{
    uint8_t *exact = golden_exact(message->data, message->size);
    int error = decode(exact, message->size);
    free(exact);
    return error;
}

/* A number in the payload of a file that is one entry, and what comes of another one. */
struct frame_change {
    const char *file;
    size_t at; /* in the payload */
    size_t size;
    uint64_t value;
    int expected;
};
static inline void assert_changes(const struct frame_change *changes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct buffer message = golden_load(changes[i].file);
        golden_patch(&message, HEAD_SIZE + changes[i].at, changes[i].value, changes[i].size);
        int error = decode_copy(&message);
        if (error != changes[i].expected)
            fail_msg("change %zu, of %s: %d", i, changes[i].file, error);
        buffer_free(&message);
    }
}

/* Decodes a file that is one entry. */
static inline struct wire_entry decode_file(const char *file, uint8_t kind, struct buffer *bytes)
{
    struct wire_entry entry;
    *bytes = golden_load(file);
    assert_int_equal(decode_to(bytes->data, bytes->size, &entry), 0);
    assert_int_equal(entry.kind, kind);
    return entry;
}

static inline struct wire_entry deliver_of_file(void)
{
    struct wire_entry entry = {.kind = WIRE_DELIVER,
                               .deliver = {.attach = 0x5000002,
                                           .user = TEXT("bob"),
                                           .epoch = 5,
                                           .seq = 58,
                                           .at_ms = 1700000000789,
                                           .flags = WIRE_FLAG_PLAIN,
                                           .sender = TEXT("alice"),
                                           .id = TEXT("m-0001"),
                                           .body = TEXT("{\"hi\":\"ß\"}")}};
    count_up(entry.deliver.trace, 0xa0);
    return entry;
}

static inline struct wire_entry acked_of_file(void)
{
    return (struct wire_entry){.kind = WIRE_ACKED,
                               .acked = {.user = TEXT("bob"),
                                         .device = TEXT("tablet-2"),
                                         .attach = 0x5000002,
                                         .epoch = 5,
                                         .seq = 58}};
}
