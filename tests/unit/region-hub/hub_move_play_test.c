/* A new home on a real NATS server, whose old home is played by the test: one that errs, lies, is
 * deposed, or gives up at the worst moment. */
#include "hub_asking.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { HEAD = 4, GENERATION = 9, MOVE = 77, MANNERS = 5 };

/* What the old home answers to questions of one kind: the first by the first of them, and so on;
 * the last one stays. */
enum manner {
    SILENT,
    FROZEN,   /* and all rows that are asked for */
    DEPOSED,  /* as an owner that is not the newest: not frozen */
    NONSENSE, /* bytes that are no frame */
    FOREIGN,  /* rows of others, of another epoch, from beyond the head; then those asked for */
    SHORT,    /* the first two rows alone */
    HOLE,     /* the last row alone */
    FENCED,   /* it gives up: the entry is written anew, and then it says so */
};

static struct play {
    struct lab *lab;
    struct bus_subscription *asks;
    enum manner freezes[MANNERS];
    enum manner pages[MANNERS];
    size_t freeze_count;
    size_t page_count;
    bool is_fenced;
} it;

static void add_row(struct wire_frame_writer *frame, const char *user, uint32_t epoch, uint64_t seq)
{
    char id[2] = {(char)('a' + seq), '\0'};
    const struct wire_entry entry = {
        .kind = WIRE_MOVE_ROW_COPY,
        .move_row = {.move = MOVE,
                     .epoch = epoch,
                     .seq = seq,
                     .at_ms = 1000,
                     .user = text_of(user),
                     .message = {.sender = TEXT("alice"), .id = text_of(id), .body = TEXT("{}")}}};
    wire_entry_write(frame, &entry);
}

static void add_rows(struct wire_frame_writer *frame, enum manner manner, uint64_t from)
{
    const uint64_t first = manner == HOLE ? HEAD : from == 0 ? 1 : from;
    const uint64_t last = manner == SHORT ? 2 : HEAD;
    if (manner == FOREIGN) {
        add_row(frame, "eve", 1, 1);
        add_row(frame, "bob", 2, 1);
        add_row(frame, "bob", 1, HEAD + 1);
    }
    for (uint64_t seq = first; seq <= last; seq++)
        add_row(frame, "bob", 1, seq);
}

static enum manner next_manner(const struct wire_move_ask *ask)
{
    if (ask->what == WIRE_MOVE_ROWS)
        return it.pages[it.page_count < MANNERS - 1 ? it.page_count++ : MANNERS - 1];
    return it.freezes[it.freeze_count < MANNERS - 1 ? it.freeze_count++ : MANNERS - 1];
}

static void answer_frame(const char *reply, const struct wire_move_ask *ask, enum manner manner)
{
    const struct wire_frame head = {.generation = manner == DEPOSED ? GENERATION - 1 : GENERATION,
                                    .region = TEXT("sin"),
                                    .from = TEXT("sin-h1")};
    const struct wire_entry state = {
        .kind = WIRE_MOVE_STATE,
        .move_state = {.code = manner == DEPOSED ? WIRE_MOVE_NOT_FROZEN
                               : it.is_fenced    ? WIRE_MOVE_GIVEN_UP
                                                 : WIRE_MOVE_FROZEN,
                       .move = MOVE,
                       .user = TEXT("bob"),
                       .region = TEXT("sin"),
                       .mailbox = {.epoch = 1, .head = HEAD, .oldest = 1}}};
    struct wire_frame_writer frame;
    struct buffer bytes = {0};
    wire_frame_begin(&frame, &bytes, &head);
    wire_entry_write(&frame, &state);
    if (ask->what == WIRE_MOVE_ROWS && !it.is_fenced)
        add_rows(&frame, manner, ask->from);
    assert_int_equal(wire_frame_end(&frame), 0);
    assert_int_equal(bus_publish(it.lab->bus, reply, NULL, bytes.data, bytes.size), 0);
    buffer_free(&bytes);
}

/* As an old home does that gives up: the entry again, as it is. */
static void write_anew(void)
{
    const struct wire_directory_entry entry = {.home = TEXT("sin"), .epoch = 1};
    struct wire_name subject = wire_directory_subject(TEXT("bob"), 1);
    struct buffer bytes = {0};
    wire_directory_entry_write(&bytes, &entry);
    assert_int_equal(
        bus_publish(it.lab->bus, subject.text, "pa.sin.0.sin-1.1", bytes.data, bytes.size), 0);
    buffer_free(&bytes);
}

