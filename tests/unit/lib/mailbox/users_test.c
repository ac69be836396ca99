#include "tests/support/mailbox/world.h"

#include <inttypes.h>
#include <stdio.h>

static struct mailbox_user user_of(const struct world *world, const char *name)
{
    struct mailbox_user user;
    assert_true(mailbox_find_user(world->mailbox, text_of(name), &user));
    return user;
}

static void send_many(struct world *world, const char *recipient, size_t count)
{
    static uint64_t number;
    for (size_t i = 0; i < count; i++) {
        char id[32];
        snprintf(id, sizeof id, "n%" PRIu64, number++);
        log_begin(&world->log);
        log_message(&world->log, "alice", id, recipient);
        log_by_edge(&world->log);
    }
    assert_int_equal(world_apply(world), 0);
    buffer_clear(&world->trace);
}

static void send_ack(struct world *world, const char *user, const char *device, uint32_t epoch,
                     uint64_t seq)
{
    log_begin(&world->log);
    log_ack(&world->log, 0, user, device, epoch, seq);
    log_by_hub(&world->log);
}

static void a_user_comes_into_being_by_its_first_message(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, NULL);
    struct mailbox_user user;
    assert_false(mailbox_find_user(world.mailbox, TEXT("bob"), &user));
    log_begin(&world.log);
    log_message(&world.log, "alice", "m1", "bob");
    log_message(&world.log, "alice", "m1", "carol");
    log_message(&world.log, "alice", "m2", "bob");
    log_by_edge(&world.log);
    world_expect(&world, "row 1<0 bob 1:1 alice/m1\nrow 2<0 carol 1:1 alice/m1\n"
                         "row 3<1 bob 1:2 alice/m2\n");
    user = user_of(&world, "bob");
    assert_true(text_equal(user.name, TEXT("bob")));
    assert_int_equal(user.epoch, 1);
    assert_int_equal(user.head, 2);
    assert_int_equal(user.oldest, 1);
    assert_int_equal(user.last_row, 3);
    assert_false(mailbox_find_user(world.mailbox, TEXT("alice"), &user));
    world_done(&world);
}

static void a_user_comes_into_being_by_an_ack(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, NULL);
    send_ack(&world, "bob", "phone", 1, 0);
    world_expect(&world, "acked bob/phone 1:0\n");
    const struct mailbox_user user = user_of(&world, "bob");
    assert_int_equal(user.head, 0);
    assert_int_equal(user.oldest, 1);
    assert_int_equal(mailbox_device_count(&user), 1);
    assert_int_equal(mailbox_row_near(&user, 1), 0);
    world_done(&world);
}

static void an_ack_that_cannot_be_leaves_no_trace(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, NULL);
    send_ack(&world, "bob", "phone", 1, 1);
    send_ack(&world, "bob", "phone", 2, 0);
    world_expect(&world, "passed 2: refused\npassed 3: refused\n");
    assert_int_equal(mailbox_state(world.mailbox).users, 0);
    send_many(&world, "bob", 2);
    send_ack(&world, "bob", "phone", 1, 3);
    send_ack(&world, "bob", "phone", 0, 1);
    world_expect(&world, "passed 6: refused\npassed 7: refused\n");
    const struct mailbox_user user = user_of(&world, "bob");
    assert_int_equal(mailbox_device_count(&user), 0);
    send_ack(&world, "bob", "phone", 1, 2);
    world_expect(&world, "acked bob/phone 1:2\n");
    world_done(&world);
}

