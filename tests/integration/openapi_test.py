"""docs/openapi.yaml and a running edge say the same: paths, methods, answers and refusals."""

import http.client
import json
import pathlib
import re
import time

import jsonschema
import pytest
import yaml

from lab import mmdb
from lab.cluster import Cluster
from lab.process import wait_for
from lab.tokens import AUDIENCE, ISSUER, SECRET, token

ROOT = pathlib.Path(__file__).resolve().parents[2]
API = yaml.safe_load((ROOT / "docs" / "openapi.yaml").read_text())
METHODS = {"get", "head", "post", "put", "delete", "patch"}
# Of a moment that this test does not bring about; other tests do.
NOT_TRIED = {"403", "409", "410", "429", "503", "504"}
# Of an edge without a database of places: near_test.py.
ELSEWHERE = {("get", "/v1/edges", "404"), ("head", "/v1/edges", "404")}

BAD_TOKEN = {"Authorization": "Bearer no.good.token"}
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
V1 = {**UPGRADE, "Sec-WebSocket-Protocol": "meridian.v1"}
OLD = {**UPGRADE, "Sec-WebSocket-Version": "8"}
LONG = "x" * 70000
SEND, READ = "/api/messages", "/api/messages/{user_id}"
USER = "/api/users/{user_id}/"
ME = "?user=spec&device=d"
ENDLESS = {"text/event-stream", "application/x-ndjson"}


def to(user, **more):
    return {"recipient_id": user, "message": 1, **more}


def case(method, path, status, user="spec", query="", body=None, **headers):
    return method, path, status, user, query, body, headers


# What is asked, and the status it has. `spec` is a user who has a home; nobody-... have none.
CASES = [
    case("post", SEND, 202, body=to("spec")),
    case("post", SEND, 202, body=[to("spec"), to("spec")]),
    case("post", SEND, 202, body=to("spec"), **{"Idempotency-Key": "k"}),
    case("post", SEND, 207, body=[to("spec"), to(""), to("spec", message=LONG, id="m")]),
    case("post", SEND, 400, body="nonsense"),
    case("post", SEND, 400, body=[]),
    case("post", SEND, 400, body=to("spec", id="m"), **{"Idempotency-Key": "k"}),
    case("post", SEND, 401, body=to("spec"), **BAD_TOKEN),
    case("post", SEND, 404, body=to("nobody-1")),
    case("post", SEND, 413, body=to("spec", message=LONG)),
    case("get", READ, 200, query="?after=1:0&wait=5"),
    case("get", READ, 200, query="?before="),
    case("get", READ, 400, query="?limit=0"),
    case("get", READ, 400, user="%01"),
    case("get", READ, 401, **BAD_TOKEN),
    case("get", READ, 404, user="nobody-2", query="?before="),
    case("post", USER + "disconnect", 200),
    case("post", USER + "disconnect", 200, body={"device": "phone", "reconnect": True}),
    case("post", USER + "disconnect", 400, body={"device": 7}),
    case("post", USER + "disconnect", 401, **BAD_TOKEN),
    case("post", USER + "disconnect", 404, user="nobody-3"),
    case("post", USER + "disconnect", 413, body={"reason": LONG + LONG[:40000]}),
    *(
        case("get", path, *row)
        for path in ("/v1/sse", "/v1/stream", "/v1/poll")
        for row in ((200, "spec", ME), (400, "spec", "?device=d"), (401, "spec", ME + "&token=x"))
    ),
    case("post", "/v1/frames", 200, query=ME, body={"t": "bye"}),
    case("post", "/v1/frames", 400, query=ME, body="nonsense"),
    case("post", "/v1/frames", 401, query=ME, body={"t": "bye"}, **BAD_TOKEN),
    case("post", "/v1/frames", 413, query=ME, body={"t": LONG + LONG[:40000]}),
    *(case(method, "/v1/ping", 204) for method in ("get", "head")),
    *(case(method, "/v1/edges", 200) for method in ("get", "head")),
    *(case(method, "/v1/edges", 401, **BAD_TOKEN) for method in ("get", "head")),
    case("get", "/healthz", 200),
    case("head", "/healthz", 200),
    case("get", "/readyz", 200),
    case("head", "/readyz", 200),
    case("get", "/ws", 101, **V1),
    case("get", "/ws", 400),
    case("get", "/ws", 401, **{**V1, **BAD_TOKEN}),
    case("get", "/ws", 426, **OLD),
    case("get", "/ws/{user_id}", 101, query="?device=d", **UPGRADE),
    case("get", "/ws/{user_id}", 400, query="?device=a%20b", **UPGRADE),
    case("get", "/ws/{user_id}", 401, **{**UPGRADE, **BAD_TOKEN}),
    case("get", "/ws/{user_id}", 426, **OLD),
] + [
    case(method, USER + path, *row[:1], **row[1])
    for method in ("get", "head")
    for path in ("location", "connections")
    for row in ((200, {}), (400, {"user": "%01"}), (401, BAD_TOKEN), (404, {"user": "nobody-4"}))
]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    folder = tmp_path_factory.mktemp("openapi")
    (folder / "secret").touch(0o600)
    (folder / "secret").write_bytes(SECRET.encode())
    places = {"192.0.2.0/24": mmdb.place("SG", "AS", 1, 104)}
    mmdb.write(folder / "places.mmdb", places, int(time.time()))
    keys = f"keys: [{{file: {folder}/secret, format: secret, kid: shared}}]"
    (folder / "edge.yaml").write_text(
        f"auth:\n  issuer: {ISSUER}\n  audience: {AUDIENCE}\n  {keys}\n"
    )
    with Cluster(
        catalogue={"unknown_recipients": "reject"},
        edge_settings={"geo.database": folder / "places.mmdb", "tokens_in_query": "true"},
    ) as cluster:
        cluster.edges["sin-1"].command += ["--config", str(folder / "edge.yaml")]
        cluster.start()
        cluster.wait_ready("sin-1")
        # A call that reads gives its user a home; a token that is shown must be good.
        shown = {"Authorization": f"Bearer {token('spec')}"}
        assert ask(cluster, "get", "/api/messages/spec", None, shown)[0] == 200
        wait_for(
            lambda: ask(cluster, "get", USER.format(user_id="no") + "location")[0] == 404,
            20,
            "it is known that nobody has this user",
        )
        yield cluster


