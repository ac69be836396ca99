"""The table of promises: a row each, and the test that measures it."""

from typing import NamedTuple


class Row(NamedTuple):
    key: str  # what tests/support/lab/promise.py writes beside a figure
    fails: str  # what is done
    promise: str
    figure: str  # what is measured
    test: str  # of tests/integration
    full: bool = False  # for the duration it is stated for, as under `scripts/test full`


OCEAN = "wan_test.py::test_messages_cross_oceans_in_order_and_once_and_a_region_may_be_cut_off"

ROWS = [
    Row(
        "edge",
        "an edge process, with its share of 200 clients",
        "its clients back in 5 s p99, no accepted message lost",
        "connected and resumed elsewhere, p99",
        "fail_over_test.py::"
        "test_clients_of_a_killed_edge_are_back_elsewhere_within_5_s_and_nothing_is_lost",
    ),
    Row(
        "hub",
        "a hub, 20 users",
        "its shards served by another in 5 s p99, none lost, order kept",
        "a user gets nothing for, p99, the worse of two kills",
        "fail_over_test.py::"
        "test_the_shards_of_a_killed_hub_are_served_by_another_within_5_s_and_nothing_is_lost",
    ),
    Row(
        "node",
        "the NATS node of three that leads a log",
        "no send unanswered for more than 10 s, none lost",
        "the longest send, the worst of the kills",
        "replicas_test.py::"
        "test_the_leader_of_a_log_killed_in_the_middle_leaves_no_send_unanswered",
    ),
    Row(
        "pause",
        "two of three NATS nodes, one after the other, stand still for 7 s each",
        "the same, and nobody takes an outbox for one that was put back",
        "the longest send, the worst of the pauses",
        "replicas_test.py::" "test_a_leader_that_stood_still_and_goes_on_is_not_taken_for_a_backup",
    ),
    Row(
        "link",
        "the link between two regions, for 20 s",
        "sends accepted as before; caught up 5 s after the heal, none lost or repeated, order kept",
        "all there after the heal",
        "cut_test.py::test_a_cut_of_20_s_between_two_regions_delays_and_loses_nothing",
    ),
    Row(
        "ocean",
        "a region cut off for 5 s, with the delays of oceans",
        "the same",
        "all there after the heal",
        OCEAN,
    ),
    Row(
        "home",
        "the way from an edge to a user's home region",
        "roaming users can send and are told `state: home unreachable`; "
        "attached again 5 s after the heal",
        "attached again after the heal",
        "cut_test.py::"
        "test_a_roaming_user_whose_home_is_cut_off_can_send_"
        "and_is_attached_again_5_s_after_the_heal",
    ),
    Row(
        "database",
        "the central database, for 3 minutes at 200 messages/s",
        "a hub grows by 64 MiB at most in an hour",
        "growth of the hub's resident memory",
        "archive_test.py::test_a_database_that_is_away_costs_nothing_but_lag",
        full=True,
    ),
    Row(
        "region",
        "a whole region, 60 users",
        "99 % of its clients connected elsewhere in 10 s",
        "connected elsewhere, p99",
        "fail_over_test.py::"
        "test_users_of_a_killed_region_are_connected_elsewhere_within_10_s_and_get_all_after_it",
    ),
    Row(
        "log",
        "the room for a log, by its limit of 4 MiB",
        "rejected with `storage_full`, none lost, recovers without a restart",
        "accepted again after there is room",
        "full_test.py::test_a_full_log_refuses_messages_at_85_percent_and_takes_acks_and_recovers",
    ),
    Row(
        "p50",
        "nothing: messages across oceans",
        "p50 at most the one-way delay + 8 ms",
        "beyond the one-way delay, p50",
        OCEAN,
    ),
    Row(
        "p99",
        "nothing: messages across oceans",
        "p99 at most the one-way delay + 25 ms",
        "beyond the one-way delay, p99",
        OCEAN,
    ),
]


def tests(rows):
    """{test: whether it runs for its full duration}, each once, in the order of the table."""
    found = {}
    for row in rows:
        found[row.test] = found.get(row.test, False) or row.full
    return found
