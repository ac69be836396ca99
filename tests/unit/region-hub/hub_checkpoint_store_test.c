/* Storing checkpoints in a real stream, and finding them there. */
#include "region-hub/hub_checkpoint.h"
#include "region-hub/hub_checkpoint_file.h"
#include "region-hub/hub_checkpoint_load.h"
#include "region-hub/hub_checkpoint_upload.h"
#include "region-hub/hub_seen.h"
#include "region-hub/hub_stream.h"
#include "store/segment.h"
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

enum {
    USERS = 9000,          /* a state of more than one part */
    GENERATION_MS = 20000, /* of the dedupe set: an eighth of the window */
};

struct world {
    struct server server;
    struct loop *loop;
    struct bus *bus;
    char path[128];
    char segments[128]; /* the folder that a load fills */
    struct mailbox *mailbox;
    struct hub_checkpoint_upload *upload;
    bool ended;
    int err;
    struct hub_checkpoint_load *load;
    bool loaded;
    uint64_t position;    /* 0: none was found */
    struct mailbox *kept; /* what was loaded last */
};

/* --- a shard with many users --- */

static void apply_at(struct mailbox *mailbox, int64_t time_ms, struct wire_batch_writer *writer,
                     struct buffer *bytes, enum wire_writer who)
{
    static const struct mailbox_effects nothing;
    struct error_text why = {0};
    assert_int_equal(wire_batch_end(writer), 0);
    const struct mailbox_input input = {
        .position = mailbox_state(mailbox).position + 1,
        .time_ms = time_ms,
        .writer = who,
        .source = TEXT(""),
        .data = bytes->data,
        .size = bytes->size,
    };
    assert_int_equal(mailbox_apply(mailbox, &input, &nothing, &why), 0);
    buffer_free(bytes);
}

static void add_user_at(struct mailbox *mailbox, unsigned number, int64_t time_ms)
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
    apply_at(mailbox, time_ms, &writer, &bytes, WIRE_BY_EDGE);
}

static void add_user(struct mailbox *mailbox, unsigned number)
{
    add_user_at(mailbox, number, 1000);
}

