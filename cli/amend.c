#include "cli/amend.h"

#include "bus/bus_stream.h"
#include "cli/jetstream.h"

#include <errno.h>
#include <string.h>

enum { PATIENCE_MS = 5000, GET_MS = 2000, TRIES = 10, PAUSE_MS = 200 };

struct attempt {
    const struct cli_amend *amend;
    uint64_t position; /* of what was read; 0: there was nothing */
};

static int on_there(void *context, const struct bus_message *answer)
{
    struct attempt *attempt = context;
    struct bus_entry entry;
    int err = bus_entry_read(answer, &entry, NULL);
    if (err != 0)
        return err == -ENOENT ? 0 : err;
    attempt->position = entry.position;
    return attempt->amend->read(attempt->amend->context, entry.data, entry.size);
}

static int put(const struct attempt *attempt, struct error_text *reterr_why)
{
    const struct cli_amend *amend = attempt->amend;
    struct cli_jetstream js = {.link = amend->link, .patience_ms = PATIENCE_MS};
    struct buffer bytes = {0};
    uint64_t position;
    int err = amend->write(amend->context, &bytes);
    if (err == 0)
        err = cli_js_publish_subject(&js, amend->subject, attempt->position, buffer_text(&bytes),
                                     &position, reterr_why);
    buffer_free(&bytes);
    return err;
}

/* -ESTALE: somebody else changed it meanwhile, or a mirror was behind. */
static int amend_once(const struct cli_amend *amend, struct error_text *reterr_why)
{
    struct attempt attempt = {.amend = amend};
    amend->reset(amend->context);
    int err =
        cli_link_get_last(amend->link, amend->stream, amend->subject, GET_MS, on_there, &attempt);
    if (err != 0)
        return error_text_set(reterr_why, err, "cannot read what drains: %s", strerror(-err));
    int changed = amend->change(amend->context, reterr_why);
    if (changed != 1)
        return changed;
    err = put(&attempt, reterr_why);
    return err == 0 ? 1 : err;
}

int cli_amend(const struct cli_amend *amend, struct error_text *reterr_why)
{
    int changed = amend_once(amend, reterr_why);
    for (int i = 1; i < TRIES && changed == -ESTALE; i++) {
        cli_link_rest(amend->link, PAUSE_MS);
        changed = amend_once(amend, reterr_why);
    }
    return changed;
}
