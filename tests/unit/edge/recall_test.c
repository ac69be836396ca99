/* History on a WebSocket: what a frame may say, and how it is answered. The session and the asking
 * are played. */
#include "edge/edge_exchange.h"
#include "edge/edge_recall.h"

#include "edge/edge_history.h"

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
    struct edge_sessions_settings shared;
    struct edge_session session;
    struct buffer scratch;
    char written[1000];
    enum edge_history_outcome outcome; /* of the next ask */
    struct edge_history_ask *ask;
    struct edge_history_query query;
} it;

struct text edge_session_user(const struct edge_session *session)
{
    (void)session;
    return TEXT("bob");
}

const struct edge_sessions_settings *edge_session_shared(const struct edge_session *session)
{
    (void)session;
    return &it.shared;
}

struct buffer *edge_session_scratch(struct edge_session *session)
{
    (void)session;
    buffer_clear(&it.scratch);
    return &it.scratch;
}

void edge_exchange_page(struct edge_exchange *exchange)
{
    (void)exchange;
}

void edge_session_write(struct edge_session *session, struct text json)
{
    struct json_value value;
    assert_ptr_equal(session, &it.session);
    assert_int_equal(json_parse(json, &value), 0);
    assert_int_equal(it.written[0], '\0'); /* one frame an ask */
    snprintf(it.written, sizeof it.written, "%.*s", TEXT_ARGS(json));
}

void edge_session_close(struct edge_session *session, uint16_t code, const char *reason)
{
    (void)session;
    fail_msg("closed: %u %s", code, reason);
}

const char *edge_history_query(struct text before, struct text after, uint64_t limit,
                               const struct edge_settings *edge,
                               struct edge_history_query *ret_query)
{
    (void)edge;
    if (before.size > 0 && after.size > 0)
        return "both";
    *ret_query = (struct edge_history_query){.flags = before.size > 0  ? WIRE_HISTORY_BEFORE
                                                      : after.size > 0 ? WIRE_HISTORY_AFTER
                                                                       : 0,
                                             .seq = before.size > 0 ? before.size : after.size,
                                             .limit = (uint16_t)limit};
    return NULL;
}

enum edge_history_outcome edge_history_ask(struct edge_history *history,
                                           struct edge_history_ask *ask, size_t region,
                                           struct text user, const struct edge_history_query *query)
{
    (void)history;
    assert_int_equal(region, 0);
    assert_true(text_equal(user, TEXT("bob")));
    it.ask = it.outcome == EDGE_HISTORY_PAGE ? ask : NULL;
    it.query = *query;
    return it.outcome;
}

void edge_history_cancel(struct edge_history_ask *ask)
{
    if (it.ask == ask)
        it.ask = NULL;
}

void edge_history_write(struct buffer *out, const struct edge_history_page *page)
{
    buffer_printf(out, "\"messages\":[],\"more\":%s", page->more ? "true" : "false");
}

const struct edge_history_row *edge_history_row(enum edge_history_outcome outcome)
{
    static const struct edge_history_row busy = {"busy", "try later", 503, true};
    static const struct edge_history_row away = {"home_unreachable", "away", 503, true};
    return outcome == EDGE_HISTORY_BUSY ? &busy : &away;
}

static int begin(void **state)
{
    (void)state;
    memset(&it, 0, sizeof it);
    it.catalogue = catalogue_load_file(MERIDIAN_SOURCE_DIR "/config/single.yaml", NULL);
    it.shared = (struct edge_sessions_settings){.edge = &it.settings, .catalogue = it.catalogue};
    it.session.attach.state = EDGE_ATTACHED;
    it.outcome = EDGE_HISTORY_PAGE;
    return it.catalogue == NULL ? -1 : 0;
}

static int end(void **state)
{
    (void)state;
    edge_recall_end(&it.session);
    catalogue_free(it.catalogue);
    buffer_free(&it.scratch);
    return 0;
}

static void say(const char *text)
{
    struct edge_recall_frame frame = {0};
    const struct json_pick picks[] = {{"id", &frame.id},
                                      {"before", &frame.before},
                                      {"after", &frame.after},
                                      {"limit", &frame.limit}};
    assert_int_equal(json_object_pick(text_of(text), picks, COUNT_OF(picks)), 0);
    it.written[0] = '\0';
    edge_recall_ask(&it.session, &frame);
}

