"""Rate limits: who is refused when, what answers say of it, and changes while servers run."""

import asyncio
import json
import os
import re
import signal
import time

import pytest
from conftest import Server, unique, wait_until
from raw_client import RawClient, metric
from redis_process import RedisProcess


@pytest.fixture(scope="module")
def limited(short_tmp):
    """One server thread, so that a change is in force for the next request."""
    s = Server(short_tmp / unique("limits"), {"SKIRMISH_SERVER_THREADS": "1"}).start()
    yield s
    s.stop()


@pytest.fixture
def put(limited):
    """Sets limits, and sets them back after the test. A name is used once, so that its buckets are full."""
    names = []

    def set_limit(name, **members):
        answer = limited.http("PUT", f"/api/rate-limits/{name}", members)
        assert answer.status == 200, answer
        names.append(name)
        return answer.json
    yield set_limit
    for name in set(names):
        assert limited.http("DELETE", f"/api/rate-limits/{name}").status == 204


def new_key(server, role="server"):
    return server.run("apikey", "--data-dir", str(server.data_dir), "create", "--role", role).stdout.strip()


def new_token(server):
    player = server.new_player()
    return player, server.http("POST", f"/api/players/{player}/sessions", {}).json["token"]


def as_player(token):
    return {"Authorization": f"Bearer {token}"}


def fields_of(answer):
    """RateLimit-Policy and RateLimit, as {name: {parameter: number}}: lists of strings with parameters (RFC 9651)."""
    out = []
    for name in ("RateLimit-Policy", "RateLimit"):
        items = {}
        for item in answer.headers[name].split(", "):
            found = re.fullmatch(r'"([A-Za-z0-9_-]+)"((?:;[a-z]+=\d+)+)', item)
            assert found, answer.headers[name]
            items[found[1]] = {k: int(v) for k, v in (p.split("=") for p in found[2][1:].split(";"))}
        out.append(items)
    return out


def decisions(server, policy, outcome):
    name = f'skirmish_rate_limit_decisions_total{{policy="{policy}",outcome="{outcome}"}}'
    lines = [line for line in server.http("GET", "/metrics", key=None).body.decode().splitlines() if line.startswith(name)]
    return int(lines[0].split()[-1]) if lines else 0


def test_answers_of_limited_routes_say_what_is_left(limited):
    answer = limited.http("GET", "/api/leaderboards/active", key=None)
    policies, left = fields_of(answer)
    assert policies == {"anonymous": {"q": 10_000, "w": 20}}
    assert 9_000 < left["anonymous"]["r"] < 10_000 and 0 < left["anonymous"]["t"] <= 20
    _, token = new_token(limited)
    policies, _ = fields_of(limited.http("GET", "/api/sessions/current", key=None, headers=as_player(token)))
    assert policies == {"players": {"q": 1_000, "w": 10}}


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/health", "/api/rate-limits", "/api/players/nobody"])
def test_what_is_not_limited_says_nothing(limited, path):
    answer = limited.http("GET", path)  # an operator
    assert answer.headers["RateLimit"] is None and answer.headers["RateLimit-Policy"] is None


def test_logins_are_few_and_nothing_else_suffers(limited, put):
    put("logins", rate_per_s=0.5, burst=30)
    wrong = [limited.http("POST", "/api/sessions", {"player_id": unique(), "password": "x"}, key=None) for _ in range(4)]
    assert [a.status for a in wrong] == [401, 401, 401, 429]
    refused = wrong[-1]
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert refused.json["code"] == "rate_limited" and "logins" in refused.json["detail"]
    assert 15 <= int(refused.headers["Retry-After"]) <= 20
    policies, left = fields_of(refused)
    assert policies == {"logins": {"q": 30, "w": 60}}
    assert left["logins"]["r"] < 10 and left["logins"]["t"] == int(refused.headers["Retry-After"])
    # Not even with a token, which would make this a player's request; with a game server's key it is let in.
    _, token = new_token(limited)
    body = {"player_id": unique(), "password": "x"}
    assert limited.http("POST", "/api/sessions", body, key=None, headers=as_player(token)).status == 429
    assert limited.http("POST", "/api/sessions", body).status == 401
    for path in ("/healthz", "/metrics", "/api/leaderboards/active"):
        assert limited.http("GET", path, key=None).status == 200


