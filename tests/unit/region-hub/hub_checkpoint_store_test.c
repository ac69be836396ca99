/* Storing checkpoints in a real stream, and finding them there. */
#include "region-hub/hub_checkpoint_file.h"
#include "region-hub/hub_checkpoint_load.h"
#include "region-hub/hub_checkpoint_upload.h"
#include "region-hub/hub_stream.h"
#include "tests/support/nats_server.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { USERS = 9000 }; /* a state of more than one part */

struct world {
    struct server server;
    struct loop *loop;
    struct bus *bus;
    char path[128];
    struct mailbox *mailbox;
    struct hub_checkpoint_upload *upload;
    bool ended;
    int err;
    struct hub_checkpoint_load *load;
    bool loaded;
    uint64_t position; /* 0: none was found */
};

/* --- a shard with many users --- */

static void apply(struct mailbox *mailbox, struct wire_batch_writer *writer, struct buffer *bytes,
                  enum wire_writer who)
{
    static const struct mailbox_effects nothing;
    struct error_text why = {0};
    assert_int_equal(wire_batch_end(writer), 0);
    const struct mailbox_input input = {
        .position = mailbox_state(mailbox).position + 1,
        .time_ms = 1000,
        .writer = who,
        .source = TEXT(""),
        .data = bytes->data,
        .size = bytes->size,
    };
    assert_int_equal(mailbox_apply(mailbox, &input, &nothing, &why), 0);
    buffer_free(bytes);
}

static void add_user(struct mailbox *mailbox, unsigned number)
{
    char name[128];
    snprintf(name, sizeof name, "user-%u-with-a-name-that-takes-some-room-in-a-state", number);
    const struct wire_recipient to = {.kind = WIRE_USER, .name = text_of(name)};
    const struct wire_message message = {
        .sender = TEXT("alice"), .device = TEXT(""), .id = TEXT("1"), .body = TEXT("{}")};
    struct buffer bytes = {0};
    struct wire_batch_writer writer;
    wire_batch_begin(&writer, &bytes);
    wire_message_write(&writer, &message, &to, 1);
    apply(mailbox, &writer, &bytes, WIRE_BY_EDGE);
}

static struct mailbox *make_mailbox(uint8_t incarnation)
{
    struct wire_genesis genesis = {.region = TEXT("sin"),
                                   .destination = TEXT(""),
                                   .shards = 1,
                                   .hash_name = TEXT(HASH_SHARD_NAME),
                                   .hash_version = HASH_SHARD_VERSION};
    const struct wire_config config = {.level = 2,
                                       .dedupe_window_s = 3600,
                                       .retention_s = 3600,
                                       .mailbox_max_messages = 100,
                                       .mailbox_max_bytes = 1 << 20,
                                       .devices_max = 4};
    struct mailbox *mailbox = mailbox_new();
    struct buffer bytes = {0};
    struct wire_batch_writer writer;
    memset(genesis.incarnation, incarnation, sizeof genesis.incarnation);
    wire_batch_begin(&writer, &bytes);
    wire_genesis_write(&writer, &genesis);
    wire_config_write(&writer, &config);
    apply(mailbox, &writer, &bytes, WIRE_BY_HUB);
    for (unsigned i = 0; i < USERS; i++)
        add_user(mailbox, i);
    return mailbox;
}

/* --- the world --- */

static void on_end(void *context, int err)
{
    struct world *world = context;
    world->ended = true;
    world->err = err;
}

static void create_stream(struct world *world, const char *more)
{
    char json[256];
    snprintf(json, sizeof json,
             "{\"name\":\"CKPT_sin\",\"subjects\":[\"ckpt.sin.>\"],\"storage\":\"file\","
             "\"discard\":\"new\",\"max_msgs_per_subject\":1,\"allow_direct\":true%s}",
             more);
    server_create_stream(world->loop, world->bus, "CKPT_sin", json);
}

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    server_init(&world->server);
    server_start(&world->server);
    snprintf(world->path, sizeof world->path, "%s/sin-0.ckpt", world->server.folder);
    world->loop = loop_new();
    world->bus = bus_open(world->loop,
                          &(struct bus_settings){.urls = world->server.url, .name = "test"}, NULL);
    WAIT_FOR(world->loop, 5000, bus_is_connected(world->bus));
    world->mailbox = make_mailbox(1);
    world->upload = hub_checkpoint_upload_new(&(struct hub_checkpoint_upload_settings){
        .bus = world->bus, .region = "sin", .context = world, .on_end = on_end});
    assert_non_null(world->upload);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    hub_checkpoint_upload_free(world->upload);
    hub_checkpoint_load_free(world->load);
    mailbox_free(world->mailbox);
    bus_close(world->bus);
    loop_free(world->loop);
    (void)unlink(world->path);
    server_done(&world->server);
    free(world);
    return 0;
}

