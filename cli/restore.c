#include "cli/restore.h"

#include "base/clock.h"
#include "bus/bus_stream.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ANSWER_MS = 3000,
    PATIENCE_MS = 60000, /* of a page */
    PAUSE_MS = 250,
    TURN_MS = 100,
    CONFLICTS_SHOWN_MAX = 100,
};

enum cli_restore cli_restore_judge(const struct cli_entry *now, const char *home, uint32_t epoch)
{
    if (now->revision == 0)
        return CLI_RESTORE_MISSING;
    if (now->damaged)
        return CLI_RESTORE_DAMAGED;
    if (now->epoch < epoch)
        return CLI_RESTORE_LOWER;
    if (now->epoch > epoch)
        return CLI_RESTORE_NEWER;
    return strcmp(now->home, home) == 0 ? CLI_RESTORE_SAME : CLI_RESTORE_CONFLICT;
}

bool cli_restore_writes(enum cli_restore verdict)
{
    return verdict == CLI_RESTORE_MISSING || verdict == CLI_RESTORE_DAMAGED ||
           verdict == CLI_RESTORE_LOWER;
}

/* --- a page --- */

struct item {
    struct cli_restore_page *page;
    struct bus_request request;
    char user[TEXT_USER_MAX + 1];
    char home[TEXT_REGION_MAX + 1];
    uint32_t epoch;
    struct cli_entry now;
    enum cli_restore verdict;
    enum { ITEM_TO_READ, ITEM_READING, ITEM_TO_WRITE, ITEM_WRITING, ITEM_DONE } state;
};

struct cli_restore_page {
    size_t count;
    size_t left; /* not done */
    const struct cli_restoring *restoring;
    struct error_text refusal; /* that no repeating helps against */
    struct item items[CLI_RESTORE_PAGE];
};

static void on_read(struct item *item, const struct bus_message *message)
{
    struct cli_restore_page *page = item->page;
    struct cli_entry now = {0};
    if (message == NULL || cli_entry_read(message, &now) != 0) {
        item->state = ITEM_TO_READ;
        return;
    }
    item->now = now;
    item->verdict = cli_restore_judge(&now, item->home, item->epoch);
    if (cli_restore_writes(item->verdict) && !page->restoring->dry_run) {
        item->state = ITEM_TO_WRITE;
        return;
    }
    item->state = ITEM_DONE;
    page->left--;
}

/* When it is not known what became of a write, what is there is read again and judged. */
static void on_written(struct item *item, const struct bus_message *message)
{
    struct bus_puback ack;
    item->state = ITEM_TO_READ;
    if (message == NULL || bus_puback_read(message, &ack) != 0)
        return;
    if (ack.position > 0) {
        item->state = ITEM_DONE;
        item->page->left--;
    } else if (ack.err_code != BUS_ERR_WRONG_LAST_SEQUENCE && ack.code != 503) {
        error_text_set(&item->page->refusal, -EREMOTEIO, "the directory cannot be written: %s (%d)",
                       ack.description, ack.err_code);
    }
}

static bool on_answer(struct bus_request *request, enum bus_outcome outcome,
                      const struct bus_message *message)
{
    struct item *item = container_of(request, struct item, request);
    if (outcome == BUS_ANSWER)
        bus_request_cancel(request); /* it may be used again at once */
    if (item->state == ITEM_READING)
        on_read(item, message);
    else
        on_written(item, message);
    return false;
}

struct cli_restore_page *cli_restore_page_new(void)
{
    struct cli_restore_page *page = calloc(1, sizeof *page);
    for (size_t i = 0; page != NULL && i < CLI_RESTORE_PAGE; i++) {
        page->items[i].page = page;
        page->items[i].request.on_answer = on_answer;
    }
    return page;
}

static void empty(struct cli_restore_page *page)
{
    for (size_t i = 0; i < page->count; i++)
        bus_request_cancel(&page->items[i].request);
    page->count = 0;
    page->left = 0;
}

void cli_restore_page_free(struct cli_restore_page *page)
{
    if (page == NULL)
        return;
    empty(page);
    free(page);
}

bool cli_restore_page_add(struct cli_restore_page *page, struct text user, struct text home,
                          uint32_t epoch)
{
    if (page->count == CLI_RESTORE_PAGE || !text_is_user_id(user) || !text_is_region_name(home))
        return false;
    struct item *item = &page->items[page->count];
    if (text_put(item->user, sizeof item->user, user) != 0 ||
        text_put(item->home, sizeof item->home, home) != 0)
        return false;
    item->epoch = epoch;
    item->state = ITEM_TO_READ;
    page->count++;
    page->left++;
    return true;
}

