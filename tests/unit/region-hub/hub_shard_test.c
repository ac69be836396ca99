/* A shard on its thread, with a real NATS server: what users rely on, through kills and
 * hand-overs. */
#include "hub_lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define LOG "log.sin.0.e"

/* Deliveries `from` to `to` come in order, each once. */
static void must_deliver(struct lab *lab, uint64_t from, uint64_t to)
{
    for (uint64_t seq = from; seq <= to; seq++)
        assert_int_equal(lab_wait_for(lab, WIRE_DELIVER)->seq, seq);
}

/* The cursor is confirmed; that of the first attach may come before. */
static void must_confirm(struct lab *lab, uint64_t seq)
{
    while (lab_wait_for(lab, WIRE_ACKED)->seq != seq)
        ;
}

static void delivers_in_order_and_confirms_acks(void **state)
{
    struct lab *lab = *state;
    struct lab_hub *hub = &lab->hubs[0];
    lab_hub_start(lab, hub, "sin-h1");
    lab_send(lab, LOG, "bob", "a", 3);
    uint64_t attach = lab_attach(lab, "bob", "phone", 0, 0, 0);
    must_deliver(lab, 1, 3);           /* from the view */
    lab_send(lab, LOG, "bob", "b", 2); /* live */
    lab_send(lab, LOG, "bob", "b", 2); /* a repeat of the same messages */
    lab_send(lab, LOG, "eve", "e", 2); /* of another user */
    lab_send(lab, LOG, "bob", "c", 1);
    for (uint64_t seq = 4; seq <= 6; seq++) {
        const struct lab_heard *heard = lab_wait_for(lab, WIRE_DELIVER);
        assert_int_equal(heard->seq, seq);
        assert_int_equal(heard->attach, 0);
        assert_string_equal(heard->user, "bob");
    }
    assert_string_equal(lab->heard[lab->heard_count - 1].text, "\"c1\"");
    lab_report(lab, "bob", "phone", attach, 6, 5);
    must_confirm(lab, 5);
    lab_report(lab, "bob", "phone", attach, 6, 5); /* says nothing new: asks again */
    assert_int_equal(lab_wait_for(lab, WIRE_ACKED)->seq, 5);
    lab_hub_stop(lab, hub, true);
}

static void resumes_at_a_cursor_and_at_what_was_confirmed(void **state)
{
    struct lab *lab = *state;
    struct lab_hub *hub = &lab->hubs[0];
    lab_hub_start(lab, hub, "sin-h1");
    lab_send(lab, LOG, "bob", "a", 5);
    uint64_t attach = lab_attach(lab, "bob", "phone", 0, WIRE_ATTACH_HAS_CURSOR, 3);
    assert_true((lab->heard[lab->shown - 1].flags & WIRE_ATTACHED_RESUMED) != 0);
    must_deliver(lab, 4, 5);
    lab_report(lab, "bob", "phone", attach, 5, 4);
    must_confirm(lab, 4);
    /* Without a cursor: where it was confirmed. The one before is replaced. */
    uint64_t second = lab_attach(lab, "bob", "phone", 0, 0, 0);
    assert_true(second > attach);
    must_deliver(lab, 5, 5);
    /* Above the head: never guessed. */
    (void)lab_attach(lab, "bob", "phone", 0, WIRE_ATTACH_HAS_CURSOR, 99);
    assert_true((lab->heard[lab->shown - 1].flags & WIRE_ATTACHED_RESYNC) != 0);
    must_deliver(lab, 5, 5);
    /* A device not seen before that wants only what comes. */
    (void)lab_attach(lab, "bob", "desk", 0, WIRE_ATTACH_FROM_HEAD, 0);
    lab_must_not_hear(lab, WIRE_DELIVER, 100);
    lab_hub_stop(lab, hub, true);
}

static void sends_again_what_is_fetched_or_not_reported(void **state)
{
    struct lab *lab = *state;
    struct lab_hub *hub = &lab->hubs[0];
    lab_hub_start(lab, hub, "sin-h1");
    lab_send(lab, LOG, "bob", "a", 4);
    uint64_t attach = lab_attach(lab, "bob", "phone", 0, 0, 0);
    must_deliver(lab, 1, 4);
    must_deliver(lab, 1, 4); /* nobody reported it */
    lab_report(lab, "bob", "phone", attach, 2, 0);
    must_deliver(lab, 3, 4);
    const struct wire_entry fetch = {
        .kind = WIRE_FETCH,
        .fetch = {TEXT("bob"), TEXT("phone"), attach, 1, 2},
    };
    lab_say(lab, "fetch", &fetch);
    must_deliver(lab, 2, 4);
    lab_report(lab, "bob", "phone", attach, 4, 0);
    lab_must_not_hear(lab, WIRE_DELIVER, 600);
    lab_report(lab, "bob", "phone", attach + 1, 4, 0); /* a number that nobody has */
    assert_int_equal(lab_wait_for(lab, WIRE_UNATTACHED)->attach, attach + 1);
    lab_hub_stop(lab, hub, true);
}

