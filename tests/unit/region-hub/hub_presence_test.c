#include "region-hub/hub_presence.h"

#include "wire/beat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

enum { DEVICES_MAX = 5, USER_MAX = 3, SILENT_MS = 3000, REPAIR_MS = 2000, GENERATION = 7 };

static size_t gone;

static void on_gone(void *context, struct hub_attachment *attachment)
{
    (void)context;
    (void)attachment;
    gone++;
}

static struct hub_presence *make(void)
{
    gone = 0;
    struct hub_presence *presence = hub_presence_new(&(struct hub_presence_settings){
        .devices_max = DEVICES_MAX,
        .edges_max = 2,
        .edge_silent_ms = SILENT_MS,
        .repair_ms = REPAIR_MS,
        .credit = {.messages = 256, .bytes = 65536},
        .on_gone = on_gone,
    });
    assert_non_null(presence);
    hub_presence_reset(presence, GENERATION);
    return presence;
}

static struct hub_edge *edge_named(struct hub_presence *presence, const char *name)
{
    struct hub_edge *edge = hub_presence_edge(presence, text_of(name), TEXT("sin"), 0);
    assert_non_null(edge);
    return edge;
}

static struct hub_attach_result attach(struct hub_presence *presence, struct hub_edge *edge,
                                       const char *user, const char *device, uint64_t request,
                                       uint64_t number)
{
    const struct hub_attach asked = {
        .edge = edge,
        .request = request,
        .user = text_of(user),
        .device = text_of(device),
        .attach = number,
        .user_max = USER_MAX,
        .epoch = 1,
        .cursor = 10,
    };
    return hub_presence_attach(presence, &asked, 0);
}

static void note_ended(void *context, const struct hub_attachment *attachment)
{
    char *ended = context;
    struct text device = hub_attachment_device(attachment);
    strncat(ended, device.data, device.size);
    strcat(ended, " ");
}

static void what_has_a_token_ends_with_it(void **state)
{
    (void)state;
    struct hub_presence *presence = make();
    struct hub_edge *edges[] = {edge_named(presence, "sin-1"), edge_named(presence, "sin-2")};
    char ended[64] = "";
    attach(presence, edges[0], "bob", "phone", 1, 0).attachment->until_ms = 1000;
    attach(presence, edges[1], "bob", "desk", 2, 0).attachment->until_ms = 999;
    attach(presence, edges[1], "ann", "pad", 3, 0).attachment->until_ms = 1001;
    attach(presence, edges[0], "eve", "tv", 4, 0).attachment->until_ms = INT64_MAX;
    hub_presence_end(presence, 998, note_ended, ended);
    assert_string_equal(ended, "");
    hub_presence_end(presence, 1000, note_ended, ended);
    assert_string_equal(ended, "phone desk ");
    assert_int_equal(hub_presence_attached(presence), 2);
    assert_int_equal(edges[0]->attached, 1);
    assert_null(hub_presence_user(presence, TEXT("bob")));
    hub_presence_free(presence);
}

static void a_repeat_brings_a_new_end(void **state)
{
    (void)state;
    struct hub_presence *presence = make();
    struct hub_attach asked = {.edge = edge_named(presence, "sin-1"),
                               .request = 1,
                               .user = TEXT("bob"),
                               .device = TEXT("phone"),
                               .user_max = USER_MAX,
                               .epoch = 1,
                               .until_ms = 1000};
    struct hub_attachment *attachment = hub_presence_attach(presence, &asked, 0).attachment;
    assert_int_equal(attachment->until_ms, 1000);
    asked.until_ms = 2000;
    assert_ptr_equal(hub_presence_attach(presence, &asked, 0).attachment, attachment);
    assert_int_equal(attachment->until_ms, 2000);
    asked.request = 2; /* as by an edge that was shown another token */
    asked.attach = attachment->attach;
    asked.until_ms = 3000;
    struct hub_attach_result result = hub_presence_attach(presence, &asked, 0);
    assert_int_equal(result.attachment->until_ms, 3000);
    assert_null(result.replaced_edge);
    hub_presence_free(presence);
}

static void gives_rising_numbers_above_the_generation(void **state)
{
    (void)state;
    struct hub_presence *presence = make();
    struct hub_edge *edge = edge_named(presence, "sin-1");
    struct hub_attach_result first = attach(presence, edge, "bob", "phone", 1, 0);
    struct hub_attach_result second = attach(presence, edge, "bob", "desk", 2, 0);
    assert_int_equal(first.outcome, HUB_ATTACH_NEW);
    assert_int_equal(first.attachment->attach, (GENERATION << 20) + 1);
    assert_int_equal(second.attachment->attach, (GENERATION << 20) + 2);
    assert_int_equal(edge->attached, 2);
    hub_presence_free(presence);
    assert_int_equal(gone, 2);
}

