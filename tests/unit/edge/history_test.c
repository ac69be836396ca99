/* What an ask for history may say, what its answer must be, and how it is told. The bus is
 * played. */
#include "edge/edge_history.h"

#include "json/json.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct {
    struct edge_settings settings;
    struct catalogue *catalogue;
    struct edge_history *history;
    /* The last request. */
    int error;
    struct bus_request *request;
    char subject[100];
    struct wire_history_ask asked;
    char user[TEXT_USER_MAX];
    /* The last outcome. */
    unsigned answers;
    enum edge_history_outcome outcome;
    struct buffer json;
} it;

int bus_request(struct bus *bus, struct bus_request *request, const char *subject, const void *data,
                size_t size, int64_t timeout_ms)
{
    struct wire_frame frame;
    struct wire_entry entry;
    (void)bus;
    assert_int_equal(timeout_ms, EDGE_HISTORY_TIMEOUT_MS);
    if (it.error != 0)
        return it.error;
    assert_int_equal(wire_frame_read(data, size, &frame), 0);
    assert_int_equal(frame.generation, 0);
    assert_int_equal(wire_entry_next(&frame, &entry), 0);
    assert_int_equal(entry.kind, WIRE_HISTORY_ASK);
    assert_int_equal(wire_entry_next(&frame, &entry), -ENODATA);
    snprintf(it.subject, sizeof it.subject, "%s", subject);
    it.asked = entry.history_ask;
    memcpy(it.user, it.asked.user.data, it.asked.user.size);
    it.asked.user.data = it.user;
    it.request = request;
    return 0;
}

void bus_request_cancel(struct bus_request *request)
{
    if (it.request == request)
        it.request = NULL;
}

static void on_answer(struct edge_history_ask *ask, enum edge_history_outcome outcome,
                      const struct edge_history_page *page)
{
    assert_null(ask->history);
    it.answers++;
    it.outcome = outcome;
    assert_int_equal(outcome == EDGE_HISTORY_PAGE, page != NULL);
    buffer_clear(&it.json);
    if (page != NULL)
        edge_history_write(&it.json, page);
}

static int begin(void **state)
{
    (void)state;
    memset(&it, 0, sizeof it);
    settings_defaults(edge_settings_table, &it.settings);
    strcpy(it.settings.name, "local-1");
    it.catalogue = catalogue_load_file(MERIDIAN_SOURCE_DIR "/config/single.yaml", NULL);
    it.history = edge_history_new(
        &(struct edge_history_settings){.catalogue = it.catalogue, .edge = &it.settings});
    return it.catalogue == NULL || it.history == NULL ? -1 : 0;
}

static int end(void **state)
{
    (void)state;
    edge_history_free(it.history);
    catalogue_free(it.catalogue);
    buffer_free(&it.json);
    return 0;
}