static void sends_no_more_than_the_credit(void **state)
{
    struct lab *lab = *state;
    struct lab_hub *hub = &lab->hubs[0];
    lab_hub_start(lab, hub, "sin-h1");
    for (int i = 0; i < 3; i++) {
        char prefix[16];
        snprintf(prefix, sizeof prefix, "m%d-", i);
        lab_send(lab, LOG, "bob", prefix, 200);
    }
    uint64_t attach = lab_attach(lab, "bob", "phone", 0, 0, 0);
    must_deliver(lab, 1, 256);
    lab_report(lab, "bob", "phone", attach, 256, 0);
    lab_must_not_hear(lab, WIRE_DELIVER, 600);
    lab_report(lab, "bob", "phone", attach, 256, 100);
    must_deliver(lab, 257, 356);
    lab_report(lab, "bob", "phone", attach, 356, 356);
    must_deliver(lab, 357, 600);
    lab_hub_stop(lab, hub, true);
}

static void says_what_a_full_mailbox_lost(void **state)
{
    struct lab *lab = *state;
    struct lab_hub *hub = &lab->hubs[0];
    lab_hub_start(lab, hub, "sin-h1");
    for (int i = 0; i < 6; i++) {
        char prefix[16];
        snprintf(prefix, sizeof prefix, "m%d-", i);
        lab_send(lab, LOG, "bob", prefix, 200); /* the mailbox holds 1,000 */
    }
    (void)lab_attach(lab, "bob", "phone", 0, WIRE_ATTACH_HAS_CURSOR, 7);
    const struct lab_heard *gap = lab_wait_for(lab, WIRE_GAP);
    assert_int_equal(gap->seq, 200);
    assert_string_equal(gap->text, "mailbox_full");
    must_deliver(lab, 201, 456);
    lab_hub_stop(lab, hub, true);
}

static void tells_an_edge_that_the_device_went_elsewhere(void **state)
{
    struct lab *lab = *state;
    struct lab_hub *hub = &lab->hubs[0];
    lab_hub_start(lab, hub, "sin-h1");
    uint64_t first = lab_attach(lab, "bob", "phone", 0, 0, 0);
    const struct wire_entry again = {
        .kind = WIRE_ATTACH,
        .attach = {.request = 777, .user = TEXT("bob"), .device = TEXT("phone"), .epoch = 1},
    };
    lab_say(lab, "attach", &again);
    const struct lab_heard *kick = lab_wait_for(lab, WIRE_KICK);
    assert_int_equal(kick->attach, first);
    assert_int_equal(kick->code, WIRE_KICK_REPLACED);
    LAB_WAIT(lab, lab->beat_attached == 1);
    lab->edge_start = 2; /* the edge's process started again */
    LAB_WAIT(lab, lab->beat_attached == 0);
    lab_hub_stop(lab, hub, true);
}

static void goes_on_after_the_server_was_killed(void **state)
{
    struct lab *lab = *state;
    struct lab_hub *hub = &lab->hubs[0];
    lab_hub_start(lab, hub, "sin-h1");
    lab_send(lab, LOG, "bob", "a", 2);
    uint64_t attach = lab_attach(lab, "bob", "phone", 0, 0, 0);
    must_deliver(lab, 1, 2);
    lab_report(lab, "bob", "phone", attach, 2, 2);
    must_confirm(lab, 2);
    server_kill(&lab->server);
    LAB_WAIT(lab, !bus_is_connected(lab->bus));
    lab_turn(lab, 300);
    server_start(&lab->server);
    LAB_WAIT(lab, bus_is_connected(lab->bus));
    lab_turn(lab, 500);
    lab_send(lab, LOG, "bob", "b", 2);
    (void)lab_attach(lab, "bob", "phone", attach, WIRE_ATTACH_HAS_CURSOR, 2);
    must_deliver(lab, 3, 4);
    lab_hub_stop(lab, hub, true);
}

