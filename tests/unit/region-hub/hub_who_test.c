/* What is told of who is attached; that it ends them, integration tests show. */
#include "region-hub/hub_who.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { REQUEST = 77, WALL_MS = 1000000 };

static struct {
    struct hub_presence *presence;
    struct buffer bytes;
    struct wire_who head;
    struct wire_connection rows[WIRE_WHO_MAX];
} it;

static int begin(void **state)
{
    (void)state;
    memset(&it, 0, sizeof it);
    it.presence = hub_presence_new(&(struct hub_presence_settings){
        .devices_max = 1000,
        .edges_max = 2,
        .edge_silent_ms = 3000,
        .repair_ms = 2000,
        .credit = {.messages = 256, .bytes = 65536},
    });
    return it.presence == NULL ? -1 : 0;
}

static int end(void **state)
{
    (void)state;
    hub_presence_free(it.presence);
    buffer_free(&it.bytes);
    return 0;
}

static void attach(const char *edge, const char *user, const char *device, uint64_t request,
                   uint64_t number, int64_t now_ms)
{
    struct text region = text_of(edge[0] == 's' ? "sin" : "dub");
    const struct hub_attach asked = {
        .edge = hub_presence_edge(it.presence, text_of(edge), region, now_ms),
        .request = request,
        .user = text_of(user),
        .device = text_of(device),
        .attach = number,
        .user_max = 1000,
        .epoch = 1,
    };
    assert_int_equal(hub_presence_attach(it.presence, &asked, now_ms).outcome, HUB_ATTACH_NEW);
}

/* How many connections the answer names. */
static size_t ask(const char *user, const char *device, enum wire_answer code, int64_t now_ms)
{
    const struct hub_who who = {.presence = it.presence};
    const struct wire_who_ask asked = {
        .request = REQUEST, .user = text_of(user), .device = text_of(device)};
    const struct wire_frame frame_head = {.region = TEXT("sin"), .from = TEXT("sin-h1")};
    struct wire_frame_writer writer;
    struct wire_frame frame;
    struct wire_entry entry;
    size_t count = 0;
    buffer_clear(&it.bytes);
    wire_frame_begin(&writer, &it.bytes, &frame_head);
    hub_who_answer(&who, &asked, code, now_ms, now_ms + WALL_MS, &writer);
    assert_int_equal(wire_frame_end(&writer), 0);
    assert_int_equal(wire_frame_read(it.bytes.data, it.bytes.size, &frame), 0);
    assert_int_equal(wire_entry_next(&frame, &entry), 0);
    assert_int_equal(entry.kind, WIRE_WHO);
    it.head = entry.who;
    while (wire_entry_next(&frame, &entry) == 0) {
        assert_int_equal(entry.kind, WIRE_WHO_CONNECTION);
        it.rows[count++] = entry.connection;
    }
    assert_true(it.head.request == REQUEST);
    assert_int_equal(it.head.count, count);
    return count;
}

static void tells_every_device_and_where_it_is(void **state)
{
    (void)state;
    attach("sin-1", "bob", "phone", 1, 0, 100);
    attach("dub-1", "bob", "desk", 1, 0, 200);
    attach("sin-1", "eve", "phone", 2, 0, 300);
    assert_int_equal(ask("bob", "", WIRE_OK, 500), 2);
    assert_int_equal(it.head.code, WIRE_OK);
    assert_true(text_equal(it.rows[0].device, TEXT("phone")));
    assert_true(text_equal(it.rows[0].region, TEXT("sin")));
    assert_true(text_equal(it.rows[0].edge, TEXT("sin-1")));
    assert_true(it.rows[0].since_ms == WALL_MS + 100);
    assert_true(text_equal(it.rows[1].device, TEXT("desk")));
    assert_true(text_equal(it.rows[1].region, TEXT("dub")));
    assert_true(it.rows[1].since_ms == WALL_MS + 200);
}

static void tells_one_device_or_nobody(void **state)
{
    (void)state;
    attach("sin-1", "bob", "phone", 1, 0, 100);
    attach("sin-1", "bob", "desk", 2, 0, 100);
    assert_int_equal(ask("bob", "desk", WIRE_OK, 500), 1);
    assert_true(text_equal(it.rows[0].device, TEXT("desk")));
    assert_int_equal(ask("bob", "des", WIRE_OK, 500), 0);
    assert_int_equal(ask("alice", "", WIRE_OK, 500), 0);
    assert_int_equal(it.head.code, WIRE_OK);
}

static void a_refusal_names_nobody(void **state)
{
    (void)state;
    attach("sin-1", "bob", "phone", 1, 0, 100);
    assert_int_equal(ask("bob", "", WIRE_NOT_HOME, 500), 0);
    assert_int_equal(it.head.code, WIRE_NOT_HOME);
}

static void who_attaches_again_was_there_all_the_time(void **state)
{
    (void)state;
    attach("sin-1", "bob", "phone", 1, 5, 100);
    attach("sin-1", "bob", "phone", 2, 5, 900); /* the same, as its number says */
    assert_int_equal(ask("bob", "", WIRE_OK, 1000), 1);
    assert_true(it.rows[0].since_ms == WALL_MS + 100);
    attach("dub-1", "bob", "phone", 1, 0, 950); /* a new connection in its place */
    assert_int_equal(ask("bob", "", WIRE_OK, 1000), 1);
    assert_true(it.rows[0].since_ms == WALL_MS + 950);
}

static void an_answer_has_a_bound(void **state)
{
    (void)state;
    for (unsigned i = 0; i <= WIRE_WHO_MAX; i++) {
        char device[16];
        snprintf(device, sizeof device, "d%u", i);
        attach("sin-1", "bob", device, i + 1, 0, 100);
        assert_int_equal(ask("bob", "", WIRE_OK, 500), i + 1 < WIRE_WHO_MAX ? i + 1 : WIRE_WHO_MAX);
    }
}

int main(void)
{
#define ROW(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        ROW(tells_every_device_and_where_it_is),
        ROW(tells_one_device_or_nobody),
        ROW(a_refusal_names_nobody),
        ROW(who_attaches_again_was_there_all_the_time),
        ROW(an_answer_has_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
