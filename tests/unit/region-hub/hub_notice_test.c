/* Who is told what: grouping by sender, ids that do not depend on who asks, and bounds. */
#include "region-hub/hub_notice.h"

#include "json/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct hub_notice_about delivered = {
    .kind = MAILBOX_NOTICE_DELIVERED, .user = {"bob", 3}, .epoch = 1, .from = 1, .to = 60};

static void add(struct hub_gather *gather, const char *sender, const char *id, uint8_t wants)
{
    const struct hub_gather_row row = {
        .sender = text_of(sender), .id = text_of(id), .wants = wants};
    assert_int_equal(hub_gather_add(gather, &row), 0);
}

/* Removes the first notice of the list and looks at it; its id is copied to `ret_id`. */
static void expect(struct list *notices, const char *to, const char *body,
                   char ret_id[HUB_NOTICE_ID_SIZE + 1])
{
    struct list *node = list_pop(notices);
    assert_non_null(node);
    struct hub_notice *notice = container_of(node, struct hub_notice, link);
    assert_true(text_equal(hub_notice_to(notice), text_of(to)));
    if (body != NULL && !text_equal(buffer_text(&notice->body), text_of(body)))
        fail_msg("%.*s, not %s", TEXT_ARGS(buffer_text(&notice->body)), body);
    assert_int_equal(strlen(notice->id), HUB_NOTICE_ID_SIZE);
    assert_true(text_is_message_id(text_of(notice->id)));
    if (ret_id != NULL)
        memcpy(ret_id, notice->id, HUB_NOTICE_ID_SIZE + 1);
    hub_notice_free(notice);
}

static void rows_are_grouped_by_who_sent_them(void **state)
{
    (void)state;
    struct hub_gather gather;
    struct list notices;
    list_init(&notices);
    hub_gather_begin(&gather, WIRE_WANT_DELIVERED, HUB_NOTICE_CHUNK);
    add(&gather, "alice", "m1", WIRE_WANT_DELIVERED);
    add(&gather, "carol", "c1", WIRE_WANT_DELIVERED | WIRE_WANT_READ);
    add(&gather, "alice", "m2", WIRE_WANT_STORED); /* has not asked */
    add(&gather, "alice", "m3", WIRE_WANT_DELIVERED);
    add(&gather, "dave", "d1", 0);
    assert_int_equal(hub_gather_end(&gather, &delivered, &notices), 0);
    expect(&notices, "alice",
           "{\"kind\":\"delivered\",\"by\":\"bob\",\"ids\":[\"m1\",\"m3\"],\"cursor\":\"1:60\"}",
           NULL);
    expect(&notices, "carol",
           "{\"kind\":\"delivered\",\"by\":\"bob\",\"ids\":[\"c1\"],\"cursor\":\"1:60\"}", NULL);
    assert_true(list_empty(&notices));
}

static void a_notice_makes_no_notices(void **state)
{
    (void)state;
    struct hub_gather gather;
    struct list notices;
    list_init(&notices);
    hub_gather_begin(&gather, WIRE_WANT_DELIVERED, HUB_NOTICE_CHUNK);
    add(&gather, WIRE_NOTICE_SENDER, "m1", WIRE_WANT_DELIVERED);
    const struct hub_gather_row flagged = {.sender = TEXT("alice"),
                                           .id = TEXT("m2"),
                                           .wants = WIRE_WANT_DELIVERED,
                                           .flags = WIRE_FLAG_NOTICE};
    assert_int_equal(hub_gather_add(&gather, &flagged), 0);
    assert_int_equal(hub_gather_end(&gather, &delivered, &notices), 0);
    assert_true(list_empty(&notices));
}

static struct wire_message message_of(struct list *notices, struct hub_notice **ret_notice)
{
    struct wire_message message;
    *ret_notice = container_of(list_pop(notices), struct hub_notice, link);
    hub_notice_message(*ret_notice, &message);
    return message;
}

static void the_message_asks_for_nothing(void **state)
{
    (void)state;
    struct hub_gather gather;
    struct list notices;
    struct hub_notice *notice;
    list_init(&notices);
    hub_gather_begin(&gather, WIRE_WANT_DELIVERED, HUB_NOTICE_CHUNK);
    add(&gather, "alice", "m1", WIRE_WANT_DELIVERED);
    assert_int_equal(hub_gather_end(&gather, &delivered, &notices), 0);
    struct wire_message message = message_of(&notices, &notice);
    assert_int_equal(message.wants, 0);
    assert_int_equal(message.flags, WIRE_FLAG_NOTICE);
    assert_int_equal(message.message_class, WIRE_DURABLE);
    assert_int_equal(message.ttl_s, 0);
    assert_true(text_equal(message.sender, TEXT(WIRE_NOTICE_SENDER)));
    hub_notice_free(notice);
}

