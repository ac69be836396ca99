/* What waits for a region that is gone, and whose addressees are elsewhere by now. With a real NATS
 * server; no hub of the other region runs. */
#include "hub_lab.h"
#include "region-hub/hub_reroute.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void set_home(struct lab *lab, const char *user, const char *home, uint32_t epoch)
{
    const struct wire_directory_entry entry = {.home = text_of(home), .epoch = epoch};
    struct buffer bytes = {0};
    wire_directory_entry_write(&bytes, &entry);
    lab_store(lab, wire_directory_subject(text_of(user), 1).text, bytes.data, bytes.size);
    buffer_free(&bytes);
}

static void must_deliver(struct lab *lab, const char *prefix, int count)
{
    for (int i = 1; i <= count; i++) {
        const struct lab_heard *heard = lab_wait_for(lab, WIRE_DELIVER);
        char id[32];
        snprintf(id, sizeof id, "%s%d", prefix, i);
        assert_string_equal(heard->id, id);
        assert_int_equal(heard->seq, i);
    }
}

static void who_has_left_gets_what_waits_and_nobody_else(void **state)
{
    struct lab *lab = *state;
    set_home(lab, "bob", "dub", 1);
    set_home(lab, "carol", "dub", 1);
    lab_hub_start(lab, &lab->hubs[0], "sin-h1");
    LAB_WAIT(lab, strcmp(hub_shard_status(lab->hubs[0].shard).state, "serving") == 0);
    LAB_WAIT(lab, lab->beat_generation > 0);
    const uint64_t bob = lab_attach(lab, "bob", "phone", 0, 0, 0);
    const uint64_t carol = lab_attach(lab, "carol", "phone", 0, 0, 0);
    lab_send(lab, "out.sin.dub.0", "bob", "a", 40);
    lab_send(lab, "out.sin.dub.0", "carol", "b", 2);
    set_home(lab, "bob", "sin", 2);
    lab_turn(lab, HUB_REROUTE_AFTER_MS - 2000);
    lab_must_not_hear(lab, WIRE_DELIVER, 500); /* the region may be back in a moment */
    must_deliver(lab, "a", 40);
    lab_report(lab, "bob", "phone", bob, 40, 0);
    lab_must_not_hear(lab, WIRE_DELIVER, 500);
    lab_send(lab, "out.sin.dub.0", "bob", "a", 41); /* all but one are repeats */
    assert_string_equal(lab_wait_for(lab, WIRE_DELIVER)->id, "a41");
    lab_report(lab, "bob", "phone", bob, 41, 0);
    set_home(lab, "carol", "sin", 2);
    assert_int_equal(bus_publish(lab->bus, WIRE_DIRECTORY_CHANGED, NULL, "carol", 5), 0);
    must_deliver(lab, "b", 2);
    lab_report(lab, "carol", "phone", carol, 2, 0);
    lab_must_not_hear(lab, WIRE_DELIVER, 500); /* bob has all of that */
    lab_hub_stop(lab, &lab->hubs[0], true);
}

static int set_up(void **state)
{
    *state = lab_new();
    return 0;
}

static int tear_down(void **state)
{
    lab_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(
        who_has_left_gets_what_waits_and_nobody_else, set_up, tear_down)};
    return RUN_GROUP_WITH_SERVER(tests);
}
