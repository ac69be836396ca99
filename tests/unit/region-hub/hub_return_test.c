/* A region comes back, and one of its users has got another home meanwhile. With a real NATS
 * server; the other home is the test's own. */
#include "hub_lab.h"
#include "mailbox/mailbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define LOG "log.sin.0.e"

static void set_home(struct lab *lab, const char *user, const char *home, uint32_t epoch)
{
    const struct wire_directory_entry entry = {.home = text_of(home), .epoch = epoch};
    struct buffer bytes = {0};
    wire_directory_entry_write(&bytes, &entry);
    lab_store(lab, wire_directory_subject(text_of(user), 1).text, bytes.data, bytes.size);
    buffer_free(&bytes);
}

/* dub has gone on from bob's second message. */
static void on_ask(void *context, const struct bus_message *message)
{
    struct lab *lab = context;
    const struct wire_frame head = {.generation = 5, .region = TEXT("dub"), .from = TEXT("dub-h1")};
    struct wire_frame frame;
    struct wire_entry asked;
    struct buffer bytes = {0};
    struct wire_frame_writer writer;
    char reply[WIRE_NAME_MAX];
    assert_int_equal(wire_frame_read(message->data, message->size, &frame), 0);
    assert_int_equal(wire_entry_next(&frame, &asked), 0);
    assert_int_equal(asked.move_ask.what, WIRE_MOVE_BASE);
    assert_int_equal(text_put(reply, sizeof reply, message->reply), 0);
    wire_frame_begin(&writer, &bytes, &head);
    wire_entry_write(
        &writer, &(struct wire_entry){
                     .kind = WIRE_MOVE_STATE,
                     .move_state = {.code = WIRE_MOVE_KEPT,
                                    .user = asked.move_ask.user,
                                    .region = TEXT("dub"),
                                    .mailbox = {.epoch = 2, .head = 9, .oldest = 1, .base = 2}}});
    assert_int_equal(wire_frame_end(&writer), 0);
    assert_int_equal(bus_publish(lab->bus, reply, NULL, bytes.data, bytes.size), 0);
    buffer_free(&bytes);
}

static void on_passed_on(void *context, const struct bus_entry *entry)
{
    struct buffer *ids = context;
    struct wire_batch batch;
    struct wire_record record;
    assert_int_equal(wire_batch_read(entry->data, entry->size, &batch), 0);
    while (wire_record_next(&batch.body, &record) == 0)
        if (record.kind == WIRE_MESSAGE)
            buffer_printf(ids, "%.*s ", TEXT_ARGS(record.message.id));
}

static void on_pause(void *context, bool caught_up)
{
    (void)context;
    (void)caught_up;
}

static void start_hub(struct lab *lab)
{
    lab_hub_start(lab, &lab->hubs[0], "sin-h1");
    LAB_WAIT(lab, strcmp(hub_shard_status(lab->hubs[0].shard).state, "serving") == 0);
    LAB_WAIT(lab, lab->beat_generation > 0);
}

/* What an attach is answered by now. */
static uint8_t attach(struct lab *lab, const char *user)
{
    (void)lab_attach(lab, user, "phone", 0, 0, 0);
    return lab->heard[lab->heard_count - 1].code;
}

/* Asked again, as an edge does, until the answer is not "busy". */
static uint8_t attach_at_last(struct lab *lab, const char *user)
{
    uint8_t code = WIRE_BUSY;
    for (int tries = 0; tries < 200 && code == WIRE_BUSY; tries++) {
        lab_turn(lab, 50);
        code = attach(lab, user);
    }
    return code;
}

static void who_is_elsewhere_leaves_before_anybody_is_served(void **state)
{
    struct lab *lab = *state;
    struct buffer ids = {0};
    set_home(lab, "bob", "sin", 1);
    set_home(lab, "carol", "sin", 1);
    start_hub(lab);
    lab_send(lab, LOG, "bob", "b", 4);
    lab_send(lab, LOG, "carol", "c", 1);
    assert_int_equal(attach(lab, "bob"), WIRE_OK);
    lab_hub_stop(lab, &lab->hubs[0], false);
    set_home(lab, "bob", "dub", 2);
    lab_turn(lab, MAILBOX_PAUSE_MS + 500);

    struct bus_subscription *asks = bus_subscribe(lab->bus, "move.dub.0", on_ask, lab);
    struct bus_reader *outbox = bus_reader_open(
        lab->bus, &(struct bus_reader_settings){.stream = wire_outbox_stream("sin", "dub").text,
                                                .from = 1,
                                                .poll_ms = 50,
                                                .on_entry = on_passed_on,
                                                .on_pause = on_pause,
                                                .context = &ids});
    assert_true(asks != NULL && outbox != NULL);
    start_hub(lab);
    assert_int_equal(attach(lab, "bob"), WIRE_BUSY);
    assert_int_equal(attach(lab, "carol"), WIRE_BUSY);
    assert_int_equal(attach_at_last(lab, "carol"), WIRE_OK);
    assert_int_equal(attach_at_last(lab, "bob"), WIRE_NOT_HOME);
    LAB_WAIT(lab, ids.size >= 6);
    assert_true(text_equal(buffer_text(&ids), TEXT("b3 b4 ")));
    lab_send(lab, LOG, "bob", "d", 1);
    LAB_WAIT(lab, ids.size >= 9);
    assert_true(text_equal(buffer_text(&ids), TEXT("b3 b4 d1 ")));
    bus_reader_close(outbox);
    bus_unsubscribe(asks);
    lab_hub_stop(lab, &lab->hubs[0], true);
    buffer_free(&ids);
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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(
        who_is_elsewhere_leaves_before_anybody_is_served, set_up, tear_down)};
    return RUN_GROUP_WITH_SERVER(tests);
}
