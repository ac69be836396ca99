#include "golden.h"
#include "wire/beat.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void assert_text(struct text text, const char *expected)
{
    assert_int_equal(text.size, strlen(expected));
    assert_memory_equal(text.data, expected, text.size);
}

static void count_up(uint8_t *bytes, uint8_t first)
{
    for (uint8_t i = 0; i < 16; i++)
        bytes[i] = (uint8_t)(first + i);
}

static struct wire_hub_beat hub_of_file(void)
{
    struct wire_hub_beat beat = {
        .hub = TEXT("dub-hub-1"),
        .start = 0x0102030405060708,
        .generation = 4712,
        .applied = 70000,
        .head = 70003,
        .shard = 3,
        .shards = 4,
        .level = 1,
        .log_permille = 125,
        .lag_ms = 40,
    };
    count_up(beat.incarnation, 0x10);
    return beat;
}

static void writes_a_hub_beat_as_pinned(void **state)
{
    (void)state;
    struct wire_hub_beat beat = hub_of_file();
    struct wire_lane lanes[] = {{.source = TEXT("sin"), .sequence = 9000}, {.source = TEXT("iad")}};
    count_up(lanes[0].incarnation, 0x20);
    struct wire_outbox outbox = {TEXT("sin"), 7, 3600};
    struct wire_edge_count edges[] = {{TEXT("dub-1"), 1000, 0x3132333435363738},
                                      {TEXT("dub-2"), 0, 0}};
    struct buffer out = {0};
    assert_int_equal(wire_hub_beat_write(&out, &beat, lanes, 2, &outbox, 1, edges, 2), 0);
    golden_assert_equal("beat_hub_2", out.data, out.size);
    buffer_free(&out);
}

static void reads_a_hub_beat_as_pinned(void **state)
{
    (void)state;
    struct buffer bytes = golden_load("beat_hub_2");
    struct wire_hub_beat beat, expected = hub_of_file();
    assert_int_equal(wire_hub_beat_read(bytes.data, bytes.size, &beat), 0);
    assert_text(beat.hub, "dub-hub-1");
    assert_true(beat.start == expected.start);
    assert_true(beat.generation == 4712);
    assert_true(beat.applied == 70000);
    assert_true(beat.head == 70003);
    assert_memory_equal(beat.incarnation, expected.incarnation, 16);
    assert_int_equal(beat.shard, 3);
    assert_int_equal(beat.shards, 4);
    assert_int_equal(beat.level, 1);
    assert_int_equal(beat.log_permille, 125);
    assert_int_equal(beat.lag_ms, 40);
    assert_int_equal(beat.lane_count, 2);
    assert_int_equal(beat.outbox_count, 1);
    assert_int_equal(beat.edge_count, 2);
    buffer_free(&bytes);
}

static void reads_the_lists_of_a_hub_beat_as_pinned(void **state)
{
    (void)state;
    struct buffer bytes = golden_load("beat_hub_2");
    struct wire_hub_beat beat;
    struct wire_lane lane;
    struct wire_outbox outbox;
    struct wire_edge_count edge;
    uint8_t incarnation[16];
    count_up(incarnation, 0x20);
    assert_int_equal(wire_hub_beat_read(bytes.data, bytes.size, &beat), 0);

    assert_true(wire_lane_next(&beat.lanes, &lane));
    assert_text(lane.source, "sin");
    assert_memory_equal(lane.incarnation, incarnation, 16);
    assert_true(lane.sequence == 9000);
    assert_true(wire_lane_next(&beat.lanes, &lane));
    assert_text(lane.source, "iad");
    assert_true(lane.sequence == 0);
    assert_false(wire_lane_next(&beat.lanes, &lane));
    assert_true(wire_done(&beat.lanes));

    assert_true(wire_outbox_next(&beat.outboxes, &outbox));
    assert_text(outbox.destination, "sin");
    assert_int_equal(outbox.permille, 7);
    assert_int_equal(outbox.oldest_s, 3600);
    assert_false(wire_outbox_next(&beat.outboxes, &outbox));
    assert_true(wire_done(&beat.outboxes));

    assert_true(wire_edge_count_next(&beat, &edge));
    assert_text(edge.edge, "dub-1");
    assert_int_equal(edge.attached, 1000);
    assert_true(edge.digest == 0x3132333435363738);
    assert_true(wire_edge_count_next(&beat, &edge));
    assert_text(edge.edge, "dub-2");
    assert_int_equal(edge.attached, 0);
    assert_true(edge.digest == 0);
    assert_false(wire_edge_count_next(&beat, &edge));
    assert_text(edge.edge, "dub-2"); /* untouched at the end */
    assert_true(wire_done(&beat.edges));
    buffer_free(&bytes);
}

