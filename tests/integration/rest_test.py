"""What services do over HTTP: send, in arrays and repeatedly."""

import itertools
import json

import pytest

from lab.cluster import Cluster

BOUND = 5
ends = itertools.count()


@pytest.fixture(scope="module")
def cluster():
    settings = {"limits.post_messages_max": BOUND, "limits.body_max": 200}
    with Cluster(edge_settings=settings) as cluster:
        cluster.start()
        cluster.wait_ready("sin-1")
        yield cluster


def ask(cluster, path, body=None, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    status, headers, answer = cluster.http("sin-1", path, body, headers=named)
    return status, headers, json.loads(answer)


def mailbox(cluster, user):
    """All of it: what was accepted before stands before a message that is sent now."""
    end = {"recipient_id": user, "message": "the end", "id": f"end-{next(ends)}"}
    assert ask(cluster, "/api/messages", end)[0] == 202
    got, cursor = [], "1:0"
    while end not in got:
        _, headers, more = ask(cluster, f"/api/messages/{user}?after={cursor}&wait=5")
        assert more, "nothing within the wait"
        got += more
        cursor = {name.lower(): value for name, value in headers.items()}["meridian-cursor"]
    return [message for message in got if message["message"] != "the end"]


def test_a_key_makes_a_repeat_harmless(cluster):
    message = {"recipient_id": "key-bob", "sender_id": "key-alice", "message": "pay"}
    for _ in range(3):
        status, _, said = ask(cluster, "/api/messages", message, Idempotency_Key="order-7")
        assert (status, said) == (202, {"status": "sent", "id": "order-7"})
    got = mailbox(cluster, "key-bob")
    assert got == [message]

    status, _, said = ask(cluster, "/api/messages", {**message, "id": "m"}, Idempotency_Key="k")
    assert status == 400 and said["code"] == "bad_request"
    assert mailbox(cluster, "key-bob") == [message]


def test_an_array_is_answered_in_its_order(cluster):
    def to(user, number, **more):
        return {"recipient_id": user, "message": number, **more}

    batch = [to("array-a", 0, id="m0"), to("array-b", 1, id="m1"), to("array-a", 2, id="m2")]
    status, _, said = ask(cluster, "/api/messages", batch)
    assert status == 202
    assert said == [{"status": "sent", "id": f"m{n}"} for n in range(3)]
    assert [m["message"] for m in mailbox(cluster, "array-a")] == [0, 2]
    assert [m["message"] for m in mailbox(cluster, "array-b")] == [1]


def test_what_is_wrong_with_one_does_not_stop_the_others(cluster):
    batch = [
        {"recipient_id": "mixed", "message": 0},
        {"recipient_id": "mixed"},
        {"recipient_id": "mixed", "message": "x" * 300, "id": "long"},
        {"recipient_id": "mixed", "message": 3},
    ]
    for _ in range(2):  # a repeat changes nothing
        status, _, said = ask(cluster, "/api/messages", batch, Idempotency_Key="mix")
        assert status == 207
        assert [item["status"] for item in said] == ["sent", "rejected", "rejected", "sent"]
        assert said[0]["id"] == "mix.0" and said[3]["id"] == "mix.3"
        assert said[1]["code"] == "bad_request" and said[1]["retryable"] is False
        assert said[2]["code"] == "too_large" and said[2]["id"] == "long"
    assert [m["message"] for m in mailbox(cluster, "mixed")] == [0, 3]


@pytest.mark.parametrize("count, expected", [(1, 202), (BOUND, 202), (BOUND + 1, 413), (0, 400)])
def test_an_array_has_a_bound(cluster, count, expected):
    user = f"bound-{count}"
    batch = [{"recipient_id": user, "message": n, "id": f"b{n}"} for n in range(count)]
    status, _, said = ask(cluster, "/api/messages", batch)
    assert status == expected
    if status != 202:
        assert said["code"] == {413: "too_large", 400: "bad_request"}[status]
        return
    assert [m["message"] for m in mailbox(cluster, user)] == list(range(count))