static void answers_a_repeat_alike_and_goes_back_to_what_was_received(void **state)
{
    (void)state;
    struct hub_presence *presence = make();
    struct hub_edge *edge = edge_named(presence, "sin-1");
    struct hub_attachment *attachment = attach(presence, edge, "bob", "phone", 1, 0).attachment;
    hub_presence_sent(presence, attachment, 100, 0);
    struct hub_attach_result again = attach(presence, edge, "bob", "phone", 1, 0);
    assert_int_equal(again.outcome, HUB_ATTACH_REPEAT);
    assert_ptr_equal(again.attachment, attachment);
    assert_int_equal(attachment->credit.sent, 10);
    assert_int_equal(hub_presence_attached(presence), 1);
    hub_presence_free(presence);
}

static void a_new_attach_of_a_device_replaces_the_old_one(void **state)
{
    (void)state;
    struct hub_presence *presence = make();
    struct hub_edge *here = edge_named(presence, "sin-1");
    struct hub_edge *there = edge_named(presence, "sin-2");
    uint64_t old = attach(presence, here, "bob", "phone", 1, 0).attachment->attach;
    struct hub_attach_result result = attach(presence, there, "bob", "phone", 9, 0);
    assert_int_equal(result.outcome, HUB_ATTACH_NEW);
    assert_ptr_equal(result.replaced_edge, here);
    assert_int_equal(result.replaced, old);
    assert_true(result.attachment->attach > old);
    assert_int_equal(here->attached, 0);
    assert_int_equal(hub_presence_attached(presence), 1);
    assert_null(hub_presence_match(presence, here, TEXT("bob"), TEXT("phone"), old));
    hub_presence_free(presence);
}

/* What the edge keeps for the same devices is the same. */
static void the_digest_of_an_edge_follows_its_devices(void **state)
{
    (void)state;
    struct hub_presence *presence = make();
    struct hub_edge *here = edge_named(presence, "sin-1");
    struct hub_edge *there = edge_named(presence, "sin-2");
    assert_true(here->digest == 0);
    struct hub_attachment *phone = attach(presence, here, "bob", "phone", 1, 0).attachment;
    uint64_t of_phone = wire_attach_digest(TEXT("bob"), TEXT("phone"), phone->attach);
    assert_true(here->digest == of_phone);
    struct hub_attachment *desk = attach(presence, here, "bob", "desk", 2, 0).attachment;
    uint64_t of_desk = wire_attach_digest(TEXT("bob"), TEXT("desk"), desk->attach);
    assert_true(here->digest == (of_phone ^ of_desk));
    attach(presence, here, "bob", "phone", 1, 0); /* a repeat */
    assert_true(here->digest == (of_phone ^ of_desk));
    attach(presence, here, "bob", "phone", 3, phone->attach); /* again, with the same number */
    assert_true(here->digest == (of_phone ^ of_desk));
    uint64_t moved = attach(presence, there, "bob", "phone", 4, 0).attachment->attach;
    assert_true(here->digest == of_desk);
    assert_true(there->digest == wire_attach_digest(TEXT("bob"), TEXT("phone"), moved));
    hub_presence_detach(presence, desk);
    assert_true(here->digest == 0);
    hub_presence_expire(presence, SILENT_MS);
    assert_true(there->digest == 0 && there->attached == 0);
    hub_presence_free(presence);
}

static void keeps_the_number_of_one_that_attaches_again(void **state)
{
    (void)state;
    struct hub_presence *presence = make();
    struct hub_edge *edge = edge_named(presence, "sin-1");
    struct hub_attach_result kept = attach(presence, edge, "bob", "phone", 1, 4242);
    assert_int_equal(kept.attachment->attach, 4242);
    /* The same attach with another request: nobody is kicked. */
    struct hub_attach_result again = attach(presence, edge, "bob", "phone", 2, 4242);
    assert_int_equal(again.outcome, HUB_ATTACH_NEW);
    assert_null(again.replaced_edge);
    assert_int_equal(again.attachment->request, 2);
    hub_presence_free(presence);
}