/* Version 1 had no digests; whoever still writes it is read. */
static void reads_a_hub_beat_of_version_1_as_pinned(void **state)
{
    (void)state;
    struct buffer bytes = golden_load("beat_hub");
    struct wire_hub_beat beat;
    struct wire_edge_count edge;
    assert_int_equal(wire_hub_beat_read(bytes.data, bytes.size, &beat), 0);
    assert_int_equal(beat.version, 1);
    assert_true(beat.head == 70003);
    assert_int_equal(beat.edge_count, 2);
    assert_true(wire_edge_count_next(&beat, &edge));
    assert_text(edge.edge, "dub-1");
    assert_int_equal(edge.attached, 1000);
    assert_true(edge.digest == 0);
    assert_true(wire_edge_count_next(&beat, &edge));
    assert_text(edge.edge, "dub-2");
    assert_false(wire_edge_count_next(&beat, &edge));
    assert_true(wire_done(&beat.edges));
    for (size_t size = 0; size < bytes.size; size++) {
        uint8_t *exact = golden_exact(bytes.data, size);
        assert_int_equal(wire_hub_beat_read(exact, size, &beat), -EBADMSG);
        free(exact);
    }
    buffer_free(&bytes);
}

/* Edges and hubs of any two releases must come to the same. */
static void the_digest_of_an_attach_is_pinned(void **state)
{
    (void)state;
    assert_true(wire_attach_digest(TEXT("bob"), TEXT("phone"), 77) == 0xB46CFD2ACDC946E2);
    /* Nothing of one text counts for the other. */
    assert_true(wire_attach_digest(TEXT("bobp"), TEXT("hone"), 77) !=
                wire_attach_digest(TEXT("bob"), TEXT("phone"), 77));
    assert_true(wire_attach_digest(TEXT("bob"), TEXT("phone"), 78) !=
                wire_attach_digest(TEXT("bob"), TEXT("phone"), 77));
}

static void writes_and_reads_an_edge_beat_as_pinned(void **state)
{
    (void)state;
    struct wire_edge_beat beat = {
        .edge = TEXT("dub-2"),
        .region = TEXT("dub"),
        .start = 0x1112131415161718,
        .number = 42,
        .connections = 50000,
    };
    struct buffer out = {0};
    assert_int_equal(wire_edge_beat_write(&out, &beat), 0);
    golden_assert_equal("beat_edge", out.data, out.size);
    buffer_free(&out);

    struct buffer bytes = golden_load("beat_edge");
    beat = (struct wire_edge_beat){0};
    assert_int_equal(wire_edge_beat_read(bytes.data, bytes.size, &beat), 0);
    assert_text(beat.edge, "dub-2");
    assert_text(beat.region, "dub");
    assert_true(beat.start == 0x1112131415161718);
    assert_true(beat.number == 42);
    assert_int_equal(beat.connections, 50000);
    buffer_free(&bytes);
}