static void on_ask(void *context, const struct bus_message *message)
{
    (void)context;
    struct wire_frame frame;
    struct wire_entry entry;
    char reply[WIRE_NAME_MAX];
    assert_int_equal(wire_frame_read(message->data, message->size, &frame), 0);
    assert_int_equal(wire_entry_next(&frame, &entry), 0);
    assert_int_equal(text_put(reply, sizeof reply, message->reply), 0);
    if (entry.move_ask.what == WIRE_MOVE_MOVED)
        return;
    const enum manner manner = next_manner(&entry.move_ask);
    if (manner == FENCED && !it.is_fenced)
        write_anew();
    if (manner == NONSENSE)
        assert_int_equal(bus_publish(it.lab->bus, reply, NULL, "MRF1 or not", 11), 0);
    else if (manner != SILENT)
        answer_frame(reply, &entry.move_ask, manner);
    it.is_fenced = it.is_fenced || manner == FENCED;
}

static int set_up(void **state)
{
    (void)state;
    memset(&it, 0, sizeof it);
    for (size_t i = 0; i < MANNERS; i++)
        it.freezes[i] = it.pages[i] = FROZEN;
    it.lab = lab_new();
    it.asks = bus_subscribe(it.lab->bus, "move.sin.0", on_ask, NULL);
    set_home(it.lab, "bob", "sin");
    lab_hub_start(it.lab, &it.lab->hubs[0], "dub-h1");
    return it.asks == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    bus_unsubscribe(it.asks);
    lab_free(it.lab);
    return 0;
}

/* Bob has come to dub, with all rows. */
static void expect_arrived(void)
{
    assert_int_equal(begin(it.lab, "bob", "dub").code, WIRE_MOVE_AT_HOME);
    struct asked asked = freeze(it.lab, "bob", "dub", "sin", 0);
    assert_int_equal(asked.code, WIRE_MOVE_FROZEN);
    assert_int_equal(asked.mailbox.head, HEAD);
    asked = rows(it.lab, "bob", "dub", "sin", asked.move, 0);
    assert_int_equal(asked.rows, HEAD);
    assert_int_equal(asked.first, 1);
}

static void copies_what_is_handed_over(void **state)
{
    (void)state;
    expect_arrived();
    assert_int_equal(it.page_count, 1);
}

static void takes_page_after_page(void **state)
{
    (void)state;
    it.pages[0] = SHORT;
    expect_arrived();
    assert_int_equal(it.page_count, 2);
}

static void takes_no_row_that_is_not_of_this_move(void **state)
{
    (void)state;
    it.pages[0] = FOREIGN;
    expect_arrived();
    /* Nobody else has got anything by it. */
    assert_int_equal(freeze(it.lab, "eve", "dub", "sin", 0).code, WIRE_MOVE_UNKNOWN_USER);
}

static void begins_anew_behind_a_row_that_is_missing(void **state)
{
    (void)state;
    it.pages[0] = SHORT;
    it.pages[1] = HOLE;
    expect_arrived();
    assert_in_range(it.page_count, 3, MANNERS);
}

static void asks_again_what_is_answered_by_nonsense_or_not_at_all(void **state)
{
    (void)state;
    it.freezes[0] = NONSENSE;
    it.freezes[1] = SILENT;
    it.pages[0] = NONSENSE;
    expect_arrived();
}

static void passes_over_an_owner_that_is_deposed(void **state)
{
    (void)state;
    it.pages[0] = SHORT; /* now it has heard of the newest */
    it.pages[1] = DEPOSED;
    expect_arrived();
}

static void a_decision_fails_once_the_old_home_has_given_up(void **state)
{
    (void)state;
    it.pages[0] = FENCED; /* all rows are handed over first */
    it.is_fenced = false;
    struct asked asked = begin(it.lab, "bob", "dub");
    assert_int_equal(asked.code, WIRE_MOVE_GIVEN_UP);
    assert_string_equal(asked.region, "sin");
    /* What was copied is not at home here, and the directory says so. */
    asked = freeze(it.lab, "bob", "dub", "sin", 0);
    assert_int_equal(asked.code, WIRE_MOVE_AT_HOME);
    assert_string_equal(asked.region, "sin");
    it.is_fenced = false; /* another try */
    expect_arrived();
}

#define WITH_LAB(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LAB(copies_what_is_handed_over),
        WITH_LAB(takes_page_after_page),
        WITH_LAB(takes_no_row_that_is_not_of_this_move),
        WITH_LAB(begins_anew_behind_a_row_that_is_missing),
        WITH_LAB(asks_again_what_is_answered_by_nonsense_or_not_at_all),
        WITH_LAB(passes_over_an_owner_that_is_deposed),
        WITH_LAB(a_decision_fails_once_the_old_home_has_given_up),
    };
    return RUN_GROUP_WITH_SERVER(tests);
}
