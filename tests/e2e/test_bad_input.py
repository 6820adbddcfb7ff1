"""Every route gets every kind of bad input; each is a 4xx problem document, and nothing changes."""

import http.client
import json
import re
import socket

import pytest
from conftest import unique

ID = "some-id"
BAD_BODIES = [
    b"", b"{", b"nonsense", b"null", b"7", b'"text"', b"true", b"[1,2", b'{"name":NaN}', b'{"name":1e999}',
    b'{"name":"\xff\xfe"}', b'{"a":' * 200 + b"1" + b"}" * 200, b"[" * 5000, b'{"name":"\\ud800"}',
    b'{"__proto__":{"x":1}}', b'{"name":{"deep":[[[[]]]]}}',
]


def routes(server):
    return server.http("GET", "/openapi.json", key=None).json["paths"]


def assert_problem(answer, *statuses):
    assert 400 <= answer.status < 500, answer
    assert not statuses or answer.status in statuses, answer
    assert answer.headers["Content-Type"] == "application/problem+json", answer
    problem = answer.json
    assert problem["status"] == answer.status and problem["code"] and problem["request_id"], problem


def filled(path):
    return re.sub(r"\{[^}]+\}", ID, path)


def snapshot(server):
    """Everything in Redis but what the server's own background work comes and goes with."""
    own = ("commit:", "server:", "status", "keys:", "lease:", "presence:", "ratelimit:", "leaderboards:", "players:levelled",
           "_kombu", "celery", "skirmish:", "audit@pending", "cache:load:",
           "activity:open", "activity:closed", "activity:sealed")  # slices close by the clock
    keys = server.redis().scan_iter(count=1000)
    return {k for k in keys if not k.startswith(own) and not k.endswith(".reply.celery.pidbox")}


def test_bad_bodies_everywhere(server):
    before = snapshot(server)
    tried = 0
    for path, verbs in routes(server).items():
        for verb, operation in verbs.items():
            # What takes any JSON value has tests of its own (test_state.py, test_recovery.py).
            if "application/octet-stream" in operation.get("requestBody", {}).get("content", {"application/octet-stream": 0}):
                continue
            for body in BAD_BODIES:
                answer = server.http(verb.upper(), filled(path), raw=body)
                assert_problem(answer)
                tried += 1
    assert tried > 50
    assert snapshot(server) == before


def test_wrong_types_missing_and_unknown_members(server):
    before = snapshot(server)
    for path, verbs in routes(server).items():
        for verb, operation in verbs.items():
            if "requestBody" not in operation:
                continue
            json_body = operation["requestBody"]["content"].get("application/json")
            if json_body is None:
                continue  # plain text, such as a game server's log
            schema = json_body["schema"]
            properties = schema.get("properties", {})
            for name in properties:
                for bad in ([], {}, True, -1.5, 10**40, "\u0000", "x" * 100_000):
                    if properties[name] == {} or properties[name].get("type") == {list: "array", dict: "object", bool: "boolean"}.get(type(bad)):
                        continue
                    assert_problem(server.http(verb.upper(), filled(path), {name: bad}))
            if schema.get("additionalProperties") is False:
                assert_problem(server.http(verb.upper(), filled(path), {"no_such_member": 1}), 400)
            for needed in schema.get("required", []):
                answer = server.http(verb.upper(), filled(path), {})
                assert_problem(answer, 400)
                assert f"/{needed}" in [e["pointer"] for e in answer.json["errors"]]
    assert snapshot(server) == before


def test_bad_paths_and_queries(server):
    for path, verbs in routes(server).items():
        for verb, operation in verbs.items():
            names = re.findall(r"\{[^}]+\}", path)
            for bad in ("a%20b", "%00", "%zz", "x" * 65, "%C3%A9", "a%2Fb"):
                if names:
                    assert_problem(server.http(verb.upper(), path.replace(names[0], bad).replace(
                        names[-1], ID)), 400)
            for p in operation["parameters"]:
                if p["in"] == "query" and p["schema"]["type"] == "integer":
                    for bad in ("0x1", "", "1.5", "99999999999999999999", "-99999", "NaN"):
                        answer = server.http(verb.upper(), f"{filled(path)}?{p['name']}={bad}")
                        assert_problem(answer, 400)
            assert_problem(server.http(verb.upper(), filled(path) + "?x=%FF"), 400)


