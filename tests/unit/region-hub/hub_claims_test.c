/* Claims when nobody answers for the directory; how they end well is in hub_shard_test.c. */
#include "region-hub/hub_claims.h"
#include "tests/support/nats_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum { CLAIMS_MAX = 2 };

struct world {
    struct server server;
    struct loop *loop;
    struct bus *bus;
    struct hub_claims *claims;
    struct hub_edge edge;
    uint8_t codes[16]; /* by request */
    unsigned answers;
};

static void on_claimed(void *context, const struct hub_edge *edge,
                       const struct wire_claimed *claimed)
{
    struct world *world = context;
    assert_ptr_equal(edge, &world->edge);
    world->codes[claimed->request] = claimed->code;
    world->answers++;
}

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    server_init(&world->server);
    server_start(&world->server);
    world->loop = loop_new();
    world->bus = bus_open(world->loop,
                          &(struct bus_settings){.urls = world->server.url, .name = "test"}, NULL);
    world->claims = hub_claims_new(&(struct hub_claims_settings){.loop = world->loop,
                                                                 .bus = world->bus,
                                                                 .region = "sin",
                                                                 .buckets = 1,
                                                                 .claims_max = CLAIMS_MAX,
                                                                 .context = world,
                                                                 .on_claimed = on_claimed});
    WAIT_FOR(world->loop, 5000, bus_is_connected(world->bus));
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    hub_claims_free(world->claims);
    bus_close(world->bus);
    loop_free(world->loop);
    server_done(&world->server);
    free(world);
    return 0;
}

static void ask(struct world *world, uint64_t request, const char *user)
{
    const struct wire_claim claim = {
        .request = request, .user = text_of(user), .home = TEXT("sin")};
    hub_claims_ask(world->claims, &world->edge, &claim);
}

static void takes_claims_up_to_the_bound_and_not_one_more(void **state)
{
    struct world *world = *state;
    ask(world, 1, "bob");
    ask(world, 2, "eve");
    ask(world, 2, "eve"); /* the same, on its way: one */
    assert_int_equal(hub_claims_count(world->claims), CLAIMS_MAX);
    assert_int_equal(world->answers, 0);
    ask(world, 3, "dan");
    assert_int_equal(world->codes[3], WIRE_BUSY);
    WAIT_FOR(world->loop, 10000, world->answers == 3);
    assert_int_equal(world->codes[1], WIRE_UNSURE);
    assert_int_equal(world->codes[2], WIRE_UNSURE);
    ask(world, 4, "dan");
    assert_int_equal(hub_claims_count(world->claims), 1);
}

static void a_claim_without_a_connection_is_unsure_at_once(void **state)
{
    struct world *world = *state;
    server_kill(&world->server);
    WAIT_FOR(world->loop, 5000, !bus_is_connected(world->bus));
    ask(world, 1, "bob");
    assert_int_equal(world->codes[1], WIRE_UNSURE);
    assert_int_equal(hub_claims_count(world->claims), 0);
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORLD(takes_claims_up_to_the_bound_and_not_one_more),
        WITH_WORLD(a_claim_without_a_connection_is_unsure_at_once),
    };
    return RUN_GROUP_WITH_SERVER(tests);
}
