/* Segments of the dedupe set: when they close, and that it makes no difference where they are. */
#include "tests/support/mailbox/fake_store.h"
#include "tests/support/mailbox/world.h"

#include <errno.h>
#include <stdio.h>

/* world_config(): generations of 100 s; log time starts at a bound of one. */
enum { GENERATION_MS = 100 * 1000, STEP_MS = 50 * 1000, LIST = 256 };

static void send(struct world *world, int64_t at_ms, const char *id)
{
    world->log.now_ms = at_ms;
    log_begin(&world->log);
    log_message(&world->log, "alice", id, "bob");
    log_by_edge(&world->log);
}

/* m0, m1... every 50 s, two a generation. */
static void send_many(struct world *world, int first, int count)
{
    char id[16];
    for (int i = first; i < first + count; i++) {
        snprintf(id, sizeof id, "m%d", i);
        send(world, (int64_t)i * STEP_MS, id);
    }
    assert_int_equal(world_apply(world), 0);
}

static void init(struct world *world)
{
    const struct wire_config config = world_config();
    world_init(world, &config);
}

static size_t closed(const struct mailbox *mailbox)
{
    struct mailbox_segment segment;
    size_t count = 0;
    while (mailbox_segment_at(mailbox, count, &segment))
        count++;
    return count;
}

static void one_closes_when_its_generation_ends(void **state)
{
    (void)state;
    struct world world;
    init(&world);
    send_many(&world, 0, 2);
    assert_int_equal(closed(world.mailbox), 0);
    send_many(&world, 2, 3);
    struct mailbox_segment segment;
    assert_int_equal(closed(world.mailbox), 2);
    assert_true(mailbox_segment_at(world.mailbox, 1, &segment));
    assert_int_equal(segment.id, 2);
    assert_int_equal(segment.count, 2);
    assert_int_equal(segment.start_ms, WORLD_START_MS + GENERATION_MS);
    assert_int_equal(segment.end_ms, WORLD_START_MS + 2 * GENERATION_MS);
    assert_false(segment.is_stored);
    world_done(&world);
}

static void repeat_all(struct world *world, int count)
{
    struct buffer lines = {0};
    char id[16];
    buffer_clear(&world->trace);
    for (int i = 0; i < count; i++) {
        snprintf(id, sizeof id, "m%d", i);
        send(world, (int64_t)(count - 1) * STEP_MS, id);
        buffer_printf(&lines, "repeat bob 1:%d alice/m%d\n", i + 1, i);
    }
    buffer_append(&lines, "", 1);
    world_expect(world, (const char *)lines.data);
    buffer_free(&lines);
}

static void stored_or_not_the_same_is_found(void **state)
{
    (void)state;
    for (int with_store = 0; with_store < 2; with_store++) {
        struct world world;
        struct fake_store store = {0};
        init(&world);
        if (with_store)
            fake_store_attach(&store, world.mailbox);
        send_many(&world, 0, 10);
        if (with_store)
            assert_int_equal(fake_store_take(&store, world.mailbox), 4);
        assert_int_equal(mailbox_state(world.mailbox).dedupe_entries, 10);
        assert_int_equal(mailbox_state(world.mailbox).dedupe_in_memory, with_store ? 2 : 10);
        repeat_all(&world, 10);
        assert_true(!with_store || store.finds > 8);
        world_done(&world);
        fake_store_free(&store);
    }
}

static void one_is_dropped_as_a_whole_and_the_store_is_told(void **state)
{
    (void)state;
    struct world world;
    struct fake_store store = {0};
    init(&world);
    fake_store_attach(&store, world.mailbox);
    send_many(&world, 0, 10);
    fake_store_take(&store, world.mailbox);
    send_many(&world, 10, 8);
    struct mailbox_held *held = mailbox_segment_hold(world.mailbox, 6);
    assert_non_null(held);
    send_many(&world, 18, 10);
    assert_int_equal(store.dropped, 4);
    assert_int_equal(fake_store_count(&store), 0);
    assert_int_equal(mailbox_segment_stored(world.mailbox, 6, &store.segments[0]), 0);
    assert_int_equal(mailbox_segment_stored(world.mailbox, 1, &store.segments[0]), -ENOENT);
    world_done(&world);
    struct buffer entries = {0};
    assert_int_equal(mailbox_held_export(held, &entries), 0); /* outlives the mailbox */
    assert_int_equal(entries.size, 2 * MAILBOX_SEGMENT_ENTRY_SIZE);
    buffer_free(&entries);
    mailbox_held_release(held);
    fake_store_free(&store);
}

