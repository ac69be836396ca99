#include "tests/support/mailbox/fake_store.h"

#include "tests/support/mailbox/world.h"
#include "wire/cursor.h"

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct fingerprint));
}

static int find(void *context, void *handle, const struct fingerprint *print, uint32_t *ret_epoch,
                uint64_t *ret_seq)
{
    struct fake_store *store = context;
    const struct buffer *entries = &((struct fake_segment *)handle)->entries;
    store->finds++;
    if (store->fails != 0)
        return store->fails;
    const uint8_t *entry = bsearch(print, entries->data, entries->size / MAILBOX_SEGMENT_ENTRY_SIZE,
                                   MAILBOX_SEGMENT_ENTRY_SIZE, compare);
    if (entry == NULL)
        return 0;
    struct wire_cursor in = wire_cursor_of(entry + sizeof *print, 12);
    *ret_epoch = wire_read_u32(&in);
    *ret_seq = wire_read_u64(&in);
    return 1;
}

static void prefetch(void *context, void *handle, const struct fingerprint *print)
{
    (void)context, (void)print;
    assert_non_null(handle);
}

static void dropped(void *context, uint64_t id, void *handle)
{
    struct fake_store *store = context;
    struct fake_segment *segment = handle;
    assert_int_equal(segment->id, id);
    buffer_free(&segment->entries);
    segment->id = 0;
    store->dropped++;
}

static struct fake_segment *find_segment(struct fake_store *store, uint64_t id)
{
    for (size_t i = 0; i < FAKE_SEGMENTS_MAX; i++) {
        if (store->segments[i].id == id)
            return &store->segments[i];
    }
    fail_msg("no segment %d in the store", (int)id);
    return NULL;
}

void fake_store_attach(struct fake_store *store, struct mailbox *mailbox)
{
    mailbox_set_store(
        mailbox, &(struct mailbox_store){
                     .context = store, .find = find, .prefetch = prefetch, .dropped = dropped});
    struct mailbox_segment info;
    for (size_t i = 0; mailbox_segment_at(mailbox, i, &info); i++) {
        if (info.is_stored)
            assert_int_equal(mailbox_segment_stored(mailbox, info.id, find_segment(store, info.id)),
                             0);
    }
}

size_t fake_store_take(struct fake_store *store, struct mailbox *mailbox)
{
    size_t taken = 0;
    struct mailbox_segment info;
    for (size_t i = 0; mailbox_segment_at(mailbox, i, &info); i++) {
        if (info.is_stored)
            continue;
        struct mailbox_held *held = mailbox_segment_hold(mailbox, info.id);
        struct fake_segment *segment = find_segment(store, 0);
        segment->id = info.id;
        assert_non_null(held);
        assert_int_equal(mailbox_held_export(held, &segment->entries), 0);
        assert_int_equal(segment->entries.size, info.count * MAILBOX_SEGMENT_ENTRY_SIZE);
        mailbox_held_release(held);
        assert_int_equal(mailbox_segment_stored(mailbox, info.id, segment), 0);
        assert_null(mailbox_segment_hold(mailbox, info.id));
        taken++;
    }
    return taken;
}

size_t fake_store_count(const struct fake_store *store)
{
    size_t count = 0;
    for (size_t i = 0; i < FAKE_SEGMENTS_MAX; i++)
        count += store->segments[i].id != 0;
    return count;
}

void fake_store_free(struct fake_store *store)
{
    for (size_t i = 0; i < FAKE_SEGMENTS_MAX; i++)
        buffer_free(&store->segments[i].entries);
}
