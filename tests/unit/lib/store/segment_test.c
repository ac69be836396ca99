/* Segment files: what was put in is found, nothing else is, and no damage is believed. */
#include "store/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { ID = 7, PAGE = 4096, PAGE_ENTRIES = 146 };

static char folder[300];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "%s/segments-%d.seen", MERIDIAN_BINARY_DIR, (int)getpid());
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    int err = segment_clean(folder, NULL, NULL);
    (void)rmdir(folder);
    return err;
}

static struct fingerprint print_of(uint64_t number)
{
    static const uint8_t key[16] = "a key of 16 byte";
    return hash_fingerprint(key, &number, sizeof number);
}

static void put_entry(uint8_t *to, const struct fingerprint *print, uint32_t epoch, uint64_t seq)
{
    memcpy(to, print->bytes, sizeof print->bytes);
    for (size_t i = 0; i < 4; i++)
        to[16 + i] = (uint8_t)(epoch >> (8 * i));
    for (size_t i = 0; i < 8; i++)
        to[20 + i] = (uint8_t)(seq >> (8 * i));
}

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct fingerprint));
}

/* Entries 0 to count - 1, entry i with epoch i % 3 and seq 2^33 + i; sorted. To be freed. */
static uint8_t *make_entries(uint32_t count, struct segment_info *ret_info)
{
    uint8_t *entries = malloc((size_t)count * SEGMENT_ENTRY_SIZE);
    assert_non_null(entries);
    *ret_info = (struct segment_info){.id = ID, .start_ms = 1000, .end_ms = 2000, .count = count};
    for (uint32_t i = 0; i < count; i++) {
        const struct fingerprint print = print_of(i);
        uint8_t *entry = entries + (size_t)i * SEGMENT_ENTRY_SIZE;
        put_entry(entry, &print, i % 3, ((uint64_t)1 << 33) + i);
        hash_sum(&ret_info->sum, entry, SEGMENT_ENTRY_SIZE);
    }
    qsort(entries, count, SEGMENT_ENTRY_SIZE, compare);
    return entries;
}

static struct segment_info write_segment(uint32_t count)
{
    struct segment_info info;
    uint8_t *entries = make_entries(count, &info);
    assert_int_equal(segment_write(folder, &info, entries, (size_t)count * SEGMENT_ENTRY_SIZE), 0);
    free(entries);
    return info;
}

static struct segment *open_segment(void)
{
    struct segment *segment = NULL;
    struct error_text why = {0};
    assert_int_equal(segment_open(folder, ID, &segment, &why), 0);
    return segment;
}

static void must_find(const struct segment *segment, uint64_t number)
{
    const struct fingerprint print = print_of(number);
    uint32_t epoch = 99;
    uint64_t seq = 0;
    assert_int_equal(segment_find(segment, &print, &epoch, &seq), 1);
    assert_int_equal(epoch, number % 3);
    assert_int_equal(seq, ((uint64_t)1 << 33) + number);
}

static void what_is_in_it_is_found_and_nothing_else(void **state)
{
    (void)state;
    static const uint32_t counts[] = {1,
                                      2,
                                      50,
                                      51,
                                      52,
                                      PAGE_ENTRIES - 1,
                                      PAGE_ENTRIES,
                                      PAGE_ENTRIES + 1,
                                      2 * PAGE_ENTRIES,
                                      2 * PAGE_ENTRIES + 1,
                                      5000};
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        const struct segment_info info = write_segment(counts[i]);
        struct segment *segment = open_segment();
        assert_true(segment_is(segment, &info));
        assert_int_equal(segment_verify(segment), 0);
        for (uint32_t at = 0; at < counts[i]; at++)
            must_find(segment, at);
        for (uint64_t at = counts[i]; at < 20000; at++) {
            const struct fingerprint print = print_of(at);
            uint32_t epoch;
            uint64_t seq;
            assert_int_equal(segment_find(segment, &print, &epoch, &seq), 0);
        }
        segment_close(segment);
    }
}

