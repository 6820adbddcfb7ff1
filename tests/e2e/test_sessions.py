"""Players' sessions: opening by password, device and a game server's word; ending; what a token may do."""

import asyncio
import json
import os
import signal
import sqlite3
import time

import pytest
from conftest import Server, unique, wait_until

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
