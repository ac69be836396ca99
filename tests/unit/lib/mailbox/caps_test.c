/* What a mailbox keeps, and where its rows are, with messages of all sizes. */
#include "tests/support/mailbox/world.h"

#include <inttypes.h>
#include <stdio.h>

enum { MESSAGES = 3000, OTHERS = 2, GRAIN = MAILBOX_BYTES_GRAIN };

/* What bob has got, seq by seq. */
struct sent {
    struct world world;
    uint64_t rows[MESSAGES + 2];
    uint64_t bytes[MESSAGES + 2]; /* of all up to the seq */
    uint64_t head;
    uint64_t random;
};

static void write_config(struct world *world, uint8_t level, uint32_t messages, uint64_t bytes)
{
    struct wire_config config = world_config();
    config.level = level;
    config.mailbox_max_messages = messages;
    config.mailbox_max_bytes = bytes;
    log_begin(&world->log);
    log_config(&world->log, &config);
    log_by_hub(&world->log);
    world_expect(world, "");
}

static struct sent *sent_new(uint8_t level, uint32_t messages, uint64_t bytes)
{
    struct sent *sent = calloc(1, sizeof *sent);
    assert_non_null(sent);
    world_init(&sent->world, NULL);
    write_config(&sent->world, level, messages, bytes);
    return sent;
}

static void sent_free(struct sent *sent)
{
    world_done(&sent->world);
    free(sent);
}

static uint64_t next(struct sent *sent)
{
    sent->random = sent->random * 6364136223846793005u + 1442695040888963407u;
    return sent->random >> 33;
}

static struct mailbox_user bob_of(const struct sent *sent)
{
    struct mailbox_user user;
    assert_true(mailbox_find_user(sent->world.mailbox, TEXT("bob"), &user));
    return user;
}

/* To carol as well, at times: rows are not seqs. The log is let go of to spare memory. */
static void send(struct sent *sent, size_t body_size)
{
    struct world *world = &sent->world;
    char id[32];
    snprintf(id, sizeof id, "n%" PRIu64, sent->head);
    world->log.body_size = body_size;
    static const char *const to[] = {"bob", "carol"};
    log_begin(&world->log);
    log_message_to(&world->log, "alice", id, to, 1 + next(sent) % OTHERS);
    log_by_edge(&world->log);
    assert_int_equal(world_apply(world), 0);
    buffer_clear(&world->trace);
    log_last(&world->log)->size = 0;
    free(log_last(&world->log)->data);
    log_last(&world->log)->data = NULL;
    const uint64_t weight = body_size + MAILBOX_MESSAGE_BYTES;
    sent->head++;
    sent->rows[sent->head] = bob_of(sent).last_row;
    sent->bytes[sent->head] = sent->bytes[sent->head - 1] + weight;
}

static void check_rows(const struct sent *sent)
{
    const struct mailbox_user user = bob_of(sent);
    for (uint64_t seq = user.oldest, at = seq; seq <= user.head; seq++) {
        const uint64_t row = mailbox_row_near(&user, seq);
        at = at < seq ? seq : at;
        while (at < user.head && sent->rows[at] < row)
            at++;
        assert_int_equal(sent->rows[at], row); /* of bob, and near */
        assert_true(at >= seq && at < seq + 256);
    }
    const uint64_t last = sent->rows[sent->head];
    for (uint64_t row = 0, first = user.oldest; row < last; row++) {
        while (sent->rows[first] <= row)
            first++;
        const uint64_t seq = mailbox_seq_after_row(&user, row);
        assert_true(seq >= first && seq < first + 256 && seq <= user.head);
    }
    assert_int_equal(mailbox_seq_after_row(&user, last), user.head + 1);
    assert_int_equal(mailbox_seq_after_row(&user, UINT64_MAX), user.head + 1);
}

static void check_kept(const struct sent *sent, uint32_t messages, uint64_t bytes)
{
    const struct mailbox_user user = bob_of(sent);
    const uint64_t kept = sent->bytes[user.head] - sent->bytes[user.oldest - 1];
    const uint64_t newest = sent->bytes[user.head] - sent->bytes[user.head - 1];
    assert_int_equal(user.head, sent->head);
    assert_true(user.oldest <= user.head);
    assert_true(messages == 0 || user.head - user.oldest < messages);
    assert_true(bytes == 0 || kept <= bytes + GRAIN + WIRE_BODY_MAX + MAILBOX_MESSAGE_BYTES);
    /* Nothing goes without need. */
    assert_true(user.oldest == 1 || kept > bytes || bytes == 0 ||
                (messages > 0 && user.head - user.oldest + 1 == messages) || kept == newest);
}

static void start_again(struct sent *sent)
{
    struct mailbox *loaded = saved_and_loaded(sent->world.mailbox);
    mailbox_free(sent->world.mailbox);
    sent->world.mailbox = loaded;
}