def test_players_are_counted_one_by_one(limited, put):
    name = unique("few")
    put(name, routes=["GET /api/players/{id}"], by="player", rate_per_s=0.01, burst=3)
    (ann, anns), (bob, bobs) = new_token(limited), new_token(limited)
    for player, token in ((ann, anns), (bob, bobs)):
        answers = [limited.http("GET", f"/api/players/{player}", key=None, headers=as_player(token)) for _ in range(5)]
        assert [a.status for a in answers] == [200, 200, 200, 429, 429]
    assert limited.http("GET", f"/api/players/{ann}").status == 200
    # Other routes are not concerned, and what is refused here does not use up what holds everywhere.
    current = limited.http("GET", "/api/sessions/current", key=None, headers=as_player(anns))
    assert current.status == 200 and fields_of(current)[0].keys() == {"players"}
    assert decisions(limited, name, "allowed") == 6 and decisions(limited, name, "refused") == 4


def test_a_batch_costs_what_it_holds(limited, put):
    put(unique("events"), routes=["POST /api/interactions"], by="key", rate_per_s=0.01, burst=100)
    key, other = new_key(limited), new_key(limited)
    player = limited.new_player()
    move = {"type": "move", "player_id": player, "lat": 1, "lon": 2}

    def report(count, key):
        answer = limited.http("POST", "/api/interactions", [move] * count, key=key)
        return answer.status, answer.json.get("accepted", answer.json.get("code")), answer
    assert report(60, key)[:2] == (200, 60)
    status, code, answer = report(60, key)
    assert (status, code) == (429, "rate_limited") and 2_000 <= int(answer.headers["Retry-After"]) <= 2_100
    assert report(30, key)[:2] == (200, 30)
    status, code, answer = report(102, other)
    assert (status, code) == (413, "too_large") and answer.headers["Retry-After"] is None
    # Of burst + 1, too, whose first element is paid with the head: to try again would be in vain.
    status, code, answer = report(101, other)
    assert (status, code) == (413, "too_large") and answer.headers["Retry-After"] is None
    assert report(98, other)[:2] == (200, 98)
    assert report(500, "admin")[:2] == (200, 500)


def test_chat_events_of_a_key_are_limited(limited, put):
    """By how many a batch or a frame has, of a server's key; other events of it are not counted."""
    put("chat-events", rate_per_s=0.01, burst=5)
    key, player = new_key(limited), limited.new_player()
    chat = {"type": "chat", "channel": "general", "from": player, "text": "hello"}
    move = {"type": "move", "player_id": player, "lat": 1, "lon": 2}

    def report(events, key=key):
        return limited.http("POST", "/api/interactions", events, key=key)
    assert report([chat] * 3 + [move] * 50).json["accepted"] == 53
    refused = report([move] + [chat] * 3)
    assert refused.status == 429 and "chat-events" in refused.json["detail"] and int(refused.headers["Retry-After"]) > 90
    assert report([move] * 50).json["accepted"] == 50

    async def frames():
        async with limited.ws(f"/api/ws?stream={unique()}", key=key) as socket:
            await socket.recv()

            async def send(seq, events):
                await socket.send(json.dumps({"seq": seq, "interactions": events}))
                return json.loads(await asyncio.wait_for(socket.recv(), 10))
            assert await send(1, [chat] * 2) == {"ack": 1}
            error = (await send(2, [chat]))["error"]
            assert (error["code"], error["seq"]) == ("rate_limited", 2) and error["retry_after_ms"] > 90_000
            error = (await send(2, [chat] * 6))["error"]
            assert (error["code"], error["temporary"]) == ("too_large", False)
            assert await send(2, [move] * 6) == {"ack": 2}
    asyncio.run(frames())
    assert report([chat], new_key(limited)).json["accepted"] == 1, "each key by itself"
    assert report([chat] * 20, "admin").json["accepted"] == 20, "operators are not limited"


