"""Players' sessions: opening by password, device and a game server's word; ending; what a token may do."""

import asyncio
import contextlib
import hashlib
import json
import os
import signal
import sqlite3
import subprocess
import time

import pytest
from conftest import Server, unique, wait_until
from raw_client import CLOSE, PING, PONG, RawClient, frame, handshake, parse_frame

PASSWORD = "correct horse battery"


def new_player(server, **more):
    player = unique()
    made = server.http("POST", "/api/players", {"player_id": player, "name": "Ann", **more})
    assert made.status == 201 and "password" not in made.json, made
    return player


def log_in(server, **body):
    return server.http("POST", "/api/sessions", body, key=None)


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def as_player(server, token, method, path, body=None):
    return server.http(method, path, body, key=None, headers=bearer(token))


def test_a_password_opens_a_session(server):
    player = new_player(server, password=PASSWORD, email=f"{unique()}@example.org")
    opened = log_in(server, player_id=player, password=PASSWORD, name="phone")
    assert opened.status == 201 and opened.headers["Cache-Control"] == "no-store"
    token = opened.json["token"]
    assert opened.json["player_id"] == player and token.startswith("st_") and len(token) == 67

    current = as_player(server, token, "GET", "/api/sessions/current")
    assert current.status == 200, current
    assert (current.json["name"], current.json["method"], current.json["is_current"]) == ("phone", "password", True)
    assert as_player(server, token, "GET", f"/api/players/{player}").status == 200
    assert as_player(server, token, "GET", f"/api/players/{new_player(server)}").status == 403
    assert as_player(server, token, "POST", "/api/players", {"name": "x"}).status == 403

    # Nothing that is stored lets anybody in.
    r = server.redis()
    assert not [k for k in r.scan_iter() if token in k or token[3:] in k]
    assert as_player(server, token, "DELETE", "/api/sessions/current").status == 204
    assert as_player(server, token, "GET", "/api/sessions/current").status == 401


def test_an_email_address_names_its_only_player(server):
    email = f"{unique()}@example.org"
    player = new_player(server, password=PASSWORD, email=email)
    assert log_in(server, email=email, password=PASSWORD).json["player_id"] == player
    new_player(server, password=PASSWORD, email=email)
    assert log_in(server, email=email, password=PASSWORD).status == 401


def test_all_failures_look_the_same(server):
    player = new_player(server, password=PASSWORD)
    without = new_player(server)
    answers = [log_in(server, player_id=player, password="wrong"),
               log_in(server, player_id=unique(), password=PASSWORD),
               log_in(server, player_id=without, password=PASSWORD),
               log_in(server, email="nobody@example.org", password=PASSWORD),
               log_in(server, device_id=unique(), device_secret="ds_" + "0" * 64)]
    assert {a.status for a in answers} == {401}
    assert len({a.json["detail"] for a in answers}) == 1
    for body in ({}, {"player_id": player}, {"password": PASSWORD}, {"device_id": "d"},
                 {"player_id": player, "email": "a@example.org", "password": PASSWORD}):
        assert server.http("POST", "/api/sessions", body, key=None).status == 400


@pytest.mark.parametrize("header", ["st_", "Bearer ", "Bearer st_12", "Basic YTpi", "Bearer st_" + "0" * 64,
                                    "Bearer st_" + "G" * 64, "Bearer st_" + "0" * 5000])
def test_bad_tokens_are_refused(server, header):
    answer = server.http("GET", "/api/sessions/current", key=None, headers={"Authorization": header})
    assert answer.status == 401, answer


def test_failures_make_the_next_one_wait_but_not_where_the_owner_was(server):
    player = new_player(server, password=PASSWORD)
    assert log_in(server, player_id=player, password=PASSWORD).status == 201
    # The owner's own address is known now; whoever guesses comes from others.
    r = server.redis()
    known = [k for k in r.scan_iter("login_known:*")]
    for key in known:
        r.delete(key)
    seen = [log_in(server, player_id=player, password="guess").status for _ in range(8)]
    assert seen[:4] == [401] * 4 and 429 in seen, seen
    waiting = log_in(server, player_id=player, password=PASSWORD)
    assert waiting.status == 429 and 1 <= int(waiting.headers["Retry-After"]) <= 60
    for key in known:
        r.set(key, 1, ex=60)
    assert log_in(server, player_id=player, password=PASSWORD).status == 201


