/* The files of what a shard has seen: written beside the shard's loop, found again after a start,
 * removed when no saved state refers to them; and damage, wherever it is found. */
#include "region-hub/hub_seen.h"
#include "store/segment.h"
#include "tests/support/mailbox/world.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* world_config(): generations of 100 s in a window of 800 s; a message every 50 s. */
enum { STEP_MS = 50 * 1000, WAIT_MS = 20000 };

struct lab {
    struct world world;
    struct loop *loop;
    struct hub_seen *seen;
    char view_path[300];
    int damaged;
    unsigned stored;
    struct buffer saved;
};

static void on_stored(void *context)
{
    struct lab *lab = context;
    lab->stored++;
}

static void on_damaged(void *context, int error)
{
    struct lab *lab = context;
    lab->damaged = error;
}

static void start(struct lab *lab)
{
    lab->seen = hub_seen_new(&(struct hub_seen_settings){.loop = lab->loop,
                                                         .view_path = lab->view_path,
                                                         .context = lab,
                                                         .on_stored = on_stored,
                                                         .on_damaged = on_damaged});
    assert_non_null(lab->seen);
}

static void init(struct lab *lab, const char *name)
{
    *lab = (struct lab){.loop = loop_new()};
    assert_non_null(lab->loop);
    snprintf(lab->view_path, sizeof lab->view_path, "%s/seen-%d-%s.view", MERIDIAN_BINARY_DIR,
             (int)getpid(), name);
    const struct wire_config config = world_config();
    world_init(&lab->world, &config);
    start(lab);
    assert_int_equal(hub_seen_attach(lab->seen, lab->world.mailbox, NULL), 0);
}

static void done(struct lab *lab)
{
    char folder[300];
    snprintf(folder, sizeof folder, "%s", hub_seen_folder(lab->seen));
    hub_seen_free(lab->seen);
    world_done(&lab->world);
    loop_free(lab->loop);
    buffer_free(&lab->saved);
    assert_int_equal(segment_clean(folder, NULL, NULL), 0);
    (void)rmdir(folder);
}