static void hands_over_at_once_and_in_order(void **state)
{
    struct lab *lab = *state;
    struct lab_hub *first = &lab->hubs[0];
    struct lab_hub *second = &lab->hubs[1];
    lab_hub_start(lab, first, "sin-h1");
    LAB_WAIT(lab, strcmp(hub_shard_status(first->shard).state, "serving") == 0);
    lab_hub_start(lab, second, "sin-h2");
    lab_send(lab, LOG, "bob", "a", 3);
    uint64_t attach = lab_attach(lab, "bob", "phone", 0, 0, 0);
    must_deliver(lab, 1, 3);
    uint64_t generation = lab->beat_generation;
    lab_hub_stop(lab, first, true);
    LAB_WAIT(lab, lab->beat_generation > generation);
    lab_send(lab, LOG, "bob", "b", 3);
    /* The same number, and where its device is. */
    assert_int_equal(lab_attach(lab, "bob", "phone", attach, WIRE_ATTACH_HAS_CURSOR, 3), attach);
    must_deliver(lab, 4, 6);
    /* As if killed: nobody gives the shard up, and its beats are missed. */
    generation = lab->beat_generation;
    lab_hub_start(lab, first, "sin-h1");
    LAB_WAIT(lab, hub_shard_status(first->shard).ready);
    lab_hub_stop(lab, second, false);
    LAB_WAIT(lab, lab->beat_generation > generation);
    assert_int_equal(lab_attach(lab, "bob", "phone", attach, WIRE_ATTACH_HAS_CURSOR, 5), attach);
    must_deliver(lab, 6, 6);
    lab_hub_stop(lab, first, true);
}

static void starts_from_its_view_and_makes_a_lost_one_again(void **state)
{
    struct lab *lab = *state;
    struct lab_hub *hub = &lab->hubs[0];
    char path[600];
    for (int round = 0; round < 3; round++) {
        char prefix[16];
        snprintf(prefix, sizeof prefix, "r%d-", round);
        lab_hub_start(lab, hub, "sin-h1");
        lab_send(lab, LOG, "bob", prefix, 5);
        (void)lab_attach(lab, "bob", "phone", 0, WIRE_ATTACH_HAS_CURSOR, 0);
        must_deliver(lab, 1, 5 * (uint64_t)(round + 1));
        lab_hub_stop(lab, hub, round != 0);
        snprintf(path, sizeof path, "%s/sin-0.view", hub->settings.data);
        if (round == 1) { /* damaged, then found so */
            FILE *file = fopen(path, "r+");
            assert_non_null(file);
            char junk[4096];
            memset(junk, 0x5a, sizeof junk);
            assert_int_equal(fwrite(junk, sizeof junk, 1, file), 1);
            fclose(file);
        }
    }
    assert_int_equal(unlink(path), 0);
    lab_hub_start(lab, hub, "sin-h1");
    (void)lab_attach(lab, "bob", "phone", 0, WIRE_ATTACH_HAS_CURSOR, 0);
    must_deliver(lab, 1, 15);
    lab_hub_stop(lab, hub, true);
}

static void forwards_a_lane_in_order_and_trims_the_outbox(void **state)
{
    struct lab *lab = *state;
    struct lab_hub *source = &lab->hubs[0];
    struct lab_hub *home = &lab->hubs[1];
    /* To sin, from dub: the edge of the test is at sin. */
    for (int i = 0; i < 20; i++) {
        char prefix[16];
        snprintf(prefix, sizeof prefix, "l%d-", i);
        lab_send(lab, "out.dub.sin.0", "bob", prefix, 5);
    }
    lab_hub_start(lab, source, "dub-h1");
    lab_hub_start(lab, home, "sin-h1");
    uint64_t attach = lab_attach(lab, "bob", "phone", 0, 0, 0);
    must_deliver(lab, 1, 100);
    lab_report(lab, "bob", "phone", attach, 100, 100);
    lab_send(lab, "out.dub.sin.0", "bob", "m", 5);
    must_deliver(lab, 101, 105);
    /* The forwarder is killed, and another goes on. */
    lab_hub_stop(lab, source, false);
    lab_send(lab, "out.dub.sin.0", "bob", "n", 5);
    lab_hub_start(lab, source, "dub-h1");
    must_deliver(lab, 106, 110);
    /* The home, too. */
    lab_hub_stop(lab, home, false);
    lab_send(lab, "out.dub.sin.0", "bob", "o", 5);
    lab_hub_start(lab, home, "sin-h1");
    (void)lab_attach(lab, "bob", "phone", attach, WIRE_ATTACH_HAS_CURSOR, 110);
    must_deliver(lab, 111, 115);
    lab_must_not_hear(lab, WIRE_GAP, 500);
    lab_hub_stop(lab, source, true);
    lab_hub_stop(lab, home, true);
}

