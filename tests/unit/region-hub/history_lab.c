#include "history_lab.h"

#include "bus/bus.h"

enum { MARK = 16 /* every such row is known */ };
static const int64_t now_ms = 1700000010000; /* 10 s after what is in the archive */

struct history_lab history_lab;

/* --- what is played --- */

const struct mailbox *hub_apply_mailbox(const struct hub_apply *apply)
{
    return (const struct mailbox *)apply;
}

struct view *hub_apply_view(const struct hub_apply *apply)
{
    (void)apply;
    return history_lab.view;
}

int64_t hub_apply_now_ms(const struct hub_apply *apply)
{
    (void)apply;
    return now_ms;
}

void hub_apply_view_failed(struct hub_apply *apply, int error)
{
    (void)apply;
    history_lab.view_error = error;
    hub_history_serve(history_lab.history, 0); /* as a shard that stands down */
}

bool mailbox_find_user(const struct mailbox *mailbox, struct text user,
                       struct mailbox_user *ret_user)
{
    (void)mailbox;
    if (!text_equal(user, history_lab.user.name))
        return false;
    *ret_user = history_lab.user;
    return true;
}

bool mailbox_move_of(const struct mailbox *mailbox, struct text user, struct mailbox_move *ret_move)
{
    (void)mailbox;
    if (!text_equal(user, history_lab.user.name) || history_lab.move.where == MAILBOX_AT_HOME)
        return false;
    *ret_move = history_lab.move;
    return true;
}

uint64_t mailbox_row_near(const struct mailbox_user *user, uint64_t seq)
{
    if (seq > user->head)
        return 0;
    const uint64_t mark = (seq + MARK - 1) / MARK * MARK;
    return mark < user->head ? mark : user->head;
}

int bus_publish(struct bus *bus, const char *subject, const char *reply, const void *data,
                size_t size)
{
    struct wire_frame frame;
    struct wire_entry entry;
    (void)bus;
    assert_string_equal(subject, "_INBOX_sin-1.7");
    assert_null(reply);
    assert_int_equal(wire_frame_read(data, size, &frame), 0);
    assert_int_equal(frame.generation, 5);
    assert_int_equal(wire_entry_next(&frame, &entry), 0);
    const struct wire_history_page page = entry.history_page;
    history_lab.answers++;
    history_lab.code = page.code;
    history_lab.request = page.request;
    buffer_clear(&history_lab.told);
    while (wire_entry_next(&frame, &entry) == 0) {
        const struct wire_history_row *row = &entry.history_row;
        char body[64];
        snprintf(body, sizeof body, "%" PRIu32 ".%" PRIu64, row->epoch, row->seq);
        assert_true(text_equal(row->body, text_of(body)));
        buffer_printf(&history_lab.told, "%" PRIu32 ":%" PRIu64 " ", row->epoch, row->seq);
    }
    buffer_printf(&history_lab.told, "%s%.*s", (page.flags & WIRE_HISTORY_MORE) != 0 ? "+" : "",
                  TEXT_ARGS(page.reason));
    buffer_append(&history_lab.told, "", 1);
    return 0;
}

/* --- the lab --- */

static const struct catalogue_region region = {.name = "sin", .shards = 1};

struct hub_history *history_lab_new(unsigned shard, int64_t answer_max_ms)
{
    struct hub_history *history =
        hub_history_new(&(struct hub_history_settings){.loop = history_lab.loop,
                                                       .apply = (struct hub_apply *)&history_lab,
                                                       .reader = history_lab.reader,
                                                       .region = &region,
                                                       .shard = shard,
                                                       .hub = "sin-h1",
                                                       .answer_max_ms = answer_max_ms});
    assert_non_null(history);
    hub_history_serve(history, 5);
    return history;
}

void history_lab_start_reader(void)
{
    struct error_text why = {0};
    history_lab.reader = hub_archive_reader_start(&history_lab.file.settings, &why);
    if (history_lab.reader == NULL)
        fail_msg("%s", why.text);
    hub_history_free(history_lab.history);
    history_lab.history = history_lab_new(0, HISTORY_PATIENCE_MS);
}

void history_lab_stop_reader(void)
{
    hub_history_free(history_lab.history);
    hub_archive_reader_stop(history_lab.reader);
    assert_int_equal(
        hub_archive_reader_join(history_lab.reader, clock_monotonic_ms() + HISTORY_PATIENCE_MS), 0);
    history_lab.reader = NULL;
    history_lab.history = history_lab_new(0, HISTORY_PATIENCE_MS);
}