static void a_query_is_held_to_its_rules(void **state)
{
    (void)state;
    static const struct {
        const char *before, *after;
        uint64_t limit;
        const char *wrong; /* a part of it; NULL: good */
        struct edge_history_query query;
    } rows[] = {
        {"", "", 0, NULL, {0, 0, 0, 50}},
        {"", "", 1, NULL, {0, 0, 0, 1}},
        {"", "", 200, NULL, {0, 0, 0, 200}},
        {"", "", 201, "limit is more", {0}},
        {"", "", UINT64_MAX, "limit is more", {0}},
        {"1:57", "", 9, NULL, {WIRE_HISTORY_BEFORE, 1, 57, 9}},
        {"", "2:3", 9, NULL, {WIRE_HISTORY_AFTER, 2, 3, 9}},
        {"4294967295:18446744073709551614",
         "",
         9,
         NULL,
         {WIRE_HISTORY_BEFORE, UINT32_MAX, UINT64_MAX - 1, 9}},
        {"0:0", "", 9, NULL, {WIRE_HISTORY_BEFORE, 0, 0, 9}},
        {"1:1", "1:1", 9, "exclude", {0}},
        {"1", "", 9, "cursor", {0}},
        {"", "1:", 9, "cursor", {0}},
        {":1", "", 9, "cursor", {0}},
        {"1:1:1", "", 9, "cursor", {0}},
        {"-1:1", "", 9, "cursor", {0}},
        {"1: 1", "", 9, "cursor", {0}},
        {"4294967296:1", "", 9, "cursor", {0}},
        {"1:18446744073709551615", "", 9, "cursor", {0}},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct edge_history_query query = {.limit = 7777};
        const char *wrong = edge_history_query(text_of(rows[i].before), text_of(rows[i].after),
                                               rows[i].limit, &it.settings, &query);
        if (rows[i].wrong != NULL) {
            assert_non_null(wrong);
            assert_non_null(strstr(wrong, rows[i].wrong));
            assert_int_equal(query.limit, 7777); /* untouched */
            continue;
        }
        if (wrong != NULL)
            fail_msg("row %zu: %s", i, wrong);
        assert_int_equal(query.flags, rows[i].query.flags);
        assert_int_equal(query.epoch, rows[i].query.epoch);
        assert_true(query.seq == rows[i].query.seq);
        assert_int_equal(query.limit, rows[i].query.limit);
    }
    struct edge_history_query query;
    it.settings.history_messages_max = 20;
    assert_null(edge_history_query(TEXT(""), TEXT(""), 0, &it.settings, &query));
    assert_int_equal(query.limit, 20);
    assert_non_null(edge_history_query(TEXT(""), TEXT(""), 21, &it.settings, &query));
}

static void a_query_of_a_url_is_held_to_them_too(void **state)
{
    (void)state;
    static const struct {
        const char *query;
        bool wants;
        bool good;
        struct edge_history_query read;
    } rows[] = {
        {"", false, true, {0, 0, 0, 50}},
        {"limit=5&after=1:1", false, false, {0}},
        {"before=", true, true, {0, 0, 0, 50}},
        {"before", true, true, {0, 0, 0, 50}},
        {"limit=3&before=1%3A7", true, true, {WIRE_HISTORY_BEFORE, 1, 7, 3}},
        {"before=1:7&before=x", true, true, {WIRE_HISTORY_BEFORE, 1, 7, 50}}, /* the first */
        {"before=1:7&after=1:1", true, false, {0}},
        {"before=1:7&after=", true, false, {0}},
        {"before=%", true, false, {0}},
        {"before=+1:7", true, false, {0}},
        {"before=1:7&limit=", true, false, {0}},
        {"before=1:7&limit=0", true, false, {0}},
        {"before=1:7&limit=-1", true, false, {0}},
        {"before=1:7&limit=201", true, false, {0}},
        {"before=1:7&limit=99999999999999999999", true, false, {0}},
        {"before=0000000000000000000000000000000000000000000000000000000000000000001:7",
         true,
         false,
         {0}},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct edge_history_query query = {0};
        const struct text text = text_of(rows[i].query);
        const char *wrong = edge_history_query_url(text, &it.settings, &query);
        assert_int_equal(edge_history_is_wanted(text), rows[i].wants);
        if ((wrong == NULL) != rows[i].good)
            fail_msg("%s: %s", rows[i].query, wrong == NULL ? "taken" : wrong);
        assert_int_equal(query.flags, rows[i].read.flags);
        assert_int_equal(query.seq, rows[i].read.seq);
        assert_int_equal(query.limit, rows[i].read.limit);
    }
}

static enum edge_history_outcome ask(struct edge_history_ask *ask)
{
    ask->on_answer = on_answer;
    return edge_history_ask(it.history, ask, 0, TEXT("bob"), TEXT(""),
                            &(struct edge_history_query){WIRE_HISTORY_BEFORE, 1, 57, 20});
}