def test_a_device_opens_sessions_until_it_is_forgotten(server):
    player = new_player(server)
    token = server.http("POST", f"/api/players/{player}/sessions", {}).json["token"]
    made = as_player(server, token, "POST", f"/api/players/{player}/devices", {"name": "tablet"})
    assert made.status == 201
    device, secret = made.json["device_id"], made.json["device_secret"]
    assert log_in(server, device_id=device, device_secret=secret).json["player_id"] == player
    listed = as_player(server, token, "GET", f"/api/players/{player}/devices").json["items"]
    assert [d["device_id"] for d in listed] == [device] and "device_secret" not in listed[0]
    assert as_player(server, token, "DELETE", f"/api/players/{player}/devices/{device}").status == 204
    assert log_in(server, device_id=device, device_secret=secret).status == 401


def test_only_a_server_vouches(server):
    player = new_player(server)
    opened = server.http("POST", f"/api/players/{player}/sessions", {"name": "match 7"})
    assert opened.status == 201
    assert server.http("POST", f"/api/players/{player}/sessions", {}, key=None).status == 401
    assert as_player(server, opened.json["token"], "POST", f"/api/players/{player}/sessions", {}).status == 403
    assert server.http("POST", f"/api/players/{unique()}/sessions", {}).status == 404
    assert server.http("GET", "/api/sessions/current").status == 403, "a key is no session"


def test_sessions_are_listed_and_ended_one_by_one_and_together(server):
    player = new_player(server)
    tokens = [server.http("POST", f"/api/players/{player}/sessions", {"name": n}).json["token"] for n in "abc"]
    listed = as_player(server, tokens[0], "GET", f"/api/players/{player}/sessions").json["items"]
    assert sorted(s["name"] for s in listed) == ["a", "b", "c"]
    of_b = next(s for s in listed if s["name"] == "b")
    path = f"/api/players/{player}/sessions"
    assert as_player(server, tokens[0], "DELETE", f"{path}/{of_b['session_id']}").status == 204
    assert as_player(server, tokens[0], "DELETE", f"{path}/{of_b['session_id']}").status == 404

    def statuses():
        return [as_player(server, t, "GET", "/api/sessions/current").status for t in tokens]

    # Each server thread hears of it within a second, whichever the connection comes to.
    wait_until(lambda: all(statuses() == [200, 401, 200] for _ in range(4)), 2)
    assert as_player(server, tokens[0], "DELETE", path).status == 204
    wait_until(lambda: all(statuses() == [401, 401, 401] for _ in range(4)), 2)


def test_a_new_password_ends_all_sessions(server):
    player = new_player(server, password=PASSWORD)
    token = log_in(server, player_id=player, password=PASSWORD).json["token"]
    path = f"/api/players/{player}/password"
    assert as_player(server, token, "PUT", path, {"password": "another one"}).status == 400
    wrong = as_player(server, token, "PUT", path, {"password": "another one", "current_password": "no"})
    assert wrong.status == 401
    changed = as_player(server, token, "PUT", path, {"password": "another one", "current_password": PASSWORD})
    assert changed.status == 204
    wait_until(lambda: all(as_player(server, token, "GET", "/api/sessions/current").status == 401
                           for _ in range(4)), 2)
    assert log_in(server, player_id=player, password=PASSWORD).status == 401
    assert log_in(server, player_id=player, password="another one").status == 201
    assert server.http("PUT", path, {"password": PASSWORD}).status == 204, "an operator needs no old one"


def test_the_oldest_session_ends_when_there_are_too_many(tmp_path):
    server = Server(tmp_path / "data", args=["--set", "sessions.per_player=2"]).start()
    try:
        player = new_player(server)
        tokens = [server.http("POST", f"/api/players/{player}/sessions", {}).json["token"] for _ in range(3)]
        wait_until(lambda: [as_player(server, t, "GET", "/api/sessions/current").status for t in tokens]
                   == [401, 200, 200], 2)
        assert len(as_player(server, tokens[2], "GET", f"/api/players/{player}/sessions").json["items"]) == 2
    finally:
        server.stop()


def test_a_ticket_opens_one_websocket(server):
    player = new_player(server)
    token = server.http("POST", f"/api/players/{player}/sessions", {}).json["token"]
    ticket = as_player(server, token, "POST", "/api/sessions/tickets").json["ticket"]

    async def first_answer():
        async with server.ws(f"/api/ws?ticket={ticket}", key=None) as socket:
            await socket.send(json.dumps({"cid": "1", "subscribe": {"channel": f"notifications:{player}"}}))
            return json.loads(await socket.recv())

    assert "subscribed" in asyncio.run(first_answer())
    with pytest.raises(Exception):
        asyncio.run(first_answer())
    assert ticket not in " ".join(server.redis().scan_iter())