def ask(cluster, method, target, body=None, headers=None):
    address = cluster.url["sin-1"].removeprefix("http://")
    connection = http.client.HTTPConnection(address, timeout=20)
    if body is not None:
        body = body if isinstance(body, str) else json.dumps(body)
    connection.request(method.upper(), target, body, headers or {})
    answer = connection.getresponse()
    endless = answer.status == 101 or answer.getheader("content-type") in ENDLESS
    said = b"" if endless else answer.read()
    connection.close()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}, said


def resolve(part):
    while "$ref" in part:
        found = API
        for name in part["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        part = found
    return part


def validate(value, schema):
    resolver = jsonschema.RefResolver("", API)
    jsonschema.Draft202012Validator(schema, resolver=resolver).validate(value)


def methods_of(path):
    return METHODS & set(API["paths"][path])


def test_the_file_has_the_routes_of_the_edge():
    table = (ROOT / "edge" / "edge_http_routes.c").read_text()
    rows = table[table.index("edge_http_routes[] = {") :].split("};")[0]
    paths = re.findall(r'\{"(/[^"]*)",', rows)
    assert len(paths) >= 9
    assert set(paths) == set(API["paths"])


@pytest.mark.parametrize("path", API["paths"])
def test_a_path_takes_the_methods_of_the_file(cluster, path):
    target = path.replace("{user_id}", "spec")
    status, headers, said = ask(cluster, "options", target)
    assert (status, said) == (204, b"")
    allow = headers["allow"]
    allowed = {method.lower() for method in allow.split(", ")}
    assert allowed == methods_of(path) | {"options"}
    for method in METHODS - methods_of(path):
        status, headers, said = ask(cluster, method, target)
        assert (status, headers["allow"]) == (405, allow)
        if method != "head":
            validate(json.loads(said), API["components"]["schemas"]["Refusal"])


@pytest.mark.parametrize(
    "method, path, status, user, query, body, headers",
    CASES,
    ids=[f"{row[0]} {row[1]} {row[2]} {n}" for n, row in enumerate(CASES)],
)
def test_an_answer_is_as_the_file_has_it(cluster, method, path, status, user, query, body, headers):
    target = path.replace("{user_id}", user) + query
    got, names, said = ask(cluster, method, target, body, headers)
    assert got == status, said
    response = resolve(API["paths"][path][method]["responses"][str(status)])
    for name, header in response.get("headers", {}).items():
        if name.lower() in names:
            validate(names[name.lower()], header["schema"])
        else:
            assert not header.get("required"), name
    if "content" in response:
        assert names["content-type"] in response["content"]
        validate(json.loads(said), response["content"]["application/json"]["schema"])
    else:
        assert said == b""


def test_every_answer_of_the_file_is_tried():
    tried = {(row[0], row[1], str(row[2])) for row in CASES}
    written = {
        (method, path, status)
        for path in API["paths"]
        for method in methods_of(path)
        for status in API["paths"][path][method]["responses"]
        if status not in NOT_TRIED
    }
    assert tried == written - ELSEWHERE


def test_the_checks_are_checks():
    refusal = API["components"]["schemas"]["Refusal"]
    good = {"code": "busy", "message": "later", "retryable": True}
    validate(good, refusal)
    for bad in ({**good, "retryable": "yes"}, {"code": "busy"}, {**good, "more": 1}):
        with pytest.raises(jsonschema.ValidationError):
            validate(bad, refusal)
