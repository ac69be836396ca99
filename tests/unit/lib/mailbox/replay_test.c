/* One log, applied in different chunks, with crashes in the middle: the states, the rows and all
 * effects must be the same. The view stores what the mailbox decides, as a hub does it. */
#include "store/view.h"
#include "world.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum { BATCHES = 400, USERS = 7, CRASHES_MAX = 12 };

/* The position with what was effected there, so that what is applied twice shows once. */
struct hub {
    const struct log *log;
    char path[256];
    struct mailbox *mailbox;
    struct view *view;
    struct buffer effects[BATCHES + 3]; /* at each position */
    bool fresh[BATCHES + 3];
};

static void write_log(struct log *log)
{
    const struct wire_genesis genesis = world_genesis();
    struct wire_config config = world_config();
    config.mailbox_max_messages = 200;
    log_begin(log);
    log_genesis(log, &genesis);
    log_by_hub(log);
    log_begin(log);
    log_config(log, &config);
    log_own(log, "hub-1", 11, 0);
    log_by_hub(log);
    for (uint64_t i = 0; i < BATCHES; i++) {
        char id[16];
        char user[16];
        log->now_ms += 3000;
        log_begin(log);
        for (uint64_t j = 0; j < 1 + i % 4; j++) {
            snprintf(id, sizeof id, "m%d", (int)(i * 3 + j));
            snprintf(user, sizeof user, "user%d", (int)((i + j * j) % USERS));
            log_message(log, "alice", id, user);
        }
        if (i % 3 == 0)
            log_by_edge(log);
        else if (i % 3 == 1)
            log_by_lane(log, "sin", 'a', i + 1, i < 3 ? 0 : i - 2);
        else {
            log_ack(log, 2, user, "phone", 1, i / 50);
            log_by_hub(log);
        }
        if (i % 29 == 0)
            log_last(log)->data[WIRE_BATCH_HEADER_SIZE] ^= 1;
    }
}

static void on_appended(void *context, const struct mailbox_row *row)
{
    struct hub *hub = context;
    const struct mailbox_effects lines = trace_effects(&hub->effects[row->position]);
    lines.appended(lines.context, row);
    const struct wire_message *message = row->message;
    struct view_row stored = {.row = row->row,
                              .previous_row = row->previous_row,
                              .position = row->position,
                              .user = row->user,
                              .epoch = row->epoch,
                              .seq = row->seq,
                              .at_ms = row->at_ms,
                              .created_ms = message->created_ms,
                              .ttl_s = message->ttl_s,
                              .flags = message->flags,
                              .wants = message->wants,
                              .sender = message->sender,
                              .device = message->device,
                              .id = message->id,
                              .body = message->body};
    memcpy(stored.trace, message->trace, sizeof stored.trace);
    assert_int_equal(view_append(hub->view, &stored), 0);
}

static void on_passed(void *context, const struct mailbox_input *input, enum mailbox_passed why,
                      const char *reason)
{
    struct hub *hub = context;
    const struct mailbox_effects lines = trace_effects(&hub->effects[input->position]);
    lines.passed(lines.context, input, why, reason);
    if (why == MAILBOX_QUARANTINED)
        assert_int_equal(
            view_quarantine(hub->view, input->position, reason, input->data, input->size), 0);
}

static void on_acked(void *context, struct text user, struct text device, uint32_t epoch,
                     uint64_t seq)
{
    struct hub *hub = context;
    const struct mailbox_effects lines =
        trace_effects(&hub->effects[mailbox_state(hub->mailbox).position]);
    lines.acked(lines.context, user, device, epoch, seq);
}

static void on_lane_moved(void *context, struct text source, uint64_t sequence)
{
    struct hub *hub = context;
    const struct mailbox_effects lines =
        trace_effects(&hub->effects[mailbox_state(hub->mailbox).position]);
    lines.lane_moved(lines.context, source, sequence);
}

/* Effects of a position that was applied before are compared with those of then. */
static void apply_one(struct hub *hub)
{
    const struct mailbox_effects effects = {.context = hub,
                                            .appended = on_appended,
                                            .passed = on_passed,
                                            .acked = on_acked,
                                            .lane_moved = on_lane_moved};
    const size_t index = mailbox_state(hub->mailbox).position;
    const struct mailbox_input input = log_input(hub->log, index);
    struct buffer before = hub->effects[input.position];
    hub->effects[input.position] = (struct buffer){0};
    struct error_text why;
    assert_int_equal(mailbox_apply(hub->mailbox, &input, &effects, &why), 0);
    if (hub->fresh[input.position])
        assert_true(text_equal(buffer_text(&before), buffer_text(&hub->effects[input.position])));
    hub->fresh[input.position] = true;
    buffer_free(&before);
}

static void apply_chunk(struct hub *hub, size_t size)
{
    assert_int_equal(view_begin(hub->view), 0);
    for (size_t i = 0; i < size && mailbox_state(hub->mailbox).position < hub->log->count; i++)
        apply_one(hub);
    assert_int_equal(view_commit(hub->view, mailbox_state(hub->mailbox).position), 0);
}

static void save(struct hub *hub)
{
    struct buffer bytes = {0};
    assert_int_equal(mailbox_save(hub->mailbox, &bytes), 0);
    assert_int_equal(
        view_save_state(hub->view, mailbox_state(hub->mailbox).position, bytes.data, bytes.size),
        0);
    buffer_free(&bytes);
}

