#include "edge/edge_plain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void assert_text(struct text text, struct text expected)
{
    if (!text_equal(text, expected))
        fail_msg("'%.*s', not '%.*s'", TEXT_ARGS(text), TEXT_ARGS(expected));
}

/* Reads an exact copy, so that a read past it is seen. */
static const char *read_copy(struct text text, bool with_message, struct edge_plain_object *object,
                             char **ret_copy)
{
    *ret_copy = malloc(text.size == 0 ? 1 : text.size);
    assert_non_null(*ret_copy);
    if (text.size > 0)
        memcpy(*ret_copy, text.data, text.size);
    return edge_plain_read((struct text){*ret_copy, text.size}, with_message, object);
}

static void reads_good_objects(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *recipient;
        const char *sender;
        const char *id;
    } rows[] = {
        {"{\"recipient_id\":\"bob\",\"message\":\"hi\"}", "bob", "", ""},
        {"{\"message\":null,\"recipient_id\":\"bob\"}", "bob", "", ""},
        {"{\"recipient_id\":\"bob\",\"message\":{\"a\":[1]},\"x\":1}", "bob", "", ""},
        {"{\"recipient_id\":\"b\\u006fb\",\"message\":1}", "bob", "", ""},
        {"{\"recipient_id\":\"bob smith\",\"message\":1}", "bob smith", "", ""},
        {"{\"recipient_id\":\"\xc3\xa9\",\"message\":1}", "\xc3\xa9", "", ""},
        {"{\"recipient_id\":\"b\",\"message\":1,\"sender_id\":\"a\",\"id\":\"m-1\"}", "b", "a",
         "m-1"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char *copy;
        struct edge_plain_object object;
        const char *wrong = read_copy(text_of(rows[i].text), true, &object, &copy);
        if (wrong != NULL)
            fail_msg("%s: %s", rows[i].text, wrong);
        assert_text(object.raw, text_of(rows[i].text));
        assert_text(object.recipient, text_of(rows[i].recipient));
        assert_text(object.sender, text_of(rows[i].sender));
        assert_text(object.id, text_of(rows[i].id));
        free(copy);
    }
}

static void the_object_is_without_the_space_around_it(void **state)
{
    (void)state;
    struct edge_plain_object object;
    const struct text text = TEXT(" \r\n\t{ \"recipient_id\" : \"bob\", \"message\":1 } \n");
    assert_null(edge_plain_read(text, true, &object));
    assert_text(object.raw, TEXT("{ \"recipient_id\" : \"bob\", \"message\":1 }"));
}

static void refuses_bad_objects(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *wrong; /* a word of what is told */
    } rows[] = {
        {"", "object"},
        {"hi", "object"},
        {"\"hi\"", "object"},
        {"[]", "object"},
        {"{}", "recipient_id"},
        {"{\"recipient_id\":\"$meridian\",\"message\":1}", "recipient_id"},
        {"{\"recipient_id\":\"b\",\"message\":1,\"sender_id\":\"$meridian\"}", "sender_id"},
        {"{\"recipient_id\":\"bob\",\"message\":1", "object"},
        {"{\"recipient_id\":\"bob\",\"message\":1}x", "object"},
        {"{\"recipient_id\":\"bob\",\"recipient_id\":\"eve\",\"message\":1}", "once"},
        {"{\"recipient_id\":\"bob\",\"recipient\\u005fid\":\"eve\",\"message\":1}", "once"},
        {"{\"recipient_id\":\"bob\",\"message\":1,\"message\":2}", "once"},
        {"{\"recipient_id\":\"bob\"}", "message"},
        {"{\"message\":1}", "recipient_id"},
        {"{\"recipient_id\":7,\"message\":1}", "recipient_id"},
        {"{\"recipient_id\":null,\"message\":1}", "recipient_id"},
        {"{\"recipient_id\":[\"bob\"],\"message\":1}", "recipient_id"},
        {"{\"recipient_id\":\"\",\"message\":1}", "recipient_id"},
        {"{\"recipient_id\":\"a\\nb\",\"message\":1}", "recipient_id"},
        {"{\"recipient_id\":\"a\\u0000\",\"message\":1}", "recipient_id"},
        {"{\"recipient_id\":\"\\ud800\",\"message\":1}", "recipient_id"},
        {"{\"recipient_id\":\"\xff\",\"message\":1}", "object"},
        {"{\"recipient_id\":\"b\",\"message\":1,\"sender_id\":7}", "sender_id"},
        {"{\"recipient_id\":\"b\",\"message\":1,\"sender_id\":null}", "sender_id"},
        {"{\"recipient_id\":\"b\",\"message\":1,\"sender_id\":\"\"}", "sender_id"},
        {"{\"recipient_id\":\"b\",\"message\":1,\"id\":7}", "id is"},
        {"{\"recipient_id\":\"b\",\"message\":1,\"id\":\"\"}", "id is"},
        {"{\"recipient_id\":\"b\",\"message\":1,\"id\":\"a b\"}", "id is"},
        {"{\"recipient_id\":\"b\",\"message\":1,\"id\":\"\xc3\xa9\"}", "id is"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char *copy;
        struct edge_plain_object object;
        const char *wrong = read_copy(text_of(rows[i].text), true, &object, &copy);
        free(copy);
        if (wrong == NULL || strstr(wrong, rows[i].wrong) == NULL)
            fail_msg("%s: %s", rows[i].text, wrong == NULL ? "is taken" : wrong);
    }
}