static void refuses_an_older_attach_when_a_newer_holds_the_device(void **state)
{
    (void)state;
    struct hub_presence *presence = make();
    struct hub_edge *here = edge_named(presence, "sin-1");
    struct hub_edge *there = edge_named(presence, "sin-2");
    (void)attach(presence, here, "bob", "phone", 1, 500);
    assert_int_equal(attach(presence, there, "bob", "phone", 1, 499).outcome, HUB_ATTACH_REFUSED);
    assert_int_equal(attach(presence, there, "bob", "phone", 1, 500).outcome, HUB_ATTACH_REFUSED);
    struct hub_attach_result higher = attach(presence, there, "bob", "phone", 1, 501);
    assert_int_equal(higher.outcome, HUB_ATTACH_NEW);
    assert_ptr_equal(higher.replaced_edge, here);
    hub_presence_free(presence);
}

static void new_numbers_are_above_every_number_seen(void **state)
{
    (void)state;
    struct hub_presence *presence = make();
    struct hub_edge *edge = edge_named(presence, "sin-1");
    const uint64_t high = ((uint64_t)GENERATION << 20) + 5000;
    (void)attach(presence, edge, "bob", "phone", 1, high);
    assert_int_equal(attach(presence, edge, "bob", "desk", 2, 0).attachment->attach, high + 1);
    assert_int_equal(attach(presence, edge, "bob", "pad", 3, UINT64_MAX).outcome,
                     HUB_ATTACH_REFUSED);
    hub_presence_free(presence);
}

static void takes_devices_up_to_the_bound_and_not_one_more(void **state)
{
    (void)state;
    struct hub_presence *presence = make();
    struct hub_edge *edge = edge_named(presence, "sin-1");
    char user[16];
    for (unsigned i = 0; i < DEVICES_MAX; i++) {
        snprintf(user, sizeof user, "user%u", i);
        assert_int_equal(attach(presence, edge, user, "phone", i, 0).outcome, HUB_ATTACH_NEW);
    }
    assert_int_equal(attach(presence, edge, "more", "phone", 99, 0).outcome, HUB_ATTACH_FULL);
    /* One that is attached already needs no new room. */
    assert_int_equal(attach(presence, edge, "user0", "phone", 100, 0).outcome, HUB_ATTACH_NEW);
    hub_presence_detach(presence, hub_presence_device(presence, TEXT("user1"), TEXT("phone")));
    assert_int_equal(attach(presence, edge, "more", "phone", 101, 0).outcome, HUB_ATTACH_NEW);
    hub_presence_free(presence);
}

static void takes_devices_of_a_user_up_to_the_bound_and_not_one_more(void **state)
{
    (void)state;
    struct hub_presence *presence = make();
    struct hub_edge *edge = edge_named(presence, "sin-1");
    char device[16];
    for (unsigned i = 0; i < USER_MAX; i++) {
        snprintf(device, sizeof device, "device%u", i);
        assert_int_equal(attach(presence, edge, "bob", device, i, 0).outcome, HUB_ATTACH_NEW);
    }
    assert_int_equal(attach(presence, edge, "bob", "more", 99, 0).outcome, HUB_ATTACH_FULL);
    hub_presence_free(presence);
}

static void knows_edges_up_to_the_bound_and_not_one_more(void **state)
{
    (void)state;
    struct hub_presence *presence = make();
    struct hub_edge *first = edge_named(presence, "sin-1");
    (void)edge_named(presence, "sin-2");
    assert_null(hub_presence_edge(presence, TEXT("sin-3"), TEXT("sin"), 0));
    assert_ptr_equal(hub_presence_edge(presence, TEXT("sin-1"), TEXT("sin"), 0), first);
    assert_ptr_equal(hub_presence_edge_at(presence, 0), first);
    assert_null(hub_presence_edge_at(presence, 2));
    hub_presence_free(presence);
}

static void drops_an_edge_that_is_silent_or_has_started_again(void **state)
{
    (void)state;
    struct hub_presence *presence = make();
    struct hub_edge *edge = edge_named(presence, "sin-1");
    (void)attach(presence, edge, "bob", "phone", 1, 0);
    assert_int_equal(hub_presence_beat(presence, edge, 77, 1000), 0); /* the first that is heard */
    assert_int_equal(hub_presence_beat(presence, edge, 77, 2000), 0);
    assert_int_equal(hub_presence_expire(presence, 2000 + SILENT_MS - 1), 0);
    assert_int_equal(hub_presence_expire(presence, 2000 + SILENT_MS), 1);
    (void)attach(presence, edge, "bob", "phone", 2, 0);
    assert_int_equal(hub_presence_beat(presence, edge, 78, 9000), 1);
    assert_null(hub_presence_user(presence, TEXT("bob")));
    hub_presence_free(presence);
}