def test_a_refusal_does_not_wait_for_the_body(limited, put):
    put(unique("head"), routes=["POST /api/interactions"], by="key", rate_per_s=0.01, burst=1)
    key = new_key(limited)
    head = (f"POST /api/interactions HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\nContent-Type: application/json\r\n"
            "Content-Length: 1000000\r\n\r\n").encode()
    with RawClient(limited) as first, RawClient(limited) as second:
        first.send(head)
        time.sleep(0.1)
        status, headers, body = second.send(head).response()
        assert status == 429 and json.loads(body)["code"] == "rate_limited" and headers["connection"] == "close"


def test_addresses_are_counted_one_by_one_behind_a_proxy(limited, put):
    """The tests come from this machine, as a proxy on it would."""
    put(unique("visitors"), routes=["GET /docs"], by="address", rate_per_s=0.01, burst=2)

    def ask(forwarded):
        return limited.http("GET", "/docs", key=None, headers={"X-Forwarded-For": forwarded}).status
    assert [ask("198.51.100.1") for _ in range(3)] == [200, 200, 429]
    assert [ask("203.0.113.9, 198.51.100.2") for _ in range(3)] == [200, 200, 429]
    assert ask("203.0.113.10, 198.51.100.2") == 429, "what a client writes itself does not count"
    assert [ask("2001:db8:1:2::1"), ask("2001:db8:1:2:3::4"), ask("2001:db8:1:2::5"), ask("2001:db8:1:3::1")] == [200, 200, 429, 200]


def test_connections_of_an_address_are_few(short_tmp):
    env = {"SKIRMISH_HTTP_CONNECTIONS_PER_ADDRESS": "3", "SKIRMISH_HTTP_TRUSTED_PROXIES": ""}
    s = Server(short_tmp / unique("few"), env).start()
    ask = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    try:
        held = [RawClient(s).send(ask) for _ in range(3)]
        assert [c.response()[0] for c in held] == [200] * 3
        with RawClient(s) as one_more:
            assert one_more.read_to_end() == b""
        held.pop().socket.close()

        def is_let_in():
            with RawClient(s) as again:
                try:
                    again.send(ask)
                    return again.read_some()
                except OSError:
                    return False
        wait_until(is_let_in, 10, "a place")
        wait_until(lambda: metric_of(s) > 0, 10, "the metric")
    finally:
        s.stop()


def metric_of(server):
    try:
        return metric(server, "skirmish_http_connections_refused_total")
    except OSError:
        return 0


def test_bad_credentials_and_unknown_paths_count(limited, put):
    name = unique("strays")
    put(name, routes=["*"], by="address", rate_per_s=0.01, burst=4)
    answers = [limited.http("GET", "/nonesuch", key=None), limited.http("GET", "/api/players/x", key="sk_" + "0" * 12 + "_" + "0" * 64),
               limited.http("PUT", "/api/leaderboards/x", {}, key=None), limited.http("PATCH", "/api/jobs", {}, key=None)]
    assert [a.status for a in answers] == [404, 401, 401, 405]
    for again in (("GET", "/nonesuch"), ("GET", "/api/players/x"), ("GET", "/docs"), ("GET", "/api/ws")):
        assert limited.http(*again, key=None).status == 429, again
    # A key is good for a public route still, and health is never refused.
    assert limited.http("GET", "/docs").status == 200
    assert limited.http("GET", "/healthz", key=None).status == 200


UPGRADE = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
BAD_KEY = b"X-API-Key: sk_" + b"0" * 12 + b"_" + b"0" * 64 + b"\r\n"