static const char *read_sized(size_t recipient, size_t sender, size_t id)
{
    struct buffer text = {0};
    struct edge_plain_object object;
    buffer_printf(&text,
                  "{\"recipient_id\":\"%0*d\",\"sender_id\":\"%0*d\",\"id\":\"%0*d\","
                  "\"message\":1}",
                  (int)recipient, 0, (int)sender, 0, (int)id, 0);
    const char *wrong = edge_plain_read(buffer_text(&text), true, &object);
    buffer_free(&text);
    return wrong;
}

static void takes_texts_up_to_their_bounds_and_not_one_more(void **state)
{
    (void)state;
    assert_null(read_sized(TEXT_USER_MAX, TEXT_USER_MAX, TEXT_MESSAGE_ID_MAX));
    assert_non_null(read_sized(TEXT_USER_MAX + 1, 1, 1));
    assert_non_null(read_sized(1, TEXT_USER_MAX + 1, 1));
    assert_non_null(read_sized(1, 1, TEXT_MESSAGE_ID_MAX + 1));
}

static void without_a_message_other_members_are_the_clients_affair(void **state)
{
    (void)state;
    struct edge_plain_object object;
    assert_null(edge_plain_read(TEXT("{\"recipient_id\":\"bob\",\"id\":7,\"sender_id\":null}"),
                                false, &object));
    assert_text(object.recipient, TEXT("bob"));
    assert_non_null(edge_plain_read(TEXT("{\"id\":7}"), false, &object));
}

static void made_ids_are_ids_and_differ(void **state)
{
    (void)state;
    char one[33];
    char two[33];
    edge_plain_make_id(one);
    edge_plain_make_id(two);
    assert_int_equal(strlen(one), 32);
    assert_int_equal(strspn(one, "0123456789abcdef"), 32);
    assert_true(text_is_message_id(text_of(one)));
    assert_string_not_equal(one, two);
}

static void writes_a_plain_message_byte_for_byte(void **state)
{
    (void)state;
    struct buffer out = {0};
    const struct wire_deliver deliver = {.flags = WIRE_FLAG_PLAIN,
                                         .user = TEXT("bob"),
                                         .sender = TEXT("alice"),
                                         .id = TEXT("m-1"),
                                         .body = TEXT("{ \"recipient_id\":\"bob\" }")};
    edge_plain_write(&out, &deliver);
    assert_text(buffer_text(&out), deliver.body);
    buffer_free(&out);
}

static void makes_an_object_of_another_message(void **state)
{
    (void)state;
    struct buffer out = {0};
    const struct wire_deliver deliver = {.user = TEXT("bob \"b\""),
                                         .sender = TEXT("alice\\"),
                                         .id = TEXT("m\"1"),
                                         .body = TEXT("{\"a\":1}")};
    edge_plain_write(&out, &deliver);
    struct edge_plain_object object;
    assert_null(edge_plain_read(buffer_text(&out), true, &object));
    assert_text(object.recipient, deliver.user);
    assert_text(object.sender, deliver.sender);
    assert_text(object.id, deliver.id);
    assert_text(buffer_text(&out), TEXT("{\"recipient_id\":\"bob \\\"b\\\"\","
                                        "\"sender_id\":\"alice\\\\\",\"id\":\"m\\\"1\","
                                        "\"message\":{\"a\":1}}"));
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_good_objects),
        cmocka_unit_test(the_object_is_without_the_space_around_it),
        cmocka_unit_test(refuses_bad_objects),
        cmocka_unit_test(takes_texts_up_to_their_bounds_and_not_one_more),
        cmocka_unit_test(without_a_message_other_members_are_the_clients_affair),
        cmocka_unit_test(made_ids_are_ids_and_differ),
        cmocka_unit_test(writes_a_plain_message_byte_for_byte),
        cmocka_unit_test(makes_an_object_of_another_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