static void what_is_exported_is_sorted_and_its_sum_is_known(void **state)
{
    (void)state;
    struct world world;
    init(&world);
    char id[16];
    for (int i = 0; i < 3000; i++) {
        snprintf(id, sizeof id, "m%d", i);
        send(&world, 0, id);
    }
    send(&world, GENERATION_MS, "later"); /* log time takes a minute at most with each batch */
    send(&world, GENERATION_MS, "later-2");
    assert_int_equal(world_apply(&world), 0);
    struct mailbox_segment segment;
    assert_true(mailbox_segment_at(world.mailbox, 0, &segment));
    assert_int_equal(segment.count, 3001);
    struct mailbox_held *held = mailbox_segment_hold(world.mailbox, 1);
    struct buffer entries = {0};
    assert_int_equal(mailbox_held_export(held, &entries), 0);
    mailbox_held_release(held);
    struct fingerprint sum = {0};
    const uint8_t *entry = entries.data;
    for (uint32_t i = 0; i < segment.count; i++, entry += MAILBOX_SEGMENT_ENTRY_SIZE) {
        hash_sum(&sum, entry, MAILBOX_SEGMENT_ENTRY_SIZE);
        assert_true(i == 0 || memcmp(entry - MAILBOX_SEGMENT_ENTRY_SIZE, entry, sizeof sum) < 0);
    }
    assert_memory_equal(&sum, &segment.sum, sizeof sum);
    buffer_free(&entries);
    world_done(&world);
}

struct refs {
    uint64_t ids[16];
    size_t count;
};

static void on_segment(void *context, const struct mailbox_segment *segment)
{
    struct refs *refs = context;
    assert_true(segment->count == 2 && segment->is_stored && refs->count < COUNT_OF(refs->ids));
    refs->ids[refs->count++] = segment->id;
}

static struct refs refs_of(const struct buffer *bytes)
{
    struct refs refs = {0};
    assert_int_equal(mailbox_saved_segments(bytes->data, bytes->size, &refs, on_segment), 0);
    return refs;
}

static void a_saved_state_refers_to_them_or_contains_them(void **state)
{
    (void)state;
    struct world world;
    struct fake_store store = {0};
    struct buffer alone = {0};
    struct buffer before = {0};
    struct buffer after = {0};
    init(&world);
    send_many(&world, 0, 9);
    assert_int_equal(mailbox_save(world.mailbox, &alone), 0);
    assert_int_equal(refs_of(&alone).count, 0);
    fake_store_attach(&store, world.mailbox);
    assert_int_equal(mailbox_save(world.mailbox, &before), 0); /* not stored yet: as if it were */
    assert_int_equal(fake_store_take(&store, world.mailbox), 4);
    assert_int_equal(mailbox_save(world.mailbox, &after), 0);
    assert_true(text_equal(buffer_text(&before), buffer_text(&after)));
    const struct refs refs = refs_of(&after);
    assert_int_equal(refs.count, 4);
    for (uint64_t i = 0; i < refs.count; i++)
        assert_int_equal(refs.ids[i], i + 1);
    after.data[after.size / 2] ^= 1;
    struct refs none = {0};
    assert_int_equal(mailbox_saved_segments(after.data, after.size, &none, on_segment), -EBADMSG);
    assert_int_equal(none.count, 0);
    buffer_free(&alone);
    buffer_free(&before);
    buffer_free(&after);
    world_done(&world);
    fake_store_free(&store);
}

static void what_was_loaded_finds_in_the_store(void **state)
{
    (void)state;
    struct world world;
    struct fake_store store = {0};
    init(&world);
    fake_store_attach(&store, world.mailbox);
    send_many(&world, 0, 9);
    fake_store_take(&store, world.mailbox);
    struct mailbox *loaded = saved_and_loaded(world.mailbox);
    mailbox_free(world.mailbox);
    world.mailbox = loaded;
    fake_store_attach(&store, loaded);
    repeat_all(&world, 9);
    world_done(&world);
    fake_store_free(&store);
}

static void must_be_broken(struct world *world)
{
    struct buffer bytes = {0};
    assert_int_equal(world_apply(world), -EIO);
    assert_true(world->why.text[0] != '\0');
    log_begin(&world->log); /* what would not look anything up */
    log_own(&world->log, "hub-1", 1, 0);
    log_by_hub(&world->log);
    assert_int_equal(world_apply(world), -EIO);
    log_pop(&world->log);
    assert_int_equal(mailbox_save(world->mailbox, &bytes), -EIO);
    buffer_free(&bytes);
}