@pytest.mark.parametrize("request_bytes, status", [
    (b"GET /api/players/%zz HTTP/1.1\r\nHost: x\r\n\r\n", 400), (b"GET /api/leaderboards/a%20b HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    (b"GET /api/players/%zz HTTP/1.1\r\nHost: x\r\n" + BAD_KEY + b"\r\n", 400), (b"GET /none HTTP/1.1\r\nHost: x\r\n" + BAD_KEY + b"\r\n", 404),
    (b"POST /none HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n", 404), (b"PATCH /docs HTTP/1.1\r\nHost: x\r\n\r\n", 405),
    (b"GET /api/leaderboards/active?x=%FF HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    (b"GET /api/rate-limits HTTP/1.1\r\nHost: x\r\n" + BAD_KEY + b"\r\n", 401), (b"PUT /api/rate-limits/%zz HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    (b"GET /api/ws HTTP/1.1\r\nHost: x\r\n\r\n", 426), (b"GET /api/ws HTTP/1.1\r\nHost: x\r\n" + UPGRADE + b"\r\n", 400),
    (b"POST /api/ws HTTP/1.1\r\nHost: x\r\n" + UPGRADE + b"\r\n", 405),
    (b"GET /api/ws?x=%FF HTTP/1.1\r\nHost: x\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n" + UPGRADE + b"\r\n", 400),
    (b"GET /api/ws HTTP/1.1\r\nHost: x\r\nOrigin: http://evil.example\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n" + BAD_KEY + UPGRADE + b"\r\n", 403),
    (b"GET / HTTP/1.1\r\n\r\n", 400), (b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400), (b"nonsense\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n", 400), (b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: x\r\nx: " + b"y" * 70_000 + b"\r\n\r\n", 431)],
    ids=[f"n{n}" for n in range(20)])
def test_whatever_is_wrong_with_a_request_it_counts(limited, put, request, request_bytes, status):
    """By the address of its connection, whatever credential it shows; no other address suffers."""
    put(unique("all"), routes=["*"], by="address", rate_per_s=0.001, burst=3)
    number = 20 + int(request.node.callspec.id[1:])

    def ask(source, sent=request_bytes):
        with RawClient(limited, source=source) as peer:
            try:
                peer.send(sent)
            except ConnectionError:
                pass
            return peer.response()
    answers = [ask(f"127.0.1.{number}") for _ in range(5)]
    assert [a[0] for a in answers] == [status] * 3 + [429] * 2, answers
    assert json.loads(answers[-1][2])["code"] == "rate_limited" and int(answers[-1][1]["retry-after"]) > 900
    fine = b"GET /docs HTTP/1.1\r\nHost: x\r\n\r\n"
    assert ask(f"127.0.1.{number}", fine)[0] == 429 and ask(f"127.0.2.{number}", fine)[0] == 200


def test_who_may_ask_is_not_counted_by_a_route_that_is_not_limited(limited, put):
    put(unique("all"), routes=["*"], by="address", rate_per_s=0.001, burst=1)
    assert [limited.http("GET", "/api/rate-limits").status for _ in range(5)] == [200] * 5
    assert [limited.http("GET", "/healthz", key=None).status for _ in range(5)] == [200] * 5


def test_the_fast_path_is_limited_when_asked_to(limited, put):
    limited.http("GET", "/server/status", key=None)
    assert limited.http("GET", "/server/status", key=None).headers["RateLimit"] is None
    name = unique("status")
    put(name, routes=["GET /server/status"], by="address", rate_per_s=0.01, burst=50, lease_tokens=10)
    ask = b"GET /server/status HTTP/1.1\r\nHost: x\r\n\r\n"
    with RawClient(limited) as client:
        statuses = []
        for _ in range(60):
            status, _, body = client.send(ask).response()
            client.received = client.received.partition(b"\r\n\r\n")[2][len(body):]
            statuses.append(status)
    assert statuses == [200] * 50 + [429] * 10
    assert (decisions(limited, name, "allowed"), decisions(limited, name, "refused")) == (50, 10), "each is counted once"


def test_messages_of_a_socket_are_limited(limited, put):
    put(unique("frames"), routes=["WS interactions"], by="key", rate_per_s=0.01, burst=10)
    put(unique("messages"), routes=["WS *"], by="address", rate_per_s=0.01, burst=3)
    player, key = limited.new_player(), new_key(limited)
    move = {"type": "move", "player_id": player, "lat": 1, "lon": 2}

    async def ask(socket, message):
        await socket.send(json.dumps(message))
        return json.loads(await asyncio.wait_for(socket.recv(), 10))

    async def run():
        async with limited.ws(f"/api/ws?stream={unique()}", key=key) as socket:
            assert json.loads(await socket.recv())["stream"]["committed"] == 0
            assert await ask(socket, {"seq": 1, "interactions": [move] * 6}) == {"ack": 1}
            refused = (await ask(socket, {"seq": 2, "cid": "c", "interactions": [move] * 6}))
            assert refused["cid"] == "c"
            error = refused["error"]
            assert (error["code"], error["temporary"], error["seq"]) == ("rate_limited", True, 2)
            assert 190_000 < error["retry_after_ms"] <= 200_000
            error = (await ask(socket, {"seq": 2, "interactions": [move] * 11}))["error"]
            assert (error["code"], error["temporary"]) == ("too_large", False)
            # Nothing of those was taken: the stream goes on where it was.
            assert await ask(socket, {"seq": 2, "interactions": [move] * 4}) == {"ack": 2}
        async with limited.ws(key=None) as socket:
            for _ in range(3):
                assert (await ask(socket, {"nonesuch": 1}))["error"]["code"] == "invalid_argument"
            for message in ({"nonesuch": 1}, {"cid": "1", "subscribe": {"channel": "activity"}}):
                assert (await ask(socket, message))["error"]["code"] == "rate_limited"
        async with limited.ws(key=key) as socket:
            assert "subscribed" in await ask(socket, {"subscribe": {"channel": "activity"}})
    asyncio.run(run())


def test_shadow_mode_only_counts(limited, put):
    name = unique("trial")
    put(name, routes=["GET /docs"], by="address", rate_per_s=0.01, burst=2, shadow=True)
    answers = [limited.http("GET", "/docs", key=None) for _ in range(5)]
    assert [a.status for a in answers] == [200] * 5 and name not in answers[-1].headers["RateLimit"]
    assert decisions(limited, name, "allowed") == 2 and decisions(limited, name, "shadowed") == 3


def test_a_change_takes_what_is_missing_from_the_configuration(limited, put):
    made = put("players", burst=7)
    assert made == {"name": "players", "routes": ["*"], "by": "player", "roles": ["player"], "rate_per_s": 100, "burst": 7,
                    "lease_tokens": 7, "lease_ttl_ms": 1_000, "on_outage": "local", "shadow": False, "enabled": True,
                    "source": "live"}
    listed = {p["name"]: p for p in limited.http("GET", "/api/rate-limits").json["items"]}
    assert listed["players"] == made and listed["logins"]["source"] == "default"
    put("players", enabled=False)
    _, token = new_token(limited)
    answer = limited.http("GET", "/api/sessions/current", key=None, headers=as_player(token))
    assert answer.status == 200 and answer.headers["RateLimit"] is None


@pytest.mark.parametrize("name, members, wanted", [
    ("logins", {"burst": 0}, "burst"), ("logins", {"rate_per_s": -1}, "rate_per_s"), ("logins", {"bursts": 1}, "bursts"),
    ("logins", {"by": "player", "roles": ["anonymous"]}, "role"), ("logins", {"roles": []}, "roles"), ("logins", {"routes": []}, "routes"),
    ("logins", {"roles": ["king"]}, "king"), ("logins", {"routes": ["POST /api/sesions"]}, "did you mean `POST /api/sessions`"),
    ("fresh", {"routes": ["*"], "burst": 5}, "rate"), ("fresh", {"rate_per_s": 5, "burst": 5}, "routes"),
    ("a.b", {"routes": ["*"], "rate_per_s": 5, "burst": 5}, "name"), ("x" * 33, {"routes": ["*"], "rate_per_s": 5, "burst": 5}, "name"),
    ("fresh", {"routes": ["*"], "by": "key", "roles": ["player"], "rate_per_s": 5, "burst": 5}, "role player"),
    ("logins", {"burst": "many"}, "burst"), ("logins", {"routes": ["!GET /docs"]}, "what is limited"),
    ("logins", {"routes": ["GET /docs", "!GET /docs"]}, "left out"), ("logins", {"rate_per_s": 1e-6, "burst": 1_000_000_000}, "366 days: 31 here"),
    ("logins", {"rate_per_s": 0.001, "burst": 32_000}, "366 days: 31622 here")])
def test_bad_limits_are_refused(limited, name, members, wanted):
    answer = limited.http("PUT", f"/api/rate-limits/{name}", members)
    assert answer.status == 400 and (wanted in answer.body.decode() or "one of" in answer.body.decode()), answer
    assert limited.http("DELETE", f"/api/rate-limits/{name}").status == 404
    assert len(limited.http("GET", "/api/rate-limits").json["items"]) == 4


def test_limits_are_for_operators(limited):
    key = new_key(limited)
    for method, path, body in (("GET", "/api/rate-limits", None), ("PUT", "/api/rate-limits/x", {}), ("DELETE", "/api/rate-limits/x", None)):
        assert limited.http(method, path, body, key=None).status == 401
        assert limited.http(method, path, body, key=key).status == 403


def test_a_change_reaches_all_servers_within_a_second_and_stays(short_tmp):
    with RedisProcess(short_tmp / unique("redis")) as redis:
        env = {"REDIS_URL": redis.url, "SKIRMISH_SERVER_THREADS": "2"}
        one, two = (Server(short_tmp / unique(n), env).start() for n in ("one", "two"))

        def policies(server):
            """As every thread of the server has them: each new connection goes to any."""
            seen = [{p["name"]: p for p in server.http("GET", "/api/rate-limits").json["items"]} for _ in range(8)]
            return seen[0] if all(s == seen[0] for s in seen) else {}
        try:
            changed = one.http("PUT", "/api/rate-limits/docs", {"routes": ["GET /docs"], "rate_per_s": 0.01, "burst": 2})
            assert changed.status == 200
            wait_until(lambda: "docs" in policies(two), 1.5, "the change on the other server")
            # Both together have what one would have.
            statuses = [s.http("GET", "/docs", key=None).status for s in (one, two, one, two)]
            assert sorted(statuses) == [200, 200, 429, 429]
            two.stop()
            two.start()
            wait_until(lambda: "docs" in policies(two), 5, "the change after a restart")
            assert two.http("DELETE", "/api/rate-limits/docs").status == 204
            wait_until(lambda: policies(one) and "docs" not in policies(one), 1.5, "the end of the change")
            wait_until(lambda: one.http("GET", "/docs", key=None).status == 200, 1, "an answer")
        finally:
            one.stop()
            two.stop()


def test_limits_hold_while_redis_is_frozen(own_server):
    """Each server thread limits alone then, and nobody waits for Redis longer than a moment."""
    own_server.http("PUT", "/api/rate-limits/docs", {"routes": ["GET /docs"], "rate_per_s": 0.01, "burst": 5})
    own_server.http("PUT", "/api/rate-limits/shut", {"routes": ["GET /openapi.json"], "rate_per_s": 100, "burst": 100, "on_outage": "closed"})
    time.sleep(0.5)  # both are known to every thread
    pid = own_server.redis_pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        start = time.monotonic()
        statuses = [own_server.http("GET", "/docs", key=None).status for _ in range(40)]
        # Two tries of Redis a second at most, for each of the threads, and for each of two limits.
        assert time.monotonic() - start < 8
        threads = os.cpu_count()
        assert 5 <= statuses.count(200) <= 5 * threads and statuses.count(429) == 40 - statuses.count(200)
        assert own_server.http("GET", "/openapi.json", key=None).status == 429
        assert own_server.http("GET", "/healthz", key=None).status == 200
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_until(lambda: own_server.http("GET", "/openapi.json", key=None).status == 200, 10, "an open door")


@pytest.mark.parametrize("setting, wanted", [
    ("rate_limits.logins.brust=5", "did you mean `logins.burst`?"),
    ("rate_limits.login.burst=5", "did you mean `logins`?"),
    ("rate_limits.logins.rate=soon", "must be a rate"),
    ("rate_limits.logins.routes=POST /api/sesions", "did you mean `POST /api/sessions`?"),
    ("rate_limits.logins.routes=!POST /api/sessions", "not only what is left out"),
    ("rate_limits.logins.burst=1000000000", "burst must be at most what the rate gives in 366 days: 632448000 here"),
    ("rate_limits.logins.by=player", "role anonymous cannot be limited by player"),
    ("rate_limit.logins.burst=5", "unknown setting")])
def test_a_wrong_setting_stops_the_start(short_tmp, setting, wanted):
    s = Server(short_tmp / unique("wrong"), args=["--set", setting])
    s.start(wait=False)
    assert s.process.wait(60) != 0
    assert wanted in s.log_text(), s.log_text()[-2000:]


def test_the_configuration_sets_limits(short_tmp):
    config = short_tmp / f"{unique()}.toml"
    config.write_text('[rate_limits.logins]\nrate = "60/m"\nburst = 20\n'
                      '[rate_limits.boards]\nroutes = "GET /api/leaderboards/*"\nby = "address"\nrate = 0.5\nburst = 2\n')
    s = Server(short_tmp / unique("set"), args=["--config", str(config)]).start()
    try:
        listed = {p["name"]: p for p in s.http("GET", "/api/rate-limits").json["items"]}
        assert listed["logins"]["rate_per_s"] == 1 and listed["logins"]["burst"] == 20 and listed["logins"]["source"] == "configuration"
        assert listed["boards"]["rate_per_s"] == 0.5 and listed["boards"]["roles"] == ["anonymous"]
        assert listed["players"]["source"] == "default"
        answers = [s.http("GET", "/api/leaderboards/active", key=None).status for _ in range(5)]
        assert answers[:2] == [200, 200] and 429 in answers
    finally:
        s.stop()


def test_a_lease_takes_no_more_than_the_bucket_can_do_without(limited, put):
    """Of a bucket so small, or so slow, a lease that is lost would be a part that somebody misses."""
    put(unique("slow"), routes=["GET /docs"], by="address", rate_per_s=0.01, burst=10_000, lease_tokens=5_000, lease_ttl_ms=10)
    left = [fields_of(limited.http("GET", "/docs", key=None, headers={"X-Forwarded-For": "198.51.100.77"}))[1] for _ in range(5)]
    names = [n for n in left[0] if n.startswith("slow")]
    assert [item[names[0]]["r"] for item in left] == [9_999, 9_998, 9_997, 9_996, 9_995], "each pause of 10 ms would lose a lease"


def test_what_else_lies_where_the_limits_do_is_set_aside(own_server):
    """The limits of before stay in force; an operator is told, and it goes on by itself once that is removed."""
    server, redis = own_server, own_server.redis()
    assert server.http("PUT", "/api/rate-limits/docs", {"routes": ["GET /docs"], "rate_per_s": 0.01, "burst": 2}).status == 200
    wait_until(lambda: all("docs" in server.http("GET", "/api/rate-limits").body.decode() for _ in range(8)), 10, "the limit everywhere")
    kept = redis.hgetall("ratelimit@policies")
    for plant in (lambda: redis.set("ratelimit@policies", "text"), lambda: redis.rpush("ratelimit@policies", "x"),
                  lambda: redis.zadd("ratelimit@policies", {"docs": 1}), lambda: redis.xadd("ratelimit@policies", {"docs": "{}"})):
        redis.delete("ratelimit@policies")
        plant()
        for method, body in (("PUT", {"burst": 50}), ("DELETE", None)):
            refused = server.http(method, "/api/rate-limits/logins", body)
            assert refused.status == 409 and "ratelimit@policies" in refused.json["detail"], refused
        assert "docs" in [p["name"] for p in server.http("GET", "/api/rate-limits").json["items"]]
    wait_until(lambda: "key_damaged key=ratelimit@policies" in server.log_text(), 10, "the log")
    redis.delete("ratelimit@policies")
    junk = {"a": "{", "b": "[]", "c": '{"burst": 5}', "d.e": kept["docs"], "f": '{"routes": ["*"], "rate_per_s": 1e-6, "burst": 1000000000}'}
    redis.hset("ratelimit@policies", mapping={**kept, **junk})
    wait_until(lambda: all(f"rate_limit_ignored policy={name}" in server.log_text() for name in junk), 10, "the log")
    assert server.http("PUT", "/api/rate-limits/logins", {"burst": 50}).json["source"] == "live"
    listed = {p["name"]: p["source"] for p in server.http("GET", "/api/rate-limits").json["items"]}
    assert listed["docs"] == "live" and not set(junk) & set(listed)
