#include "edge/edge_utf8.h"

#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* The bytes at which some rule begins or ends. */
static const uint8_t edges[] = {0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf,
                                0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed,
                                0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff};

static bool is_utf8(const uint8_t *bytes, size_t size)
{
    return text_is_utf8((struct text){.data = (const char *)bytes, .size = size});
}

/* What may still become good does when the least bytes follow. */
static void assert_can_be_completed(struct edge_utf8 state, const uint8_t *bytes, size_t size)
{
    uint8_t whole[8];
    memcpy(whole, bytes, size);
    while (!edge_utf8_complete(&state)) {
        whole[size] = state.low;
        assert_true(edge_utf8_feed(&state, &whole[size], 1));
        size++;
    }
    assert_true(is_utf8(whole, size));
}

static void check_bytes(const uint8_t bytes[4])
{
    struct edge_utf8 whole = {0};
    struct edge_utf8 cut = {0};
    bool good = edge_utf8_feed(&whole, bytes, 4);
    bool good_cut = true;
    for (size_t i = 0; i < 4 && good_cut; i++)
        good_cut = edge_utf8_feed(&cut, &bytes[i], 1);
    assert_int_equal(good, good_cut);
    assert_int_equal(good && edge_utf8_complete(&whole), is_utf8(bytes, 4));
    if (good) {
        assert_int_equal(whole.left, cut.left);
        assert_can_be_completed(whole, bytes, 4);
    }
}

static void agrees_with_the_check_of_a_whole_text(void **state)
{
    (void)state;
    uint8_t bytes[4];
    for (size_t i = 0; i < COUNT_OF(edges) * COUNT_OF(edges); i++) {
        bytes[0] = edges[i / COUNT_OF(edges)];
        bytes[1] = edges[i % COUNT_OF(edges)];
        for (size_t j = 0; j < COUNT_OF(edges) * COUNT_OF(edges); j++) {
            bytes[2] = edges[j / COUNT_OF(edges)];
            bytes[3] = edges[j % COUNT_OF(edges)];
            check_bytes(bytes);
        }
    }
}

static void finds_what_is_bad_wherever_it_stands(void **state)
{
    (void)state;
    for (size_t size = 1; size <= 40; size++)
        for (size_t bad = 0; bad < size; bad++) {
            struct edge_utf8 utf8 = {0};
            uint8_t bytes[40];
            memset(bytes, 'a', sizeof bytes);
            assert_true(edge_utf8_feed(&utf8, bytes, size));
            bytes[bad] = 0xff;
            assert_false(edge_utf8_feed(&utf8, bytes, size));
        }
}

static void a_cut_character_is_not_complete(void **state)
{
    (void)state;
    static const uint8_t smile[] = {0xf0, 0x9f, 0x98, 0x80};
    struct edge_utf8 utf8 = {0};
    assert_true(edge_utf8_complete(&utf8));
    for (size_t i = 0; i < sizeof smile; i++) {
        assert_true(edge_utf8_feed(&utf8, &smile[i], 1));
        assert_true(edge_utf8_feed(&utf8, smile, 0));
        assert_int_equal(edge_utf8_complete(&utf8), i == 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_check_of_a_whole_text),
        cmocka_unit_test(finds_what_is_bad_wherever_it_stands),
        cmocka_unit_test(a_cut_character_is_not_complete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