static void refuses_every_truncation(void **state)
{
    (void)state;
    struct buffer hub = golden_load("beat_hub_2");
    for (size_t size = 0; size < hub.size; size++) {
        uint8_t *exact = golden_exact(hub.data, size);
        struct wire_hub_beat beat, before;
        memset(&beat, 0xA5, sizeof beat);
        before = beat;
        assert_int_equal(wire_hub_beat_read(exact, size, &beat), -EBADMSG);
        assert_memory_equal(&beat, &before, sizeof beat);
        free(exact);
    }
    buffer_free(&hub);
    struct buffer edge = golden_load("beat_edge");
    for (size_t size = 0; size < edge.size; size++) {
        uint8_t *exact = golden_exact(edge.data, size);
        struct wire_edge_beat beat, before;
        memset(&beat, 0xA5, sizeof beat);
        before = beat;
        assert_int_equal(wire_edge_beat_read(exact, size, &beat), -EBADMSG);
        assert_memory_equal(&beat, &before, sizeof beat);
        free(exact);
    }
    buffer_free(&edge);
}

static int read_hub(const void *bytes, size_t size)
{
    struct wire_hub_beat beat;
    return wire_hub_beat_read(bytes, size, &beat);
}

static int read_edge(const void *bytes, size_t size)
{
    struct wire_edge_beat beat;
    return wire_edge_beat_read(bytes, size, &beat);
}

static void refuses_bytes_left_over(void **state)
{
    (void)state;
    struct buffer hub = golden_load("beat_hub_2");
    golden_append(&hub, GOLDEN_NO_SIZE, 0);
    assert_int_equal(read_hub(hub.data, hub.size), -EBADMSG);
    buffer_free(&hub);
    struct buffer edge = golden_load("beat_edge");
    golden_append(&edge, GOLDEN_NO_SIZE, 0);
    assert_int_equal(read_edge(edge.data, edge.size), -EBADMSG);
    buffer_free(&edge);
}

static void texts_are_held_to_their_bounds(void **state)
{
    (void)state;
    static const struct golden_field hub_fields[] = {
        {"beat_hub_2", "dub-hub-1", GOLDEN_PROCESS},
        {"beat_hub_2", "sin", GOLDEN_REGION},
        {"beat_hub_2", "iad", GOLDEN_REGION},
        {"beat_hub_2", "dub-2", GOLDEN_PROCESS},
    };
    for (size_t i = 0; i < COUNT_OF(hub_fields); i++)
        golden_check_field(&hub_fields[i], GOLDEN_NO_SIZE, read_hub);
    static const struct golden_field edge_fields[] = {
        {"beat_edge", "dub-2", GOLDEN_PROCESS},
        {"beat_edge", "dub", GOLDEN_REGION},
    };
    for (size_t i = 0; i < COUNT_OF(edge_fields); i++)
        golden_check_field(&edge_fields[i], GOLDEN_NO_SIZE, read_edge);
}

static void knows_its_kind_and_version(void **state)
{
    (void)state;
    struct buffer hub = golden_load("beat_hub_2");
    struct buffer edge = golden_load("beat_edge");
    assert_int_equal(read_edge(hub.data, hub.size), -EBADMSG);
    assert_int_equal(read_hub(edge.data, edge.size), -EBADMSG);
    golden_patch(&hub, 4, 3, 1);
    golden_patch(&edge, 4, 2, 1);
    assert_int_equal(read_hub(hub.data, hub.size), -EPROTO);
    assert_int_equal(read_edge(edge.data, edge.size), -EPROTO);
    golden_patch(&hub, 4, 0, 1);
    assert_int_equal(read_hub(hub.data, hub.size), -EPROTO);
    golden_patch(&edge, 4, 1, 1);
    golden_patch(&edge, 5, 1, 1); /* the zero */
    assert_int_equal(read_edge(edge.data, edge.size), -EBADMSG);
    buffer_free(&hub);
    buffer_free(&edge);
}

static void a_shard_is_one_of_the_shards(void **state)
{
    (void)state;
    struct buffer hub = golden_load("beat_hub_2");
    golden_patch(&hub, 8, 3, 2); /* shard 3 of 3 */
    assert_int_equal(read_hub(hub.data, hub.size), -EBADMSG);
    buffer_free(&hub);
}