static void remove_view(void)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
        char name[400];
        snprintf(name, sizeof name, "%s%s", history_lab.view_path, suffixes[i]);
        unlink(name);
    }
}

void history_lab_append(uint32_t epoch, uint64_t first, uint64_t last, uint16_t flags)
{
    assert_int_equal(view_begin(history_lab.view), 0);
    for (uint64_t seq = first; seq <= last; seq++) {
        char body[64];
        snprintf(body, sizeof body, "%" PRIu32 ".%" PRIu64, epoch, seq);
        const struct view_row row = {.row = seq,
                                     .previous_row = seq - 1,
                                     .position = seq,
                                     .user = TEXT("bob"),
                                     .epoch = epoch,
                                     .seq = seq,
                                     .at_ms = now_ms,
                                     .flags = flags,
                                     .sender = TEXT("alice"),
                                     .device = TEXT(""),
                                     .id = TEXT("m1"),
                                     .body = text_of(body)};
        assert_int_equal(view_append(history_lab.view, &row), 0);
    }
    assert_int_equal(view_commit(history_lab.view, last), 0);
    history_lab.user =
        (struct mailbox_user){.name = TEXT("bob"), .epoch = epoch, .head = last, .oldest = 1};
}

void history_lab_trim(uint64_t below)
{
    bool more = true;
    while (more)
        assert_int_equal(view_trim(history_lab.view, below, 1000, &more), 0);
}

int history_lab_set_up(void **state)
{
    struct error_text why = {0};
    (void)state;
    history_lab = (struct history_lab){0};
    archive_file_init(&history_lab.file, "history");
    snprintf(history_lab.view_path, sizeof history_lab.view_path, "%s/history-%d.view",
             MERIDIAN_BINARY_DIR, (int)getpid());
    remove_view();
    assert_int_equal(view_open(history_lab.view_path, &history_lab.view, &why), 0);
    history_lab.loop = loop_new();
    assert_non_null(history_lab.loop);
    history_lab_start_reader();
    return 0;
}

int history_lab_tear_down(void **state)
{
    (void)state;
    history_lab_stop_reader();
    hub_history_free(history_lab.history);
    view_close(history_lab.view);
    remove_view();
    loop_free(history_lab.loop);
    buffer_free(&history_lab.told);
    archive_file_done(&history_lab.file);
    return 0;
}

struct wire_history_ask history_lab_ask_of(uint8_t flags, uint32_t epoch, uint64_t seq,
                                           uint16_t rows)
{
    static uint64_t requests;
    return (struct wire_history_ask){.request = ++requests,
                                     .user = TEXT("bob"),
                                     .flags = flags,
                                     .epoch = epoch,
                                     .seq = seq,
                                     .rows_max = rows,
                                     .bytes_max = 100000};
}

void history_lab_ask(const struct wire_history_ask *asked)
{
    hub_history_ask(history_lab.history, TEXT("_INBOX_sin-1.7"), asked);
}

void history_lab_wait(unsigned count)
{
    const int64_t due_ms = clock_monotonic_ms() + HISTORY_PATIENCE_MS;
    while (history_lab.answers < count && clock_monotonic_ms() < due_ms) {
        (void)loop_turn(history_lab.loop, 20);
        hub_history_tick(history_lab.history);
    }
    assert_int_equal(history_lab.answers, count);
}

void history_lab_expect(const struct wire_history_ask *asked, const char *told)
{
    const unsigned answers = history_lab.answers;
    history_lab_ask(asked);
    history_lab_wait(answers + 1);
    assert_int_equal(history_lab.code, WIRE_OK);
    assert_true(history_lab.request == asked->request);
    if (strcmp((const char *)history_lab.told.data, told) != 0)
        fail_msg("%u %u:%" PRIu64 ", %u rows: \"%s\", should be \"%s\"", asked->flags, asked->epoch,
                 asked->seq, asked->rows_max, (const char *)history_lab.told.data, told);
}

void history_lab_expect_all(const struct history_expectation *expected, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct wire_history_ask asked = history_lab_ask_of(
            expected[i].flags, expected[i].epoch, expected[i].seq, expected[i].rows);
        history_lab_expect(&asked, expected[i].told);
    }
}

void history_lab_make_two_epochs(void)
{
    archive_file_add(&history_lab.file, 1, 1, 10);
    archive_file_add(&history_lab.file, 2, 11, 40);
    history_lab_append(1, 1, 10, 0);
    history_lab_append(2, 11, 60, 0);
    history_lab_trim(31);
}
