#include "cli/entry.h"

#include "base/buffer.h"
#include "bus/bus_stream.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum { GET_MS = 2000, FLUSH_MS = 50, FIRST_EPOCH = 1 };

int cli_entry_read(const struct bus_message *answer, struct cli_entry *ret_entry)
{
    struct cli_entry entry = {0};
    struct bus_entry found;
    struct wire_directory_entry value;
    int err = bus_entry_read(answer, &found, NULL);

    if (err < 0 && err != -ENOENT)
        return err;
    if (err == 0) {
        entry.revision = found.position;
        entry.damaged = wire_directory_entry_read(found.data, found.size, &value) < 0 ||
                        text_put(entry.home, sizeof entry.home, value.home) < 0;
        entry.epoch = entry.damaged ? 0 : value.epoch;
    }
    *ret_entry = entry;
    return 0;
}

static int on_entry(void *context, const struct bus_message *answer)
{
    return cli_entry_read(answer, context);
}

int cli_entry_get(struct cli_link *link, struct text user, unsigned buckets,
                  struct cli_entry *ret_entry, struct error_text *reterr_why)
{
    struct wire_name stream = wire_directory_stream(wire_directory_bucket(user, buckets));
    struct wire_name subject = wire_directory_subject(user, buckets);
    struct cli_entry entry = {0};
    int err = cli_link_get_last(link, stream.text, subject.text, GET_MS, on_entry, &entry);

    if (err < 0)
        return error_text_set(reterr_why, -EIO, "cannot read the directory: %s", strerror(-err));
    *ret_entry = entry;
    return 0;
}

int cli_entry_find(struct cli_link *link, struct text user, unsigned buckets,
                   struct cli_entry *ret_entry, struct error_text *reterr_why)
{
    int err = cli_entry_get(link, user, buckets, ret_entry, reterr_why);

    if (err == 0 && ret_entry->revision == 0)
        err = error_text_set(reterr_why, -ENOENT, "nobody has seen '%.*s' yet", TEXT_ARGS(user));
    if (err == 0 && ret_entry->damaged)
        err = error_text_set(reterr_why, -EBADMSG,
                             "the entry of '%.*s' (revision %" PRIu64 ") cannot be read",
                             TEXT_ARGS(user), ret_entry->revision);
    return err;
}

int cli_entry_put(struct cli_jetstream *js, struct text user, unsigned buckets, const char *home,
                  uint32_t epoch, uint64_t expects, uint64_t *ret_revision,
                  struct error_text *reterr_why)
{
    struct wire_name subject = wire_directory_subject(user, buckets);
    const struct wire_directory_entry entry = {.home = text_of(home), .epoch = epoch};
    struct buffer bytes = {0};

    wire_directory_entry_write(&bytes, &entry);
    int err = bytes.failed ? error_text_set(reterr_why, -ENOMEM, "out of memory")
                           : cli_js_publish_subject(js, subject.text, expects, buffer_text(&bytes),
                                                    ret_revision, reterr_why);
    buffer_free(&bytes);
    return err;
}

void cli_entry_tell(struct cli_link *link, struct text user)
{
    if (bus_publish(link->bus, WIRE_DIRECTORY_CHANGED, NULL, user.data, user.size) == 0)
        cli_link_rest(link, FLUSH_MS);
}

static int judge_revision(const struct cli_entry *now, const struct cli_entry_change *change,
                          struct error_text *reterr_why)
{
    if (!change->if_revision || change->revision == now->revision)
        return 0;
    if (now->revision == 0)
        return error_text_set(reterr_why, -ESTALE,
                              "there is no entry, so none of revision %" PRIu64, change->revision);
    return error_text_set(reterr_why, -ESTALE,
                          "the entry has revision %" PRIu64 ", not %" PRIu64
                          ": somebody has written it meanwhile",
                          now->revision, change->revision);
}

/* The user is at home elsewhere. */
static int judge_other_home(const struct cli_entry *now, const struct cli_entry_change *change,
                            uint32_t *ret_epoch, struct error_text *reterr_why)
{
    if (!change->force)
        return error_text_set(
            reterr_why, -EEXIST,
            "the user is at home in %s (epoch %" PRIu32 "); `meridian move` moves a "
            "mailbox, its directory entry does not; --force writes it all the same",
            now->home, now->epoch);
    if (change->epoch == 0 && now->epoch == UINT32_MAX)
        return error_text_set(reterr_why, -EINVAL, "there is no epoch after %" PRIu32, now->epoch);
    if (change->epoch != 0 && change->epoch <= now->epoch)
        return error_text_set(reterr_why, -EINVAL,
                              "another home needs an epoch above %" PRIu32 ", not %" PRIu32,
                              now->epoch, change->epoch);
    *ret_epoch = change->epoch != 0 ? change->epoch : now->epoch + 1;
    return 1;
}

int cli_entry_judge(const struct cli_entry *now, const struct cli_entry_change *change,
                    uint32_t *ret_epoch, struct error_text *reterr_why)
{
    int err = judge_revision(now, change, reterr_why);
    if (err < 0)
        return err;
    if (now->revision == 0) {
        *ret_epoch = change->epoch != 0 ? change->epoch : FIRST_EPOCH;
        return 1;
    }
    if (now->damaged) {
        if (!change->force || change->epoch == 0)
            return error_text_set(
                reterr_why, -EEXIST,
                "there is an entry that cannot be read; --force with --epoch (above "
                "any that the user may have had) replaces it");
        *ret_epoch = change->epoch;
        return 1;
    }
    if (strcmp(now->home, change->home) != 0)
        return judge_other_home(now, change, ret_epoch, reterr_why);
    if (change->epoch != 0 && change->epoch < now->epoch)
        return error_text_set(reterr_why, -EINVAL,
                              "the epoch is %" PRIu32 " already, and never goes back", now->epoch);
    *ret_epoch = change->epoch != 0 ? change->epoch : now->epoch;
    return *ret_epoch > now->epoch ? 1 : 0;
}
