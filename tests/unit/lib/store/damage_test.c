/* Damage to the file, and a disk that is full. A view is never believed against its checksums: each
 * kind of damage is noticed at opening or at the latest by the read that meets it. */
#include "view_file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ROWS = 400, STATE_SIZE = 20000, POSITION = 100 + ROWS };

struct bytes {
    uint8_t *data;
    size_t size;
};

static struct bytes read_file(const char *path)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(file >= 0);
    struct stat status;
    assert_int_equal(fstat(file, &status), 0);
    struct bytes bytes = {.data = malloc((size_t)status.st_size), .size = (size_t)status.st_size};
    assert_non_null(bytes.data);
    assert_int_equal(read(file, bytes.data, bytes.size), bytes.size);
    close(file);
    return bytes;
}

static void write_file(const char *path, const void *data, size_t size)
{
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(file >= 0);
    assert_int_equal(write(file, data, size), size);
    close(file);
}

/* A closed view with rows, a state and a quarantined batch; all of it is in the one file. */
static struct bytes make_view(struct view_file *file, const char *name)
{
    static uint8_t state[STATE_SIZE];
    memset(state, 's', sizeof state);
    view_file_init(file, name);
    view_file_append(file, 1, ROWS);
    assert_int_equal(view_save_state(file->view, POSITION, state, sizeof state), 0);
    view_file_close(file);
    return read_file(file->path);
}

/* 0 when all that was stored comes back as it was, else the error that says it does not. */
static int look_through(struct view_file *file)
{
    int error = view_file_open(file);
    if (error != 0) {
        assert_true(file->why.text[0] != '\0');
        assert_null(file->view);
        return error;
    }
    struct buffer seqs = {0};
    struct buffer state = {0};
    uint64_t position = 0;
    error = view_file_read(file, ROWS - 1, 1, SIZE_MAX, SIZE_MAX, &seqs); /* compares each */
    if (error == 0)
        error = view_file_read(file, ROWS, 1, SIZE_MAX, SIZE_MAX, &seqs);
    if (error == 0)
        error = view_load_state(file->view, &position, &state);
    if (error == 0) {
        assert_int_equal(view_position(file->view), POSITION);
        assert_int_equal(position, POSITION);
        assert_int_equal(state.size, STATE_SIZE);
        for (size_t i = 0; i < state.size; i++)
            assert_int_equal(state.data[i], 's');
    }
    buffer_free(&seqs);
    buffer_free(&state);
    view_file_close(file);
    return error;
}

static void a_flipped_byte_is_noticed_or_harmless(void **state)
{
    (void)state;
    struct view_file file;
    struct bytes whole = make_view(&file, "flip");
    size_t noticed = 0;
    size_t tried = 0;
    for (size_t at = 0; at < whole.size; at += at < 100 ? 1 : 397) {
        whole.data[at] ^= 0x20;
        write_file(file.path, whole.data, whole.size);
        int error = look_through(&file); /* what comes back as good is compared in there */
        assert_true(error == 0 || error == -EILSEQ);
        noticed += error != 0;
        tried++;
        whole.data[at] ^= 0x20;
    }
    assert_true(noticed > tried / 3); /* the rest is unused space of pages and of the header */
    free(whole.data);
    view_file_done(&file);
}

static void a_flipped_byte_of_a_body_is_noticed_when_read(void **state)
{
    (void)state;
    struct view_file file;
    struct bytes whole = make_view(&file, "body");
    uint8_t *body = memmem(whole.data, whole.size, "ten bytes", 9);
    assert_non_null(body);
    body[0] = 'T';
    write_file(file.path, whole.data, whole.size);
    assert_int_equal(look_through(&file), -EILSEQ);
    free(whole.data);
    view_file_done(&file);
}

static void a_flipped_byte_of_the_state_is_noticed_when_loaded(void **state)
{
    (void)state;
    struct view_file file;
    struct bytes whole = make_view(&file, "state");
    uint8_t *part = memmem(whole.data, whole.size, "ssssssss", 8);
    assert_non_null(part);
    part[3] = 't';
    write_file(file.path, whole.data, whole.size);
    assert_int_equal(look_through(&file), -EILSEQ);
    free(whole.data);
    view_file_done(&file);
}

static void every_truncation_is_noticed(void **state)
{
    (void)state;
    struct view_file file;
    struct bytes whole = make_view(&file, "short");
    for (size_t size = 0; size < whole.size; size += size < 4 ? 1 : 1811) {
        write_file(file.path, whole.data, size);
        assert_int_equal(view_file_open(&file), -EILSEQ);
    }
    write_file(file.path, whole.data, whole.size - 1);
    assert_int_equal(view_file_open(&file), -EILSEQ);
    free(whole.data);
    view_file_done(&file);
}