size_t cli_restore_page_count(const struct cli_restore_page *page)
{
    return page->count;
}

/* --- restoring --- */

static int send_write(struct item *item, const struct cli_restoring *restoring)
{
    struct wire_name subject = wire_directory_subject(text_of(item->user), restoring->buckets);
    const struct wire_directory_entry entry = {.home = text_of(item->home), .epoch = item->epoch};
    struct buffer bytes = {0};
    char expects[24];

    wire_directory_entry_write(&bytes, &entry);
    snprintf(expects, sizeof expects, "%" PRIu64, item->now.revision);
    int err = bytes.failed
                  ? -ENOMEM
                  : bus_request_with_header(restoring->link->bus, &item->request, subject.text,
                                            "Nats-Expected-Last-Subject-Sequence", expects,
                                            bytes.data, bytes.size, ANSWER_MS);
    buffer_free(&bytes);
    return err;
}

static int send_read(struct item *item, const struct cli_restoring *restoring)
{
    struct text user = text_of(item->user);
    struct wire_name subject = wire_directory_subject(user, restoring->buckets);
    struct wire_name stream =
        wire_directory_stream(wire_directory_bucket(user, restoring->buckets));
    return bus_get_last(restoring->link->bus, &item->request, stream.text, subject.text, ANSWER_MS);
}

/* Sends what waits. What cannot be sent now waits on. */
static void send(struct cli_restore_page *page, const struct cli_restoring *restoring)
{
    for (size_t i = 0; i < page->count; i++) {
        struct item *item = &page->items[i];
        if (item->state == ITEM_TO_READ && send_read(item, restoring) == 0)
            item->state = ITEM_READING;
        else if (item->state == ITEM_TO_WRITE && send_write(item, restoring) == 0)
            item->state = ITEM_WRITING;
    }
}

static bool is_any_on_its_way(const struct cli_restore_page *page)
{
    for (size_t i = 0; i < page->count; i++)
        if (page->items[i].state == ITEM_READING || page->items[i].state == ITEM_WRITING)
            return true;
    return false;
}

static void count(struct cli_restoring *restoring, const struct cli_restore_page *page)
{
    for (size_t i = 0; i < page->count; i++) {
        const struct item *item = &page->items[i];
        if (item->state != ITEM_DONE)
            continue;
        restoring->counts[item->verdict]++;
        if (item->verdict == CLI_RESTORE_CONFLICT &&
            restoring->counts[item->verdict] <= CONFLICTS_SHOWN_MAX)
            printf("'%s' is at home in %s (epoch %" PRIu32 "), remembered is %s: left as it is\n",
                   item->user, item->now.home, item->epoch, item->home);
    }
}

int cli_restore_page(struct cli_restoring *restoring, struct cli_restore_page *page,
                     struct error_text *reterr_why)
{
    int64_t until = clock_monotonic_ms() + PATIENCE_MS;
    int err = 0;
    page->restoring = restoring;
    page->refusal = (struct error_text){0};
    while (page->left > 0 && err == 0) {
        send(page, restoring);
        if (is_any_on_its_way(page))
            loop_turn(restoring->link->loop, TURN_MS);
        else
            cli_link_rest(restoring->link, PAUSE_MS);
        if (page->refusal.text[0] != '\0')
            err = error_text_set(reterr_why, -EREMOTEIO, "%s", page->refusal.text);
        else if (page->left > 0 && clock_monotonic_ms() > until)
            err = error_text_set(reterr_why, -ETIMEDOUT, "the directory does not answer");
    }
    count(restoring, page);
    empty(page);
    return err;
}

void cli_restore_print(const struct cli_restoring *restoring)
{
    const uint64_t *counts = restoring->counts;
    printf("%s %" PRIu64 " that were missing, %" PRIu64 " with a lower epoch, %" PRIu64
           " that could not be read; %" PRIu64 " were as they should be, %" PRIu64
           " have a newer epoch, %" PRIu64 " another home in the same epoch\n",
           restoring->dry_run ? "would write" : "wrote", counts[CLI_RESTORE_MISSING],
           counts[CLI_RESTORE_LOWER], counts[CLI_RESTORE_DAMAGED], counts[CLI_RESTORE_SAME],
           counts[CLI_RESTORE_NEWER], counts[CLI_RESTORE_CONFLICT]);
}
