/* What a hub does with a mailbox that moves, whoever decides on it: holds what comes, sends devices
 * after it, and passes messages on. With a real NATS server. */
#include "hub_lab.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define LOG "log.sin.0.e"

static void start_hub(struct lab *lab)
{
    lab_hub_start(lab, &lab->hubs[0], "sin-h1");
    LAB_WAIT(lab, strcmp(hub_shard_status(lab->hubs[0].shard).state, "serving") == 0);
    LAB_WAIT(lab, lab->beat_generation > 0);
}

static void must_deliver(struct lab *lab, uint64_t from, uint64_t to, const char *prefix)
{
    for (uint64_t seq = from; seq <= to; seq++) {
        const struct lab_heard *heard = lab_wait_for(lab, WIRE_DELIVER);
        char id[32];
        snprintf(id, sizeof id, "%s%d", prefix, (int)(seq - from + 1));
        assert_int_equal(heard->seq, seq);
        assert_string_equal(heard->id, id);
    }
}

struct cursors { /* records in the log that a frozen mailbox refuses */
    size_t count;
    uint64_t position;
};

static void on_log_entry(void *context, const struct bus_entry *entry)
{
    struct cursors *cursors = context;
    struct wire_batch batch;
    struct wire_record record;
    assert_int_equal(wire_batch_read(entry->data, entry->size, &batch), 0);
    while (wire_record_next(&batch.body, &record) == 0)
        cursors->count += record.kind == WIRE_ACK || record.kind == WIRE_READ;
    cursors->position = entry->position;
}

static void on_log_pause(void *context, bool caught_up)
{
    (void)context;
    (void)caught_up;
}

static size_t count_cursors(struct lab *lab)
{
    struct cursors cursors = {0};
    const uint64_t position = hub_shard_status(lab->hubs[0].shard).position;
    struct bus_reader *reader =
        bus_reader_open(lab->bus, &(struct bus_reader_settings){
                                      .stream = wire_log_stream("sin", 0).text,
                                      .from = 1,
                                      .poll_ms = 50,
                                      .on_entry = on_log_entry,
                                      .on_pause = on_log_pause,
                                      .context = &cursors,
                                  });
    assert_non_null(reader);
    LAB_WAIT(lab, cursors.position >= position);
    bus_reader_close(reader);
    return cursors.count;
}

/* Which the log would refuse; the edge says it again. */
static void a_frozen_mailbox_is_read_and_writes_no_cursor(void **state)
{
    struct lab *lab = *state;
    start_hub(lab);
    lab_send(lab, LOG, "bob", "a", 2);
    const uint64_t phone = lab_attach(lab, "bob", "phone", 0, 0, 0);
    must_deliver(lab, 1, 2, "a");
    (void)lab_wait_for(lab, WIRE_ACKED); /* where it begins */
    lab_freeze(lab, "bob");
    LAB_WAIT(lab, hub_shard_status(lab->hubs[0].shard).position >= lab->stored);
    lab_report(lab, "bob", "phone", phone, 2, 2);
    const uint64_t desk = lab_attach(lab, "bob", "desk", 0, 0, 0);
    must_deliver(lab, 1, 2, "a");
    lab_report(lab, "bob", "desk", desk, 2, 1);
    const struct wire_entry read = {.kind = WIRE_READ_UP_TO,
                                    .read_up_to = {.user = TEXT("bob"),
                                                   .device = TEXT("desk"),
                                                   .attach = desk,
                                                   .of = TEXT("alice"),
                                                   .epoch = 1,
                                                   .seq = 2}};
    lab_say(lab, "read", &read);
    lab_must_not_hear(lab, WIRE_ACKED, 600);
    assert_int_equal(count_cursors(lab), 1); /* of before the freeze */
    lab_move_end(lab, "bob", WIRE_MOVE_ABORTED, "sin");
    const struct lab_heard *begun = lab_wait_for(lab, WIRE_ACKED);
    assert_true(begun->attach == desk && begun->seq == 0);
    lab_report(lab, "bob", "phone", phone, 2, 2); /* as an edge does */
    while (lab_wait_for(lab, WIRE_ACKED)->attach != phone)
        ;
    assert_int_equal(lab->heard[lab->shown - 1].seq, 2);
    lab_hub_stop(lab, &lab->hubs[0], true);
}

/* What is in the outbox to dub, as text. */
struct outbox {
    struct buffer is;
    struct bus_reader *reader;
};

static void on_entry(void *context, const struct bus_entry *entry)
{
    struct outbox *outbox = context;
    struct wire_batch batch;
    struct wire_record record;
    assert_int_equal(wire_batch_read(entry->data, entry->size, &batch), 0);
    while (wire_record_next(&batch.body, &record) == 0) {
        struct wire_recipient to;
        if (record.kind != WIRE_MESSAGE)
            continue;
        assert_true(wire_recipient_next(&record.message.recipients, &to));
        buffer_printf(&outbox->is, "%.*s/%.*s to %.*s %.*s ttl %u\n",
                      TEXT_ARGS(record.message.sender), TEXT_ARGS(record.message.id),
                      TEXT_ARGS(to.name), TEXT_ARGS(record.message.body), record.message.ttl_s);
    }
}

