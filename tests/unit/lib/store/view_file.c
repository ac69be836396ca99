#include "view_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

void view_file_remove(const struct view_file *file)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", ".damaged"};
    for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
        char name[300];
        snprintf(name, sizeof name, "%s%s", file->path, suffixes[i]);
        unlink(name);
    }
}

int view_file_open(struct view_file *file)
{
    file->view = NULL;
    file->why.text[0] = '\0';
    return view_open(file->path, &file->view, &file->why);
}

void view_file_init(struct view_file *file, const char *name)
{
    *file = (struct view_file){0};
    snprintf(file->path, sizeof file->path, "%s/view-%d-%s.db", MERIDIAN_BINARY_DIR, (int)getpid(),
             name);
    view_file_remove(file);
    assert_int_equal(view_file_open(file), 0);
}

void view_file_close(struct view_file *file)
{
    view_close(file->view);
    file->view = NULL;
}

void view_file_done(struct view_file *file)
{
    view_file_close(file);
    view_file_remove(file);
}

struct view_row view_file_row(uint64_t row)
{
    return (struct view_row){.row = row,
                             .previous_row = row <= 2 ? 0 : row - 2,
                             .position = 100 + row,
                             .user = row % 2 == 1 ? TEXT("bob") : TEXT("carol"),
                             .epoch = 1,
                             .seq = (row + 1) / 2,
                             .at_ms = 1000 + (int64_t)row,
                             .created_ms = -5,
                             .ttl_s = UINT32_MAX,
                             .flags = 3,
                             .wants = 7,
                             .trace = "trace of 16 byte",
                             .sender = TEXT("$alice \xC3\xA9"),
                             .device = TEXT(""),
                             .id = TEXT("m1"),
                             .body = TEXT("{\"text\":\"ten bytes\"}")}; /* 20 */
}

void view_file_append(struct view_file *file, uint64_t first, uint64_t last)
{
    assert_int_equal(view_begin(file->view), 0);
    for (uint64_t i = first; i <= last; i++) {
        const struct view_row row = view_file_row(i);
        assert_int_equal(view_append(file->view, &row), 0);
    }
    assert_int_equal(view_commit(file->view, 100 + last), 0);
}

void view_file_append_damaged(struct view_file *file)
{
    struct view_row rows[3];
    view_file_append(file, 1, 6);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        rows[i] = view_file_row(7 + 2 * i);
    rows[0].previous_row = 6;  /* of another user, with a seq that fits */
    rows[1].previous_row = 3;  /* skips one */
    rows[2].previous_row = 11; /* itself */
    assert_int_equal(view_begin(file->view), 0);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(view_append(file->view, &rows[i]), 0);
    assert_int_equal(view_commit(file->view, 111), 0);
}

static void assert_same_row(const struct view_row *row, const struct view_row *expected)
{
    assert_int_equal(row->row, expected->row);
    assert_int_equal(row->previous_row, expected->previous_row);
    assert_int_equal(row->position, expected->position);
    assert_true(text_equal(row->user, expected->user));
    assert_int_equal(row->epoch, expected->epoch);
    assert_int_equal(row->seq, expected->seq);
    assert_int_equal(row->at_ms, expected->at_ms);
    assert_int_equal(row->created_ms, expected->created_ms);
    assert_int_equal(row->ttl_s, expected->ttl_s);
    assert_int_equal(row->flags, expected->flags);
    assert_int_equal(row->wants, expected->wants);
    assert_memory_equal(row->trace, expected->trace, sizeof row->trace);
    assert_true(text_equal(row->sender, expected->sender));
    assert_true(text_equal(row->device, expected->device));
    assert_true(text_equal(row->id, expected->id));
    assert_true(text_equal(row->body, expected->body));
}

static bool on_row(void *context, const struct view_row *row)
{
    const struct view_row expected = view_file_row(row->row);
    assert_same_row(row, &expected);
    if (context != NULL)
        buffer_printf(context, "%" PRIu64 " ", row->seq);
    return true;
}

int view_file_read(struct view_file *file, uint64_t start, uint64_t from_seq, size_t rows_max,
                   size_t bytes_max, struct buffer *ret_seqs)
{
    return view_read(file->view, start, from_seq, rows_max, bytes_max, on_row, ret_seqs);
}