/* A frame with a page of `count` and rows of these seqs (0 ends them), answering `request`. */
static void answer(struct bus_request *request, uint64_t number, uint8_t code, uint16_t count,
                   const uint64_t seqs[4], const char *reason)
{
    const struct wire_frame head = {
        .generation = 5, .region = TEXT("local"), .from = TEXT("local-h1")};
    struct wire_entry entry = {
        .kind = WIRE_HISTORY_PAGE,
        .history_page = {number, code, WIRE_HISTORY_MORE, count, text_of(reason)}};
    struct buffer bytes = {0};
    struct wire_frame_writer writer;
    wire_frame_begin(&writer, &bytes, &head);
    wire_entry_write(&writer, &entry);
    for (size_t i = 0; i < 4 && seqs[i] != 0; i++) {
        entry = (struct wire_entry){.kind = WIRE_HISTORY_ROW,
                                    .history_row = {.epoch = 1,
                                                    .seq = seqs[i],
                                                    .at_ms = 1790000000000,
                                                    .sender = TEXT("al\"ice"),
                                                    .id = TEXT("m\\1"),
                                                    .body = TEXT("{ \"text\" : 1e2 }")}};
        wire_entry_write(&writer, &entry);
    }
    assert_int_equal(wire_frame_end(&writer), 0);
    const struct bus_message message = {.data = bytes.data, .size = bytes.size};
    assert_false(request->on_answer(request, BUS_ANSWER, &message));
    buffer_free(&bytes);
}

static void an_ask_says_what_is_wanted(void **state)
{
    (void)state;
    struct edge_history_ask asking = {0};
    assert_int_equal(ask(&asking), EDGE_HISTORY_PAGE);
    assert_non_null(strstr(it.subject, "hub.local."));
    assert_non_null(strstr(it.subject, ".history"));
    assert_true(text_equal(it.asked.user, TEXT("bob")));
    assert_int_equal(it.asked.flags, WIRE_HISTORY_BEFORE);
    assert_int_equal(it.asked.epoch, 1);
    assert_int_equal(it.asked.seq, 57);
    assert_int_equal(it.asked.rows_max, 20);
    assert_int_equal(it.asked.bytes_max, EDGE_HISTORY_BYTES_MAX);
    edge_history_cancel(&asking);
    assert_null(it.request);
    edge_history_cancel(&asking);
    it.settings.pending_max = 16384; /* a page must not be what a client is closed for */
    assert_int_equal(ask(&asking), EDGE_HISTORY_PAGE);
    assert_int_equal(it.asked.bytes_max, 8192);
    edge_history_cancel(&asking);
}

static void a_page_is_told_as_it_came(void **state)
{
    (void)state;
    struct edge_history_ask asking = {0};
    struct json_value value;
    struct buffer whole = {0};
    assert_int_equal(ask(&asking), EDGE_HISTORY_PAGE);
    answer(it.request, it.asked.request, WIRE_OK, 2, (const uint64_t[4]){7, 9}, "");
    assert_int_equal(it.outcome, EDGE_HISTORY_PAGE);
    assert_true(text_equal(
        buffer_text(&it.json),
        TEXT("\"messages\":[{\"cursor\":\"1:7\",\"id\":\"m\\\\1\",\"from\":\"al\\\"ice\","
             "\"body\":{ \"text\" : 1e2 },\"at\":1790000000000},"
             "{\"cursor\":\"1:9\",\"id\":\"m\\\\1\",\"from\":\"al\\\"ice\","
             "\"body\":{ \"text\" : 1e2 },\"at\":1790000000000}],"
             "\"more\":true,\"complete\":true")));
    buffer_append_text(&whole, TEXT("{"));
    buffer_append_text(&whole, buffer_text(&it.json));
    buffer_append_text(&whole, TEXT("}"));
    assert_int_equal(json_parse(buffer_text(&whole), &value), 0);
    buffer_free(&whole);
    assert_int_equal(ask(&asking), EDGE_HISTORY_PAGE);
    answer(it.request, it.asked.request, WIRE_OK, 0, (const uint64_t[4]){0}, "retention");
    assert_true(text_equal(
        buffer_text(&it.json),
        TEXT("\"messages\":[],\"more\":true,\"complete\":false,\"reason\":\"retention\"")));
}

