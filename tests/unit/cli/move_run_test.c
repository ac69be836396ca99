/* Moving a list of users: a directory on a real NATS server, and an owner played by the test. */
#include "cli/move_run.h"

#include "bus/bus_stream.h"
#include "tests/support/nats_server.h"
#include "wire/frame.h"
#include "wire/names.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { USERS_MAX = 64, WAITS = 3 };

static const char catalogue_text[] =
    "primary: sin\n"
    "regions:\n"
    "  - {name: sin, latitude: 1, longitude: 103, shards: 1, nodes: [{name: n1, client: "
    "\"127.0.0.1:1\", cluster: \"127.0.0.1:2\", gateway: \"127.0.0.1:3\"}], hubs: [{name: sin-h1, "
    "health: \"127.0.0.1:4\"}], edges: [{name: sin-1, listen: \"127.0.0.1:6\", url: "
    "\"http://127.0.0.1:6\"}]}\n"
    "  - {name: dub, latitude: 53, longitude: -6, shards: 1, nodes: [{name: n2, client: "
    "\"127.0.0.1:7\", cluster: \"127.0.0.1:8\", gateway: \"127.0.0.1:9\"}], hubs: [{name: dub-h1, "
    "health: \"127.0.0.1:10\"}], edges: [{name: dub-1, listen: \"127.0.0.1:11\", url: "
    "\"http://127.0.0.1:11\"}]}\n";

struct world {
    struct server server;
    struct cli_link link;
    struct catalogue *catalogue;
    struct bus_subscription *owner;
    struct cli_move_run run;
    const char *users[USERS_MAX];
    size_t next;
    char told[4096];
    unsigned waits[USERS_MAX]; /* by number in the user's name */
    size_t open;               /* asked for, and not at an end */
    size_t open_most;
    uint8_t what; /* of the last question */
};

/* "m7" moves after some waiting, "b7" meets a busy owner first, "r7" is refused, and "e7" moves
 * elsewhere. */
static uint8_t code_for(struct world *world, struct text user)
{
    const int number =
        atoi((const char[]){user.data[1], user.size > 2 ? user.data[2] : '\0', '\0'});
    unsigned *waits = &world->waits[number % USERS_MAX];
    if (*waits == 0)
        world->open++;
    if (world->open > world->open_most)
        world->open_most = world->open;
    if ((*waits)++ < WAITS)
        return user.data[0] == 'b' ? WIRE_MOVE_BUSY : WIRE_MOVE_WAIT;
    world->open--;
    return user.data[0] == 'r'   ? WIRE_MOVE_TOO_OLD
           : user.data[0] == 'e' ? WIRE_MOVE_ELSEWHERE
           : user.data[0] == 'g' ? WIRE_MOVE_GIVEN_UP
                                 : WIRE_MOVE_AT_HOME;
}

static void on_ask(void *context, const struct bus_message *message)
{
    struct world *world = context;
    struct wire_frame frame;
    struct wire_entry entry;
    char reply[WIRE_NAME_MAX];
    assert_int_equal(wire_frame_read(message->data, message->size, &frame), 0);
    assert_int_equal(wire_entry_next(&frame, &entry), 0);
    assert_int_equal(entry.kind, WIRE_MOVE_ASK);
    assert_int_equal(text_put(reply, sizeof reply, message->reply), 0);
    world->what = entry.move_ask.what;
    const struct wire_entry state = {.kind = WIRE_MOVE_STATE,
                                     .move_state = {.code = code_for(world, entry.move_ask.user),
                                                    .user = entry.move_ask.user,
                                                    .region = TEXT("dub")}};
    const struct wire_frame head = {.region = frame.region, .from = TEXT("dub-h1")};
    struct wire_frame_writer writer;
    struct buffer bytes = {0};
    wire_frame_begin(&writer, &bytes, &head);
    wire_entry_write(&writer, &state);
    assert_int_equal(wire_frame_end(&writer), 0);
    assert_int_equal(bus_publish(world->link.bus, reply, NULL, bytes.data, bytes.size), 0);
    buffer_free(&bytes);
}

static bool next_user(void *context, struct text *ret_user)
{
    struct world *world = context;
    if (world->users[world->next] == NULL)
        return false;
    *ret_user = text_of(world->users[world->next++]);
    return true;
}

static void on_result(void *context, const struct cli_move_result *result)
{
    struct world *world = context;
    const size_t used = strlen(world->told);
    static const char *const names[CLI_MOVE_OUTCOMES] = {"done", "there", "would", "not"};
    snprintf(world->told + used, sizeof world->told - used, "%.*s %s %s%s%s\n",
             TEXT_ARGS(result->user), names[result->outcome], result->home,
             result->why[0] == '\0' ? "" : ": ", result->why);
}

static int on_stored(void *context, const struct bus_message *answer)
{
    (void)context;
    struct bus_puback ack;
    return bus_puback_read(answer, &ack) == 0 && ack.position > 0 ? 0 : -EIO;
}

