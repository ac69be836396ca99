/* For tests: a log written by hand, a mailbox that applies it, and a line of text
 * for each effect. Times are in ms from the log's genesis. */
#pragma once

#include "mailbox/mailbox.h"
#include "wire/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { WORLD_START_MS = 96 * 60 * 60 * 1000, WORLD_LINE_MAX = 512 };

struct log_entry {
    int64_t time_ms;
    enum wire_writer writer;
    char source[TEXT_REGION_MAX + 1];
    uint8_t *data;
    size_t size;
};
struct log {
    struct log_entry *entries; /* position p is entries[p - 1] */
    size_t count;
    size_t capacity;
    int64_t now_ms; /* the stream's timestamp of what is written next */
    uint8_t wants;  /* what the messages written next carry */
    uint16_t flags;
    size_t body_size; /* 0: a short body */
    uint32_t epoch;   /* of what is moved in; 0: 1 */
    uint64_t base;    /* of the same */
    uint64_t from;    /* what ends of moves carry */
    struct buffer out;
    struct wire_batch_writer writer;
};

/* A batch: log_begin(), records, log_by_...(). */
void log_begin(struct log *log);
void log_message(struct log *log, const char *sender, const char *id, const char *recipient);
void log_message_to(struct log *log, const char *sender, const char *id,
                    const char *const *recipients, size_t count);
void log_ack(struct log *log, uint64_t generation, const char *user, const char *device,
             uint32_t epoch, uint64_t seq);
void log_own(struct log *log, const char *hub, uint64_t start, uint64_t expects);
void log_tick(struct log *log, uint64_t generation, uint64_t position, struct fingerprint hash);
void log_checkpoint(struct log *log, uint64_t generation);
void log_noticed(struct log *log, uint64_t generation, uint64_t number);
void log_read(struct log *log, uint64_t generation, const char *user, const char *of,
              uint32_t epoch, uint64_t seq);
void log_freeze(struct log *log, uint64_t generation, uint64_t move, const char *user,
                const char *to);
/* As log_message() writes it, at log time 5. */
void log_move_row(struct log *log, uint64_t generation, uint64_t move, const char *user,
                  uint64_t seq, const char *sender, const char *id);
/* With a device "d0" at `acked`. */
void log_move_in(struct log *log, uint64_t generation, uint64_t move, const char *user,
                 const char *from, uint64_t head, uint64_t oldest, uint64_t acked);
void log_move_end(struct log *log, uint64_t generation, uint64_t move, const char *user, bool done,
                  const char *home);
void log_config(struct log *log, const struct wire_config *config);
void log_genesis(struct log *log, const struct wire_genesis *genesis);
void log_by_edge(struct log *log);
void log_by_hub(struct log *log);
void log_by_lane(struct log *log, const char *source, char incarnation, uint64_t sequence,
                 uint64_t previous);
void log_copy(struct log *log, size_t index); /* the same bytes at one more position */
struct mailbox_input log_input(const struct log *log, size_t index);
struct log_entry *log_last(struct log *log);
void log_pop(struct log *log);
void log_free(struct log *log);

struct wire_genesis world_genesis(void); /* region dub, shard 0 of 1 */
struct wire_config world_config(void);   /* level 1, window 800 s, 5 messages, 3 devices */

struct world {
    struct log log;
    struct mailbox *mailbox;
    struct buffer trace; /* a line for each effect */
    struct error_text why;
};
/* A world whose log holds the genesis and `config` (NULL: none), both applied. */
void world_init(struct world *world, const struct wire_config *config);
void world_done(struct world *world);
int world_apply(struct world *world); /* what is not yet applied, up to the first failure */
/* Applies what is not yet applied and compares the effects, which are then forgotten. */
void world_expect(struct world *world, const char *lines);
/* The last entry stops the shard and leaves no trace. It is taken out of the log. */
void world_expect_stop(struct world *world, int error);
struct mailbox_effects trace_effects(struct buffer *trace);
/* A line for each notice that waits. */
void trace_notices(const struct mailbox *mailbox, struct buffer *trace);
void world_expect_notices(struct world *world, const char *lines); /* once all is applied */
void assert_equal_states(const struct mailbox *a, const struct mailbox *b);
struct mailbox *saved_and_loaded(const struct mailbox *mailbox);