static void reports_move_what_was_received_and_acknowledged(void **state)
{
    (void)state;
    struct hub_presence *presence = make();
    struct hub_edge *edge = edge_named(presence, "sin-1");
    struct hub_attachment *attachment = attach(presence, edge, "bob", "phone", 1, 0).attachment;
    for (int i = 0; i < 5; i++)
        hub_presence_sent(presence, attachment, 100, 0);
    assert_true(hub_presence_report(presence, attachment, 13, 12, 15, 1));
    assert_int_equal(attachment->received, 13);
    assert_int_equal(attachment->credit.acked, 12);
    assert_false(hub_presence_report(presence, attachment, 13, 12, 15, 2));
    /* Above the head, or acknowledged and not received: not believed. */
    assert_false(hub_presence_report(presence, attachment, 16, 14, 15, 3));
    hub_presence_free(presence);
}

static void sends_again_what_was_not_received_in_time(void **state)
{
    (void)state;
    struct hub_presence *presence = make();
    struct hub_edge *edge = edge_named(presence, "sin-1");
    struct hub_attachment *phone = attach(presence, edge, "bob", "phone", 1, 0).attachment;
    struct hub_attachment *desk = attach(presence, edge, "bob", "desk", 2, 0).attachment;
    hub_presence_sent(presence, phone, 100, 0);
    hub_presence_sent(presence, phone, 100, 500); /* does not move the time */
    hub_presence_sent(presence, desk, 100, 100);
    assert_null(hub_presence_overdue(presence, REPAIR_MS - 1));
    assert_true(hub_presence_report(presence, phone, 11, 0, 12, 1000)); /* progress does */
    assert_null(hub_presence_overdue(presence, REPAIR_MS + 99));
    assert_ptr_equal(hub_presence_overdue(presence, REPAIR_MS + 100), desk);
    assert_int_equal(desk->credit.sent, 10);
    assert_null(hub_presence_overdue(presence, REPAIR_MS + 999));
    assert_ptr_equal(hub_presence_overdue(presence, REPAIR_MS + 1000), phone);
    assert_int_equal(phone->credit.sent, 11);
    assert_null(hub_presence_overdue(presence, 10 * REPAIR_MS));
    hub_presence_free(presence);
}

static void a_gap_is_sent_again_until_it_is_reported(void **state)
{
    (void)state;
    struct hub_presence *presence = make();
    struct hub_edge *edge = edge_named(presence, "sin-1");
    struct hub_attachment *attachment = attach(presence, edge, "bob", "phone", 1, 0).attachment;
    hub_presence_sent(presence, attachment, 100, 0);
    hub_presence_gap(presence, attachment, 20, 0);
    assert_int_equal(attachment->credit.sent, 20);
    assert_int_equal(attachment->received, 10); /* where it was attached */
    assert_ptr_equal(hub_presence_overdue(presence, REPAIR_MS), attachment);
    assert_int_equal(attachment->credit.sent, 10);
    assert_true(hub_presence_report(presence, attachment, 11, 0, 30, REPAIR_MS));
    hub_presence_gap(presence, attachment, 20, REPAIR_MS);
    assert_true(hub_presence_report(presence, attachment, 20, 20, 30, REPAIR_MS));
    assert_null(hub_presence_overdue(presence, 10 * REPAIR_MS));
    assert_int_equal(attachment->credit.acked, 20);
    hub_presence_free(presence);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_has_a_token_ends_with_it),
        cmocka_unit_test(a_repeat_brings_a_new_end),
        cmocka_unit_test(gives_rising_numbers_above_the_generation),
        cmocka_unit_test(answers_a_repeat_alike_and_goes_back_to_what_was_received),
        cmocka_unit_test(a_new_attach_of_a_device_replaces_the_old_one),
        cmocka_unit_test(the_digest_of_an_edge_follows_its_devices),
        cmocka_unit_test(keeps_the_number_of_one_that_attaches_again),
        cmocka_unit_test(refuses_an_older_attach_when_a_newer_holds_the_device),
        cmocka_unit_test(new_numbers_are_above_every_number_seen),
        cmocka_unit_test(takes_devices_up_to_the_bound_and_not_one_more),
        cmocka_unit_test(takes_devices_of_a_user_up_to_the_bound_and_not_one_more),
        cmocka_unit_test(knows_edges_up_to_the_bound_and_not_one_more),
        cmocka_unit_test(drops_an_edge_that_is_silent_or_has_started_again),
        cmocka_unit_test(reports_move_what_was_received_and_acknowledged),
        cmocka_unit_test(sends_again_what_was_not_received_in_time),
        cmocka_unit_test(a_gap_is_sent_again_until_it_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