static void set_home(struct world *world, const char *user, const char *home)
{
    const struct wire_directory_entry entry = {.home = text_of(home), .epoch = 1};
    struct wire_name subject = wire_directory_subject(text_of(user), 1);
    struct buffer bytes = {0};
    wire_directory_entry_write(&bytes, &entry);
    const struct cli_question question = {
        .subject = subject.text, .body = buffer_text(&bytes), .timeout_ms = 5000};
    assert_int_equal(cli_link_ask(&world->link, &question, on_stored, NULL), 0);
    buffer_free(&bytes);
}

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    struct error_text why = {0};
    assert_non_null(world);
    server_init(&world->server);
    server_start(&world->server);
    world->link.loop = loop_new();
    world->link.bus = bus_open(
        world->link.loop, &(struct bus_settings){.urls = world->server.url, .name = "test"}, &why);
    WAIT_FOR(world->link.loop, 5000, bus_is_connected(world->link.bus));
    server_create_stream(world->link.loop, world->link.bus, "KV_DIRECTORY",
                         "{\"name\":\"KV_DIRECTORY\",\"subjects\":[\"$KV.DIRECTORY.>\"],"
                         "\"storage\":\"file\",\"max_msgs_per_subject\":1,\"allow_direct\":true}");
    world->catalogue = catalogue_load_text(text_of(catalogue_text), "test", &why);
    if (world->catalogue == NULL)
        fail_msg("%s", why.text);
    world->owner = bus_subscribe(world->link.bus, "move.dub.0", on_ask, world);
    world->run = (struct cli_move_run){.link = &world->link,
                                       .catalogue = world->catalogue,
                                       .to = catalogue_region(world->catalogue, TEXT("dub")),
                                       .parallel = 4,
                                       .context = world,
                                       .next = next_user,
                                       .on_result = on_result};
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    bus_unsubscribe(world->owner);
    bus_close(world->link.bus);
    loop_free(world->link.loop);
    server_done(&world->server);
    catalogue_free(world->catalogue);
    free(world);
    return 0;
}

static void run(struct world *world)
{
    assert_int_equal(cli_move_run(&world->run, NULL), 0);
}

static void tells_what_became_of_each(void **state)
{
    struct world *world = *state;
    static const char *const users[] = {"m1", "here", "r2", "nobody", "e3", "b4", "g5", "", "x"};
    static const char *const homes[] = {"m1", "r2", "e3", "b4", "g5"};
    memcpy(world->users, users, sizeof users);
    for (size_t i = 0; i < COUNT_OF(homes); i++)
        set_home(world, homes[i], "sin");
    set_home(world, "here", "dub");
    set_home(world, "x", "xyz");
    world->run.parallel = 1; /* so that they end in their order */
    run(world);
    assert_string_equal(world->told,
                        "m1 done dub\n"
                        "here there dub\n"
                        "r2 not sin: the log of the old or the new home is below level 3\n"
                        "nobody not : nobody has seen this user yet\n"
                        "e3 not sin: it moves to dub already\n"
                        "b4 done dub\n"
                        "g5 not sin: the move was given up, and the user stays at home\n"
                        " not : this is no user id\n"
                        "x not xyz: it is at home in 'xyz', which the catalogue does not have\n");
    assert_int_equal(world->run.counts[CLI_MOVE_DONE], 2);
    assert_int_equal(world->run.counts[CLI_MOVE_THERE], 1);
    assert_int_equal(world->run.counts[CLI_MOVE_NOT], 6);
    assert_int_equal(world->what, WIRE_MOVE_BEGIN);
}

static void moves_as_many_at_once_as_it_is_told_and_not_one_more(void **state)
{
    struct world *world = *state;
    static char names[24][4];
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        snprintf(names[i], sizeof names[i], "m%u", (unsigned)i);
        world->users[i] = names[i];
        set_home(world, names[i], "sin");
    }
    run(world);
    assert_int_equal(world->run.counts[CLI_MOVE_DONE], COUNT_OF(names));
    assert_int_equal(world->open_most, world->run.parallel);
}

static void gives_moves_up(void **state)
{
    struct world *world = *state;
    world->users[0] = "g1";
    world->users[1] = "m2";
    set_home(world, "g1", "dub");
    set_home(world, "m2", "dub");
    world->run.to = NULL;
    world->run.parallel = 1;
    run(world);
    assert_string_equal(world->told, "g1 done dub\nm2 there dub\n");
    assert_int_equal(world->what, WIRE_MOVE_ABORT);
}

static void waits_ten_seconds_for_an_owner_and_no_longer(void **state)
{
    struct world *world = *state;
    world->users[0] = "m1";
    set_home(world, "m1", "sin");
    bus_unsubscribe(world->owner);
    world->owner = NULL;
    const int64_t since_ms = loop_now_ms(world->link.loop);
    run(world);
    assert_string_equal(world->told, "m1 not sin: the owner of shard 0 of dub does not answer\n");
    assert_in_range(loop_now_ms(world->link.loop) - since_ms, 10000, 30000);
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORLD(tells_what_became_of_each),
        WITH_WORLD(moves_as_many_at_once_as_it_is_told_and_not_one_more),
        WITH_WORLD(gives_moves_up),
        WITH_WORLD(waits_ten_seconds_for_an_owner_and_no_longer),
    };
    return RUN_GROUP_WITH_SERVER(tests);
}