/* --- storing --- */

static void on_file_ready(void *context, int err, uint64_t position)
{
    (void)context;
    (void)position;
    assert_int_equal(err, 0);
}

static void write_file(struct world *world)
{
    struct mailbox_state mailbox = mailbox_state(world->mailbox);
    struct hub_checkpoint_bytes what = {.position = mailbox.position};
    memcpy(what.incarnation, mailbox.incarnation, sizeof what.incarnation);
    assert_int_equal(mailbox_save(world->mailbox, &what.bytes), 0);
    assert_true(what.bytes.size > WIRE_PART_SIZE);
    struct hub_checkpoint_file *file =
        hub_checkpoint_file_new(&(struct hub_checkpoint_file_settings){
            .loop = world->loop, .path = world->path, .context = world, .on_ready = on_file_ready});
    assert_int_equal(hub_checkpoint_file_write(file, &what), 0);
    WAIT_FOR(world->loop, 20000, !hub_checkpoint_file_is_busy(file));
    hub_checkpoint_file_free(file);
}

static struct hub_checkpoint_item item_of(struct world *world)
{
    struct mailbox_state mailbox = mailbox_state(world->mailbox);
    struct hub_checkpoint_item item = {.number = mailbox.position, .fd = -1};
    memcpy(item.incarnation, mailbox.incarnation, sizeof item.incarnation);
    return item;
}

static int start(struct world *world, struct hub_checkpoint_item *item)
{
    world->ended = false;
    hub_checkpoint_upload_start(world->upload, item);
    WAIT_FOR(world->loop, 60000, world->ended);
    assert_false(hub_checkpoint_upload_runs(world->upload));
    return world->err;
}

/* Saves the mailboxes as they are, and stores them. */
static int store(struct world *world)
{
    write_file(world);
    struct hub_checkpoint_item item = item_of(world);
    assert_int_equal(hub_checkpoint_file_open(world->path, &item.done, &item.fd, &item.offset), 0);
    return start(world, &item);
}

/* --- what the stream holds --- */

struct asking {
    struct bus_request request;
    struct hub_stream_info info;
    bool answered;
};

static bool on_info(struct bus_request *request, enum bus_outcome outcome,
                    const struct bus_message *message)
{
    struct asking *asking = container_of(request, struct asking, request);
    assert_int_equal(outcome, BUS_ANSWER);
    assert_int_equal(hub_stream_info_read((struct text){(const char *)message->data, message->size},
                                          &asking->info),
                     0);
    asking->answered = true;
    return false;
}

static uint64_t last_of_stream(struct world *world)
{
    struct asking asking = {.request.on_answer = on_info};
    assert_int_equal(hub_stream_info(world->bus, &asking.request, "CKPT_sin", 5000), 0);
    WAIT_FOR(world->loop, 5000, asking.answered);
    return asking.info.last;
}

static void publish(struct world *world, const char *subject, const void *bytes, size_t size)
{
    uint64_t before = last_of_stream(world);
    assert_int_equal(bus_publish(world->bus, subject, NULL, bytes, size), 0);
    while (last_of_stream(world) == before)
        ;
}

/* --- loading --- */

static void on_loaded(void *context, struct mailbox *mailbox, const struct buffer *bytes)
{
    struct world *world = context;
    world->loaded = true;
    if (mailbox != NULL) {
        struct buffer again = {0};
        world->position = mailbox_state(mailbox).position;
        assert_int_equal(mailbox_state(mailbox).users, USERS);
        assert_int_equal(mailbox_save(mailbox, &again), 0);
        assert_int_equal(again.size, bytes->size);
        assert_memory_equal(again.data, bytes->data, bytes->size);
        buffer_free(&again);
        mailbox_free(mailbox);
    }
    hub_checkpoint_load_free(world->load);
    world->load = NULL;
}

static void start_loading(struct world *world, uint64_t from)
{
    world->loaded = false;
    world->position = 0;
    world->load = hub_checkpoint_load_start(&(struct hub_checkpoint_load_settings){
        .bus = world->bus,
        .region = "sin",
        .from = from,
        .context = world,
        .on_loaded = on_loaded,
    });
    assert_non_null(world->load);
}

/* The position of the checkpoint that is found, or 0. */
static uint64_t load(struct world *world, uint64_t from)
{
    start_loading(world, from);
    WAIT_FOR(world->loop, 30000, world->loaded);
    return world->position;
}

/* --- the tests --- */