static void what_is_asked_wrongly_is_an_error_with_its_id(void **state)
{
    (void)state;
    static const struct {
        const char *frame;
        bool has_id;
    } rows[] = {
        {"{}", false},
        {"{\"id\":7}", false},
        {"{\"id\":\"\"}", false},
        {"{\"id\":\"h 1\"}", false},
        {"{\"id\":\"\\u00e9\"}", false},
        {"{\"id\":\"12345678901234567890123456789012345678901234567890123456789012345\"}", false},
        {"{\"id\":\"h1\",\"before\":7}", true},
        {"{\"id\":\"h1\",\"before\":\"\"}", true},
        {"{\"id\":\"h1\",\"before\":[\"1:1\"]}", true},
        {"{\"id\":\"h1\",\"after\":{}}", true},
        {"{\"id\":\"h1\",\"after\":\"\\ud800\"}", true},
        {"{\"id\":\"h1\",\"before\":\"1:1\",\"after\":\"1:1\"}", true},
        {"{\"id\":\"h1\",\"limit\":0}", true},
        {"{\"id\":\"h1\",\"limit\":-1}", true},
        {"{\"id\":\"h1\",\"limit\":1.0}", true},
        {"{\"id\":\"h1\",\"limit\":\"5\"}", true},
        {"{\"id\":\"h1\",\"limit\":4294967296}", true},
        {"{\"id\":\"h1\",\"limit\":null}", true},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        say(rows[i].frame);
        if (strstr(it.written, "{\"t\":\"error\"") == NULL ||
            strstr(it.written, "\"code\":\"bad_request\",\"retryable\":false") == NULL ||
            (strstr(it.written, "\"id\":\"h1\"") != NULL) != rows[i].has_id)
            fail_msg("%s: %s", rows[i].frame, it.written);
        assert_null(it.ask);
        assert_null(it.session.recall);
    }
}

static void what_is_asked_is_passed_on(void **state)
{
    (void)state;
    static const struct {
        const char *frame;
        struct edge_history_query query; /* the seq: how long the cursor is */
    } rows[] = {
        {"{\"id\":\"h1\"}", {0, 0, 0, 0}},
        {"{\"id\":\"h1\",\"before\":null,\"after\":null}", {0, 0, 0, 0}},
        {"{\"id\":\"h1\",\"before\":\"1:57\",\"limit\":9}", {WIRE_HISTORY_BEFORE, 0, 4, 9}},
        {"{\"id\":\"h1\",\"after\":\"\\u0031:5\"}", {WIRE_HISTORY_AFTER, 0, 3, 0}},
        {"{\"id\":\"h1\",\"before\":null,\"after\":\"1:5\"}", {WIRE_HISTORY_AFTER, 0, 3, 0}},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        say(rows[i].frame);
        assert_string_equal(it.written, "");
        assert_non_null(it.ask);
        assert_int_equal(it.query.flags, rows[i].query.flags);
        assert_int_equal(it.query.seq, rows[i].query.seq);
        assert_int_equal(it.query.limit, rows[i].query.limit);
        it.ask->on_answer(it.ask, EDGE_HISTORY_PAGE, &(struct edge_history_page){.more = true});
        assert_string_equal(it.written,
                            "{\"t\":\"history\",\"id\":\"h1\",\"messages\":[],\"more\":true}");
    }
}

static void one_is_asked_at_a_time(void **state)
{
    (void)state;
    say("{\"id\":\"h1\"}");
    assert_non_null(it.session.recall);
    struct edge_history_ask *first = it.ask;
    say("{\"id\":\"h2\"}");
    assert_non_null(strstr(it.written, "\"id\":\"h2\",\"code\":\"busy\",\"retryable\":true"));
    assert_ptr_equal(it.ask, first);
    it.written[0] = '\0';
    first->on_answer(first, EDGE_HISTORY_UNREACHABLE, NULL);
    assert_non_null(strstr(it.written, "\"id\":\"h1\",\"code\":\"home_unreachable\""));
    assert_null(it.session.recall);
    say("{\"id\":\"h3\"}");
    assert_non_null(it.session.recall);
    edge_recall_end(&it.session); /* nothing comes any more */
    assert_null(it.ask);
    assert_null(it.session.recall);
}

static void what_cannot_be_asked_now_is_said(void **state)
{
    (void)state;
    it.outcome = EDGE_HISTORY_BUSY;
    say("{\"id\":\"h1\"}");
    assert_non_null(strstr(it.written, "\"id\":\"h1\",\"code\":\"busy\",\"retryable\":true"));
    assert_null(it.session.recall);
    it.session.attach.state = EDGE_DETACHED; /* the home is not known */
    it.outcome = EDGE_HISTORY_PAGE;
    say("{\"id\":\"h1\"}");
    assert_non_null(strstr(it.written, "\"code\":\"home_unreachable\",\"retryable\":true"));
    assert_null(it.ask);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(what_is_asked_wrongly_is_an_error_with_its_id),
        TEST(what_is_asked_is_passed_on),
        TEST(one_is_asked_at_a_time),
        TEST(what_cannot_be_asked_now_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
