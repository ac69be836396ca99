#include "cli/buckets.h"

#include "wire/names.h"
#include "json/json.h"

#include <errno.h>
#include <stdio.h>

#define NOTE "meridian.buckets"

void cli_buckets_note(unsigned buckets, struct buffer *out)
{
    buffer_printf(out, "{\"" NOTE "\":\"%u\"}", buckets);
}

int cli_buckets_read(struct text config, unsigned *ret_buckets)
{
    struct json_value mirror, metadata, note = {.type = JSON_ABSENT};
    const struct json_pick outer[] = {{"mirror", &mirror}, {"metadata", &metadata}};
    const struct json_pick inner[] = {{NOTE, &note}};
    struct text digits;
    uint64_t buckets;
    char room[8];

    if (json_object_pick(config, outer, COUNT_OF(outer)) < 0)
        return -EBADMSG;
    if (mirror.type == JSON_OBJECT)
        return -ENOENT;
    if (metadata.type == JSON_OBJECT && json_object_pick(metadata.raw, inner, COUNT_OF(inner)) < 0)
        return -EBADMSG;
    if (note.type == JSON_ABSENT) {
        *ret_buckets = 1;
        return 0;
    }
    if (json_string_read(note, room, sizeof room, &digits) < 0 ||
        text_to_u64(digits, WIRE_DIRECTORY_BUCKETS_MAX, &buckets) < 0 || buckets == 0)
        return -EBADMSG;
    *ret_buckets = (unsigned)buckets;
    return 0;
}

/* The bucket that a directory of `of` has first. 0 when there is none. */
static int buckets_found(struct cli_jetstream *js, unsigned of, unsigned *ret_buckets,
                         struct error_text *reterr_why)
{
    struct wire_name name = wire_directory_stream((struct wire_bucket){.of = of});
    struct buffer answer = {0};
    struct cli_js_error error;
    struct json_value config;
    const struct json_pick picks[] = {{"config", &config}};
    char call[WIRE_NAME_MAX + 16];

    *ret_buckets = 0;
    snprintf(call, sizeof call, "STREAM.INFO.%s", name.text);
    int err = cli_js_call(js, call, TEXT(""), &answer, &error, reterr_why);
    if (err == -EREMOTEIO && error.err_code == CLI_JS_STREAM_NOT_FOUND) {
        err = 0;
    } else if (err == 0) {
        err = json_object_pick(buffer_text(&answer), picks, COUNT_OF(picks));
        if (err == 0)
            err = cli_buckets_read(config.raw, ret_buckets);
        if (err == -ENOENT) /* the mirror of a region that is called by a number */
            err = 0;
        if (err < 0)
            error_text_set(reterr_why, err, "%s: cannot read what JetStream says of it", name.text);
    }
    buffer_free(&answer);
    return err;
}

int cli_buckets_check(struct cli_jetstream *js, const struct catalogue *catalogue,
                      struct error_text *reterr_why)
{
    static const unsigned shapes[] = {1,
                                      WIRE_DIRECTORY_BUCKETS_MAX}; /* named without, with number */

    for (size_t i = 0; i < COUNT_OF(shapes); i++) {
        unsigned buckets;
        int err = buckets_found(js, shapes[i], &buckets, reterr_why);
        if (err < 0)
            return err;
        if (buckets != 0 && buckets != catalogue->directory_buckets)
            return error_text_set(
                reterr_why, -EINVAL,
                "the directory has %u bucket%s, the catalogue says "
                "directory_buckets: %u; it cannot be changed but by a rebuild, see "
                "docs/operations.md; nothing was changed",
                buckets, buckets == 1 ? "" : "s", catalogue->directory_buckets);
    }
    return 0;
}
