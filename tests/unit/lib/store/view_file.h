/* For the tests of this folder: a view's file, and rows as text. */
#pragma once

#include "store/view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct view_file {
    char path[256];
    struct view *view;
    struct error_text why;
};
void view_file_init(struct view_file *file, const char *name); /* new and open */
void view_file_done(struct view_file *file);
void view_file_close(struct view_file *file);
int view_file_open(struct view_file *file);
void view_file_remove(const struct view_file *file);

/* A row of bob's, if not told otherwise: seq is (row + 1) / 2 and every other row is carol's. */
struct view_row view_file_row(uint64_t row);
void view_file_append(struct view_file *file, uint64_t first, uint64_t last); /* committed */
/* Rows 1 to 6, then 7, 9 and 11 of bob's, each of which goes back to where it cannot. */
void view_file_append_damaged(struct view_file *file);
/* Reads from `start`; ret_seqs (may be NULL) gets the seqs as text: "1 2 3 ". */
int view_file_read(struct view_file *file, uint64_t start, uint64_t from_seq, size_t rows_max,
                   size_t bytes_max, struct buffer *ret_seqs);