static void claims_a_home_once(void **state)
{
    struct lab *lab = *state;
    struct lab_hub *hub = &lab->hubs[0];
    lab_hub_start(lab, hub, "sin-h1");
    LAB_WAIT(lab, strcmp(hub_shard_status(hub->shard).state, "serving") == 0);
    struct wire_entry claim = {
        .kind = WIRE_CLAIM,
        .claim = {.request = 1, .user = TEXT("carol"), .home = TEXT("sin")},
    };
    lab_say(lab, "claim", &claim);
    const struct lab_heard *claimed = lab_wait_for(lab, WIRE_CLAIMED);
    assert_int_equal(claimed->code, WIRE_OK);
    assert_string_equal(claimed->text, "sin");
    /* Another region was first. */
    struct buffer bytes = {0};
    const struct wire_directory_entry entry = {.home = TEXT("dub"), .epoch = 1};
    wire_directory_entry_write(&bytes, &entry);
    lab_store(lab, wire_directory_subject(TEXT("dave"), 1).text, bytes.data, bytes.size);
    buffer_free(&bytes);
    claim.claim.request = 2;
    claim.claim.user = TEXT("dave");
    lab_say(lab, "claim", &claim);
    claimed = lab_wait_for(lab, WIRE_CLAIMED);
    assert_int_equal(claimed->code, WIRE_OK);
    assert_string_equal(claimed->text, "dub");
    claim.claim.request = 3;
    claim.claim.home = TEXT("dub"); /* not this hub's to give */
    lab_say(lab, "claim", &claim);
    assert_int_equal(lab_wait_for(lab, WIRE_CLAIMED)->code, WIRE_REFUSED);
    lab_hub_stop(lab, hub, true);
}

static void stops_at_a_log_of_another_incarnation(void **state)
{
    struct lab *lab = *state;
    struct lab_hub *hub = &lab->hubs[0];
    lab_hub_start(lab, hub, "sin-h1");
    lab_send(lab, LOG, "bob", "a", 3);
    (void)lab_attach(lab, "bob", "phone", 0, 0, 0);
    must_deliver(lab, 1, 3);
    lab_remake_log(lab, "sin");
    LAB_WAIT(lab, hub_shard_status(hub->shard).stopped);
    assert_string_equal(hub_shard_status(hub->shard).reason, "log_regressed");
    lab_hub_stop(lab, hub, true);
    lab_hub_start(lab, hub, "sin-h1"); /* the view is still of the other one */
    LAB_WAIT(lab, hub_shard_status(hub->shard).stopped);
    assert_string_equal(hub_shard_status(hub->shard).reason, "log_regressed");
    lab_hub_stop(lab, hub, true);
}

static void stops_at_a_record_of_a_newer_program(void **state)
{
    struct lab *lab = *state;
    struct lab_hub *hub = &lab->hubs[0];
    lab_hub_start(lab, hub, "sin-h1");
    lab_send(lab, LOG, "bob", "a", 1);
    LAB_WAIT(lab, hub_shard_status(hub->shard).ready);
    struct buffer bytes = {0};
    struct wire_batch_writer writer;
    wire_batch_begin(&writer, &bytes);
    const struct wire_tick tick = {.generation = 1};
    wire_tick_write(&writer, &tick);
    bytes.data[WIRE_BATCH_HEADER_SIZE + 1] = 99; /* the record's level */
    assert_int_equal(wire_batch_end(&writer), 0);
    lab_store(lab, "log.sin.0.h", bytes.data, bytes.size);
    buffer_free(&bytes);
    LAB_WAIT(lab, hub_shard_status(hub->shard).stopped);
    assert_string_equal(hub_shard_status(hub->shard).reason, "unknown_record");
    lab_hub_stop(lab, hub, true);
}

static void waits_for_a_log_that_is_not_there(void **state)
{
    struct lab *lab = *state;
    struct lab_hub *hub = &lab->hubs[0];
    server_kill(&lab->server);
    lab_hub_start(lab, hub, "sin-h1");
    LAB_WAIT(lab, strcmp(hub_shard_status(hub->shard).reason, "bus_not_connected") == 0);
    assert_false(hub_shard_status(hub->shard).ready);
    server_start(&lab->server);
    LAB_WAIT(lab, hub_shard_status(hub->shard).ready);
    lab_hub_stop(lab, hub, true);
}