def test_unknown_routes_and_methods(server):
    for path in ("/nothing", "/api", "/api/players/a/b/c", "//", "/api/players/"):
        assert_problem(server.http("GET", path))
    known = routes(server)
    for path in known:
        # What another route's parameter matches too, that route may answer: …/read is also …/{notification}.
        verbs = {verb for other, its_verbs in known.items() if re.fullmatch(re.sub(r"\\\{[^}]+\\\}", "[^/]+", re.escape(other)), filled(path))
                 for verb in its_verbs}
        unused = next(v for v in ("DELETE", "PUT", "PATCH", "OPTIONS", "POST") if v.lower() not in verbs)
        answer = server.http(unused, filled(path))
        assert_problem(answer, 405)
        assert {v.strip().lower() for v in answer.headers["Allow"].split(",")} >= set(verbs) - {"options"}


def test_keys(server):
    for path, verbs in routes(server).items():
        for verb, operation in verbs.items():
            if {} in operation["security"]:
                continue
            assert_problem(server.http(verb.upper(), filled(path), key=None), 401)
            for bad in ("x", "sk_" + "0" * 12 + "_" + "0" * 64, server.key[:-1] + "g", server.key + "0"):
                assert_problem(server.http(verb.upper(), filled(path), key=bad), 401)


BAD_EVENTS = [
    7, None, [], "x", {}, {"type": "dance"}, {"type": 7}, {"type": "attack"},
    {"type": "attack", "attacker_id": "a", "target_id": "b", "damage": -1},
    {"type": "attack", "attacker_id": "a", "target_id": "b", "damage": 1.5},
    {"type": "attack", "attacker_id": "a", "target_id": "b", "damage": 10**12},
    {"type": "attack", "attacker_id": "a", "target_id": "b", "damage": "27"},
    {"type": "attack", "attacker_id": "a b", "target_id": "b", "damage": 1},
    {"type": "attack", "attacker_id": "", "target_id": "b", "damage": 1},
    {"type": "attack", "attacker_id": "a", "target_id": "b", "damage": 1, "ts": "yesterday"},
    {"type": "attack", "attacker_id": "a", "target_id": "b", "damage": 1, "more": 1},
    {"type": "move", "player_id": "a", "lat": 91, "lon": 0},
    {"type": "move", "player_id": "a", "lat": 0, "lon": -180.5},
    {"type": "move", "player_id": "a", "lat": "0", "lon": 0},
    {"type": "move", "player_id": "a", "lat": 0, "lon": 0, "ttl_s": 9},
    {"type": "move", "player_id": "a", "lat": 0, "lon": 0, "ttl_s": 61},
    {"type": "move", "player_id": "a", "lat": 0, "lon": 0, "ttl_s": 20.5},
    {"type": "respawn", "player_id": "a", "hp": -1},
    {"type": "respawn", "player_id": "a"},
    {"type": "score", "board": "active", "player_id": "a", "value": 1},
    {"type": "score", "board": "b", "player_id": "a", "value": 2**54},
    {"type": "score", "board": "b", "player_id": "a", "value": 1, "operator": "divide"},
]


@pytest.mark.parametrize("event", BAD_EVENTS, ids=lambda e: json.dumps(e)[:60])
def test_bad_events(server, event):
    player, target = server.new_player(), server.new_player()
    good = {"type": "attack", "attacker_id": player, "target_id": target, "damage": 1}
    before = snapshot(server)
    answer = server.http("POST", "/api/interactions", [good, event])
    assert_problem(answer, 400)
    assert [e["pointer"] for e in answer.json["errors"]] == ["/1"]
    assert snapshot(server) == before
    assert server.http("GET", f"/api/players/{target}/state").json["hp"] == 100


def test_too_much(server):
    assert_problem(server.http("POST", "/api/interactions", raw=b"[" + b"7," * 10_001 + b"7]"), 413)
    big = b'{"name":"' + b"x" * (5 << 20) + b'"}'
    assert_problem(server.http("POST", "/api/players", raw=big), 413)
    assert_problem(server.http("GET", "/healthz", headers={"X-Big": "x" * 20_000}), 431)


