/* What says that a checkpoint, or a segment that checkpoints refer to, is stored whole in CKPT_<r>:
 * the message behind its parts. Layout is in checkpoint.c. [format 1] */
#pragma once

#include "base/hash.h"
#include "wire/cursor.h"

#include <stdint.h>

enum {
    WIRE_PART_SIZE = 512 * 1024, /* of every part but the last, which is not longer */
    WIRE_PARTS_MAX = 16384,      /* 8 GiB */
    WIRE_SEGMENTS_MAX = 4096,
};

/* ckpt.<r>.<s>.<position>.done, and ckpt.<r>.<s>.d<id>.done of a segment. */
struct wire_stored {
    uint64_t position;              /* of a checkpoint; of a segment: its id */
    uint64_t size;                  /* in bytes, not 0 */
    uint32_t parts;                 /* wire_parts_of(size) */
    uint8_t incarnation[16];        /* of the log */
    struct fingerprint fingerprint; /* wire_stored_fingerprint() of all the bytes */
    uint16_t segment_count; /* each: wire_segment, for wire_segment_next(); of a segment: itself */
    struct wire_cursor segments;
};
struct wire_segment { /* of the dedupe set: what a checkpoint needs beside its own bytes */
    uint64_t id;
    uint32_t count; /* of the entries, not 0 */
    struct fingerprint sum;
};

/* How many parts so many bytes are stored in. */
uint32_t wire_parts_of(uint64_t size);
/* Keyed for accidents, not against people. */
struct fingerprint wire_stored_fingerprint(const void *bytes, size_t size);

MUST_USE int wire_stored_read(const void *bytes, size_t size, struct wire_stored *ret_stored);
bool wire_segment_next(struct wire_cursor *segments, struct wire_segment *ret_segment);
/* The parts come from the size, the count from the array's, the cursor is not used. -ENOMEM. */
MUST_USE int wire_stored_write(struct buffer *out, const struct wire_stored *stored,
                               const struct wire_segment *segments, size_t segment_count);