static void what_is_no_view_is_refused(void **state)
{
    (void)state;
    struct view_file file;
    struct bytes whole = make_view(&file, "other");
    static char words[8192];
    memset(words, 'w', sizeof words);
    write_file(file.path, words, sizeof words);
    assert_int_equal(view_file_open(&file), -EILSEQ);
    static const size_t fields[] = {63, 71}; /* user_version, application_id: their last bytes */
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        whole.data[fields[i]] ^= 2;
        write_file(file.path, whole.data, whole.size);
        assert_int_equal(view_file_open(&file), -EILSEQ);
        whole.data[fields[i]] ^= 2;
    }
    free(whole.data);
    view_file_done(&file);
}

static void a_folder_that_is_not_there_is_no_damage(void **state)
{
    (void)state;
    struct view *view = NULL;
    struct error_text why = {0};
    assert_int_equal(view_open("/nonexistent/folder/view.db", &view, &why), -EIO);
    assert_null(view);
    assert_true(strstr(why.text, "/nonexistent/folder/view.db") != NULL);
}

static void a_discarded_view_makes_room_for_a_new_one(void **state)
{
    (void)state;
    struct view_file file;
    struct bytes whole = make_view(&file, "discard");
    char damaged[300];
    snprintf(damaged, sizeof damaged, "%s.damaged", file.path);
    for (int i = 0; i < 2; i++) { /* the second replaces the first */
        write_file(file.path, whole.data, whole.size - 5000);
        assert_int_equal(view_file_open(&file), -EILSEQ);
        assert_int_equal(view_discard(file.path), 0);
        assert_int_equal(access(damaged, F_OK), 0);
        assert_int_equal(access(file.path, F_OK), -1);
        assert_int_equal(view_file_open(&file), 0);
        assert_int_equal(view_position(file.view), 0);
        view_file_close(&file);
    }
    unlink(file.path);
    assert_int_equal(view_discard(file.path), 0); /* nothing there */
    free(whole.data);
    view_file_done(&file);
}

static void a_view_that_is_removed_leaves_nothing(void **state)
{
    (void)state;
    struct view_file file;
    free(make_view(&file, "remove").data);
    assert_int_equal(view_file_open(&file), 0);
    view_file_append(&file, 1, 3);
    view_file_close(&file);
    assert_int_equal(view_remove(file.path), 0);
    assert_int_equal(access(file.path, F_OK), -1);
    assert_int_equal(view_file_open(&file), 0);
    assert_int_equal(view_position(file.view), 0);
    view_file_close(&file);
    assert_int_equal(view_remove(file.path), 0);
    assert_int_equal(view_remove(file.path), 0); /* nothing there */
    view_file_done(&file);
}

/* A file-size limit makes writes fail as a full disk does. */
static void a_full_disk_ends_the_transaction_and_no_more(void **state)
{
    (void)state;
    struct view_file file;
    view_file_init(&file, "full");
    view_file_append(&file, 1, 4);
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    const struct rlimit tight = {.rlim_cur = 2 * 1024 * 1024, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    int error = view_begin(file.view);
    for (uint64_t i = 5; i < 300000 && error == 0; i++) {
        const struct view_row row = view_file_row(i);
        error = view_append(file.view, &row);
    }
    if (error == 0)
        error = view_commit(file.view, 300000);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_true(error == -ENOSPC || error == -EIO);
    assert_int_equal(view_position(file.view), 104);
    view_file_append(&file, 5, 8); /* none is open, and it goes on */
    view_file_close(&file);
    assert_int_equal(view_file_open(&file), 0);
    assert_int_equal(view_position(file.view), 108);
    assert_int_equal(view_file_read(&file, 7, 1, 100, 1000, NULL), 0);
    view_file_done(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flipped_byte_is_noticed_or_harmless),
        cmocka_unit_test(a_flipped_byte_of_a_body_is_noticed_when_read),
        cmocka_unit_test(a_flipped_byte_of_the_state_is_noticed_when_loaded),
        cmocka_unit_test(every_truncation_is_noticed),
        cmocka_unit_test(what_is_no_view_is_refused),
        cmocka_unit_test(a_folder_that_is_not_there_is_no_damage),
        cmocka_unit_test(a_discarded_view_makes_room_for_a_new_one),
        cmocka_unit_test(a_view_that_is_removed_leaves_nothing),
        cmocka_unit_test(a_full_disk_ends_the_transaction_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
