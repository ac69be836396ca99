#include "cli/archive_directory.h"

#include "bus/bus_stream.h"
#include "cli/beats.h"
#include "cli/catalogue_choice.h"
#include "cli/jetstream.h"
#include "wire/names.h"
#include "json/json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { PATIENCE_MS = 3000, GET_MS = 2000 };

struct asking {
    struct cli_link link; /* without a bus: nobody can be asked */
};

/* Whether the bucket that is there now is the one that was archived. */
static int is_same(struct asking *asking, const struct archive_bucket *bucket, bool *ret_same)
{
    struct cli_jetstream js = {.link = &asking->link, .patience_ms = PATIENCE_MS};
    struct wire_bucket name = {.number = bucket->number, .of = bucket->of};
    struct buffer answer = {0};
    struct cli_js_error error;
    struct json_value created;
    const struct json_pick picks[] = {{"created", &created}};
    char call[WIRE_NAME_MAX + 16], room[sizeof bucket->made];
    struct text made;

    snprintf(call, sizeof call, "STREAM.INFO.%s", wire_directory_stream(name).text);
    int err = cli_js_call(&js, call, TEXT(""), &answer, &error, NULL);
    if (err == 0)
        err = json_object_pick(buffer_text(&answer), picks, COUNT_OF(picks));
    if (err == 0)
        err = json_string_read(created, room, sizeof room, &made);
    if (err == 0)
        *ret_same = text_equal(made, text_of(bucket->made));
    buffer_free(&answer);
    return err;
}

/* The first entry behind, and how many follow it. */
static int on_first(void *context, const struct bus_message *answer)
{
    struct bus_entry entry;
    uint64_t pending = 0;
    int err = bus_entry_read(answer, &entry, NULL);

    if (err == -ENOENT)
        return 0;
    if (err < 0 ||
        text_to_u64(bus_header(answer, "Nats-Num-Pending"), UINT64_MAX - 1, &pending) < 0)
        return -EBADMSG;
    *(uint64_t *)context = pending + 1;
    return 0;
}

/* -ENODATA and the like when nobody says. */
static int count_behind(struct asking *asking, const struct archive_bucket *bucket,
                        uint64_t *ret_count)
{
    struct wire_bucket name = {.number = bucket->number, .of = bucket->of};
    char subject[WIRE_NAME_MAX + 32], body[WIRE_NAME_MAX + 64];
    struct cli_question question = {.subject = subject, .timeout_ms = GET_MS};
    uint64_t count = 0;
    bool same = false;

    if (asking->link.bus == NULL)
        return -ENODATA;
    int err = is_same(asking, bucket, &same);
    if (err < 0)
        return err;
    snprintf(subject, sizeof subject, "$JS.API.DIRECT.GET.%s", wire_directory_stream(name).text);
    snprintf(body, sizeof body, "{\"seq\":%" PRIu64 ",\"batch\":1,\"next_by_subj\":\"%s\"}",
             same ? bucket->position + 1 : 1, wire_directory_users(name).text);
    question.body = text_of(body);
    err = cli_link_ask(&asking->link, &question, on_first, &count);
    if (err == 0)
        *ret_count = count;
    return err;
}

static void on_bucket(void *context, const struct archive_bucket *bucket)
{
    uint64_t behind;
    struct wire_bucket name = {.number = bucket->number, .of = bucket->of};

    if (bucket->of == 0 || bucket->of > WIRE_DIRECTORY_BUCKETS_MAX || bucket->number >= bucket->of)
        return; /* not written by us */
    printf("directory %s  position %" PRIu64 "  lag ", wire_directory_stream(name).text,
           bucket->position);
    if (count_behind(context, bucket, &behind) == 0)
        printf("%" PRIu64 "\n", behind);
    else
        printf("unknown\n");
}

int cli_archive_directory_print(struct archive *archive, const struct cli_arguments *arguments,
                                struct error_text *reterr_why)
{
    struct error_text why = {0};
    struct asking asking = {0};
    struct catalogue *catalogue = cli_catalogue_choose(arguments, &why);

    if (catalogue == NULL || cli_link_open_any(&asking.link, catalogue, &why) < 0)
        fprintf(stderr, "how much of the directory waits is not known: %s\n", why.text);
    int err = archive_each_bucket(archive, on_bucket, &asking, reterr_why);
    cli_link_close(&asking.link);
    catalogue_free(catalogue);
    return err;
}