/* Nobody's hash makes these, but the search must not depend on it. */
static void fingerprints_that_begin_alike_are_told_apart(void **state)
{
    (void)state;
    enum { COUNT = 3 * PAGE_ENTRIES + 5 };
    uint8_t *entries = malloc((size_t)COUNT * SEGMENT_ENTRY_SIZE);
    assert_non_null(entries);
    struct segment_info info = {.id = ID, .count = COUNT};
    for (uint32_t i = 0; i < COUNT; i++) {
        struct fingerprint print = {.bytes = {1, 2, 3, 4, 5, 6, 7, 8}};
        print.bytes[14] = (uint8_t)(i >> 8);
        print.bytes[15] = (uint8_t)i;
        put_entry(entries + (size_t)i * SEGMENT_ENTRY_SIZE, &print, 1, i);
        hash_sum(&info.sum, entries + (size_t)i * SEGMENT_ENTRY_SIZE, SEGMENT_ENTRY_SIZE);
    }
    assert_int_equal(segment_write(folder, &info, entries, (size_t)COUNT * SEGMENT_ENTRY_SIZE), 0);
    struct segment *segment = open_segment();
    for (uint32_t i = 0; i < COUNT + 10; i++) {
        struct fingerprint print = {.bytes = {1, 2, 3, 4, 5, 6, 7, 8}};
        print.bytes[14] = (uint8_t)(i >> 8);
        print.bytes[15] = (uint8_t)i;
        uint32_t epoch;
        uint64_t seq = 0;
        assert_int_equal(segment_find(segment, &print, &epoch, &seq), i < COUNT);
        assert_true(i >= COUNT || seq == i);
    }
    assert_int_equal(segment_verify(segment), 0);
    segment_close(segment);
    free(entries);
}

static void the_filter_is_seldom_wrong_and_small(void **state)
{
    (void)state;
    enum { COUNT = 200000, TRIES = 1000000 };
    write_segment(COUNT);
    struct segment *segment = open_segment();
    unsigned wrong = 0;
    for (uint64_t i = 0; i < TRIES; i++) {
        const struct fingerprint print = print_of((uint64_t)COUNT + i);
        wrong += segment_may_hold(segment, &print);
    }
    const double rate = (double)wrong / TRIES;
    const double bytes = (double)segment_memory(segment) / COUNT;
    print_message("false positives %.2f %% (at most 2), %.2f bytes an entry (at most 2)\n",
                  100 * rate, bytes);
    assert_true(rate < 0.02 && bytes < 2);
    segment_close(segment);
}

static void what_is_not_sorted_or_of_another_size_is_refused(void **state)
{
    (void)state;
    struct segment_info info;
    uint8_t *entries = make_entries(3, &info);
    assert_int_equal(segment_write(folder, &info, entries, 2 * SEGMENT_ENTRY_SIZE), -EINVAL);
    memcpy(entries + SEGMENT_ENTRY_SIZE, entries, SEGMENT_ENTRY_SIZE); /* twice the same */
    assert_int_equal(segment_write(folder, &info, entries, 3 * SEGMENT_ENTRY_SIZE), -EINVAL);
    info.count = 0;
    assert_int_equal(segment_write(folder, &info, entries, 0), -EINVAL);
    free(entries);
}

static struct buffer whole_file(void)
{
    struct buffer bytes = {0};
    assert_int_equal(segment_read_all(folder, ID, &bytes), 0);
    return bytes;
}

static void put_file(const void *bytes, size_t size)
{
    char path[400];
    snprintf(path, sizeof path, "%s/%d", folder, ID);
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), size);
    close(fd);
}

/* 0 when all of it comes back as it was, else the error that says it does not. */
static int look_through(uint32_t count)
{
    struct segment *segment = NULL;
    struct error_text why = {0};
    int err = segment_open(folder, ID, &segment, &why);
    if (err != 0) {
        assert_true(why.text[0] != '\0');
        return err;
    }
    int found = 1;
    for (uint32_t i = 0; i < count && found == 1; i++) {
        const struct fingerprint print = print_of(i);
        uint32_t epoch;
        uint64_t seq;
        found = segment_find(segment, &print, &epoch, &seq);
        if (found == 1)
            must_find(segment, i);
    }
    assert_int_not_equal(found, 0); /* never "not there" */
    const int verdict = segment_verify(segment);
    assert_true(found == 1 || verdict == -EILSEQ);
    segment_close(segment);
    return found < 0 ? found : verdict;
}

static void every_flipped_byte_is_noticed(void **state)
{
    (void)state;
    enum { COUNT = 2 * PAGE_ENTRIES + 10 };
    const struct segment_info info = write_segment(COUNT);
    struct buffer bytes = whole_file();
    assert_int_equal(look_through(COUNT), 0);
    for (size_t at = 0; at < bytes.size; at += at < 80 || at > 4 * PAGE ? 1 : 7) {
        bytes.data[at] ^= 0x10;
        put_file(bytes.data, bytes.size);
        assert_int_equal(look_through(COUNT), -EILSEQ);
        if (at % 64 == 0)
            assert_int_equal(segment_install(folder, &info, bytes.data, bytes.size), -EILSEQ);
        bytes.data[at] ^= 0x10;
    }
    buffer_free(&bytes);
}

