"""What services and pages do over HTTP: send, in arrays and repeatedly, from other origins."""

import http.client
import itertools
import json

import pytest

from lab.cluster import Cluster

BOUND = 5
PAGE = "https://app.example"
ends = itertools.count()


@pytest.fixture(scope="module")
def cluster():
    settings = {
        "limits.post_messages_max": BOUND,
        "limits.body_max": 200,
        "origins": f"{PAGE}, https://other.example",
    }
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


def as_page(cluster, method, path, origin, body=None, **headers):
    """(status, headers) of what a browser sends for a page of this origin."""
    address = cluster.url["sin-1"].removeprefix("http://")
    connection = http.client.HTTPConnection(address, timeout=10)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body, {"Origin": origin, **named})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}


def test_a_page_of_a_listed_origin_may_send_and_read(cluster):
    body = json.dumps({"recipient_id": "page-bob", "message": 1})
    status, said = as_page(
        cluster,
        "OPTIONS",
        "/api/messages",
        PAGE,
        Access_Control_Request_Method="POST",
        Access_Control_Request_Headers="content-type,idempotency-key",
    )
    assert status == 204
    assert said["access-control-allow-origin"] == PAGE
    assert "POST" in said["access-control-allow-methods"].split(", ")
    allowed = said["access-control-allow-headers"].split(", ")
    assert {"authorization", "content-type", "idempotency-key"} <= set(allowed)
    assert said["vary"] == "origin"

    status, said = as_page(cluster, "POST", "/api/messages", PAGE, body)
    assert status == 202 and said["access-control-allow-origin"] == PAGE
    status, said = as_page(cluster, "GET", "/api/messages/page-bob?after=1:0&wait=5", PAGE)
    assert status == 200 and said["access-control-allow-origin"] == PAGE
    assert "meridian-cursor" in said["access-control-expose-headers"].split(", ")
    status, said = as_page(cluster, "POST", "/api/messages", PAGE, "nonsense")
    assert status == 400 and said["access-control-allow-origin"] == PAGE


def test_a_page_of_another_origin_is_told_nothing(cluster):
    for origin in ("https://evil.example", "null", "https://app.example.evil", PAGE.upper()):
        for method in ("OPTIONS", "GET", "POST"):
            _, said = as_page(
                cluster, method, "/healthz", origin, Access_Control_Request_Method="GET"
            )
            assert not [name for name in said if name.startswith("access-control")]
            assert said["vary"] == "origin"