/* The id of the notice to `to` about this. */
static void id_of(const struct hub_notice_about *about, const char *to, const char *id_of_row,
                  char ret_id[HUB_NOTICE_ID_SIZE + 1])
{
    struct hub_gather gather;
    struct list notices;
    list_init(&notices);
    hub_gather_begin(&gather, WIRE_WANT_DELIVERED, HUB_NOTICE_CHUNK);
    add(&gather, to, id_of_row, WIRE_WANT_DELIVERED);
    assert_int_equal(hub_gather_end(&gather, about, &notices), 0);
    expect(&notices, to, NULL, ret_id);
}

static void the_id_is_of_what_it_is_about_and_of_nothing_else(void **state)
{
    (void)state;
    char first[HUB_NOTICE_ID_SIZE + 1];
    char other[HUB_NOTICE_ID_SIZE + 1];
    struct hub_notice_about about[6];
    id_of(&delivered, "alice", "m1", first);
    /* It is on the wire: see docs/format.md. */
    assert_string_equal(first, "6ca48e5a84f47307effd461c32cf56be");
    id_of(&delivered, "alice", "m2", other); /* rows may be gone the next time */
    assert_string_equal(first, other);
    id_of(&delivered, "alicf", "m1", other);
    assert_string_not_equal(first, other);
    for (size_t i = 0; i < COUNT_OF(about); i++)
        about[i] = delivered;
    about[0].kind = MAILBOX_NOTICE_READ;
    about[1].user = TEXT("boc");
    about[2].epoch = 2;
    about[3].from = 2;
    about[4].to = 61;
    about[5].user = TEXT("bo");
    for (size_t i = 0; i < COUNT_OF(about); i++) {
        id_of(&about[i], "alice", "m1", other);
        assert_string_not_equal(first, other);
    }
}

static void the_newest_ids_are_named_up_to_the_bound(void **state)
{
    (void)state;
    for (size_t rows = 63; rows <= 66; rows++) {
        struct hub_gather gather;
        struct list notices;
        struct json_value ids;
        struct json_reader reader;
        const struct json_pick picks[] = {{"ids", &ids}};
        size_t count = 0;
        list_init(&notices);
        hub_gather_begin(&gather, WIRE_WANT_READ, HUB_NOTICE_READ_IDS);
        gather.of = TEXT("alice");
        for (size_t i = 1; i <= rows; i++) {
            char id[16];
            snprintf(id, sizeof id, "m%zu", i);
            add(&gather, "alice", id, WIRE_WANT_READ);
            add(&gather, "carol", id, WIRE_WANT_READ); /* not of whom it is about */
        }
        assert_int_equal(hub_gather_end(&gather, &delivered, &notices), 0);
        struct hub_notice *notice;
        struct wire_message message = message_of(&notices, &notice);
        assert_true(list_empty(&notices));
        assert_int_equal(json_object_pick(message.body, picks, 1), 0);
        assert_int_equal(json_array_open(&reader, ids.raw), 0);
        size_t first = rows > 64 ? rows - 63 : 1;
        for (struct json_value id; json_array_next(&reader, &id) == 1; count++) {
            char expected[16];
            snprintf(expected, sizeof expected, "\"m%zu\"", first + count);
            assert_true(text_equal(id.raw, text_of(expected)));
        }
        assert_int_equal(count, rows > 64 ? 64 : rows);
        hub_notice_free(notice);
    }
}

static void a_whole_chunk_fits_in_one_message(void **state)
{
    (void)state;
    struct hub_gather gather;
    struct list notices;
    struct hub_notice *notice;
    char id[TEXT_MESSAGE_ID_MAX + 1];
    char name[TEXT_USER_MAX];
    list_init(&notices);
    memset(name, '"', sizeof name); /* the longest when it is escaped */
    hub_gather_begin(&gather, WIRE_WANT_DELIVERED, HUB_NOTICE_CHUNK);
    for (int i = 0; i < HUB_NOTICE_CHUNK; i++) {
        memset(id, '"', sizeof id - 1);
        id[sizeof id - 1] = '\0';
        add(&gather, "alice", id, WIRE_WANT_DELIVERED);
    }
    struct hub_notice_about about = delivered;
    about.user = (struct text){name, sizeof name};
    assert_int_equal(hub_gather_end(&gather, &about, &notices), 0);
    struct wire_message message = message_of(&notices, &notice);
    assert_true(message.body.size > 256 * 64 && message.body.size < WIRE_BODY_MAX / 4);
    hub_notice_free(notice);
}