static void what_is_stored_is_loaded_byte_for_byte(void **state)
{
    struct world *world = *state;
    create_stream(world, "");
    uint64_t first = mailbox_state(world->mailbox).position;
    assert_int_equal(store(world), 0);
    uint64_t messages = last_of_stream(world);
    assert_true(messages >= 3); /* two parts at least, and the done */
    add_user(world->mailbox, 0);
    assert_int_equal(store(world), 0);
    assert_int_equal(load(world, 1), first);
    assert_int_equal(load(world, first), first);
    assert_int_equal(load(world, first + 1), first + 1);
    assert_int_equal(load(world, first + 2), 0);
}

static void what_is_stored_is_not_stored_again(void **state)
{
    struct world *world = *state;
    create_stream(world, "");
    assert_int_equal(store(world), 0);
    uint64_t last = last_of_stream(world);
    assert_int_equal(store(world), 0);
    struct hub_checkpoint_item question = item_of(world);
    assert_int_equal(start(world, &question), 0);
    assert_int_equal(last_of_stream(world), last);
    /* One of an older log with this name is none of ours. */
    mailbox_free(world->mailbox);
    world->mailbox = make_mailbox(2);
    assert_int_equal(store(world), 0);
    assert_int_equal(last_of_stream(world), 2 * last);
    assert_int_equal(load(world, 1), mailbox_state(world->mailbox).position);
}

static void without_its_bytes_it_only_asks(void **state)
{
    struct world *world = *state;
    create_stream(world, "");
    struct hub_checkpoint_item question = item_of(world);
    assert_int_equal(start(world, &question), -ENOENT);
    assert_int_equal(last_of_stream(world), 0);
}

static void a_full_stream_is_said(void **state)
{
    struct world *world = *state;
    create_stream(world, ",\"max_bytes\":600000");
    assert_int_equal(store(world), -ENOSPC);
    assert_int_equal(load(world, 1), 0); /* a part of one is none */
}

static void a_stream_that_is_not_there_is_waited_for(void **state)
{
    struct world *world = *state;
    assert_int_equal(store(world), -ETIMEDOUT);
    start_loading(world, 1);
    TURN_FOR(world->loop, 1000);
    assert_false(world->loaded);
    create_stream(world, "");
    assert_int_equal(store(world), 0);
    WAIT_FOR(world->loop, 30000, world->loaded);
    assert_int_equal(world->position, mailbox_state(world->mailbox).position);
}

static void one_that_is_damaged_is_passed_over_for_the_next(void **state)
{
    struct world *world = *state;
    create_stream(world, "");
    uint64_t first = mailbox_state(world->mailbox).position;
    char subject[64];
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(store(world), 0);
        add_user(world->mailbox, 0);
    }
    /* The first has a part of other bytes, the second one that is too short. */
    static const uint8_t other[WIRE_PART_SIZE];
    snprintf(subject, sizeof subject, "ckpt.sin.0.%llu.0", (unsigned long long)first);
    publish(world, subject, other, sizeof other);
    snprintf(subject, sizeof subject, "ckpt.sin.0.%llu.1", (unsigned long long)first + 1);
    publish(world, subject, other, 9);
    assert_int_equal(load(world, 1), first + 2);
    assert_int_equal(load(world, first + 3), 0);
}

static void what_is_no_done_is_passed_over(void **state)
{
    struct world *world = *state;
    create_stream(world, "");
    assert_int_equal(store(world), 0);
    publish(world, "ckpt.sin.0.5.done", "nonsense", 8);
    publish(world, "ckpt.sin.0.d5.done", "nonsense", 8);
    assert_int_equal(load(world, 1), mailbox_state(world->mailbox).position);
}

static void a_start_may_be_broken_off(void **state)
{
    struct world *world = *state;
    create_stream(world, "");
    assert_int_equal(store(world), 0);
    start_loading(world, 1);
    hub_checkpoint_load_free(world->load);
    world->load = NULL;
    struct hub_checkpoint_item item = item_of(world);
    assert_int_equal(hub_checkpoint_file_open(world->path, &item.done, &item.fd, &item.offset), 0);
    hub_checkpoint_upload_start(world->upload, &item);
    hub_checkpoint_upload_free(world->upload);
    world->upload = NULL;
    TURN_FOR(world->loop, 50);
    assert_false(world->loaded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_stored_is_loaded_byte_for_byte, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_stored_is_not_stored_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_its_bytes_it_only_asks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_stream_is_said, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stream_that_is_not_there_is_waited_for, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(one_that_is_damaged_is_passed_over_for_the_next, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_done_is_passed_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_start_may_be_broken_off, set_up, tear_down),
    };
    return RUN_GROUP_WITH_SERVER(tests);
}