def raw_exchange(server, data, seconds=10):
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=seconds) as s:
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
        received = b""
        while chunk := s.recv(65536):
            received += chunk
        return received


@pytest.mark.parametrize("data, status", [
    (b"nonsense\r\n\r\n", 400), (b"GET / HTTP/9.9\r\n\r\n", 400), (b"GET /\r\n\r\n", 400),
    (b"\x16\x03\x01\x02\x00\x01", 400),
    (b"POST /api/players HTTP/1.1\r\nHost: x\r\nContent-Length: ten\r\n\r\n", 400),
    (b"POST /api/players HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", 400),
    (b"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    (b"POST /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n", 400),
    (b"POST /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
    (b"POST /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 400),
    (b"POST /healthz HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    (b"GET /healthz HTTP/1.1\r\nHost: x\r\nBad Header: y\r\n\r\n", 400),
    (b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n", 400),
    (b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: a\r\n\tb\r\n\r\n", 400),
    (b"GET /healthz HTTP/1.1\r\nHost: x\nX: y\r\n\r\n", 400),
    (b"GET @api HTTP/1.1\r\nHost: x\r\n\r\n", 400), (b"GET ;api HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    (b"GET healthz HTTP/1.1\r\nHost: x\r\n\r\n", 400), (b"GET * HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    (b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    (b"GET /healthz HTTP/1.1\r\n\r\n", 400), (b"GET /server/status HTTP/1.1\r\n\r\n", 400),
    (b"GET /healthz HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", 400),
    (b"GET /server/status HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", 400),
    (b"GET /healthz HTTP/1.1\r\nHost: x/y\r\n\r\n", 400), (b"GET /server/status HTTP/1.1\r\nHost: x@y\r\n\r\n", 400),
    (b"GET http://x@y/healthz HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    (b"GET http://other/healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 200),
    (b"\r\nGET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 200),
    (b"GET /healthz HTTP/1.0\r\n\r\n", 200),
])
def test_http_to_the_letter(server, data, status):
    answer = raw_exchange(server, data)
    assert int(answer.split()[1]) == status, answer
    assert b"\r\nX-Content-Type-Options: nosniff\r\n" in answer
    assert server.http("GET", "/healthz").status == 200


def test_what_is_private_is_not_stored(server):
    player = server.new_player()
    for key in ("admin", None):
        for path in (f"/api/players/{player}/state", "/api/leaderboards/kills", "/nothing", "/server/status"):
            answer = server.http("GET", path, key=key)
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            stored = answer.headers.get("Cache-Control", "").find("no-store") < 0
            assert stored == (key is None or path == "/server/status"), (path, key)


def test_pipelining_keep_alive_and_continue(server):
    one = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    last = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert raw_exchange(server, one * 50 + last).count(b"HTTP/1.1 200 OK") == 51
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=10)
    for _ in range(3):
        connection.request("GET", "/healthz")
        assert connection.getresponse().read() == b"ok\n"
    body = json.dumps({"name": "Late"}).encode()
    head = (f"POST /api/players HTTP/1.1\r\nHost: x\r\nX-API-Key: {server.key}\r\nContent-Type: application/json\r\n"
            f"Expect: 100-continue\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n").encode()
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as s:
        s.sendall(head)
        assert s.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        s.sendall(body)
        assert s.recv(1000).startswith(b"HTTP/1.1 201 Created")
    # HTTP/1.0 does not know it (RFC 9110, section 10.1.1).
    with socket.create_connection((host, int(port)), timeout=10) as s:
        s.sendall(head.replace(b"HTTP/1.1", b"HTTP/1.0"))
        s.settimeout(0.3)
        with pytest.raises(TimeoutError):
            s.recv(1000)
        s.settimeout(10)
        s.sendall(body)
        assert b" 201 Created" in s.recv(1000)
    chunked = (f"POST /api/players HTTP/1.1\r\nHost: x\r\nX-API-Key: {server.key}\r\nContent-Type: application/json\r\n"
               f"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n{len(body):x}\r\n").encode() + body + b"\r\n0\r\n\r\n"
    assert raw_exchange(server, chunked).startswith(b"HTTP/1.1 201 Created")
