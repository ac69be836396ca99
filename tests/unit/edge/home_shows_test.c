/* What a device shows without an attach here. */
#include "home_owner.h"

static struct edge_show show;
static char heard[64];

static void on_shown(struct edge_show *of, enum wire_answer answer, uint32_t epoch, uint64_t seq)
{
    assert_ptr_equal(of, &show);
    snprintf(heard, sizeof heard, "%d %u:%llu", answer, epoch, (unsigned long long)seq);
}

static void show_cursor(uint64_t seq, const char *of)
{
    heard[0] = '\0';
    show = (struct edge_show){.on_shown = on_shown,
                              .user = TEXT("bob"),
                              .device = TEXT("phone"),
                              .of = text_of(of),
                              .epoch = 1,
                              .seq = seq};
    edge_home_show(it.home, &show, 0, it.now_ms);
}

static void owner_answers(uint64_t request, enum wire_answer code, uint64_t seq)
{
    owner_says(&(struct wire_entry){
        .kind = WIRE_SHOWN,
        .shown = {.request = request, .code = (uint8_t)code, .epoch = 1, .seq = seq}});
}

static void it_is_asked_until_it_is_answered(void **state)
{
    (void)state;
    beat_as(GENERATION, 0);
    show_cursor(7, "");
    expect_sent("show phone  1:7\n");
    pass_with_beats(900);
    expect_sent("");
    pass_with_beats(100);
    expect_sent("show phone  1:7\n");
    owner_answers(it.request + 1, WIRE_OK, 7); /* of another one */
    owner_answers(it.request, WIRE_BUSY, 0);
    assert_string_equal(heard, "");
    pass_with_beats(1000);
    expect_sent("show phone  1:7\n");
    owner_answers(it.request, WIRE_OK, 9);
    assert_string_equal(heard, "0 1:9");
    heard[0] = '\0';
    owner_answers(it.request, WIRE_OK, 9); /* the answer to a repeat */
    assert_string_equal(heard, "");
    pass_with_beats(3000);
    expect_sent("");
}

static void it_may_be_refused_or_elsewhere(void **state)
{
    (void)state;
    beat_as(GENERATION, 0);
    show_cursor(7, "alice");
    expect_sent("show phone alice 1:7\n");
    owner_answers(it.request, WIRE_REFUSED, 0);
    assert_string_equal(heard, "3 1:0");
    show_cursor(7, "alice");
    expect_sent("show phone alice 1:7\n");
    owner_answers(it.request, WIRE_NOT_HOME, 0);
    assert_string_equal(heard, "1 1:0");
    pass_with_beats(3000);
    expect_sent("");
}

static void who_gives_up_hears_nothing(void **state)
{
    (void)state;
    beat_as(GENERATION, 0);
    show_cursor(7, "");
    expect_sent("show phone  1:7\n");
    edge_home_unshow(it.home, &show);
    edge_home_unshow(it.home, &show);
    owner_answers(it.request, WIRE_OK, 7);
    assert_string_equal(heard, "");
    pass_with_beats(3000);
    expect_sent("");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_is_asked_until_it_is_answered, begin, end),
        cmocka_unit_test_setup_teardown(it_may_be_refused_or_elsewhere, begin, end),
        cmocka_unit_test_setup_teardown(who_gives_up_hears_nothing, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
