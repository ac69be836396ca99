/* The records of a home move, as the owner of sin's shard 0 would write them. */
#include "hub_lab.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static void store(struct lab *lab, struct buffer *bytes, struct wire_batch_writer *writer)
{
    assert_int_equal(wire_batch_end(writer), 0);
    lab_store(lab, wire_log_from_hubs("sin", 0).text, bytes->data, bytes->size);
    buffer_free(bytes);
}

void lab_freeze(struct lab *lab, const char *user)
{
    struct buffer bytes = {0};
    struct wire_batch_writer writer;
    const struct wire_freeze record = {.generation = lab->beat_generation,
                                       .move = LAB_MOVE,
                                       .user = text_of(user),
                                       .to = TEXT("dub")};
    wire_batch_begin(&writer, &bytes);
    wire_freeze_write(&writer, &record);
    store(lab, &bytes, &writer);
}

void lab_move_end(struct lab *lab, const char *user, enum wire_move_outcome outcome,
                  const char *home)
{
    lab_move_end_from(lab, user, outcome, home, 0);
}

void lab_move_end_from(struct lab *lab, const char *user, enum wire_move_outcome outcome,
                       const char *home, uint64_t from)
{
    struct buffer bytes = {0};
    struct wire_batch_writer writer;
    const struct wire_move_end record = {.generation = lab->beat_generation,
                                         .move = LAB_MOVE,
                                         .user = text_of(user),
                                         .outcome = (uint8_t)outcome,
                                         .home = text_of(home),
                                         .from = from};
    wire_batch_begin(&writer, &bytes);
    wire_move_end_write(&writer, &record);
    store(lab, &bytes, &writer);
}

void lab_move_rows(struct lab *lab, const char *user, uint64_t from, uint64_t to)
{
    struct buffer bytes = {0};
    struct wire_batch_writer writer;
    wire_batch_begin(&writer, &bytes);
    for (uint64_t seq = from; seq <= to; seq++) {
        char id[32];
        snprintf(id, sizeof id, "c%" PRIu64, seq);
        const struct wire_move_row row = {.generation = lab->beat_generation,
                                          .move = LAB_MOVE,
                                          .epoch = 1,
                                          .seq = seq,
                                          .at_ms = LAB_COPIED_AT_MS + (int64_t)seq,
                                          .user = text_of(user),
                                          .message = {.created_ms = 5,
                                                      .ttl_s = 4000000000,
                                                      .wants = WIRE_WANT_READ,
                                                      .trace = "trace of 16 byte",
                                                      .sender = TEXT("alice"),
                                                      .device = TEXT("desk"),
                                                      .id = text_of(id),
                                                      .body = TEXT("\"copied\"")}};
        wire_move_row_write(&writer, &row);
    }
    store(lab, &bytes, &writer);
}

void lab_move_in(struct lab *lab, const char *user, uint64_t head, uint64_t oldest)
{
    struct buffer bytes = {0};
    struct wire_batch_writer writer;
    const struct wire_move_in record = {.generation = lab->beat_generation,
                                        .move = LAB_MOVE,
                                        .user = text_of(user),
                                        .from = TEXT("dub"),
                                        .mailbox = {.epoch = 1, .head = head, .oldest = oldest}};
    wire_batch_begin(&writer, &bytes);
    wire_move_in_write(&writer, &record);
    store(lab, &bytes, &writer);
}