def test_an_ended_session_stays_ended_when_redis_forgets_that(server):
    """A Redis that comes back with an older state has the session again; SQL knows better."""
    player = new_player(server)
    token = server.http("POST", f"/api/players/{player}/sessions", {}).json["token"]
    r = server.redis()
    [digest] = r.zrange(f"sessions:{player}", 0, -1)
    kept = r.hgetall(f"session:{digest}")
    assert as_player(server, token, "DELETE", f"/api/players/{player}/sessions").status == 204
    r.hset(f"session:{digest}", mapping=kept)
    r.zadd(f"sessions:{player}", {digest: time.time() * 1000})
    wait_until(lambda: all(as_player(server, token, "GET", "/api/sessions/current").status == 401
                           for _ in range(4)), 2)


def test_sessions_go_on_while_redis_is_away_until_sql_says_otherwise(tmp_path):
    server = Server(tmp_path / "data", args=["--set", "server.threads=1"]).start()
    try:
        player = new_player(server)
        token = server.http("POST", f"/api/players/{player}/sessions", {}).json["token"]
        path = f"/api/players/{player}/devices"  # needs SQL only
        assert as_player(server, token, "GET", path).status == 200
        pid = server.redis_pid()
        os.kill(pid, signal.SIGSTOP)
        try:
            time.sleep(1.5)  # longer than what was read is trusted without news
            assert as_player(server, token, "GET", path).status == 200
            with sqlite3.connect(server.data_dir / "skirmish.db", timeout=10) as sql:
                sql.execute("UPDATE players SET sessions_epoch = sessions_epoch + 1 WHERE player_id = ?", (player,))
            assert as_player(server, token, "GET", path).status == 401
        finally:
            os.kill(pid, signal.SIGCONT)
        wait_until(lambda: as_player(server, token, "GET", path).status == 401)
    finally:
        server.stop()


def test_an_ended_session_closes_its_websockets(server):
    player = new_player(server)
    opened = [server.http("POST", f"/api/players/{player}/sessions", {}).json["token"] for _ in range(2)]

    async def close_code():
        import websockets
        async with server.ws(key=None, headers=bearer(opened[0])) as ended, \
                server.ws(key=None, headers=bearer(opened[1])) as other:
            assert as_player(server, opened[0], "DELETE", "/api/sessions/current").status == 204
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await asyncio.wait_for(ended.recv(), 5)
            await other.send(json.dumps({"cid": "1", "subscribe": {"channel": "activity"}}))
            assert "subscribed" in json.loads(await asyncio.wait_for(other.recv(), 5))
            return closed.value.code

    assert asyncio.run(close_code()) == 3500


@contextlib.contextmanager
def open_socket(server, token):
    with RawClient(server) as client:
        yield client.open_websocket(Authorization=f"Bearer {token}")


def opened_by_server(server, player, **body):
    return server.http("POST", f"/api/players/{player}/sessions", body).json["token"]


def test_a_new_player_of_the_same_id_has_nothing_of_the_deleted_one(server):
    player = new_player(server, password=PASSWORD)
    used, unused = (opened_by_server(server, player) for _ in range(2))
    profile, devices = f"/api/players/{player}", f"/api/players/{player}/devices"
    assert as_player(server, used, "GET", profile).status == 200
    device = as_player(server, used, "POST", devices, {"name": "tablet"}).json
    said = {"from": player, "text": "for bob only"}
    assert server.http("POST", f"/api/chat/dm:{unique('bob')}/messages", said).status == 201
    assert len(server.http("GET", f"/api/chat/dm:{player}/messages").json["items"]) == 1
    with open_socket(server, used) as socket:
        assert server.http("DELETE", profile).status == 204
        again = server.http("POST", "/api/players", {"player_id": player, "name": "Bea", "password": "another one"})
        assert again.status == 201
        assert socket.close_code() == 3500
    for token in (used, unused):
        wait_until(lambda: all(as_player(server, token, "GET", profile).status == 401 for _ in range(4)), 2)
    assert log_in(server, device_id=device["device_id"], device_secret=device["device_secret"]).status == 401
    assert server.http("GET", devices).json["items"] == []
    assert server.http("GET", f"/api/players/{player}/sessions").json["items"] == []
    assert server.http("GET", f"/api/chat/dm:{player}/messages").json["items"] == []
    assert log_in(server, player_id=player, password=PASSWORD).status == 401
    token = log_in(server, player_id=player, password="another one").json["token"]
    assert all(as_player(server, token, "GET", profile).status == 200 for _ in range(4))