static void a_store_that_fails_breaks_the_mailbox(void **state)
{
    (void)state;
    struct world world;
    struct fake_store store = {0};
    init(&world);
    fake_store_attach(&store, world.mailbox);
    send_many(&world, 0, 9);
    fake_store_take(&store, world.mailbox);
    struct mailbox *loaded = saved_and_loaded(world.mailbox);
    store.fails = -EILSEQ;
    world.why.text[0] = '\0';
    buffer_clear(&world.trace);
    log_begin(&world.log);
    log_message(&world.log, "alice", "m8", "bob"); /* of the open one: a repeat */
    log_message(&world.log, "alice", "m0", "bob");
    log_message(&world.log, "alice", "new", "bob");
    log_by_edge(&world.log);
    must_be_broken(&world);
    buffer_append(&world.trace, "", 1);
    assert_string_equal((const char *)world.trace.data, "repeat bob 1:9 alice/m8\n");
    buffer_clear(&world.trace);
    mailbox_free(world.mailbox); /* as it was saved, with a store that is well again */
    world.mailbox = loaded;
    store.fails = 0;
    fake_store_attach(&store, loaded);
    world_expect(&world, "repeat bob 1:9 alice/m8\nrepeat bob 1:1 alice/m0\n"
                         "row 10<9 bob 1:10 alice/new\n");
    world_done(&world);
    fake_store_free(&store);
}

static void what_nobody_has_attached_is_not_taken_for_absent(void **state)
{
    (void)state;
    struct world world;
    struct fake_store store = {0};
    init(&world);
    fake_store_attach(&store, world.mailbox);
    send_many(&world, 0, 9);
    fake_store_take(&store, world.mailbox);
    struct mailbox *loaded = saved_and_loaded(world.mailbox);
    mailbox_free(world.mailbox);
    world.mailbox = loaded;
    send(&world, 9 * STEP_MS, "new");
    must_be_broken(&world);
    world_done(&world);
    fake_store_free(&store);
}

/* One list after another, so that it does not take long. */
static void fill_a_segment(struct world *world, uint32_t entries)
{
    static char names[LIST][8];
    const char *list[LIST];
    for (size_t i = 0; i < LIST; i++) {
        snprintf(names[i], sizeof names[i], "u%zu", i);
        list[i] = names[i];
    }
    char id[16];
    for (uint32_t i = 0; i < entries / LIST; i++) {
        snprintf(id, sizeof id, "m%u", i);
        log_begin(&world->log);
        log_message_to(&world->log, "alice", id, list, LIST);
        log_by_edge(&world->log);
    }
    assert_int_equal(world_apply(world), 0);
    buffer_clear(&world->trace);
}

static void one_closes_when_it_is_full_and_the_generation_goes_on(void **state)
{
    (void)state;
    struct world world;
    struct mailbox_segment segment;
    init(&world);
    fill_a_segment(&world, MAILBOX_SEGMENT_ENTRIES - LIST);
    assert_int_equal(closed(world.mailbox), 0);
    char id[16];
    for (int i = 0; i < LIST; i++) {
        assert_int_equal(closed(world.mailbox), 0);
        snprintf(id, sizeof id, "m%d", i);
        send(&world, 0, id);
        assert_int_equal(world_apply(&world), 0);
    }
    assert_int_equal(closed(world.mailbox), 1);
    send(&world, 0, "m1");
    send(&world, 0, "more");
    assert_int_equal(world_apply(&world), 0);
    assert_int_equal(mailbox_state(world.mailbox).dedupe_entries, MAILBOX_SEGMENT_ENTRIES + 1);
    assert_true(mailbox_segment_at(world.mailbox, 0, &segment));
    assert_int_equal(segment.count, MAILBOX_SEGMENT_ENTRIES);
    send(&world, GENERATION_MS / 2, "later");
    send(&world, GENERATION_MS, "later-2");
    assert_int_equal(world_apply(&world), 0);
    assert_true(mailbox_segment_at(world.mailbox, 1, &segment));
    assert_int_equal(segment.count, 2);
    assert_int_equal(segment.start_ms, WORLD_START_MS); /* of the same generation */
    struct mailbox *loaded = saved_and_loaded(world.mailbox);
    mailbox_free(loaded);
    world_done(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_closes_when_its_generation_ends),
        cmocka_unit_test(stored_or_not_the_same_is_found),
        cmocka_unit_test(one_is_dropped_as_a_whole_and_the_store_is_told),
        cmocka_unit_test(what_is_exported_is_sorted_and_its_sum_is_known),
        cmocka_unit_test(a_saved_state_refers_to_them_or_contains_them),
        cmocka_unit_test(what_was_loaded_finds_in_the_store),
        cmocka_unit_test(a_store_that_fails_breaks_the_mailbox),
        cmocka_unit_test(what_nobody_has_attached_is_not_taken_for_absent),
        cmocka_unit_test(one_closes_when_it_is_full_and_the_generation_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