#define WAIT(lab, condition)                                                                       \
    do {                                                                                           \
        const int64_t until_ms = loop_now_ms((lab)->loop) + WAIT_MS;                               \
        while (!(condition)) {                                                                     \
            if (loop_now_ms((lab)->loop) > until_ms)                                               \
                fail_msg("never: %s", #condition);                                                 \
            assert_int_equal(loop_turn((lab)->loop, 10), 0);                                       \
        }                                                                                          \
    } while (0)

static void send(struct lab *lab, int first, int count)
{
    char id[16];
    for (int i = first; i < first + count; i++) {
        snprintf(id, sizeof id, "m%d", i);
        lab->world.log.now_ms = (int64_t)i * STEP_MS;
        log_begin(&lab->world.log);
        log_message(&lab->world.log, "alice", id, "bob");
        log_by_edge(&lab->world.log);
    }
    assert_int_equal(world_apply(&lab->world), 0);
    buffer_clear(&lab->world.trace);
    hub_seen_applied(lab->seen);
}

/* All of m<first>... are repeats. */
static void must_know(struct lab *lab, int first, int count)
{
    struct buffer lines = {0};
    char id[16];
    for (int i = first; i < first + count; i++) {
        snprintf(id, sizeof id, "m%d", i);
        log_begin(&lab->world.log);
        log_message(&lab->world.log, "alice", id, "bob");
        log_by_edge(&lab->world.log);
        buffer_printf(&lines, "repeat bob 1:%d alice/m%d\n", i + 1, i);
    }
    buffer_append(&lines, "", 1);
    world_expect(&lab->world, (const char *)lines.data);
    buffer_free(&lines);
}

static bool is_there(const struct lab *lab, int id)
{
    char path[400];
    snprintf(path, sizeof path, "%s/%d", hub_seen_folder(lab->seen), id);
    return access(path, F_OK) == 0;
}

static void save(struct lab *lab)
{
    assert_true(hub_seen_is_stored(lab->seen));
    buffer_clear(&lab->saved);
    assert_int_equal(mailbox_save(lab->world.mailbox, &lab->saved), 0);
    hub_seen_saved(lab->seen);
}

/* As a process that ended and begins again with the state that was saved. */
static int restart(struct lab *lab)
{
    hub_seen_free(lab->seen);
    mailbox_free(lab->world.mailbox);
    lab->world.mailbox = NULL;
    assert_int_equal(mailbox_load(lab->saved.data, lab->saved.size, &lab->world.mailbox), 0);
    start(lab);
    struct error_text why = {0};
    int err = hub_seen_attach(lab->seen, lab->world.mailbox, &why);
    assert_true(err == 0 || why.text[0] != '\0');
    return err;
}

static void what_is_closed_is_stored_and_found(void **state)
{
    (void)state;
    struct lab lab;
    init(&lab, "stored");
    assert_true(hub_seen_is_stored(lab.seen));
    send(&lab, 0, 11);
    assert_false(hub_seen_is_stored(lab.seen));
    WAIT(&lab, hub_seen_is_stored(lab.seen));
    assert_int_equal(lab.stored, 1);
    assert_int_equal(mailbox_state(lab.world.mailbox).dedupe_in_memory, 1);
    for (int id = 1; id <= 5; id++)
        assert_true(is_there(&lab, id));
    must_know(&lab, 0, 11);
    done(&lab);
}

static void after_a_start_it_is_found_again(void **state)
{
    (void)state;
    struct lab lab;
    init(&lab, "start");
    send(&lab, 0, 9);
    assert_int_equal(hub_seen_finish(lab.seen), 0);
    save(&lab);
    send(&lab, 9, 4); /* stored, but in no state */
    assert_int_equal(hub_seen_finish(lab.seen), 0);
    assert_true(is_there(&lab, 6));
    char unfinished[400];
    snprintf(unfinished, sizeof unfinished, "%s/7.new", hub_seen_folder(lab.seen));
    close(open(unfinished, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    assert_int_equal(restart(&lab), 0);
    assert_true(is_there(&lab, 4));
    assert_false(is_there(&lab, 6));
    assert_int_equal(access(unfinished, F_OK), -1);
    assert_int_equal(world_apply(&lab.world), 0); /* what followed in the log, again */
    buffer_clear(&lab.world.trace);
    hub_seen_applied(lab.seen);
    must_know(&lab, 0, 13);
    WAIT(&lab, hub_seen_is_stored(lab.seen));
    must_know(&lab, 0, 13);
    assert_true(is_there(&lab, 6));
    assert_int_equal(lab.damaged, 0);
    done(&lab);
}

static void a_file_goes_when_no_saved_state_refers_to_it(void **state)
{
    (void)state;
    struct lab lab;
    init(&lab, "removed");
    send(&lab, 0, 9);
    WAIT(&lab, hub_seen_is_stored(lab.seen));
    save(&lab);
    send(&lab, 9, 12); /* the first two generations are forgotten */
    WAIT(&lab, hub_seen_is_stored(lab.seen));
    assert_int_equal(mailbox_state(lab.world.mailbox).dedupe_entries, 17);
    assert_true(is_there(&lab, 1) && is_there(&lab, 2)); /* the saved state refers to them */
    assert_int_equal(restart(&lab), 0);
    send(&lab, 21, 0);
    WAIT(&lab, hub_seen_is_stored(lab.seen));
    save(&lab);
    WAIT(&lab, !is_there(&lab, 1) && !is_there(&lab, 2));
    assert_true(is_there(&lab, 3));
    assert_int_equal(restart(&lab), 0);
    must_know(&lab, 4, 17);
    done(&lab);
}

static void put_byte(const struct lab *lab, int id, off_t at)
{
    char path[400];
    uint8_t byte;
    snprintf(path, sizeof path, "%s/%d", hub_seen_folder(lab->seen), id);
    const int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0 && pread(fd, &byte, 1, at) == 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

static void a_missing_or_damaged_file_is_noticed_at_the_start(void **state)
{
    (void)state;
    static const off_t places[] = {-1, 0, 20, 4096 + 4096 + 3};
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        struct lab lab;
        init(&lab, "missing");
        send(&lab, 0, 9);
        assert_int_equal(hub_seen_finish(lab.seen), 0);
        save(&lab);
        if (places[i] < 0)
            assert_int_equal(segment_remove(hub_seen_folder(lab.seen), 2), 0);
        else
            put_byte(&lab, 2, places[i]);
        assert_int_equal(restart(&lab), -EILSEQ);
        assert_true(is_there(&lab, 1)); /* nothing is removed before all is well */
        done(&lab);
    }
}

static void a_damaged_page_is_noticed_soon_after_the_start(void **state)
{
    (void)state;
    struct lab lab;
    init(&lab, "page");
    send(&lab, 0, 9);
    assert_int_equal(hub_seen_finish(lab.seen), 0);
    save(&lab);
    put_byte(&lab, 2, 4096 + 3);
    assert_int_equal(restart(&lab), 0);
    WAIT(&lab, lab.damaged != 0);
    assert_int_equal(lab.damaged, -EILSEQ);
    done(&lab);
}

static void a_damaged_page_is_noticed_when_it_is_looked_at(void **state)
{
    (void)state;
    struct lab lab;
    init(&lab, "look");
    send(&lab, 0, 9);
    WAIT(&lab, hub_seen_is_stored(lab.seen));
    put_byte(&lab, 1, 4096 + 3);
    log_begin(&lab.world.log);
    log_message(&lab.world.log, "alice", "m0", "bob");
    log_by_edge(&lab.world.log);
    assert_int_equal(world_apply(&lab.world), -EIO);
    assert_int_equal(hub_seen_error(lab.seen), -EILSEQ);
    done(&lab);
}

static void what_cannot_be_written_stays_in_memory_and_is_tried_again(void **state)
{
    (void)state;
    struct lab lab;
    init(&lab, "full");
    const char *folder = hub_seen_folder(lab.seen);
    close(open(folder, O_WRONLY | O_CREAT | O_CLOEXEC, 0600)); /* in the way of the folder */
    send(&lab, 0, 11);
    WAIT(&lab, lab.stored > 0); /* which also says that nothing holds up any more */
    assert_false(hub_seen_is_stored(lab.seen));
    assert_false(hub_seen_is_behind(lab.seen));
    must_know(&lab, 0, 11);
    assert_int_equal(hub_seen_finish(lab.seen), -EIO);
    assert_int_equal(unlink(folder), 0);
    assert_int_equal(hub_seen_finish(lab.seen), 0);
    assert_int_equal(mailbox_state(lab.world.mailbox).dedupe_in_memory, 1);
    must_know(&lab, 0, 11);
    done(&lab);
}

static void it_is_tried_again_by_itself(void **state)
{
    (void)state;
    struct lab lab;
    init(&lab, "again");
    const char *folder = hub_seen_folder(lab.seen);
    close(open(folder, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    send(&lab, 0, 3);
    WAIT(&lab, lab.stored > 0);
    assert_int_equal(unlink(folder), 0);
    WAIT(&lab, hub_seen_is_stored(lab.seen)); /* after 5 s */
    assert_true(is_there(&lab, 1));
    done(&lab);
}

static void it_is_behind_while_more_is_closed_than_written(void **state)
{
    (void)state;
    struct lab lab;
    init(&lab, "behind");
    send(&lab, 0, 11);
    assert_true(hub_seen_is_behind(lab.seen));
    WAIT(&lab, lab.stored > 0);
    assert_false(hub_seen_is_behind(lab.seen));
    done(&lab);
}

static void it_may_be_left_at_any_moment(void **state)
{
    (void)state;
    for (int turns = 0; turns < 12; turns++) {
        struct lab lab;
        init(&lab, "left");
        assert_int_equal(mailbox_save(lab.world.mailbox, &lab.saved), 0);
        send(&lab, 0, 13);
        for (int i = 0; i < turns; i++)
            assert_int_equal(loop_turn(lab.loop, 0), 0);
        if (turns % 2 == 0)
            hub_seen_detach(lab.seen);
        assert_int_equal(restart(&lab), 0); /* from the beginning */
        assert_false(is_there(&lab, 1));
        assert_int_equal(world_apply(&lab.world), 0);
        hub_seen_applied(lab.seen);
        done(&lab);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_closed_is_stored_and_found),
        cmocka_unit_test(after_a_start_it_is_found_again),
        cmocka_unit_test(a_file_goes_when_no_saved_state_refers_to_it),
        cmocka_unit_test(a_missing_or_damaged_file_is_noticed_at_the_start),
        cmocka_unit_test(a_damaged_page_is_noticed_soon_after_the_start),
        cmocka_unit_test(a_damaged_page_is_noticed_when_it_is_looked_at),
        cmocka_unit_test(what_cannot_be_written_stays_in_memory_and_is_tried_again),
        cmocka_unit_test(it_is_tried_again_by_itself),
        cmocka_unit_test(it_is_behind_while_more_is_closed_than_written),
        cmocka_unit_test(it_may_be_left_at_any_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