/* Generations of 5 s, in a window that is long enough for a slow machine. */
static void shorten_the_window(struct lab *lab)
{
    const struct wire_config config = {.level = WIRE_LEVEL,
                                       .dedupe_window_s = 40,
                                       .retention_s = 3600,
                                       .mailbox_max_messages = 1000,
                                       .mailbox_max_bytes = 1 << 20,
                                       .devices_max = 4};
    struct buffer bytes = {0};
    struct wire_batch_writer writer;
    wire_batch_begin(&writer, &bytes);
    wire_config_write(&writer, &config);
    assert_int_equal(wire_batch_end(&writer), 0);
    lab_store(lab, "log.sin.0.h", bytes.data, bytes.size);
    buffer_free(&bytes);
}

static bool has_segment(const struct lab_hub *hub, int id)
{
    char path[600];
    snprintf(path, sizeof path, "%s/sin-0.seen/%d", hub->settings.data, id);
    return access(path, F_OK) == 0;
}

/* Time goes on with the owner's ticks. */
static void knows_repeats_of_what_is_in_files(void **state)
{
    struct lab *lab = *state;
    struct lab_hub *hub = &lab->hubs[0];
    char path[600];
    shorten_the_window(lab);
    lab_hub_start(lab, hub, "sin-h1");
    lab_send(lab, LOG, "bob", "a", 5);
    LAB_WAIT(lab, has_segment(hub, 1));
    lab_hub_stop(lab, hub, true);
    lab_hub_start(lab, hub, "sin-h1");
    LAB_WAIT(lab, hub_shard_status(hub->shard).ready);
    assert_true(has_segment(hub, 1));
    lab_send(lab, LOG, "bob", "a", 5);
    lab_send(lab, LOG, "bob", "b", 1);
    (void)lab_attach(lab, "bob", "phone", 0, WIRE_ATTACH_HAS_CURSOR, 0);
    must_deliver(lab, 1, 5);
    const struct lab_heard *heard = lab_wait_for(lab, WIRE_DELIVER);
    assert_int_equal(heard->seq, 6);
    assert_string_equal(heard->text, "\"b1\"");
    lab_hub_stop(lab, hub, true);
    snprintf(path, sizeof path, "%s/sin-0.seen/1", hub->settings.data);
    assert_int_equal(truncate(path, 100), 0); /* all is made again from the log */
    lab_hub_start(lab, hub, "sin-h1");
    lab_send(lab, LOG, "bob", "a", 5);
    lab_send(lab, LOG, "bob", "c", 1);
    (void)lab_attach(lab, "bob", "phone", 0, WIRE_ATTACH_HAS_CURSOR, 0);
    must_deliver(lab, 1, 7);
    snprintf(path, sizeof path, "%s/sin-0.view.damaged", hub->settings.data);
    assert_int_equal(access(path, F_OK), 0);
    lab_hub_stop(lab, hub, true);
}

static int set_up(void **state)
{
    *state = lab_new();
    return 0;
}

static int tear_down(void **state)
{
    lab_free(*state);
    return 0;
}

#define WITH_LAB(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LAB(delivers_in_order_and_confirms_acks),
        WITH_LAB(resumes_at_a_cursor_and_at_what_was_confirmed),
        WITH_LAB(sends_again_what_is_fetched_or_not_reported),
        WITH_LAB(sends_no_more_than_the_credit),
        WITH_LAB(says_what_a_full_mailbox_lost),
        WITH_LAB(tells_an_edge_that_the_device_went_elsewhere),
        WITH_LAB(goes_on_after_the_server_was_killed),
        WITH_LAB(hands_over_at_once_and_in_order),
        WITH_LAB(starts_from_its_view_and_makes_a_lost_one_again),
        WITH_LAB(forwards_a_lane_in_order_and_trims_the_outbox),
        WITH_LAB(claims_a_home_once),
        WITH_LAB(stops_at_a_log_of_another_incarnation),
        WITH_LAB(stops_at_a_record_of_a_newer_program),
        WITH_LAB(waits_for_a_log_that_is_not_there),
        WITH_LAB(knows_repeats_of_what_is_in_files),
    };
    return RUN_GROUP_WITH_SERVER(tests);
}
