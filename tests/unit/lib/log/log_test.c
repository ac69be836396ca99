#include "log/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* 2026-01-31T09:30:00.125Z */
static const int64_t when_ms = 1769851800125;
static char line[LOG_LINE_MAX + 1];

static const char *format(const char *sentence, const struct log_field *fields)
{
    size_t size = log_format(line, LOG_LINE_MAX, when_ms, LOG_LEVEL_INFO, sentence, fields);
    assert_true(size > 0 && size <= LOG_LINE_MAX);
    assert_int_equal(line[size - 1], '\n');
    line[size - 1] = '\0';
    return line + strlen("2026-01-31T09:30:00.125Z info meridian: ");
}

static void a_line_has_time_level_process_sentence_and_pairs(void **state)
{
    (void)state;
    log_set_name("hub-dub-1");
    size_t size = log_format(line, sizeof line, when_ms, LOG_LEVEL_WARNING, "lane has a hole",
                             LOG_FIELDS(LOG_TEXT("src", TEXT("sin")), LOG_U64("position", 57),
                                        LOG_I64("by", -3), LOG_F64("share", 0.25),
                                        LOG_BOOL("ours", true), LOG_ERRNO(-ECONNREFUSED)));
    line[size] = '\0';
    assert_string_equal(line, "2026-01-31T09:30:00.125Z warning hub-dub-1: lane has a hole src=sin "
                              "position=57 by=-3 share=0.25 ours=true "
                              "error=\"Connection refused\"\n");
    log_set_name("meridian");
}

static void a_line_may_have_no_pairs(void **state)
{
    (void)state;
    assert_string_equal(format("up", LOG_FIELDS()), "up");
    assert_string_equal(format("a \"b\"\nc", LOG_FIELDS()), "a \\\"b\\\"\\nc");
}

static void values_are_quoted_and_escaped(void **state)
{
    (void)state;
    static const struct {
        struct text value;
        const char *expected;
    } rows[] = {
        {{"plain", 5}, "v=plain"},
        {{"", 0}, "v=\"\""},
        {{NULL, 0}, "v=\"\""},
        {{"a b", 3}, "v=\"a b\""},
        {{"a=b", 3}, "v=\"a=b\""},
        {{"a\"b", 3}, "v=\"a\\\"b\""},
        {{"a\\b", 3}, "v=\"a\\\\b\""},
        {{"a\nb\r\t", 5}, "v=\"a\\nb\\r\\t\""},
        {{"a\0b", 3}, "v=\"a\\x00b\""},
        {{"\x1B[31m", 5}, "v=\"\\x1b[31m\""},
        {{"\x7F", 1}, "v=\"\\x7f\""},
        {{"h\xC3\xA9", 3}, "v=h\xC3\xA9"},
        {{"\xC2\x9B", 2}, "v=\"\\xc2\\x9b\""}, /* C1: a terminal's control sequence introducer */
        {{"\xD8\x9C", 2}, "v=\"\\xd8\\x9c\""}, /* marks that turn the direction of a line */
        {{"\xE2\x80\x8E", 3}, "v=\"\\xe2\\x80\\x8e\""},
        {{"\xE2\x80\x8D", 3}, "v=\xE2\x80\x8D"},        /* joins letters */
        {{"\xE2\x80\xA8", 3}, "v=\"\\xe2\\x80\\xa8\""}, /* a line separator */
        {{"\xE2\x80\xAE", 3}, "v=\"\\xe2\\x80\\xae\""},
        {{"\xE2\x80\xAF", 3}, "v=\xE2\x80\xAF"},
        {{"\xE2\x81\xA6", 3}, "v=\"\\xe2\\x81\\xa6\""},
        {{"\xE2\x81\xA9", 3}, "v=\"\\xe2\\x81\\xa9\""},
        {{"\xE2\x81\xAA", 3}, "v=\xE2\x81\xAA"},
        {{"\xC3", 1}, "v=\"\\xc3\""},
        {{"\xFF-", 2}, "v=\"\\xff-\""},
        {{"\xED\xA0\x80", 3}, "v=\"\\xed\\xa0\\x80\""},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *got = format("x", LOG_FIELDS(LOG_TEXT("v", rows[i].value)));
        assert_string_equal(got + strlen("x "), rows[i].expected);
    }
    assert_string_equal(format("x", LOG_FIELDS(LOG_STRING("v", NULL))), "x v=\"\"");
    assert_string_equal(format("x", LOG_FIELDS(LOG_ERRNO(123456))), "x error=\"errno 123456\"");
}

static void a_long_value_is_cut_past_its_limit(void **state)
{
    (void)state;
    char value[LOG_VALUE_MAX + 1];
    memset(value, 'a', sizeof value);
    const char *got = format("x", LOG_FIELDS(LOG_TEXT("v", ((struct text){value, LOG_VALUE_MAX}))));
    assert_int_equal(strlen(got), strlen("x v=") + LOG_VALUE_MAX);
    got = format("x", LOG_FIELDS(LOG_TEXT("v", ((struct text){value, LOG_VALUE_MAX + 1}))));
    assert_int_equal(strlen(got), strlen("x v=...") + LOG_VALUE_MAX);
}

static void a_long_name_is_cut(void **state)
{
    (void)state;
    char name[LOG_NAME_MAX + 2];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    log_set_name(name);
    size_t size = log_format(line, LOG_LINE_MAX, when_ms, LOG_LEVEL_INFO, "x", LOG_FIELDS());
    log_set_name("meridian");
    assert_int_equal(size, strlen("2026-01-31T09:30:00.125Z info : x\n") + LOG_NAME_MAX);
}