static void oldest_goes_behind_a_mark_since_which_the_cap_has_come(void **state)
{
    (void)state;
    struct sent *sent = sent_new(2, 0, 1024 * 1024);
    for (uint64_t i = 1; i <= 50; i++) { /* 64 KiB each: a mark for every four, 16 are the cap */
        send(sent, 64 * 1024 - MAILBOX_MESSAGE_BYTES);
        const uint64_t expected = i <= 20 ? 1 : (i - 17) / 4 * 4 + 1;
        assert_int_equal(bob_of(sent).oldest, expected);
    }
    check_rows(sent);
    sent_free(sent);
}

static void the_newest_message_is_always_kept(void **state)
{
    (void)state;
    struct sent *sent = sent_new(2, 0, 1);
    for (size_t i = 0; i < 10; i++) {
        send(sent, WIRE_BODY_MAX);
        assert_int_equal(bob_of(sent).oldest, i + 1);
    }
    sent_free(sent);
}

static void the_cap_of_bytes_counts_from_level_2_on(void **state)
{
    (void)state;
    struct sent *sent = sent_new(1, 0, 512 * 1024);
    for (size_t i = 0; i < 20; i++)
        send(sent, 128 * 1024);
    assert_int_equal(bob_of(sent).oldest, 1);
    start_again(sent);
    write_config(&sent->world, 2, 0, 512 * 1024);
    assert_int_equal(bob_of(sent).oldest, 1);
    send(sent, 128 * 1024); /* what came before is weighed too */
    check_kept(sent, 0, 512 * 1024);
    assert_true(bob_of(sent).oldest > 14);
    write_config(&sent->world, 2, 0, 0);
    for (size_t i = 0; i < 20; i++)
        send(sent, 128 * 1024);
    assert_true(bob_of(sent).oldest < 22);
    check_rows(sent);
    sent_free(sent);
}

/* Mostly small bodies, so that marks come now for their number and now for their size. */
static size_t some_size(struct sent *sent)
{
    const uint64_t kind = next(sent) % 40;
    if (kind == 0)
        return 1 + next(sent) % WIRE_BODY_MAX;
    return 1 + next(sent) % (sent->head / 500 % 2 == 0 ? 2000 : 200);
}

static void both_caps_hold_and_rows_are_near(void **state)
{
    (void)state;
    static const struct {
        uint32_t messages;
        uint64_t bytes;
    } caps[] = {{0, 0},   {0, 1},           {0, GRAIN},     {0, 5 * GRAIN + 7},
                {300, 0}, {300, 3 * GRAIN}, {1, 2 * GRAIN}, {1000, 30 * GRAIN}};
    for (size_t i = 0; i < COUNT_OF(caps); i++) {
        struct sent *sent = sent_new(2, caps[i].messages, caps[i].bytes);
        sent->random = i;
        while (sent->head < MESSAGES) {
            send(sent, some_size(sent));
            check_kept(sent, caps[i].messages, caps[i].bytes);
            if (sent->head % 250 == 17)
                check_rows(sent);
            if (sent->head % 500 == 3)
                start_again(sent);
        }
        check_rows(sent);
        sent_free(sent);
    }
}

static void caps_may_change(void **state)
{
    (void)state;
    struct sent *sent = sent_new(2, 0, 0);
    while (sent->head < MESSAGES) {
        send(sent, some_size(sent));
        if (sent->head % 300 != 0)
            continue;
        const uint32_t messages = (uint32_t)(next(sent) % 3 * 400);
        const uint64_t bytes = next(sent) % 3 * 4 * GRAIN;
        write_config(&sent->world, 2, messages, bytes);
        send(sent, 10);
        const struct mailbox_user user = bob_of(sent);
        assert_true(messages == 0 || user.head - user.oldest < messages);
        check_rows(sent);
    }
    sent_free(sent);
}

static void before_the_first_message_there_is_no_seq(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, NULL);
    log_begin(&world.log);
    log_ack(&world.log, 0, "bob", "phone", 1, 0);
    log_by_hub(&world.log);
    world_expect(&world, "acked bob/phone 1:0\n");
    struct mailbox_user user;
    assert_true(mailbox_find_user(world.mailbox, TEXT("bob"), &user));
    assert_int_equal(mailbox_seq_after_row(&user, 0), 1);
    assert_int_equal(mailbox_row_near(&user, 1), 0);
    world_done(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(oldest_goes_behind_a_mark_since_which_the_cap_has_come),
        cmocka_unit_test(the_newest_message_is_always_kept),
        cmocka_unit_test(the_cap_of_bytes_counts_from_level_2_on),
        cmocka_unit_test(both_caps_hold_and_rows_are_near),
        cmocka_unit_test(caps_may_change),
        cmocka_unit_test(before_the_first_message_there_is_no_seq),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