static void start(struct hub *hub)
{
    struct error_text why;
    struct buffer bytes = {0};
    uint64_t position;
    assert_int_equal(view_open(hub->path, &hub->view, &why), 0);
    int error = view_load_state(hub->view, &position, &bytes);
    if (error == -ENOENT) {
        hub->mailbox = mailbox_new();
    } else {
        assert_int_equal(error, 0);
        assert_int_equal(mailbox_load(bytes.data, bytes.size, &hub->mailbox), 0);
        assert_int_equal(mailbox_state(hub->mailbox).position, position);
        assert_true(position <= view_position(hub->view));
    }
    buffer_free(&bytes);
}

static void copy_file(const char *from, const char *to, const char *suffix)
{
    char name[300];
    snprintf(name, sizeof name, "%s%s", from, suffix);
    int in = open(name, O_RDONLY | O_CLOEXEC);
    if (in < 0)
        return;
    snprintf(name, sizeof name, "%s%s", to, suffix);
    int out = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(out >= 0);
    char bytes[65536];
    ssize_t size;
    while ((size = read(in, bytes, sizeof bytes)) > 0)
        assert_int_equal(write(out, bytes, (size_t)size), size);
    close(in);
    close(out);
}

/* What a crash leaves behind: the files as they are, in the middle of a transaction. */
static void crash(struct hub *hub)
{
    char left[300];
    assert_int_equal(view_begin(hub->view), 0);
    for (size_t i = 0; i < 3 && mailbox_state(hub->mailbox).position < hub->log->count; i++)
        apply_one(hub);
    snprintf(left, sizeof left, "%s-left", hub->path);
    copy_file(hub->path, left, "");
    copy_file(hub->path, left, "-wal");
    view_close(hub->view);
    mailbox_free(hub->mailbox);
    assert_int_equal(view_discard(hub->path), 0);
    copy_file(left, hub->path, "");
    copy_file(left, hub->path, "-wal");
    unlink(left);
    snprintf(left, sizeof left, "%s-left-wal", hub->path);
    unlink(left);
    start(hub);
}

static bool on_row(void *context, const struct view_row *row)
{
    buffer_printf(context, "%" PRIu64 "<%" PRIu64 " at %" PRIu64 " %.*s %" PRIu64 " %.*s %.*s\n",
                  row->row, row->previous_row, row->position, TEXT_ARGS(row->user), row->seq,
                  TEXT_ARGS(row->id), TEXT_ARGS(row->body));
    return true;
}

static void read_all(struct hub *hub, struct buffer *lines)
{
    for (int i = 0; i < USERS; i++) {
        char name[16];
        snprintf(name, sizeof name, "user%d", i);
        struct mailbox_user user;
        assert_true(mailbox_find_user(hub->mailbox, text_of(name), &user));
        assert_int_equal(view_read(hub->view, user.last_row, 1, SIZE_MAX, SIZE_MAX, on_row, lines),
                         0);
    }
    for (size_t i = 1; i <= hub->log->count; i++)
        buffer_append_text(lines, buffer_text(&hub->effects[i]));
    buffer_printf(lines, "%" PRIu64 " quarantined\n", view_quarantined(hub->view));
}

static void stop(struct hub *hub)
{
    char name[300];
    view_close(hub->view);
    mailbox_free(hub->mailbox);
    unlink(hub->path);
    snprintf(name, sizeof name, "%s.damaged", hub->path);
    unlink(name);
    for (size_t i = 0; i < COUNT_OF(hub->effects); i++)
        buffer_free(&hub->effects[i]);
    free(hub);
}

static struct hub *new_hub(const struct log *log, const char *name)
{
    struct hub *hub = calloc(1, sizeof *hub);
    assert_non_null(hub);
    hub->log = log;
    snprintf(hub->path, sizeof hub->path, "%s/replay-%d-%s.db", MERIDIAN_BINARY_DIR, (int)getpid(),
             name);
    unlink(hub->path);
    start(hub);
    return hub;
}

static void run(struct hub *hub, size_t chunk, size_t save_every, size_t crash_every)
{
    for (size_t i = 1; mailbox_state(hub->mailbox).position < hub->log->count; i++) {
        apply_chunk(hub, chunk);
        if (save_every > 0 && i % save_every == 0)
            save(hub);
        if (crash_every > 0 && i % crash_every == 0 && i / crash_every <= CRASHES_MAX)
            crash(hub);
    }
}

static void chunks_and_crashes_change_nothing(void **state)
{
    (void)state;
    struct log log = {0};
    write_log(&log);
    struct hub *at_once = new_hub(&log, "once");
    run(at_once, log.count, 0, 0);
    struct buffer expected = {0};
    read_all(at_once, &expected);
    assert_true(mailbox_state(at_once->mailbox).rows > BATCHES);

    static const size_t ways[][3] = {{1, 0, 0},  {7, 3, 0},  {5, 2, 3}, {5, 3, 4},
                                     {13, 1, 1}, {60, 0, 6}, {64, 2, 3}};
    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        struct hub *hub = new_hub(&log, "chunks");
        run(hub, ways[i][0], ways[i][1], ways[i][2]);
        assert_equal_states(hub->mailbox, at_once->mailbox);
        struct buffer lines = {0};
        read_all(hub, &lines);
        assert_int_equal(lines.size, expected.size);
        assert_memory_equal(lines.data, expected.data, expected.size);
        buffer_free(&lines);
        stop(hub);
    }
    buffer_free(&expected);
    stop(at_once);
    log_free(&log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(chunks_and_crashes_change_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