static void every_truncation_and_every_addition_is_noticed(void **state)
{
    (void)state;
    enum { COUNT = PAGE_ENTRIES + 1 };
    const struct segment_info info = write_segment(COUNT);
    struct buffer bytes = whole_file();
    for (size_t size = 0; size < bytes.size; size += size < 100 ? 1 : 97) {
        put_file(bytes.data, size);
        assert_int_equal(look_through(COUNT), -EILSEQ);
        assert_int_equal(segment_install(folder, &info, bytes.data, size), -EILSEQ);
    }
    buffer_append(&bytes, "", 1);
    put_file(bytes.data, bytes.size);
    assert_int_equal(look_through(COUNT), -EILSEQ);
    buffer_free(&bytes);
}

static void a_file_is_copied_whole_or_not_at_all(void **state)
{
    (void)state;
    const struct segment_info info = write_segment(1000);
    struct buffer bytes = whole_file();
    assert_int_equal(segment_remove(folder, ID), 0);
    assert_int_equal(segment_remove(folder, ID), 0);
    struct segment *segment = NULL;
    assert_int_equal(segment_open(folder, ID, &segment, NULL), -ENOENT);
    struct buffer none = {0};
    assert_int_equal(segment_read_all(folder, ID, &none), -ENOENT);
    struct segment_info other = info;
    other.end_ms++;
    assert_int_equal(segment_install(folder, &other, bytes.data, bytes.size), -EILSEQ);
    other = info;
    other.sum.bytes[0] ^= 1;
    assert_int_equal(segment_install(folder, &other, bytes.data, bytes.size), -EILSEQ);
    assert_int_equal(segment_open(folder, ID, &segment, NULL), -ENOENT);
    assert_int_equal(segment_install(folder, &info, bytes.data, bytes.size), 0);
    assert_int_equal(look_through(1000), 0);
    buffer_free(&bytes);
}

static bool is_even(void *context, uint64_t id)
{
    (void)context;
    return id % 2 == 0;
}

static void what_nobody_needs_is_cleaned_away(void **state)
{
    (void)state;
    struct segment_info info;
    uint8_t *entries = make_entries(10, &info);
    for (info.id = 1; info.id <= 4; info.id++)
        assert_int_equal(segment_write(folder, &info, entries, 10 * SEGMENT_ENTRY_SIZE), 0);
    free(entries);
    char path[400];
    static const char *const others[] = {"2.new", "notes", "5x"};
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        snprintf(path, sizeof path, "%s/%s", folder, others[i]);
        close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    }
    assert_int_equal(segment_clean(folder, NULL, is_even), 0);
    static const char *const there[] = {"2", "4", "notes", "5x"};
    static const char *const gone[] = {"1", "3", "2.new"};
    for (size_t i = 0; i < COUNT_OF(there); i++) {
        snprintf(path, sizeof path, "%s/%s", folder, there[i]);
        assert_int_equal(access(path, F_OK), 0);
        if (i >= 2)
            unlink(path);
    }
    for (size_t i = 0; i < COUNT_OF(gone); i++) {
        snprintf(path, sizeof path, "%s/%s", folder, gone[i]);
        assert_int_equal(access(path, F_OK), -1);
    }
    assert_int_equal(segment_clean("/no/such/folder", NULL, is_even), 0);
}

static void a_full_disk_leaves_nothing_behind(void **state)
{
    (void)state;
    assert_int_equal(segment_remove(folder, ID), 0);
    struct segment_info info;
    uint8_t *entries = make_entries(20000, &info);
    struct rlimit was;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    signal(SIGXFSZ, SIG_IGN);
    const struct rlimit small = {.rlim_cur = 100000, .rlim_max = was.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assert_int_equal(segment_write(folder, &info, entries, (size_t)20000 * SEGMENT_ENTRY_SIZE),
                     -EFBIG);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    struct segment *segment = NULL;
    assert_int_equal(segment_open(folder, ID, &segment, NULL), -ENOENT);
    char path[400];
    snprintf(path, sizeof path, "%s/%d.new", folder, ID);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(
        segment_write("/proc/none/of", &info, entries, (size_t)20000 * SEGMENT_ENTRY_SIZE),
        -ENOENT);
    free(entries);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_in_it_is_found_and_nothing_else),
        cmocka_unit_test(fingerprints_that_begin_alike_are_told_apart),
        cmocka_unit_test(the_filter_is_seldom_wrong_and_small),
        cmocka_unit_test(what_is_not_sorted_or_of_another_size_is_refused),
        cmocka_unit_test(every_flipped_byte_is_noticed),
        cmocka_unit_test(every_truncation_and_every_addition_is_noticed),
        cmocka_unit_test(a_file_is_copied_whole_or_not_at_all),
        cmocka_unit_test(what_nobody_needs_is_cleaned_away),
        cmocka_unit_test(a_full_disk_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
