/* Pages of history from a view and an archive, both of them files. The mailbox and the bus are
 * played: what is asked of them is little, and a mailbox of a second epoch is wanted. */
#pragma once

#include "archive_file.h"
#include "base/clock.h"
#include "region-hub/hub_history.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { HISTORY_PATIENCE_MS = 20000, BEFORE = WIRE_HISTORY_BEFORE, AFTER = WIRE_HISTORY_AFTER };

/* bob's rows are numbered as his seqs. */
extern struct history_lab {
    struct archive_file file;
    char view_path[300];
    struct view *view;
    struct mailbox_user user; /* no name: there is none */
    struct mailbox_move move; /* where: MAILBOX_AT_HOME for none */
    struct loop *loop;
    struct hub_archive_reader *reader;
    struct hub_history *history;
    int view_error;
    /* The last answer. */
    unsigned answers;
    uint8_t code;
    uint64_t request;
    struct buffer told; /* "1:1 1:2 +reason" */
} history_lab;

int history_lab_set_up(void **state);
int history_lab_tear_down(void **state);
struct hub_history *history_lab_new(unsigned shard, int64_t answer_max_ms);
/* Both make the history anew. */
void history_lab_start_reader(void);
void history_lab_stop_reader(void);

/* Rows of bob's, committed; he is of that epoch then, and the last is his head. */
void history_lab_append(uint32_t epoch, uint64_t first, uint64_t last, uint16_t flags);
void history_lab_trim(uint64_t below);
/* The archive has 1:1 to 1:10 and 2:11 to 2:40; the view 2:31 to 2:60. */
void history_lab_make_two_epochs(void);

struct wire_history_ask history_lab_ask_of(uint8_t flags, uint32_t epoch, uint64_t seq,
                                           uint16_t rows);
void history_lab_ask(const struct wire_history_ask *asked);
void history_lab_wait(unsigned count); /* until there were so many answers */
void history_lab_expect(const struct wire_history_ask *asked, const char *told);
struct history_expectation {
    uint8_t flags;
    uint32_t epoch;
    uint64_t seq;
    uint16_t rows;
    const char *told;
};
void history_lab_expect_all(const struct history_expectation *expected, size_t count);
