#include "tests/support/mailbox/hub.h"

#include "store/view.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

static void on_appended(void *context, const struct mailbox_row *row)
{
    struct test_hub *hub = context;
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
    struct test_hub *hub = context;
    const struct mailbox_effects lines = trace_effects(&hub->effects[input->position]);
    lines.passed(lines.context, input, why, reason);
    if (why == MAILBOX_QUARANTINED)
        assert_int_equal(
            view_quarantine(hub->view, input->position, reason, input->data, input->size), 0);
}

static void on_acked(void *context, struct text user, struct text device, uint32_t epoch,
                     uint64_t seq)
{
    struct test_hub *hub = context;
    const struct mailbox_effects lines =
        trace_effects(&hub->effects[mailbox_state(hub->mailbox).position]);
    lines.acked(lines.context, user, device, epoch, seq);
}

static void on_lane_moved(void *context, struct text source, uint64_t sequence)
{
    struct test_hub *hub = context;
    const struct mailbox_effects lines =
        trace_effects(&hub->effects[mailbox_state(hub->mailbox).position]);
    lines.lane_moved(lines.context, source, sequence);
}

static struct mailbox_effects lines_of(struct test_hub *hub)
{
    return trace_effects(&hub->effects[mailbox_state(hub->mailbox).position]);
}

static void on_device_dropped(void *context, struct text user, struct text device)
{
    const struct mailbox_effects lines = lines_of(context);
    lines.device_dropped(lines.context, user, device);
}

static void on_read(void *context, const struct wire_read *read)
{
    const struct mailbox_effects lines = lines_of(context);
    lines.read(lines.context, read);
}

static void on_checkpoint(void *context, uint64_t position)
{
    const struct mailbox_effects lines = lines_of(context);
    lines.checkpoint(lines.context, position);
}

/* What is to be saved at a checkpoint, as short as can be, and what waits to be told. */
static void tell_checkpoint(struct test_hub *hub)
{
    static const uint8_t key[16] = "a checkpoint";
    const struct mailbox_state now = mailbox_state(hub->mailbox);
    struct buffer *lines = &hub->effects[now.position];
    struct buffer bytes = {0};
    assert_int_equal(mailbox_save(hub->mailbox, &bytes), 0);
    const struct fingerprint print = hash_fingerprint(key, bytes.data, bytes.size);
    buffer_printf(lines, "%zu bytes saved, ", bytes.size);
    for (size_t i = 0; i < sizeof print.bytes; i++)
        buffer_printf(lines, "%02x", print.bytes[i]);
    buffer_printf(lines, ", rows expired: %" PRIu64 "\n", now.expired_rows);
    trace_notices(hub->mailbox, lines);
    buffer_free(&bytes);
}

/* Effects of a position that was applied before are compared with those of then. */
static void apply_one(struct test_hub *hub)
{
    const struct mailbox_effects effects = {.context = hub,
                                            .appended = on_appended,
                                            .passed = on_passed,
                                            .acked = on_acked,
                                            .device_dropped = on_device_dropped,
                                            .lane_moved = on_lane_moved,
                                            .checkpoint = on_checkpoint,
                                            .read = on_read};
    const size_t index = mailbox_state(hub->mailbox).position;
    const struct mailbox_input input = log_input(hub->log, index);
    struct buffer before = hub->effects[input.position];
    hub->effects[input.position] = (struct buffer){0};
    struct error_text why;
    assert_int_equal(mailbox_apply(hub->mailbox, &input, &effects, &why), 0);
    if (mailbox_state(hub->mailbox).checkpoint_position == input.position)
        tell_checkpoint(hub);
    if (hub->applied[input.position])
        assert_true(text_equal(buffer_text(&before), buffer_text(&hub->effects[input.position])));
    hub->applied[input.position] = true;
    buffer_free(&before);
}

void test_hub_apply(struct test_hub *hub, size_t batches)
{
    assert_int_equal(view_begin(hub->view), 0);
    for (size_t i = 0; i < batches && mailbox_state(hub->mailbox).position < hub->log->count; i++)
        apply_one(hub);
    assert_int_equal(view_commit(hub->view, mailbox_state(hub->mailbox).position), 0);
}

void test_hub_save(struct test_hub *hub)
{
    struct buffer bytes = {0};
    assert_int_equal(mailbox_save(hub->mailbox, &bytes), 0);
    assert_int_equal(
        view_save_state(hub->view, mailbox_state(hub->mailbox).position, bytes.data, bytes.size),
        0);
    buffer_free(&bytes);
}

static void start(struct test_hub *hub)
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

/* What a crash leaves behind: the files as they are. */
void test_hub_crash(struct test_hub *hub)
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

void test_hub_tell(struct test_hub *hub, const char *const *users, size_t count,
                   struct buffer *lines)
{
    for (size_t i = 0; i < count; i++) {
        struct mailbox_user user;
        assert_true(mailbox_find_user(hub->mailbox, text_of(users[i]), &user));
        assert_int_equal(view_read(hub->view, user.last_row, 1, SIZE_MAX, SIZE_MAX, on_row, lines),
                         0);
    }
    for (size_t i = 1; i <= hub->log->count; i++)
        buffer_append_text(lines, buffer_text(&hub->effects[i]));
    buffer_printf(lines, "%" PRIu64 " quarantined\n", view_quarantined(hub->view));
}

void test_hub_free(struct test_hub *hub)
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

struct test_hub *test_hub_new(const struct log *log, const char *name)
{
    struct test_hub *hub = calloc(1, sizeof *hub);
    assert_non_null(hub);
    assert_true(log->count <= TEST_HUB_POSITIONS_MAX);
    hub->log = log;
    snprintf(hub->path, sizeof hub->path, "%s/replay-%d-%s.db", MERIDIAN_BINARY_DIR, (int)getpid(),
             name);
    unlink(hub->path);
    start(hub);
    return hub;
}