def test_a_session_of_an_earlier_player_stays_ended_when_redis_forgets_that(server):
    player = new_player(server)
    token = opened_by_server(server, player)
    r = server.redis()
    [digest] = r.zrange(f"sessions:{player}", 0, -1)
    kept = r.hgetall(f"session:{digest}")
    assert server.http("DELETE", f"/api/players/{player}").status == 204
    server.http("POST", "/api/players", {"player_id": player, "name": "Bea"})
    for epoch in (kept["epoch"], 0, int(time.time() * 1000) + 3_600_000):  # the last: as of a clock that was ahead
        r.hset(f"session:{digest}", mapping={**kept, "epoch": epoch})
        assert all(as_player(server, token, "GET", f"/api/players/{player}").status == 401 for _ in range(4)), epoch


def test_a_body_that_comes_after_the_end_of_the_session_is_not_carried_out(server):
    player = new_player(server)
    token = opened_by_server(server, player)
    path, body = f"/api/players/{player}/devices", b'{"name":"late"}'
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: {len(body)}\r\n\r\n"
    with RawClient(server) as late, RawClient(server) as kept:
        kept.send(head.encode().replace(token.encode(), opened_by_server(server, new_player(server)).encode()) + body[:5])
        late.send(head.encode() + body[:5])
        time.sleep(0.3)
        assert server.http("DELETE", f"/api/players/{player}/sessions").status == 204
        time.sleep(1)  # in force on every thread, whichever has the connection
        assert late.send(body[5:]).response()[0] == 401
        assert kept.send(body[5:]).response()[0] == 403, "another player, who is still let in"
    assert server.http("GET", path).json["items"] == []


def test_a_socket_ends_with_its_sessions_life(server):
    player = new_player(server)
    token = opened_by_server(server, player)
    r = server.redis()
    [digest] = r.zrange(f"sessions:{player}", 0, -1)
    ends = time.time() + 2
    r.hset(f"session:{digest}", "ends_at", int(ends * 1000))
    with open_socket(server, token) as socket:
        op, payload = socket.frame()
        assert (op, int.from_bytes(payload[:2], "big")) == (CLOSE, 3500)
        assert 0 <= time.time() - ends < 2


@pytest.mark.long
def test_a_socket_that_only_listens_ends_with_its_idle_session(server):
    player = new_player(server)
    token, other = (opened_by_server(server, player) for _ in range(2))
    r = server.redis()
    first, second = (hashlib.sha256(t.encode()).hexdigest() for t in (token, other))
    with open_socket(server, token) as listener, open_socket(server, other) as not_idle:
        listener.socket.settimeout(40)
        r.pexpire(f"session:{first}", 1_000)  # as after sessions.idle_ttl without a use
        start = time.time()
        op, payload = listener.frame()
        assert (op, int.from_bytes(payload[:2], "big")) == (CLOSE, 3500)
        assert time.time() - start < 31
        assert r.exists(f"session:{second}")
        not_idle.send(frame(PING, b"still here"))
        assert not_idle.frame() == (PONG, b"still here")


@pytest.mark.long
def test_what_a_socket_sends_is_a_use_of_its_session(server):
    player = new_player(server)
    token = opened_by_server(server, player)
    r = server.redis()
    [digest] = r.zrange(f"sessions:{player}", 0, -1)
    key = f"session:{digest}"

    async def run():
        async with server.ws(key=None, headers=bearer(token)) as socket:
            r.hset(key, "seen_at", int(time.time() * 1000) - 3_600_000)
            # Remembered for half a minute, and told every ten seconds.
            for _ in range(60):
                await socket.send(json.dumps({"cid": "1", "subscribe": {"channel": "activity"}}))
                await asyncio.wait_for(socket.recv(), 5)
                if time.time() - int(r.hget(key, "seen_at")) / 1000 < 120:
                    return
                await asyncio.sleep(1)
            raise AssertionError("no use was noted")

    asyncio.run(run())