static void a_long_line_is_cut_and_keeps_its_newline(void **state)
{
    (void)state;
    char value[LOG_VALUE_MAX];
    memset(value, 1, sizeof value); /* four bytes each when escaped */
    struct text text = {value, sizeof value};
    const struct log_field *fields = LOG_FIELDS(LOG_TEXT("v", text), LOG_TEXT("w", text));
    size_t size = log_format(line, LOG_LINE_MAX, when_ms, LOG_LEVEL_INFO, "x", fields);
    assert_true(size > LOG_LINE_MAX - 8 && size <= LOG_LINE_MAX);
    assert_int_equal(line[size - 1], '\n');
    for (size_t room = 0; room < 64; room++)
        assert_true(log_format(line, room, when_ms, LOG_LEVEL_INFO, "x", fields) <= room);
}

static void a_limit_counts_what_it_holds_back(void **state)
{
    (void)state;
    struct log_limit limit = {.interval_ms = 100};
    uint64_t skipped = 99;
    assert_true(log_limit_pass(&limit, 5000, &skipped));
    assert_int_equal(skipped, 0);
    for (int i = 0; i < 7; i++)
        assert_false(log_limit_pass(&limit, 5099, &skipped));
    assert_true(log_limit_pass(&limit, 5100, &skipped));
    assert_int_equal(skipped, 7);
    assert_true(log_limit_pass(&limit, 5200, &skipped));
    assert_int_equal(skipped, 0);
}

static void levels_have_names(void **state)
{
    (void)state;
    enum log_level level = LOG_LEVEL_ERROR;
    assert_int_equal(log_level_parse(TEXT("debug"), &level), 0);
    assert_int_equal(level, LOG_LEVEL_DEBUG);
    assert_int_equal(log_level_parse(TEXT("loud"), &level), -EINVAL);
    assert_int_equal(log_level_parse(TEXT(""), &level), -EINVAL);
    assert_int_equal(level, LOG_LEVEL_DEBUG);
}

/* Runs `act` with standard error in a file; returns what it wrote, to be freed. */
static char *capture(void (*act)(void))
{
    FILE *file = tmpfile();
    assert_non_null(file);
    int saved = dup(STDERR_FILENO);
    dup2(fileno(file), STDERR_FILENO);
    act();
    dup2(saved, STDERR_FILENO);
    close(saved);
    long size = lseek(fileno(file), 0, SEEK_END);
    char *text = calloc(1, (size_t)size + 1);
    assert_non_null(text);
    assert_int_equal(pread(fileno(file), text, (size_t)size, 0), size);
    fclose(file);
    return text;
}

static void log_at_each_level(void)
{
    log_set_level(LOG_LEVEL_WARNING);
    errno = EPIPE;
    log_error("one");
    log_warning("two", LOG_U64("n", 2));
    log_info("three");
    log_set_level(LOG_LEVEL_INFO);
    log_info("four");
    log_debug("five");
    assert_int_equal(errno, EPIPE);
}

static void the_level_says_what_is_written(void **state)
{
    (void)state;
    char *text = capture(log_at_each_level);
    assert_non_null(strstr(text, "Z error meridian: one\n"));
    assert_non_null(strstr(text, "Z warning meridian: two n=2\n"));
    assert_null(strstr(text, "three"));
    assert_non_null(strstr(text, "Z info meridian: four\n"));
    assert_null(strstr(text, "five"));
    free(text);
}

static struct log_limit shared_limit;

static void log_past_the_limit(void)
{
    for (int i = 0; i < 5; i++)
        log_limited(&shared_limit, LOG_LEVEL_WARNING, "refused", LOG_I64("i", i));
    atomic_store(&shared_limit.due_ms, 0); /* as if the interval had passed */
    log_limited(&shared_limit, LOG_LEVEL_WARNING, "refused");
}

static void a_limited_line_tells_what_was_suppressed(void **state)
{
    (void)state;
    char *text = capture(log_past_the_limit);
    assert_non_null(strstr(text, "refused i=0\n"));
    assert_null(strstr(text, "i=1"));
    assert_non_null(strstr(text, "refused suppressed=4\n"));
    free(text);
}

enum { THREADS = 4, LINES = 500 };

static void *log_many(void *unused)
{
    for (int i = 0; i < LINES; i++)
        log_info("all of one line", LOG_STRING("tail", "0123456789abcdef"));
    return unused;
}

static void log_from_threads(void)
{
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, log_many, NULL), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static void lines_of_threads_do_not_mix(void **state)
{
    (void)state;
    static const char end[] = "Z info meridian: all of one line tail=0123456789abcdef";
    char *text = capture(log_from_threads);
    char *saved = NULL;
    size_t lines = 0;
    for (char *at = strtok_r(text, "\n", &saved); at; at = strtok_r(NULL, "\n", &saved), lines++)
        assert_string_equal(at + strlen("2026-01-31T09:30:00.125"), end);
    assert_int_equal(lines, THREADS * LINES);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_time_level_process_sentence_and_pairs),
        cmocka_unit_test(a_line_may_have_no_pairs),
        cmocka_unit_test(values_are_quoted_and_escaped),
        cmocka_unit_test(a_long_value_is_cut_past_its_limit),
        cmocka_unit_test(a_long_name_is_cut),
        cmocka_unit_test(a_long_line_is_cut_and_keeps_its_newline),
        cmocka_unit_test(a_limit_counts_what_it_holds_back),
        cmocka_unit_test(levels_have_names),
        cmocka_unit_test(the_level_says_what_is_written),
        cmocka_unit_test(a_limited_line_tells_what_was_suppressed),
        cmocka_unit_test(lines_of_threads_do_not_mix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
