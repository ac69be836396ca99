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

static int write_checkpoint(struct world *world, uint64_t position, size_t size)
{
    struct hub_checkpoint_bytes what = {.position = position};
    uint8_t *bytes = buffer_reserve(&what.bytes, size);
    assert_non_null(bytes);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(position + i);
    what.bytes.size = size;
    what.segments = calloc(1, sizeof *what.segments);
    assert_non_null(what.segments);
    what.segments[0] = (struct wire_segment){.id = 3, .count = 5};
    what.segment_count = 1;
    memset(what.incarnation, 7, sizeof what.incarnation);
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
    struct wire_segment segment;
    int fd;
    off_t offset;
    assert_int_equal(write_checkpoint(world, 4711, 100000), 0);
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
    assert_true(stored.position == 4711 && stored.size == 100000 && stored.incarnation[3] == 7);
    assert_true(wire_segment_next(&stored.segments, &segment));
    assert_true(segment.id == 3);
    uint8_t first[2];
    assert_int_equal(pread(fd, first, sizeof first, offset), 2);
    assert_true(first[0] == (uint8_t)4711 && first[1] == (uint8_t)4712);
    close(fd);
    buffer_free(&done);
}

static void the_latest_of_those_that_wait_is_kept(void **state)
{
    struct world *world = *state;
    for (uint64_t position = 1; position <= 5; position++)
        assert_int_equal(write_checkpoint(world, position, 1000), 0);
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
    static const off_t places[] = {0, 4, 30, 50000}; /* size, magic, size of the bytes, a byte */
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        assert_int_equal(write_checkpoint(world, 9, 100000), 0);
        until_idle(world);
        patch(world->path, places[i], 0xEE);
        world->ready = 0;
        hub_checkpoint_file_free(world->file);
        open_file(world);
        until_idle(world);
        assert_int_equal(world->ready, 0);
        assert_int_equal(hub_checkpoint_file_position(world->file), 0);
    }
    assert_int_equal(write_checkpoint(world, 9, 1000), 0);
    until_idle(world);
    assert_int_equal(truncate(world->path, 500), 0);
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
    assert_int_equal(write_checkpoint(world, 9, 1000), 0);
    until_idle(world);
    assert_int_equal(world->ready, 1);
    assert_int_equal(world->err, -ENOENT);
    assert_int_equal(hub_checkpoint_file_position(world->file), 0);
    assert_int_equal(mkdir(world->folder, 0700), 0);
}

static void may_be_freed_while_it_writes(void **state)
{
    struct world *world = *state;
    assert_int_equal(write_checkpoint(world, 9, 4 << 20), 0);
    assert_int_equal(write_checkpoint(world, 10, 1000), 0);
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
        cmocka_unit_test_setup_teardown(may_be_freed_while_it_writes, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