static void a_cursor_never_moves_back(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, NULL);
    send_many(&world, "bob", 4);
    world.log.now_ms = 1000;
    send_ack(&world, "bob", "phone", 1, 3);
    send_ack(&world, "bob", "phone", 1, 3);
    world.log.now_ms = 2000;
    send_ack(&world, "bob", "phone", 1, 2);
    world_expect(&world, "acked bob/phone 1:3\nacked bob/phone 1:3\n");
    const struct mailbox_user user = user_of(&world, "bob");
    struct mailbox_device device;
    assert_true(mailbox_find_device(&user, TEXT("phone"), &device));
    assert_int_equal(device.seq, 3);
    assert_int_equal(device.epoch, 1);
    assert_int_equal(device.used_ms, WORLD_START_MS + 2000); /* it is in use all the same */
    assert_false(mailbox_find_device(&user, TEXT("phon"), &device));
    world_done(&world);
}

static void one_device_too_many_drops_the_stalest(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, NULL); /* 32 devices */
    send_many(&world, "bob", 1);
    char name[16];
    for (int i = 1; i <= 32; i++) {
        world.log.now_ms = i == 9 || i == 4 ? 500 : 1000 + i;
        snprintf(name, sizeof name, "d%d", i);
        send_ack(&world, "bob", name, 1, 0);
    }
    /* Log time never goes back: d4 and d9 are no older than those before them. */
    world.log.now_ms = 2000;
    for (int i = 1; i <= 32; i++) {
        if (i == 4 || i == 9)
            continue;
        snprintf(name, sizeof name, "d%d", i);
        send_ack(&world, "bob", name, 1, 0);
    }
    assert_int_equal(world_apply(&world), 0);
    buffer_clear(&world.trace);
    struct mailbox_user user = user_of(&world, "bob");
    assert_int_equal(mailbox_device_count(&user), 32);
    send_ack(&world, "bob", "d33", 1, 1);
    send_ack(&world, "bob", "d34", 1, 1);
    send_ack(&world, "bob", "d35", 1, 1);
    world_expect(&world, "dropped bob/d4\nacked bob/d33 1:1\ndropped bob/d9\nacked bob/d34 1:1\n"
                         "dropped bob/d1\nacked bob/d35 1:1\n"); /* of equals the first to come */
    user = user_of(&world, "bob");
    assert_int_equal(mailbox_device_count(&user), 32);
    world_done(&world);
}

static void fewer_devices_by_config_count_from_the_next_new_one(void **state)
{
    (void)state;
    struct world world;
    struct wire_config config = world_config();
    world_init(&world, &config);
    send_ack(&world, "bob", "a", 1, 0);
    send_ack(&world, "bob", "b", 1, 0);
    send_ack(&world, "bob", "c", 1, 0);
    config.devices_max = 1;
    log_begin(&world.log);
    log_config(&world.log, &config);
    log_by_hub(&world.log);
    send_ack(&world, "bob", "b", 1, 0);
    send_ack(&world, "bob", "d", 1, 0);
    world_expect(&world, "acked bob/a 1:0\nacked bob/b 1:0\nacked bob/c 1:0\nacked bob/b 1:0\n"
                         "dropped bob/a\ndropped bob/b\ndropped bob/c\nacked bob/d 1:0\n");
    config.devices_max = 0; /* one is always known */
    log_begin(&world.log);
    log_config(&world.log, &config);
    log_by_hub(&world.log);
    send_ack(&world, "bob", "e", 1, 0);
    world_expect(&world, "dropped bob/d\nacked bob/e 1:0\n");
    world_done(&world);
}

static void a_mailbox_keeps_its_newest_messages(void **state)
{
    (void)state;
    struct world world;
    struct wire_config config = world_config(); /* 5 messages */
    world_init(&world, &config);
    send_many(&world, "bob", 5);
    assert_int_equal(user_of(&world, "bob").oldest, 1);
    send_many(&world, "bob", 1);
    assert_int_equal(user_of(&world, "bob").oldest, 2);
    config.mailbox_max_messages = 2;
    log_begin(&world.log);
    log_config(&world.log, &config);
    log_by_hub(&world.log);
    send_many(&world, "bob", 1);
    const struct mailbox_user user = user_of(&world, "bob");
    assert_int_equal(user.head, 7);
    assert_int_equal(user.oldest, 6);
    world_done(&world);
}