enum { COUNTS_AT = 64 + 1 + 9 }; /* of the three counts, in a beat of that hub */
enum list { LANES, OUTBOXES, EDGES };

/* A beat with as many entries in one list as there may be, and then one more of `size` bytes, which
 * is really there: so it is refused for its count and not for a lack of bytes. */
static int read_one_more(enum list list, size_t limit, size_t size)
{
    static struct wire_lane lanes[WIRE_BEAT_LANES_MAX];
    static struct wire_outbox outboxes[WIRE_BEAT_LANES_MAX];
    static struct wire_edge_count edges[WIRE_BEAT_EDGES_MAX];
    for (size_t i = 0; i < WIRE_BEAT_LANES_MAX; i++)
        lanes[i].source = outboxes[i].destination = TEXT("sin");
    for (size_t i = 0; i < WIRE_BEAT_EDGES_MAX; i++)
        edges[i].edge = TEXT("sin");
    struct wire_hub_beat beat = hub_of_file();
    struct buffer out = {0};
    int error = wire_hub_beat_write(&out, &beat, lanes, list == LANES ? limit : 0, outboxes,
                                    list == OUTBOXES ? limit : 0, edges, list == EDGES ? limit : 0);
    assert_int_equal(error, 0);
    assert_int_equal(read_hub(out.data, out.size), 0);
    wire_write_text8(&out, TEXT("sin"));
    while (size-- > 4)
        wire_write_u8(&out, 0);
    golden_patch(&out, COUNTS_AT + 2 * (size_t)list, limit + 1, 2);
    error = read_hub(out.data, out.size);
    buffer_free(&out);
    return error;
}

static void one_more_than_the_limit_is_refused(void **state)
{
    (void)state;
    assert_int_equal(read_one_more(LANES, WIRE_BEAT_LANES_MAX, 4 + 16 + 8), -EBADMSG);
    assert_int_equal(read_one_more(OUTBOXES, WIRE_BEAT_LANES_MAX, 4 + 2 + 4), -EBADMSG);
    assert_int_equal(read_one_more(EDGES, WIRE_BEAT_EDGES_MAX, 4 + 4 + 8), -EBADMSG);
    assert_int_equal(read_one_more(EDGES, WIRE_BEAT_EDGES_MAX - 1, 4 + 4 + 8), 0);
    assert_int_equal(read_one_more(OUTBOXES, WIRE_BEAT_LANES_MAX - 1, 4 + 2 + 4), 0);
    assert_int_equal(read_one_more(LANES, WIRE_BEAT_LANES_MAX - 1, 4 + 16 + 8), 0);
}

static void says_when_memory_was_short(void **state)
{
    (void)state;
    struct buffer out = {.failed = true};
    struct wire_hub_beat hub = hub_of_file();
    struct wire_edge_beat edge = {.edge = TEXT("dub-2"), .region = TEXT("dub")};
    assert_int_equal(wire_hub_beat_write(&out, &hub, NULL, 0, NULL, 0, NULL, 0), -ENOMEM);
    assert_int_equal(wire_edge_beat_write(&out, &edge), -ENOMEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_a_hub_beat_as_pinned),
        cmocka_unit_test(reads_a_hub_beat_as_pinned),
        cmocka_unit_test(reads_the_lists_of_a_hub_beat_as_pinned),
        cmocka_unit_test(reads_a_hub_beat_of_version_1_as_pinned),
        cmocka_unit_test(the_digest_of_an_attach_is_pinned),
        cmocka_unit_test(writes_and_reads_an_edge_beat_as_pinned),
        cmocka_unit_test(refuses_every_truncation),
        cmocka_unit_test(refuses_bytes_left_over),
        cmocka_unit_test(texts_are_held_to_their_bounds),
        cmocka_unit_test(knows_its_kind_and_version),
        cmocka_unit_test(a_shard_is_one_of_the_shards),
        cmocka_unit_test(one_more_than_the_limit_is_refused),
        cmocka_unit_test(says_when_memory_was_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
