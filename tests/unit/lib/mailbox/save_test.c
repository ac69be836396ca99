#include "tests/support/mailbox/world.h"

#include <errno.h>

static void fill(struct world *world)
{
    const struct wire_config config = world_config();
    world_init(world, &config);
    log_begin(&world->log);
    log_own(&world->log, "hub-1", 11, 0);
    log_by_hub(&world->log);
    static const char *const users[] = {"bob", "carol", "d\xC3\xA9j\xC3\xA0", "erin"};
    for (uint64_t i = 1; i <= 40; i++) {
        char id[] = {'m', (char)('0' + i / 10), (char)('0' + i % 10), '\0'};
        log_begin(&world->log);
        log_message_to(&world->log, "alice", id, users, 1 + i % 4);
        log_by_lane(&world->log, i % 3 == 0 ? "sin" : "iad", i < 20 ? 'a' : 'b', i, 0);
        log_begin(&world->log);
        log_message(&world->log, "zoe", id, users[i % 4]);
        log_ack(&world->log, 3, users[i % 4], i % 7 == 0 ? "tablet" : "phone", 1, i / 16);
        world->log.now_ms += 9000;
        log_by_hub(&world->log);
    }
    assert_int_equal(world_apply(world), 0);
}

static void an_empty_state_is_saved_too(void **state)
{
    (void)state;
    struct mailbox *mailbox = mailbox_new();
    struct mailbox *loaded = saved_and_loaded(mailbox);
    assert_int_equal(mailbox_state(loaded).position, 0);
    mailbox_free(mailbox);
    mailbox_free(loaded);
}

static void what_is_loaded_says_the_same(void **state)
{
    (void)state;
    struct world world;
    fill(&world);
    struct mailbox *loaded = saved_and_loaded(world.mailbox);
    const struct mailbox_state is = mailbox_state(loaded);
    const struct mailbox_state was = mailbox_state(world.mailbox);
    assert_int_equal(is.position, was.position);
    assert_int_equal(is.rows, was.rows);
    assert_int_equal(is.users, was.users);
    assert_int_equal(is.dedupe_entries, was.dedupe_entries);
    assert_memory_equal(is.hash.bytes, was.hash.bytes, sizeof is.hash.bytes);
    assert_true(text_equal(is.owner, TEXT("hub-1")));
    struct mailbox_user user;
    struct mailbox_device device;
    assert_true(mailbox_find_user(loaded, TEXT("carol"), &user));
    assert_true(mailbox_find_device(&user, TEXT("phone"), &device));
    mailbox_free(loaded);
    world_done(&world);
}

static void it_is_appended_to_what_the_buffer_holds(void **state)
{
    (void)state;
    struct world world;
    fill(&world);
    struct buffer bytes = {0};
    buffer_append(&bytes, "before", 6);
    assert_int_equal(mailbox_save(world.mailbox, &bytes), 0);
    struct mailbox *loaded;
    assert_int_equal(mailbox_load(bytes.data + 6, bytes.size - 6, &loaded), 0);
    mailbox_free(loaded);
    buffer_free(&bytes);
    world_done(&world);
}

static void every_flipped_byte_and_every_truncation_is_noticed(void **state)
{
    (void)state;
    struct world world;
    fill(&world);
    struct buffer bytes = {0};
    assert_int_equal(mailbox_save(world.mailbox, &bytes), 0);
    struct mailbox *loaded = NULL;
    for (size_t i = 0; i < bytes.size; i++) {
        bytes.data[i] ^= 0x40;
        assert_int_equal(mailbox_load(bytes.data, bytes.size, &loaded), -EBADMSG);
        bytes.data[i] ^= 0x40;
        assert_int_equal(mailbox_load(bytes.data, i, &loaded), -EBADMSG);
    }
    assert_null(loaded);
    buffer_free(&bytes);
    world_done(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_state_is_saved_too),
        cmocka_unit_test(what_is_loaded_says_the_same),
        cmocka_unit_test(it_is_appended_to_what_the_buffer_holds),
        cmocka_unit_test(every_flipped_byte_and_every_truncation_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
