#include "home_owner.h"

struct home_owner it;

static inline void note(char *into, size_t size, const char *format, ...) PRINTF_LIKE(3, 4);
static void note(char *into, size_t size, const char *format, ...)
{
    size_t used = strlen(into);
    va_list args;
    va_start(args, format);
    vsnprintf(into + used, size - used, format, args);
    va_end(args);
}
#define SENT(...) note(it.sent, sizeof it.sent, __VA_ARGS__)
#define TOLD(...) note(it.told, sizeof it.told, __VA_ARGS__)
#define U(n) ((unsigned long long)(n))

static void note_entry(const struct wire_entry *entry)
{
    const struct wire_attach *attach = &entry->attach;
    switch (entry->kind) {
    case WIRE_ATTACH:
        it.request = attach->request;
        SENT("attach %llu", U(attach->attach));
        if ((attach->flags & WIRE_ATTACH_HAS_CURSOR) != 0)
            SENT(" at %u:%llu", attach->epoch, U(attach->seq));
        if (attach->token.size > 0)
            SENT(" with %.*s", TEXT_ARGS(attach->token));
        SENT("\n");
        break;
    case WIRE_DETACH:
        SENT("detach %llu\n", U(entry->detach.attach));
        break;
    case WIRE_REPORT:
        SENT("report %llu acked %llu\n", U(entry->report.received), U(entry->report.acked));
        break;
    case WIRE_READ_UP_TO:
        assert_int_equal(entry->read_up_to.attach, 77);
        SENT("read %.*s %llu\n", TEXT_ARGS(entry->read_up_to.of), U(entry->read_up_to.seq));
        break;
    case WIRE_SHOW:
        it.request = entry->show.request;
        SENT("show %.*s %.*s %u:%llu\n", TEXT_ARGS(entry->show.device), TEXT_ARGS(entry->show.of),
             entry->show.epoch, U(entry->show.seq));
        break;
    case WIRE_FETCH:
        SENT("fetch %llu\n", U(entry->fetch.from));
        break;
    case WIRE_EPHEMERAL_SEND:
        SENT("ephemeral %.*s\n", TEXT_ARGS(entry->ephemeral.id));
        break;
    default:
        SENT("?\n");
        break;
    }
}

static int on_publish(void *context, const char *subject, const void *data, size_t size)
{
    struct wire_frame frame;
    struct wire_entry entry;
    (void)context;
    assert_non_null(strstr(subject, "hub.local."));
    assert_int_equal(wire_frame_read(data, size, &frame), 0);
    assert_true(text_equal(frame.from, TEXT("local-1")));
    while (!it.dropping && wire_entry_next(&frame, &entry) == 0)
        note_entry(&entry);
    return it.dropping ? -ENOTCONN : 0;
}

static void on_wake(void *context, int64_t delay_ms)
{
    (void)context;
    (void)delay_ms;
}

static void on_orphans(void *context)
{
    (void)context;
    it.orphans++;
}

static void on_claimed(void *context, const struct wire_claimed *claimed)
{
    (void)context;
    TOLD("claimed %llu\n", U(claimed->request));
}

static void on_attached(struct edge_attach *attach, const struct wire_attached *attached,
                        bool again, bool resync)
{
    (void)attached;
    TOLD("attached %u:%llu%s%s\n", attach->epoch, U(attach->next - 1), again ? " again" : "",
         resync ? " resync" : "");
}

static void on_deliver(struct edge_attach *attach, const struct wire_deliver *deliver)
{
    (void)attach;
    TOLD("msg %llu\n", U(deliver->seq));
}

static void on_confirmed(struct edge_attach *attach)
{
    TOLD("confirmed %llu\n", U(attach->confirmed));
}

static void on_doubt(struct edge_attach *attach)
{
    (void)attach;
    TOLD("doubt\n");
}

static void on_gap(struct edge_attach *attach, const struct wire_gap *gap)
{
    (void)attach;
    TOLD("gap %llu-%llu\n", U(gap->from), U(gap->to));
}

static void on_lost(struct edge_attach *attach, enum edge_lost lost)
{
    static const char *const names[] = {
        [EDGE_LOST_REPLACED] = "replaced",
        [EDGE_LOST_REFUSED] = "refused",
        [EDGE_LOST_NOT_HOME] = "not home",
        [EDGE_LOST_DROPPED] = "dropped",
        [EDGE_LOST_ENDED] = "ended",
        [EDGE_LOST_RECONNECT] = "reconnect",
        [EDGE_LOST_UNAUTHORIZED] = "unauthorized",
    };
    assert_int_equal(attach->state, EDGE_DETACHED);
    TOLD("lost: %s\n", names[lost]);
}

static void on_reachable(struct edge_attach *attach, bool reachable)
{
    (void)attach;
    TOLD("%s\n", reachable ? "reachable" : "unreachable");
}

static struct text token_of(struct edge_attach *attach)
{
    (void)attach;
    return text_of(it.token == NULL ? "" : it.token);
}

static const struct edge_attach_ops ops = {.on_attached = on_attached,
                                           .on_deliver = on_deliver,
                                           .on_confirmed = on_confirmed,
                                           .on_gap = on_gap,
                                           .on_lost = on_lost,
                                           .on_reachable = on_reachable,
                                           .token = token_of,
                                           .on_doubt = on_doubt};