/* Rows and seqs are the same here: bob is alone. */
static void check_rows_near(const struct mailbox_user *user)
{
    for (uint64_t seq = user->oldest; seq <= user->head; seq++) {
        const uint64_t row = mailbox_row_near(user, seq);
        assert_true(row >= seq);
        assert_true(row <= seq + 256 || row == user->head);
        assert_true(row % 256 == 0 || row == user->head);
    }
    assert_int_equal(mailbox_row_near(user, user->head + 1), 0);
    assert_int_equal(mailbox_row_near(user, UINT64_MAX), 0);
    assert_int_equal(mailbox_row_near(user, 0), mailbox_row_near(user, user->oldest));
}

static void a_row_is_near_every_seq(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, NULL);
    static const size_t steps[] = {1, 254, 1, 1, 255, 1, 600, 900};
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        send_many(&world, "bob", steps[i]);
        const struct mailbox_user user = user_of(&world, "bob");
        check_rows_near(&user);
    }
    struct mailbox *loaded = saved_and_loaded(world.mailbox);
    mailbox_free(world.mailbox);
    world.mailbox = loaded;
    send_many(&world, "bob", 1000);
    const struct mailbox_user user = user_of(&world, "bob");
    check_rows_near(&user);
    world_done(&world);
}

static void marks_of_dropped_messages_go(void **state)
{
    (void)state;
    static const uint32_t limits[] = {1, 255, 256, 257, 700};
    for (size_t i = 0; i < COUNT_OF(limits); i++) {
        struct world world;
        struct wire_config config = world_config();
        config.mailbox_max_messages = limits[i];
        world_init(&world, &config);
        for (size_t step = 0; step < 9; step++) {
            send_many(&world, "bob", 333);
            const struct mailbox_user user = user_of(&world, "bob");
            assert_int_equal(user.head - user.oldest + 1,
                             user.head < limits[i] ? user.head : limits[i]);
            check_rows_near(&user);
            struct mailbox *loaded = saved_and_loaded(world.mailbox);
            mailbox_free(world.mailbox);
            world.mailbox = loaded;
        }
        world_done(&world);
    }
}

static void users_are_gone_through_in_the_order_they_came(void **state)
{
    (void)state;
    struct world world;
    struct mailbox_user user;
    world_init(&world, NULL);
    assert_false(mailbox_next_user(world.mailbox, TEXT(""), &user));
    send_many(&world, "carol", 1);
    send_many(&world, "bob", 2);
    assert_true(mailbox_next_user(world.mailbox, TEXT(""), &user));
    assert_true(text_equal(user.name, TEXT("carol")) && user.head == 1);
    send_many(&world, "dan", 1); /* meanwhile */
    assert_true(mailbox_next_user(world.mailbox, TEXT("carol"), &user));
    assert_true(text_equal(user.name, TEXT("bob")) && user.head == 2);
    assert_true(mailbox_next_user(world.mailbox, TEXT("bob"), &user));
    assert_true(text_equal(user.name, TEXT("dan")));
    assert_false(mailbox_next_user(world.mailbox, TEXT("dan"), &user));
    assert_false(mailbox_next_user(world.mailbox, TEXT("nobody"), &user));
    world_done(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_user_comes_into_being_by_its_first_message),
        cmocka_unit_test(a_user_comes_into_being_by_an_ack),
        cmocka_unit_test(users_are_gone_through_in_the_order_they_came),
        cmocka_unit_test(an_ack_that_cannot_be_leaves_no_trace),
        cmocka_unit_test(a_cursor_never_moves_back),
        cmocka_unit_test(one_device_too_many_drops_the_stalest),
        cmocka_unit_test(fewer_devices_by_config_count_from_the_next_new_one),
        cmocka_unit_test(a_mailbox_keeps_its_newest_messages),
        cmocka_unit_test(a_row_is_near_every_seq),
        cmocka_unit_test(marks_of_dropped_messages_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
