#include "revoked/revoked.h"

#include "base/clock.h"
#include "bus/bus_stream.h"
#include "log/log.h"
#include "wire/names.h"

#include <errno.h>
#include <stdlib.h>

enum { POLL_MS = 500, AGAIN_MS = 60000, ORIGIN_MS = 10000, ASK_MS = 2000, ENTRY_MAX = 1024 };

struct revoked {
    struct revoked_settings settings;
    struct loop *loop;
    struct auth_revocations *set;
    struct bus_reader *reader;
    struct bus_request origin; /* asked until all is read */
    int64_t asked_ms;          /* since when; 0: not yet */
    int64_t ask_again_ms;
    uint64_t origin_last; /* what the origin had last */
    bool origin_known;
    bool read;         /* all of it, once */
    bool full;         /* by the last reading of all */
    bool full_now;     /* by the one that is on its way */
    int64_t again_ms;  /* when all is read again */
    uint64_t version;  /* of the set, at the last tick */
    uint64_t position; /* of what was read last */
};

static int64_t or_else(int64_t given, int64_t otherwise)
{
    return given > 0 ? given : otherwise;
}

static int64_t now_s(void)
{
    return clock_wall_ms() / 1000;
}

static void on_entry(void *context, const struct bus_entry *entry)
{
    static struct log_limit unread, full;
    struct revoked *revoked = context;
    struct wire_revoked one;
    revoked->position = entry->position;
    if (entry->size == 0) /* deleted by hand */
        return;
    int err = wire_revoked_read(entry->data, entry->size, &one);
    if (err != 0) {
        log_limited(&unread, LOG_LEVEL_ERROR, "a revocation cannot be read and does not count here",
                    LOG_U64("position", entry->position), LOG_ERRNO(err));
        return;
    }
    if (revoked->full_now && one.until_s > now_s()) /* nothing more has room; looking is dear */
        return;
    err = auth_revocations_put(revoked->set, &one, now_s());
    if (err == 0)
        return;
    revoked->full_now = revoked->full = true;
    log_limited(&full, LOG_LEVEL_ERROR, "not all revocations are kept: nobody new is let in",
                LOG_U64("kept", auth_revocations_count(revoked->set)), LOG_ERRNO(err));
}

static void on_all_read(struct revoked *revoked)
{
    revoked->full = revoked->full_now;
    if (revoked->read)
        return;
    bool enough = revoked->origin_known && revoked->position >= revoked->origin_last;
    bool patient = loop_now_ms(revoked->loop) - revoked->asked_ms <
                   or_else(revoked->settings.origin_ms, ORIGIN_MS);
    if (!enough && (revoked->origin_known || revoked->asked_ms == 0 || patient))
        return;
    revoked->read = true;
    bus_request_cancel(&revoked->origin);
    if (!enough)
        log_warning("the origin of the revocations does not answer: those of the mirror count",
                    LOG_U64("position", revoked->position));
    log_info("the revocations are read", LOG_U64("kept", auth_revocations_count(revoked->set)));
}

static void on_pause(void *context, bool caught_up)
{
    if (caught_up)
        on_all_read(context);
}

static bool on_origin(struct bus_request *request, enum bus_outcome outcome,
                      const struct bus_message *message)
{
    struct revoked *revoked = container_of(request, struct revoked, origin);
    uint8_t room[ENTRY_MAX];
    size_t size;
    uint64_t last = 0; /* -ENOENT: nothing is revoked */
    if (outcome != BUS_ANSWER)
        return false;
    if (bus_leader_answers_again(message))
        return true;
    int err = bus_leader_entry_read(message, room, sizeof room, &last, &size);
    if (err != 0 && err != -ENOENT)
        return false;
    revoked->origin_last = last;
    revoked->origin_known = true;
    return false;
}

/* Again and again until all is read: what was last may have expired meanwhile. */
static void ask_origin(struct revoked *revoked, int64_t now_ms)
{
    if (now_ms < revoked->ask_again_ms || revoked->origin.bus != NULL)
        return;
    if (bus_get_last_of_leader(revoked->settings.bus, &revoked->origin, WIRE_REVOKED_STREAM,
                               WIRE_REVOKED_SUBJECTS, ASK_MS) != 0)
        return; /* not connected */
    revoked->ask_again_ms = now_ms + ASK_MS;
    if (revoked->asked_ms == 0)
        revoked->asked_ms = now_ms;
}

struct revoked *revoked_new(const struct revoked_settings *settings)
{
    struct revoked *revoked = calloc(1, sizeof *revoked);
    if (revoked == NULL)
        return NULL;
    revoked->settings = *settings;
    revoked->loop = bus_loop(settings->bus);
    revoked->origin.on_answer = on_origin;
    revoked->again_ms = loop_now_ms(revoked->loop) + or_else(settings->again_ms, AGAIN_MS);
    revoked->set = auth_revocations_new(settings->most);
    revoked->reader = bus_reader_open(
        settings->bus, &(struct bus_reader_settings){.stream = WIRE_REVOKED_STREAM,
                                                     .from = 1,
                                                     .poll_ms = or_else(settings->poll_ms, POLL_MS),
                                                     .on_entry = on_entry,
                                                     .on_pause = on_pause,
                                                     .context = revoked});
    if (revoked->set == NULL || revoked->reader == NULL) {
        revoked_free(revoked);
        return NULL;
    }
    return revoked;
}

void revoked_free(struct revoked *revoked)
{
    if (revoked == NULL)
        return;
    bus_request_cancel(&revoked->origin);
    bus_reader_close(revoked->reader);
    auth_revocations_free(revoked->set);
    free(revoked);
}

bool revoked_tick(struct revoked *revoked)
{
    int64_t now_ms = loop_now_ms(revoked->loop);
    if (!revoked->read)
        ask_origin(revoked, now_ms);
    if (now_ms >= revoked->again_ms) {
        revoked->again_ms = now_ms + or_else(revoked->settings.again_ms, AGAIN_MS);
        auth_revocations_expire(revoked->set, now_s());
        revoked->full_now = false;
        revoked->position = 0;
        bus_reader_seek(revoked->reader, 1);
    }
    uint64_t before = revoked->version;
    revoked->version = auth_revocations_version(revoked->set);
    return revoked->version != before;
}

const char *revoked_why_not_ready(const struct revoked *revoked)
{
    if (!revoked->read)
        return "the revocations have not been read yet";
    return revoked->full ? "there are more revocations than auth.revocations_max" : NULL;
}

bool revoked_covers(const struct revoked *revoked, const struct auth_holder *holder)
{
    return auth_revocations_cover(revoked->set, holder, now_s());
}