static void what_is_no_whole_answer_is_none(void **state)
{
    (void)state;
    static const struct {
        int64_t other; /* added to the request */
        uint8_t code;
        uint16_t count;
        uint64_t seqs[4];
        enum edge_history_outcome outcome;
    } rows[] = {
        {0, WIRE_OK, 2, {7, 9}, EDGE_HISTORY_PAGE},
        {0, WIRE_NOT_HOME, 0, {0}, EDGE_HISTORY_MOVED},
        {0, WIRE_REFUSED, 0, {0}, EDGE_HISTORY_REFUSED},
        {0, WIRE_BUSY, 0, {0}, EDGE_HISTORY_BUSY},
        {0, WIRE_UNSURE, 0, {0}, EDGE_HISTORY_BUSY},
        {1, WIRE_OK, 2, {7, 9}, EDGE_HISTORY_UNREACHABLE},
        {0, WIRE_OK, 3, {7, 9}, EDGE_HISTORY_UNREACHABLE},
        {0, WIRE_OK, 1, {7, 9}, EDGE_HISTORY_UNREACHABLE},
        {0, WIRE_OK, 2, {9, 7}, EDGE_HISTORY_UNREACHABLE},
        {0, WIRE_OK, 2, {7, 7}, EDGE_HISTORY_UNREACHABLE},
    };
    struct edge_history_ask asking = {0};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(ask(&asking), EDGE_HISTORY_PAGE);
        answer(it.request, it.asked.request + (uint64_t)rows[i].other, rows[i].code, rows[i].count,
               rows[i].seqs, "");
        assert_int_equal(it.outcome, rows[i].outcome);
        assert_int_equal(it.answers, i + 1);
    }
    static const enum bus_outcome failures[] = {BUS_TIMEOUT, BUS_NO_RESPONDERS};
    for (size_t i = 0; i < COUNT_OF(failures); i++) {
        assert_int_equal(ask(&asking), EDGE_HISTORY_PAGE);
        assert_false(it.request->on_answer(it.request, failures[i], NULL));
        assert_int_equal(it.outcome, EDGE_HISTORY_UNREACHABLE);
    }
    static const char text[] = "nothing";
    const struct bus_message message = {.data = (const uint8_t *)text, .size = sizeof text};
    assert_int_equal(ask(&asking), EDGE_HISTORY_PAGE);
    assert_false(it.request->on_answer(it.request, BUS_ANSWER, &message));
    assert_int_equal(it.outcome, EDGE_HISTORY_UNREACHABLE);
}

static void asks_are_bounded(void **state)
{
    (void)state;
    struct edge_history_ask asks[3] = {0};
    it.settings.histories_max = 2;
    assert_int_equal(ask(&asks[0]), EDGE_HISTORY_PAGE);
    assert_int_equal(ask(&asks[1]), EDGE_HISTORY_PAGE);
    assert_int_equal(ask(&asks[2]), EDGE_HISTORY_BUSY);
    edge_history_cancel(&asks[0]);
    assert_int_equal(ask(&asks[2]), EDGE_HISTORY_PAGE);
    answer(&asks[1].request, 0, WIRE_OK, 0, (const uint64_t[4]){0}, "");
    assert_int_equal(ask(&asks[0]), EDGE_HISTORY_PAGE);
    edge_history_cancel(&asks[0]);
    edge_history_cancel(&asks[2]);
    it.error = -ENOTCONN;
    assert_int_equal(ask(&asks[0]), EDGE_HISTORY_UNREACHABLE);
    it.error = -ENOBUFS;
    assert_int_equal(ask(&asks[0]), EDGE_HISTORY_BUSY);
    assert_int_equal(it.answers, 1);
}

static void every_outcome_has_its_words(void **state)
{
    (void)state;
    for (enum edge_history_outcome i = EDGE_HISTORY_BUSY; i <= EDGE_HISTORY_REFUSED; i++) {
        const struct edge_history_row *row = edge_history_row(i);
        assert_true(text_is_word(text_of(row->code)) && row->message[0] != '\0');
        assert_int_equal(row->http_status, row->retryable ? 503 : 403);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(a_query_is_held_to_its_rules),    TEST(a_query_of_a_url_is_held_to_them_too),
        TEST(an_ask_says_what_is_wanted),      TEST(a_page_is_told_as_it_came),
        TEST(what_is_no_whole_answer_is_none), TEST(asks_are_bounded),
        TEST(every_outcome_has_its_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