static struct mailbox *begin_mailbox(uint8_t incarnation)
{
    struct wire_genesis genesis = {.region = TEXT("sin"),
                                   .destination = TEXT(""),
                                   .shards = 1,
                                   .hash_name = TEXT(HASH_SHARD_NAME),
                                   .hash_version = HASH_SHARD_VERSION};
    const struct wire_config config = {.level = 2,
                                       .dedupe_window_s = 160,
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
    apply_at(mailbox, 1000, &writer, &bytes, WIRE_BY_HUB);
    return mailbox;
}

static struct mailbox *make_mailbox(uint8_t incarnation)
{
    struct mailbox *mailbox = begin_mailbox(incarnation);
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
    snprintf(world->segments, sizeof world->segments, "%s/sin-0.seen", world->server.folder);
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
    mailbox_free(world->kept);
    (void)!segment_clean(world->segments, NULL, NULL);
    (void)rmdir(world->segments);
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

static int find_nothing(void *context, void *handle, const struct fingerprint *print,
                        uint32_t *ret_epoch, uint64_t *ret_seq)
{
    (void)context;
    (void)handle;
    (void)print;
    (void)ret_epoch;
    (void)ret_seq;
    return 0;
}

static void on_loaded(void *context, struct mailbox *mailbox, const struct buffer *bytes)
{
    struct world *world = context;
    world->loaded = true;
    if (mailbox != NULL) {
        struct buffer again = {0};
        world->position = mailbox_state(mailbox).position;
        mailbox_set_store(mailbox, &(struct mailbox_store){.find = find_nothing});
        assert_int_equal(mailbox_save(mailbox, &again), 0);
        assert_int_equal(again.size, bytes->size);
        assert_memory_equal(again.data, bytes->data, bytes->size);
        buffer_free(&again);
        mailbox_free(world->kept);
        world->kept = mailbox;
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
        .segments = world->segments,
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

static void nothing_happens(void *context)
{
    (void)context;
}

static void must_not_be_damaged(void *context, int error)
{
    (void)context;
    fail_msg("damaged: %d", error);
}

static struct hub_seen *open_seen(struct world *world, const char *name, struct mailbox *mailbox)
{
    char path[128];
    struct error_text why = {0};
    snprintf(path, sizeof path, "%s/%s.view", world->server.folder, name);
    struct hub_seen *seen =
        hub_seen_new(&(struct hub_seen_settings){.loop = world->loop,
                                                 .view_path = path,
                                                 .on_stored = nothing_happens,
                                                 .on_damaged = must_not_be_damaged});
    assert_non_null(seen);
    assert_int_equal(hub_seen_attach(seen, mailbox, &why), 0);
    return seen;
}

static void make_checkpoint(struct world *world, struct hub_checkpoint *checkpoint, int64_t time_ms)
{
    struct buffer bytes = {0};
    struct wire_batch_writer writer;
    wire_batch_begin(&writer, &bytes);
    wire_checkpoint_write(&writer, &(struct wire_checkpoint){.generation = 0});
    apply_at(world->mailbox, time_ms, &writer, &bytes, WIRE_BY_HUB);
    struct mailbox_state mailbox = mailbox_state(world->mailbox);
    assert_true(mailbox.checkpoint_position == mailbox.position);
    hub_checkpoint_take(checkpoint, world->mailbox);
    struct hub_checkpoint_item question = item_of(world);
    while (start(world, &question) != 0) {
        hub_checkpoint_serve(checkpoint, NULL, &mailbox, &(struct mailbox_moving){0},
                             mailbox.time_ms);
        TURN_FOR(world->loop, 20);
        question = item_of(world);
    }
}

static void what_it_refers_to_is_stored_before_it_and_loaded_with_it(void **state)
{
    struct world *world = *state;
    create_stream(world, "");
    mailbox_free(world->mailbox);
    world->mailbox = begin_mailbox(1);
    struct hub_seen *seen = open_seen(world, "source", world->mailbox);
    for (unsigned i = 0; i < 4; i++) /* each time closes what is before it */
        add_user_at(world->mailbox, i, 1000 + (int64_t)(i + 1) * GENERATION_MS);
    hub_seen_applied(seen);
    WAIT_FOR(world->loop, 20000, hub_seen_is_stored(seen));
    struct mailbox_segment segment;
    assert_true(mailbox_segment_at(world->mailbox, 1, &segment));

    struct hub_checkpoint *checkpoint =
        hub_checkpoint_new(&(struct hub_checkpoint_settings){.loop = world->loop,
                                                             .bus = world->bus,
                                                             .region = "sin",
                                                             .path = world->path,
                                                             .segments = hub_seen_folder(seen),
                                                             .interval_ms = 86400000,
                                                             .retry_min_ms = 100,
                                                             .retry_max_ms = 1000});
    make_checkpoint(world, checkpoint, 2000 + 4 * GENERATION_MS);
    assert_null(hub_checkpoint_warning(checkpoint));

    uint64_t position = mailbox_state(world->mailbox).position;
    assert_int_equal(load(world, 1), position);
    struct hub_seen *other = open_seen(world, "sin-0", world->kept);
    uint64_t rows = mailbox_state(world->kept).rows;
    for (unsigned i = 0; i < 4; i++) /* repeats */
        add_user_at(world->kept, i, 3000 + 4 * GENERATION_MS);
    assert_true(mailbox_state(world->kept).rows == rows);
    add_user_at(world->kept, 99, 3000 + 4 * GENERATION_MS);
    assert_true(mailbox_state(world->kept).rows == rows + 1);
    hub_seen_free(other);
    assert_int_equal(load(world, 1), position); /* what is on the disk is not fetched again */

    /* Damage in a segment that is fetched. */
    assert_int_equal(segment_clean(world->segments, NULL, NULL), 0);
    static const uint8_t other_bytes[64];
    char subject[64];
    snprintf(subject, sizeof subject, "ckpt.sin.0.d%llu.0", (unsigned long long)segment.id);
    publish(world, subject, other_bytes, sizeof other_bytes);
    assert_int_equal(load(world, 1), 0);

    char folder[160];
    snprintf(folder, sizeof folder, "%s", hub_seen_folder(seen));
    hub_checkpoint_free(checkpoint);
    hub_seen_free(seen);
    assert_int_equal(segment_clean(folder, NULL, NULL), 0);
    (void)rmdir(folder);
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
        cmocka_unit_test_setup_teardown(what_it_refers_to_is_stored_before_it_and_loaded_with_it,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_start_may_be_broken_off, set_up, tear_down),
    };
    return RUN_GROUP_WITH_SERVER(tests);
}