int begin(void **state)
{
    (void)state;
    memset(&it, 0, sizeof it);
    it.catalogue = catalogue_load_file(MERIDIAN_SOURCE_DIR "/config/single.yaml", NULL);
    if (it.catalogue == NULL)
        return -1;
    it.now_ms = 1000000;
    it.shard = hash_shard(TEXT("bob"), it.catalogue->regions[0].shards);
    it.home = edge_home_new(&(struct edge_home_settings){.catalogue = it.catalogue,
                                                         .region = &it.catalogue->regions[0],
                                                         .edge = "local-1",
                                                         .reads_max = 5,
                                                         .reads_one_max = 3,
                                                         .publish = on_publish,
                                                         .wake = on_wake,
                                                         .on_claimed = on_claimed,
                                                         .on_orphans = on_orphans});
    it.attach =
        (struct edge_attach){.ops = &ops, .names = "bobphone", .user_size = 3, .device_size = 5};
    return it.home == NULL ? -1 : 0;
}

int end(void **state)
{
    (void)state;
    edge_home_detach(it.home, &it.attach);
    edge_home_free(it.home);
    catalogue_free(it.catalogue);
    return 0;
}

/* What has gone out, and what the device was told, since the last time. */
void expect_sent(const char *words)
{
    edge_home_flush(it.home, it.now_ms);
    assert_string_equal(it.sent, words);
    it.sent[0] = '\0';
}

void expect_told(const char *words)
{
    assert_string_equal(it.told, words);
    it.told[0] = '\0';
}

void pass(int64_t ms)
{
    it.now_ms += ms;
    edge_home_tick(it.home, it.now_ms);
}

void owner_says_as(uint64_t generation, const struct wire_entry *entry)
{
    struct buffer bytes = {0};
    struct wire_frame_writer writer;
    wire_frame_begin(&writer, &bytes,
                     &(struct wire_frame){.generation = generation,
                                          .shard = (uint16_t)it.shard,
                                          .region = TEXT("local"),
                                          .from = TEXT("local-hub-1")});
    wire_entry_write(&writer, entry);
    assert_int_equal(wire_frame_end(&writer), 0);
    edge_home_frame(it.home, bytes.data, bytes.size, it.now_ms);
    buffer_free(&bytes);
}

void owner_says(const struct wire_entry *entry)
{
    owner_says_as(GENERATION, entry);
}

struct wire_entry attached(uint64_t seq, uint64_t head)
{
    return (struct wire_entry){.kind = WIRE_ATTACHED,
                               .attached = {.request = it.request,
                                            .user = TEXT("bob"),
                                            .device = TEXT("phone"),
                                            .attach = 77,
                                            .epoch = 1,
                                            .seq = seq,
                                            .head = head,
                                            .acked = seq}};
}

void deliver(uint64_t seq)
{
    owner_says(&(struct wire_entry){.kind = WIRE_DELIVER,
                                    .deliver = {.attach = 77,
                                                .user = TEXT("bob"),
                                                .epoch = 1,
                                                .seq = seq,
                                                .sender = TEXT("alice"),
                                                .id = TEXT("m"),
                                                .body = TEXT("1")}});
}

void beat_told(uint64_t generation, const struct wire_edge_count *count)
{
    struct buffer bytes = {0};
    struct wire_hub_beat beat = {.hub = TEXT("local-hub-1"),
                                 .generation = generation,
                                 .shard = (uint16_t)it.shard,
                                 .shards = (uint16_t)it.catalogue->regions[0].shards,
                                 .level = 1};
    memset(beat.incarnation, it.log, sizeof beat.incarnation);
    assert_int_equal(wire_hub_beat_write(&bytes, &beat, NULL, 0, NULL, 0, count, 1), 0);
    assert_int_equal(wire_hub_beat_read(bytes.data, bytes.size, &beat), 0);
    edge_home_beat(it.home, TEXT("local"), &beat, it.now_ms);
    buffer_free(&bytes);
}

/* Bob's phone and, when there are more, others. */
void beat_as(uint64_t generation, uint32_t attached_here)
{
    struct wire_edge_count count = {.edge = TEXT("local-1"), .attached = attached_here};
    if (attached_here > 0)
        count.digest = wire_attach_digest(TEXT("bob"), TEXT("phone"), 77);
    for (uint32_t i = 1; i < attached_here; i++)
        count.digest ^= wire_attach_digest(TEXT("eve"), TEXT("phone"), i);
    beat_told(generation, &count);
}

/* The owner beats meanwhile, and counts as we do. */
void pass_with_beats(int64_t ms)
{
    for (; ms > 500; ms -= 500) {
        pass(500);
        beat_as(GENERATION, (uint32_t)edge_home_attached(it.home));
    }
    pass(ms);
}

/* Attached at 1:10, and everything that goes with it looked at. */
void attach_bob(void)
{
    beat_as(GENERATION, 0);
    assert_int_equal(edge_home_attach(it.home, &it.attach, 0, it.now_ms), 0);
    expect_sent("attach 0\n");
    struct wire_entry entry = attached(10, 10);
    owner_says(&entry);
    expect_told("attached 1:10\n");
    expect_sent("");
    pass(100);
}