static void on_pause(void *context, bool caught_up)
{
    (void)context;
    (void)caught_up;
}

static void outbox_open(struct lab *lab, struct outbox *outbox)
{
    *outbox = (struct outbox){0};
    outbox->reader = bus_reader_open(lab->bus, &(struct bus_reader_settings){
                                                   .stream = wire_outbox_stream("sin", "dub").text,
                                                   .from = 1,
                                                   .poll_ms = 50,
                                                   .on_entry = on_entry,
                                                   .on_pause = on_pause,
                                                   .context = outbox,
                                               });
    assert_non_null(outbox->reader);
}

static void outbox_expect(struct lab *lab, struct outbox *outbox, const char *expected)
{
    for (int i = 0; i < 1000 && outbox->is.size < strlen(expected); i++)
        lab_turn(lab, 10);
    if (!text_equal(buffer_text(&outbox->is), text_of(expected)))
        fail_msg("%.*s, not %s", TEXT_ARGS(buffer_text(&outbox->is)), expected);
}

static void outbox_close(struct outbox *outbox)
{
    bus_reader_close(outbox->reader);
    buffer_free(&outbox->is);
}

static void what_was_held_is_delivered_when_the_user_stays(void **state)
{
    struct lab *lab = *state;
    start_hub(lab);
    lab_send(lab, LOG, "bob", "a", 2);
    (void)lab_attach(lab, "bob", "phone", 0, 0, 0);
    must_deliver(lab, 1, 2, "a");
    lab_freeze(lab, "bob");
    lab_send(lab, LOG, "bob", "b", 3);
    lab_send(lab, LOG, "bob", "a", 2); /* repeats */
    lab_must_not_hear(lab, WIRE_DELIVER, 300);
    lab_move_end(lab, "bob", WIRE_MOVE_ABORTED, "sin");
    must_deliver(lab, 3, 5, "b");
    lab_send(lab, LOG, "bob", "c", 1);
    must_deliver(lab, 6, 6, "c");
    lab_hub_stop(lab, &lab->hubs[0], true);
}

static void who_has_left_is_sent_after_and_so_is_what_comes(void **state)
{
    struct lab *lab = *state;
    struct outbox outbox;
    outbox_open(lab, &outbox);
    start_hub(lab);
    lab_send(lab, LOG, "bob", "a", 1);
    const uint64_t phone = lab_attach(lab, "bob", "phone", 0, 0, 0);
    const uint64_t desk = lab_attach(lab, "bob", "desk", 0, 0, 0);
    (void)lab_attach(lab, "carol", "phone", 0, 0, 0);
    lab_freeze(lab, "bob");
    lab_send_ttl(lab, LOG, "bob", "b", 2, 3600);
    lab_must_not_hear(lab, WIRE_KICK, 100);
    const struct lab_hub *hub = &lab->hubs[0];
    LAB_WAIT(lab,
             hub_shard_status(hub->shard).moving == 1 && hub_shard_status(hub->shard).held == 2);
    lab_move_end(lab, "bob", WIRE_MOVE_DONE, "dub");
    const uint64_t first = lab_wait_for(lab, WIRE_KICK)->attach;
    const struct lab_heard *second = lab_wait_for(lab, WIRE_KICK);
    assert_int_equal(second->code, WIRE_KICK_MOVED);
    assert_int_equal(first + second->attach, phone + desk);
    lab_send(lab, LOG, "bob", "c", 1);
    outbox_expect(lab, &outbox,
                  "alice/b1 to bob \"b1\" ttl 3600\nalice/b2 to bob \"b2\" ttl 3600\n"
                  "alice/c1 to bob \"c1\" ttl 0\n");
    LAB_WAIT(lab, hub_shard_status(hub->shard).passed_on == 3 &&
                      hub_shard_status(hub->shard).to_pass_on == 0);
    assert_int_equal(hub_shard_status(hub->shard).held + hub_shard_status(hub->shard).moving, 0);
    assert_int_equal(hub_shard_status(hub->shard).not_passed_on, 0);
    /* It is not at home here any more; others are. */
    size_t before = lab->heard_count;
    (void)lab_attach(lab, "bob", "phone", 0, 0, 0);
    assert_int_equal(lab->heard[lab->heard_count - 1].code, WIRE_NOT_HOME);
    assert_true(lab->heard_count > before);
    lab_send(lab, LOG, "carol", "d", 1);
    must_deliver(lab, 1, 1, "d");
    lab_hub_stop(lab, &lab->hubs[0], true);
    outbox_close(&outbox);
}