static void every_sender_of_a_chunk_is_told(void **state)
{
    (void)state;
    struct hub_gather gather;
    struct list notices;
    size_t count = 0;
    list_init(&notices);
    hub_gather_begin(&gather, WIRE_WANT_DELIVERED, HUB_NOTICE_CHUNK);
    for (int i = 0; i < HUB_NOTICE_CHUNK; i++) {
        char sender[16];
        snprintf(sender, sizeof sender, "s%d", i);
        add(&gather, sender, "m", WIRE_WANT_DELIVERED);
    }
    assert_int_equal(hub_gather_end(&gather, &delivered, &notices), 0);
    for (struct list *node; (node = list_pop(&notices)) != NULL; count++)
        hub_notice_free(container_of(node, struct hub_notice, link));
    assert_int_equal(count, HUB_NOTICE_CHUNK);
}

static void chunks_have_borders_of_their_own(void **state)
{
    (void)state;
    assert_int_equal(hub_notice_chunk_end(1), 256);
    assert_int_equal(hub_notice_chunk_end(255), 256);
    assert_int_equal(hub_notice_chunk_end(256), 256);
    assert_int_equal(hub_notice_chunk_end(257), 512);
}

static void a_dropped_device_is_told_to_its_user(void **state)
{
    (void)state;
    struct hub_notice_about about = {
        .kind = MAILBOX_NOTICE_DROPPED, .user = TEXT("bob"), .epoch = 1, .from = 7, .to = 7};
    struct list notices;
    char first[HUB_NOTICE_ID_SIZE + 1];
    char other[HUB_NOTICE_ID_SIZE + 1];
    list_init(&notices);
    list_push(&notices, &hub_notice_dropped(&about, TEXT("old-phone"))->link);
    expect(&notices, "bob", "{\"kind\":\"device_dropped\",\"device\":\"old-phone\"}", first);
    list_push(&notices, &hub_notice_dropped(&about, TEXT("tablet"))->link);
    expect(&notices, "bob", "{\"kind\":\"device_dropped\",\"device\":\"tablet\"}", other);
    assert_string_not_equal(first, other);
}

static void what_was_gathered_can_be_dropped(void **state)
{
    (void)state;
    struct hub_gather gather = {0};
    hub_gather_drop(&gather); /* never begun */
    hub_gather_begin(&gather, WIRE_WANT_DELIVERED, 2);
    add(&gather, "alice", "m1", WIRE_WANT_DELIVERED);
    hub_gather_drop(&gather);
    hub_gather_drop(&gather);
}

static void what_is_passed_on_stays_as_it_is(void **state)
{
    (void)state;
    const struct wire_message sent = {.message_class = WIRE_DURABLE,
                                      .flags = WIRE_FLAG_NOTICE,
                                      .wants = WIRE_WANT_READ,
                                      .created_ms = 5,
                                      .ttl_s = 6,
                                      .trace = "trace of 16 byte",
                                      .sender = TEXT("alice"),
                                      .device = TEXT("phone"),
                                      .id = TEXT("m1"),
                                      .body = TEXT("{ \"a\" : 1 }")};
    struct hub_notice *notice = hub_notice_pass_on(TEXT("bob"), &sent);
    struct wire_message read;
    assert_non_null(notice);
    hub_notice_message(notice, &read);
    assert_true(text_equal(hub_notice_to(notice), TEXT("bob")));
    assert_int_equal(read.message_class, sent.message_class);
    assert_int_equal(read.flags, sent.flags);
    assert_int_equal(read.wants, sent.wants);
    assert_int_equal(read.created_ms, sent.created_ms);
    assert_int_equal(read.ttl_s, sent.ttl_s);
    assert_memory_equal(read.trace, sent.trace, sizeof sent.trace);
    assert_true(text_equal(read.sender, sent.sender));
    assert_true(text_equal(read.device, sent.device));
    assert_true(text_equal(read.id, sent.id));
    assert_true(text_equal(read.body, sent.body));
    hub_notice_free(notice);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_grouped_by_who_sent_them),
        cmocka_unit_test(a_notice_makes_no_notices),
        cmocka_unit_test(the_message_asks_for_nothing),
        cmocka_unit_test(the_id_is_of_what_it_is_about_and_of_nothing_else),
        cmocka_unit_test(the_newest_ids_are_named_up_to_the_bound),
        cmocka_unit_test(a_whole_chunk_fits_in_one_message),
        cmocka_unit_test(every_sender_of_a_chunk_is_told),
        cmocka_unit_test(chunks_have_borders_of_their_own),
        cmocka_unit_test(a_dropped_device_is_told_to_its_user),
        cmocka_unit_test(what_was_gathered_can_be_dropped),
        cmocka_unit_test(what_is_passed_on_stays_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