def bytes_in_kernel(server, client):
    """What the server has written to this client and the client has not read."""
    here, there = client.socket.getsockname()[1], int(server.listen.split(":")[1])
    total = 0
    with open("/proc/net/tcp") as table:
        for row in list(table)[1:]:
            fields = row.split()
            ports = tuple(int(fields[i].split(":")[1], 16) for i in (1, 2))
            queued = [int(n, 16) for n in fields[4].split(":")]
            if ports == (there, here):
                total += queued[0]
            elif ports == (here, there):
                total += queued[1]
    return total


def settled(measure):
    seen = [measure()]
    while len(seen) < 6 or len(set(seen[-6:])) > 1:
        time.sleep(0.1)
        seen.append(measure())
    return seen[-1]


def test_a_session_that_ends_while_the_handshake_waits_for_the_reader_has_no_socket(own_server):
    """The answer to the upgrade stands in a write that waits, behind the answers to earlier requests."""
    server = own_server
    large, small = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /n HTTP/1.1\r\nHost: x\r\n\r\n"
    sizes = {}
    for request in (large, small):
        with RawClient(server) as client:
            client.send(request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            sizes[request] = len(client.read_to_end()) - len("Connection: close\r\n")

    def unread():
        return RawClient(server, 20, receive_buffer=4096)

    with unread() as client:
        client.send(large * (8_000_000 // sizes[large]))
        room = settled(lambda: bytes_in_kernel(server, client))
    player = new_player(server)
    token = opened_by_server(server, player)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(unread()) for _ in range(10)]
        for i, client in enumerate(clients):
            # The last piece, of about 12 KB, ends before or behind what the kernel takes.
            target = room + (i - 6) * 11_000
            client.send(large * (target // sizes[large]) + small * (target % sizes[large] // sizes[small]))
        for client in clients:
            settled(lambda: bytes_in_kernel(server, client))
            client.send(small * 40 + handshake(Authorization=f"Bearer {token}"))
        time.sleep(1)
        assert server.http("DELETE", f"/api/players/{player}/sessions").status == 204
        time.sleep(1)
        for client in clients:
            sent = client.read_to_end()
            frames = sent[sent.rindex(b"\r\n\r\n", sent.rindex(b" 101 Switching")) + 4:]
            op, payload, _ = parse_frame(frames)
            assert (op, int.from_bytes(payload[:2], "big")) == (CLOSE, 3500)


def test_an_end_that_is_heard_of_during_a_check_is_not_forgotten(short_tmp, mariadb):
    """A check has read the session in Redis and waits for SQL; what it read must not be remembered."""
    name = unique("db").replace("-", "_")
    mariadb.sql(f"CREATE DATABASE {name} CHARACTER SET utf8mb4", f"GRANT ALL ON {name}.* TO 'game'@'%'")
    server = Server(short_tmp / unique("own"), mariadb.env(name), ["--set", "server.threads=1"]).start()
    try:
        player = new_player(server)
        token = opened_by_server(server, player)
        r = server.redis()
        [digest] = r.zrange(f"sessions:{player}", 0, -1)
        path = "/api/sessions/tickets"  # needs no SQL itself
        lock = subprocess.Popen(["mariadb", "--no-defaults", f"--socket={mariadb.socket}", "-uroot", name, "-e",
                                 "LOCK TABLES players WRITE; SELECT SLEEP(3)"], stdout=subprocess.DEVNULL)
        time.sleep(0.7)
        with RawClient(server, 20) as waiting:
            waiting.send(f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
            time.sleep(0.5)
            r.delete(f"session:{digest}")
            r.xadd("sessions@revoked", {"player_id": player, "digest": digest})
            assert waiting.response()[0] == 401
        assert lock.wait(20) == 0
        assert as_player(server, token, "POST", path).status == 401
    finally:
        server.stop()


def test_who_is_on_a_private_channel_is_for_those_who_may_read_it(server):
    ann, bob = new_player(server), new_player(server)

    async def subscribed(channel):
        async with server.ws(key=None, headers=bearer(opened_by_server(server, ann))) as socket:
            await socket.send(json.dumps({"subscribe": {"channel": channel}, "cid": "1"}))
            return "subscribed" in json.loads(await asyncio.wait_for(socket.recv(), 20))

    for channel, allowed in ((f"presence:dm:{ann}", True), (f"presence:dm:{bob}", False), ("presence:general", True),
                             (f"presence:notifications:{bob}", False), ("presence:presence:general", False)):
        assert asyncio.run(subscribed(channel)) == allowed, channel
