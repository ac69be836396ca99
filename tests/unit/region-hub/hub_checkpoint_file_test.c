#include "mailbox/mailbox.h"
#include "region-hub/hub_checkpoint_file.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct world {
    struct loop *loop;
    char folder[64];
    char path[128];
    struct hub_checkpoint_file *file;
    unsigned ready;
    int err;
    uint64_t position;
    size_t size; /* of the bytes written last */
};

static void on_ready(void *context, int err, uint64_t position)
{
    struct world *world = context;
    world->ready++;
    world->err = err;
    world->position = position;
}

static void open_file(struct world *world)
{
    world->file = hub_checkpoint_file_new(&(struct hub_checkpoint_file_settings){
        .loop = world->loop, .path = world->path, .context = world, .on_ready = on_ready});
    assert_non_null(world->file);
}

static void until_idle(struct world *world)
{
    while (hub_checkpoint_file_is_busy(world->file))
        assert_int_equal(loop_turn(world->loop, 1000), 0);
}

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    snprintf(world->folder, sizeof world->folder, "/tmp/meridian-ckpt-XXXXXX");
    assert_non_null(mkdtemp(world->folder));
    snprintf(world->path, sizeof world->path, "%s/sin-0.ckpt", world->folder);
    world->loop = loop_new();
    open_file(world);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    hub_checkpoint_file_free(world->file);
    loop_free(world->loop);
    (void)unlink(world->path);
    assert_int_equal(rmdir(world->folder), 0); /* nothing else is left in it */
    free(world);
    return 0;
}

/* Of mailboxes without a log: what is kept must be a saved state. */
static int write_checkpoint(struct world *world, uint64_t position)
{
    struct hub_checkpoint_bytes what = {.position = position};
    struct mailbox *mailbox = mailbox_new();
    assert_int_equal(mailbox_save(mailbox, &what.bytes), 0);
    mailbox_free(mailbox);
    memset(what.incarnation, 7, sizeof what.incarnation);
    world->size = what.bytes.size;
    return hub_checkpoint_file_write(world->file, &what);
}

static void there_is_none_at_first(void **state)
{
    struct world *world = *state;
    struct buffer done = {0};
    int fd;
    off_t offset;
    until_idle(world);
    assert_int_equal(world->ready, 0);
    assert_int_equal(hub_checkpoint_file_position(world->file), 0);
    assert_int_equal(hub_checkpoint_file_open(world->path, &done, &fd, &offset), -ENOENT);
    buffer_free(&done);
}

static void what_is_written_is_found_whole_also_by_the_next_process(void **state)
{
    struct world *world = *state;
    struct buffer done = {0};
    struct wire_stored stored;
    int fd;
    off_t offset;
    assert_int_equal(write_checkpoint(world, 4711), 0);
    until_idle(world);
    assert_int_equal(world->ready, 1);
    assert_true(world->err == 0 && world->position == 4711);
    hub_checkpoint_file_free(world->file);
    open_file(world);
    until_idle(world);
    assert_int_equal(world->ready, 2);
    assert_int_equal(hub_checkpoint_file_position(world->file), 4711);

    assert_int_equal(hub_checkpoint_file_open(world->path, &done, &fd, &offset), 0);
    assert_int_equal(wire_stored_read(done.data, done.size, &stored), 0);
    assert_true(stored.position == 4711 && stored.size == world->size);
    assert_true(stored.incarnation[3] == 7 && stored.segment_count == 0);
    uint8_t bytes[4096];
    struct mailbox *mailbox = NULL;
    ssize_t size = pread(fd, bytes, sizeof bytes, offset);
    assert_true(size > 0 && (size_t)size == world->size);
    assert_int_equal(mailbox_load(bytes, (size_t)size, &mailbox), 0);
    mailbox_free(mailbox);
    close(fd);
    buffer_free(&done);
}

static void the_latest_of_those_that_wait_is_kept(void **state)
{
    struct world *world = *state;
    for (uint64_t position = 1; position <= 5; position++)
        assert_int_equal(write_checkpoint(world, position), 0);
    until_idle(world);
    assert_int_equal(hub_checkpoint_file_position(world->file), 5);
    assert_in_range(world->ready, 1, 2);
}

static void patch(const char *path, off_t at, uint8_t with)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, &with, 1, at), 1);
    close(fd);
}

static void one_that_is_damaged_is_not_used(void **state)
{
    struct world *world = *state;
    static const off_t places[] = {0, 4, 20, 120}; /* size, magic, size of the bytes, a byte */
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        assert_int_equal(write_checkpoint(world, 9), 0);
        until_idle(world);
        patch(world->path, places[i], 0xEE);
        world->ready = 0;
        hub_checkpoint_file_free(world->file);
        open_file(world);
        until_idle(world);
        assert_int_equal(world->ready, 0);
        assert_int_equal(hub_checkpoint_file_position(world->file), 0);
    }
    assert_int_equal(write_checkpoint(world, 9), 0);
    until_idle(world);
    assert_int_equal(truncate(world->path, 70), 0);
    struct buffer done = {0};
    int fd;
    off_t offset;
    assert_int_equal(hub_checkpoint_file_open(world->path, &done, &fd, &offset), -EBADMSG);
    buffer_free(&done);
}

static void a_disk_that_fails_is_said(void **state)
{
    struct world *world = *state;
    until_idle(world);
    assert_int_equal(rmdir(world->folder), 0);
    assert_int_equal(write_checkpoint(world, 9), 0);
    until_idle(world);
    assert_int_equal(world->ready, 1);
    assert_int_equal(world->err, -ENOENT);
    assert_int_equal(hub_checkpoint_file_position(world->file), 0);
    assert_int_equal(mkdir(world->folder, 0700), 0);
}

static void what_is_no_saved_state_is_not_kept(void **state)
{
    struct world *world = *state;
    struct hub_checkpoint_bytes what = {.position = 9};
    buffer_append(&what.bytes, "nonsense", 8);
    assert_int_equal(hub_checkpoint_file_write(world->file, &what), 0);
    until_idle(world);
    assert_int_equal(world->err, -EBADMSG);
    assert_int_equal(hub_checkpoint_file_position(world->file), 0);
}

static void may_be_freed_while_it_writes(void **state)
{
    struct world *world = *state;
    assert_int_equal(write_checkpoint(world, 9), 0);
    assert_int_equal(write_checkpoint(world, 10), 0);
    hub_checkpoint_file_free(world->file);
    world->file = NULL;
    assert_int_equal(loop_turn(world->loop, 0), 0);
    assert_int_equal(world->ready, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(there_is_none_at_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_written_is_found_whole_also_by_the_next_process,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_latest_of_those_that_wait_is_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_that_is_damaged_is_not_used, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_disk_that_fails_is_said, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_saved_state_is_not_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(may_be_freed_while_it_writes, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