/* Another region went on with the mailbox as it was at seq 299. */
static void what_the_other_home_does_not_have_goes_after_the_user(void **state)
{
    struct lab *lab = *state;
    struct outbox outbox;
    struct buffer expected = {0};
    outbox_open(lab, &outbox);
    start_hub(lab);
    lab_send(lab, LOG, "bob", "a", 299);
    lab_send(lab, LOG, "carol", "x", 300);
    lab_send(lab, LOG, "bob", "b", 300);
    lab_freeze(lab, "bob");
    lab_send(lab, LOG, "bob", "c", 1);
    lab_move_end_from(lab, "bob", WIRE_MOVE_DONE, "dub", 300);
    for (int i = 1; i <= 300; i++)
        buffer_printf(&expected, "alice/b%d to bob \"b%d\" ttl 0\n", i, i);
    buffer_printf(&expected, "alice/c1 to bob \"c1\" ttl 0\n");
    buffer_append(&expected, "", 1);
    outbox_expect(lab, &outbox, (const char *)expected.data);
    buffer_free(&expected);
    lab_hub_stop(lab, &lab->hubs[0], true);
    outbox_close(&outbox);
}

/* Killed before it was said in the log: the next owner passes it on from the view. */
static void the_next_owner_passes_on_what_waits(void **state)
{
    struct lab *lab = *state;
    struct outbox outbox;
    start_hub(lab);
    lab_freeze(lab, "bob");
    lab_send(lab, LOG, "bob", "a", 3);
    lab_hub_stop(lab, &lab->hubs[0], false);
    lab_move_end(lab, "bob", WIRE_MOVE_DONE, "dub");
    outbox_open(lab, &outbox);
    lab_hub_start(lab, &lab->hubs[1], "sin-h2"); /* its view is made of the log */
    LAB_WAIT(lab, strcmp(hub_shard_status(lab->hubs[1].shard).state, "serving") == 0);
    outbox_expect(lab, &outbox,
                  "alice/a1 to bob \"a1\" ttl 0\nalice/a2 to bob \"a2\" ttl 0\n"
                  "alice/a3 to bob \"a3\" ttl 0\n");
    lab_hub_stop(lab, &lab->hubs[1], true);
    outbox_close(&outbox);
}

static void what_is_over_is_not_sent_after(void **state)
{
    struct lab *lab = *state;
    struct outbox outbox;
    outbox_open(lab, &outbox);
    start_hub(lab);
    lab_freeze(lab, "bob");
    lab_send_ttl(lab, LOG, "bob", "a", 1, 1);
    lab_send_ttl(lab, LOG, "bob", "b", 1, 0);
    lab_turn(lab, 1500);
    lab_move_end(lab, "bob", WIRE_MOVE_DONE, "dub");
    outbox_expect(lab, &outbox, "alice/b1 to bob \"b1\" ttl 0\n");
    LAB_WAIT(lab, hub_shard_status(lab->hubs[0].shard).not_passed_on == 1);
    lab_hub_stop(lab, &lab->hubs[0], true);
    outbox_close(&outbox);
}

/* It came back from dub, which is not through yet: dub holds it, and passes it on when it is. */
static void what_comes_while_rows_are_copied_goes_where_the_user_is(void **state)
{
    struct lab *lab = *state;
    struct outbox outbox;
    outbox_open(lab, &outbox);
    start_hub(lab);
    lab_freeze(lab, "bob");
    lab_move_end(lab, "bob", WIRE_MOVE_DONE, "dub");
    lab_move_rows(lab, "bob", 1, 2);
    lab_send(lab, LOG, "bob", "a", 2);
    outbox_expect(lab, &outbox, "alice/a1 to bob \"a1\" ttl 0\nalice/a2 to bob \"a2\" ttl 0\n");
    lab_hub_stop(lab, &lab->hubs[0], true);
    outbox_close(&outbox);
}

static void put_entry(struct lab *lab, const char *user, const char *home)
{
    const struct wire_directory_entry entry = {.home = text_of(home), .epoch = 1};
    struct buffer bytes = {0};
    wire_directory_entry_write(&bytes, &entry);
    lab_store(lab, wire_directory_subject(text_of(user), 1).text, bytes.data, bytes.size);
    buffer_free(&bytes);
}

/* This log does not know who has it: the directory does. */
static void what_comes_while_rows_are_copied_asks_the_directory(void **state)
{
    struct lab *lab = *state;
    struct outbox outbox;
    outbox_open(lab, &outbox);
    start_hub(lab);
    put_entry(lab, "carol", "dub");
    lab_move_rows(lab, "carol", 1, 2);
    lab_send(lab, LOG, "carol", "a", 1);
    outbox_expect(lab, &outbox, "alice/a1 to carol \"a1\" ttl 0\n");
    lab_hub_stop(lab, &lab->hubs[0], true);
    outbox_close(&outbox);
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
        WITH_LAB(what_was_held_is_delivered_when_the_user_stays),
        WITH_LAB(a_frozen_mailbox_is_read_and_writes_no_cursor),
        WITH_LAB(who_has_left_is_sent_after_and_so_is_what_comes),
        WITH_LAB(what_the_other_home_does_not_have_goes_after_the_user),
        WITH_LAB(the_next_owner_passes_on_what_waits),
        WITH_LAB(what_is_over_is_not_sent_after),
        WITH_LAB(what_comes_while_rows_are_copied_goes_where_the_user_is),
        WITH_LAB(what_comes_while_rows_are_copied_asks_the_directory),
    };
    return RUN_GROUP_WITH_SERVER(tests);
}
