/* A record batch: what one message of a log, an outbox or a lane holds. [format 1]
 *
 *   offset size
 *        0    4  magic "MRB1"
 *        4    1  version, 1
 *        5    1  flags, 0
 *        6    2  count of records, 1 to 1024
 *        8    4  size of the body in bytes, at most 512 KiB
 *       12    4  CRC-32 (zlib's) of the body
 *       16   16  stamp: incarnation of the outbox      (zeros outside a lane)
 *       32    8  stamp: sequence in the outbox          (0 outside a lane)
 *       40    8  stamp: sequence of the lane's previous batch (0: none, or outside a lane)
 *       48    4  CRC-32 of bytes 0 to 47
 *       52       body: the records, one after another
 *
 * The header has a CRC of its own, so that the stamp of a batch with a damaged body can be trusted
 * and its lane goes on. Each record: u8 kind, u8 level, u16 zero, u32 size, then `size` bytes. */
#pragma once

#include "base/buffer.h"
#include "wire/cursor.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    WIRE_BATCH_HEADER_SIZE = 52,
    WIRE_BATCH_RECORDS_MAX = 1024,
    WIRE_BATCH_BODY_MAX = 512 * 1024,
    WIRE_BATCH_VERSION = 1,
};

struct wire_stamp {
    uint8_t incarnation[16];
    uint64_t sequence;
    uint64_t previous;
};

struct wire_batch {
    uint8_t version;
    uint16_t count;
    struct wire_stamp stamp;
    struct wire_cursor body; /* borrowed */
};

/* Reads and checks the header alone; the body is neither looked at nor checked. -EBADMSG: not a
 * batch, or its header is damaged. -EPROTO: a version or flag this program does not know. */
MUST_USE int wire_batch_read_header(const void *bytes, size_t size, struct wire_batch *ret_batch);
/* The whole: header, sizes, CRC of the body. Errors as above; -EILSEQ: the header is good and the
 * body is damaged (`ret_batch` then holds the header's stamp and an empty body). The records are
 * still to be decoded. */
MUST_USE int wire_batch_read(const void *bytes, size_t size, struct wire_batch *ret_batch);
/* Decodes all records and counts them, so that a caller can take all or nothing. -EBADMSG: one is
 * malformed, or the header's count is another. -EPROTO: all are well formed as far as this program
 * knows, but it does not know one of them (see wire_record_next()). */
MUST_USE int wire_batch_check(const struct wire_batch *batch);

/* Building: begin, records by wire_..._write(), end. The buffer may hold other bytes before. */
struct wire_batch_writer {
    struct buffer *out;
    size_t start; /* where the header is in `out` */
    uint16_t count;
};
void wire_batch_begin(struct wire_batch_writer *writer, struct buffer *out);
/* True when a record of `size` payload bytes still fits both limits. */
bool wire_batch_has_room(const struct wire_batch_writer *writer, size_t size);
/* Fills in the header. -ENOMEM when the buffer failed. */
MUST_USE int wire_batch_end(struct wire_batch_writer *writer);
/* Puts a stamp into a finished batch and renews the header's CRC; the body stays as it is. */
void wire_batch_stamp(uint8_t *batch, const struct wire_stamp *stamp);
