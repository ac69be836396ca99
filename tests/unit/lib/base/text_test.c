#include "base/buffer.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/text.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void reads_numbers_and_refuses_the_rest(void **state)
{
    (void)state;
    uint64_t value = 7;
    assert_int_equal(text_to_u64(TEXT("18446744073709551615"), UINT64_MAX, &value), 0);
    assert_true(value == UINT64_MAX);
    assert_int_equal(text_to_u64(TEXT("18446744073709551616"), UINT64_MAX, &value), -ERANGE);
    assert_int_equal(text_to_u64(TEXT("100"), 100, &value), 0);
    assert_int_equal(text_to_u64(TEXT("101"), 100, &value), -ERANGE);
    assert_int_equal(text_to_u64(TEXT(""), 100, &value), -EINVAL);
    assert_int_equal(text_to_u64(TEXT("-1"), 100, &value), -EINVAL);
    assert_int_equal(text_to_u64(TEXT("1 "), 100, &value), -EINVAL);
    assert_true(value == 100);
}

static void trims_blanks_at_both_ends(void **state)
{
    (void)state;
    assert_true(text_equal(text_trim(TEXT(" \ta b\t ")), TEXT("a b")));
    assert_true(text_equal(text_trim(TEXT("a")), TEXT("a")));
    assert_int_equal(text_trim(TEXT(" \t ")).size, 0);
    assert_int_equal(text_trim((struct text){0}).size, 0);
}

static void knows_utf8(void **state)
{
    (void)state;
    assert_true(text_is_utf8(TEXT("")));
    assert_true(text_is_utf8(TEXT("h\xC3\xA9llo \xE2\x82\xAC \xF0\x9F\x98\x80")));
    assert_false(text_is_utf8(TEXT("\xC0\xAF")));         /* overlong */
    assert_false(text_is_utf8(TEXT("\xE0\x80\xAF")));     /* overlong */
    assert_false(text_is_utf8(TEXT("\xF0\x80\x80\xAF"))); /* overlong */
    assert_false(text_is_utf8(TEXT("\xED\xA0\x80")));     /* surrogate */
    assert_false(text_is_utf8(TEXT("\xF4\x90\x80\x80"))); /* above U+10FFFF */
    assert_false(text_is_utf8(TEXT("\xE2\x82")));         /* short */
    assert_false(text_is_utf8(TEXT("\x80")));
}

static void user_ids_have_a_bound_and_no_controls(void **state)
{
    (void)state;
    char long_id[TEXT_USER_MAX + 1];
    memset(long_id, 'a', sizeof long_id);
    assert_true(text_is_user_id((struct text){long_id, TEXT_USER_MAX}));
    assert_false(text_is_user_id((struct text){long_id, TEXT_USER_MAX + 1}));
    assert_false(text_is_user_id(TEXT("")));
    assert_true(text_is_user_id(TEXT("$JS.API.>")));
    assert_true(text_is_user_id(TEXT("a b")));
    assert_false(text_is_user_id(TEXT("a\nb")));
    assert_false(text_is_user_id(TEXT("a\x7F")));
    assert_false(text_is_user_id(TEXT("a\xC2\x85")));
    assert_true(text_is_user_id(TEXT("a\xC2\xA0")));
}

static void names_are_plain(void **state)
{
    (void)state;
    assert_true(text_is_region_name(TEXT("sin")));
    assert_true(text_is_region_name(TEXT("eu-west-1")));
    assert_false(text_is_region_name(TEXT("eu_west")));
    assert_false(text_is_region_name(TEXT("-eu")));
    assert_false(text_is_region_name(TEXT("Sin")));
    assert_true(text_is_region_name(TEXT("abcdefghijklmnop")));
    assert_false(text_is_region_name(TEXT("abcdefghijklmnopq")));
    assert_true(text_is_word(TEXT("log_regressed")));
    assert_true(text_is_word(TEXT("abcdefghijklmnopqrstuvwxyz_01234")));
    assert_false(text_is_word(TEXT("abcdefghijklmnopqrstuvwxyz_012345")));
    assert_false(text_is_word(TEXT("")));
    assert_false(text_is_word(TEXT("Log")));
    assert_false(text_is_word(TEXT("log-hole")));
    assert_false(text_is_message_id(TEXT("a b")));
    assert_true(text_is_message_id(TEXT("~!x")));
}

static void a_buffer_grows_and_consumes(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    for (int i = 0; i < 1000; i++)
        buffer_printf(&buffer, "%03d,", i);
    assert_int_equal(buffer.size, 4000);
    buffer_consume(&buffer, 3996);
    assert_true(text_equal(buffer_text(&buffer), TEXT("999,")));
    assert_false(buffer.failed);
    assert_null(buffer_reserve(&buffer, SIZE_MAX - 10));
    assert_true(buffer.failed);
    buffer_append(&buffer, "x", 1);
    assert_int_equal(buffer.size, 4);
    buffer_free(&buffer);
}

static void the_shard_of_a_user_never_changes(void **state)
{
    (void)state;
    assert_int_equal(hash_shard(TEXT("alice"), 1), 0);
    /* Pinned: a change here would lose every mailbox. */
    assert_int_equal(hash_shard(TEXT("alice"), 1000003), 126795);
    assert_int_equal(hash_shard(TEXT("bob"), 1000003), 4505);
}

static void lists_link_and_unlink(void **state)
{
    (void)state;
    struct list head, a = {0}, b = {0};
    list_init(&head);
    assert_null(list_pop(&head));
    list_push(&head, &a);
    list_push(&head, &b);
    size_t seen = 0;
    list_each(node, &head)
    {
        list_remove(node);
        seen++;
    }
    assert_int_equal(seen, 2);
    assert_true(list_empty(&head));
    assert_false(list_linked(&a));
    list_remove(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_numbers_and_refuses_the_rest),
        cmocka_unit_test(trims_blanks_at_both_ends),
        cmocka_unit_test(knows_utf8),
        cmocka_unit_test(user_ids_have_a_bound_and_no_controls),
        cmocka_unit_test(names_are_plain),
        cmocka_unit_test(a_buffer_grows_and_consumes),
        cmocka_unit_test(the_shard_of_a_user_never_changes),
        cmocka_unit_test(lists_link_and_unlink),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
