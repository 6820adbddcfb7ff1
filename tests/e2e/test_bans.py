"""Temporary bans: who is shut out, where, how soon and until when."""

import asyncio
import json
import os
import signal
import time

import pytest
from conftest import Server, unique, wait_until
from raw_client import RawClient
from redis_process import RedisProcess
from test_rate_limits import as_player, new_key

ASK = b"GET /api/leaderboards/active HTTP/1.1\r\nHost: x\r\n\r\n"
STATUS = b"GET /server/status HTTP/1.1\r\nHost: x\r\n\r\n"
IN_FORCE_S = 1


@pytest.fixture(scope="module")
def guarded(short_tmp):
    s = Server(short_tmp / unique("guarded"), {"SKIRMISH_SERVER_THREADS": "2"}).start()
    yield s
    s.stop()


def ban(server, kind, value, reason="because", expires_in_s=600):
    answer = server.http("PUT", f"/api/bans/{kind}/{value}", {"reason": reason, "expires_in_s": expires_in_s})
    assert answer.status == 200, answer
    return answer.json


def unban(server, kind, value):
    assert server.http("DELETE", f"/api/bans/{kind}/{value}").status == 204


def status_from(server, address, request=ASK):
    with RawClient(server, source=address) as peer:
        return peer.send(request).response()[0]


def assert_banned(status, headers, body, reason):
    problem = json.loads(body)
    assert status == 403 and problem["code"] == "banned" and problem["status"] == 403, problem
    assert reason in problem["detail"] and "banned until 20" in problem["detail"], problem
    assert headers["content-type"] == "application/problem+json" and 1 <= int(headers["retry-after"]) <= 600, headers


def test_an_address_is_shut_out_and_comes_back(guarded):
    with RawClient(guarded, source="127.0.0.5") as open_before, RawClient(guarded, source="127.0.0.5") as socket:
        assert open_before.send(STATUS).response()[0] == 200
        socket.open_websocket()
        made = ban(guarded, "address", "127.0.0.5", "flood")
        assert made["kind"] == "address" and made["value"] == "127.0.0.5" and made["author"] == guarded.key.split("_")[1]
        wait_until(lambda: status_from(guarded, "127.0.0.5") == 403, IN_FORCE_S, "the ban")
        # What lies ready is not for it either, on a connection from before, too.
        assert_banned(*open_before.send(STATUS).response(), "flood")
        assert socket.close_code() == 3503
    for path in (b"/healthz", b"/nonesuch", b"/metrics"):
        with RawClient(guarded, source="127.0.0.5") as peer:
            status, headers, body = peer.send(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path).response()
            assert_banned(status, headers, body, "flood")
            assert headers["connection"] == "close"
    with RawClient(guarded, source="127.0.0.5") as peer:  # the head of a large body is enough
        peer.send(b"POST /api/interactions HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
        assert_banned(*peer.response(), "flood")
    assert status_from(guarded, "127.0.0.6") == 200
    unban(guarded, "address", "127.0.0.5")
    wait_until(lambda: status_from(guarded, "127.0.0.5") == 200, IN_FORCE_S, "the end of the ban")
    assert guarded.http("DELETE", "/api/bans/address/127.0.0.5").status == 404


def test_a_ban_ends_by_itself(guarded):
    ban(guarded, "address", "127.0.0.7", expires_in_s=2)
    wait_until(lambda: status_from(guarded, "127.0.0.7") == 403, IN_FORCE_S, "the ban")
    wait_until(lambda: status_from(guarded, "127.0.0.7") == 200, 3, "its end")
    assert guarded.http("GET", "/api/bans/address/127.0.0.7").status == 404


def test_networks_and_clients_behind_a_proxy(guarded):
    def forwarded(address, path="/server/status"):
        return guarded.http("GET", path, key=None, headers={"X-Forwarded-For": address}).status
    ban(guarded, "network", "198.51.100.0-24")
    assert ban(guarded, "address", "2001:db8:1:2::77")["value"] == "2001:db8:1:2::"
    assert ban(guarded, "network", "2001:db8:ff12::-40")["value"] == "2001:db8:ff00::-40"
    try:
        wait_until(lambda: forwarded("198.51.100.200") == 403 and forwarded("2001:db8:ff34::1") == 403, IN_FORCE_S, "the bans")
        assert forwarded("198.51.100.1") == forwarded("2001:db8:1:2:3::4") == forwarded("::ffff:198.51.100.9") == 403
        assert forwarded("198.51.101.1") == forwarded("2001:db8:1:3::4") == forwarded("2001:db9::1") == 200
        # Whoever stands in front of the last address that is no proxy is nobody.
        assert forwarded("198.51.100.1, 203.0.113.1") == 200
        listed = guarded.http("GET", "/api/bans?kind=network").json["items"]
        assert [b["value"] for b in listed] == ["198.51.100.0-24", "2001:db8:ff00::-40"]
        first = guarded.http("GET", "/api/bans?limit=1").json
        assert len(first["items"]) == 1 and first["next_cursor"]
        rest = guarded.http("GET", f"/api/bans?cursor={first['next_cursor']}").json
        assert rest["next_cursor"] is None and first["items"][0] not in rest["items"] and len(rest["items"]) >= 2
    finally:
        for kind, value in (("network", "198.51.100.0-24"), ("address", "2001:db8:1:2::77"), ("network", "2001:db8:ff12::-40")):
            unban(guarded, kind, value)
    wait_until(lambda: forwarded("198.51.100.1") == 200, IN_FORCE_S, "the end")


def test_a_player_is_shut_out_wherever_it_is_known(guarded):
    player = unique()
    assert guarded.http("POST", "/api/players", {"player_id": player, "name": "Joe", "password": "correct horse"}).status == 201
    login = {"player_id": player, "password": "correct horse"}
    token = guarded.http("POST", "/api/sessions", login, key=None).json["token"]

    def ask():
        return guarded.http("GET", f"/api/players/{player}", key=None, headers=as_player(token))

    async def close_codes():
        async with guarded.ws(key=None, headers=as_player(token)) as socket:
            ban(guarded, "player", player, "insults")
            await asyncio.wait_for(socket.wait_closed(), IN_FORCE_S)
            first = socket.close_code, socket.close_reason
        async with guarded.ws(key=None, headers=as_player(token)) as again:
            await asyncio.wait_for(again.wait_closed(), 5)
            return first, again.close_code
    assert ask().status == 200
    (code, reason), again = asyncio.run(close_codes())
    assert code == again == 3503 and "insults" in reason
    wait_until(lambda: ask().status == 403, IN_FORCE_S, "the ban")
    answers = [ask(), guarded.http("POST", "/api/sessions", login, key=None), guarded.http("POST", f"/api/players/{player}/sessions", {})]
    for answer in answers:
        assert answer.status == 403 and answer.json["code"] == "banned" and int(answer.headers["Retry-After"]) > 500, answer
    # Who does not know the password learns nothing.
    assert guarded.http("POST", "/api/sessions", {**login, "password": "wrong horse"}, key=None).status == 401
    unban(guarded, "player", player)
    wait_until(lambda: ask().status == 200, IN_FORCE_S, "the end: its session is still there")


def test_a_key_is_shut_out_and_cannot_shut_itself_out(guarded):
    key = new_key(guarded)
    key_id = key.split("_")[1]

    async def close_code():
        async with guarded.ws(key=key) as socket:
            ban(guarded, "key", key_id)
            await asyncio.wait_for(socket.wait_closed(), IN_FORCE_S)
            return socket.close_code
    assert asyncio.run(close_code()) == 3503
    wait_until(lambda: guarded.http("GET", "/api/interactions", key=key).status == 403, IN_FORCE_S, "the ban")
    assert guarded.http("GET", "/api/interactions", key=key).json["code"] == "banned"
    own = guarded.key.split("_")[1]
    answer = guarded.http("PUT", f"/api/bans/key/{own}", {"reason": "x", "expires_in_s": 60})
    assert answer.status == 400 and "itself" in answer.json["detail"]
    unban(guarded, "key", key_id)


def test_a_body_that_comes_after_the_ban_is_not_carried_out(guarded):
    key, player = new_key(guarded), guarded.new_player()
    body = json.dumps({"type": "respawn", "player_id": player, "hp": 7}).encode()
    with RawClient(guarded) as peer:
        peer.send(f"POST /api/interactions HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\nContent-Type: application/json\r\n"
                  f"Content-Length: {len(body)}\r\n\r\n".encode())
        time.sleep(0.2)
        ban(guarded, "key", key.split("_")[1])
        wait_until(lambda: guarded.http("GET", "/api/interactions", key=key).status == 403, IN_FORCE_S, "the ban")
        status, _, answer = peer.send(body).response()
        assert status == 403 and json.loads(answer)["code"] == "banned"
    assert guarded.http("GET", f"/api/players/{player}/state").json["hp"] == 100
    unban(guarded, "key", key.split("_")[1])


@pytest.mark.parametrize("kind, value, body, wanted", [
    ("planet", "x", {"reason": "x", "expires_in_s": 1}, "a player, a key"), ("address", "nonsense", {"reason": "x", "expires_in_s": 1}, "address"),
    ("address", "203.0.113.0-24", {"reason": "x", "expires_in_s": 1}, "address"), ("network", "203.0.113.7", {"reason": "x", "expires_in_s": 1}, "network"),
    ("network", "203.0.113.0-33", {"reason": "x", "expires_in_s": 1}, "network"), ("network", "0.0.0.0-0", {"reason": "x", "expires_in_s": 1}, "network"),
    ("network", "2001:db8::-65", {"reason": "x", "expires_in_s": 1}, "network"), ("network", "-24", {"reason": "x", "expires_in_s": 1}, "network"),
    ("player", "joe", {"expires_in_s": 1}, "/reason"), ("player", "joe", {"reason": "x"}, "/expires_in_s"),
    ("player", "joe", {"reason": "", "expires_in_s": 1}, "/reason"), ("player", "joe", {"reason": "a\nb", "expires_in_s": 1}, "/reason"),
    ("player", "joe", {"reason": "x", "expires_in_s": 0}, "/expires_in_s"), ("player", "joe", {"reason": "x", "expires_in_s": 10**9}, "/expires_in_s"),
    ("player", "joe", {"reason": "x", "expires_in_s": 1, "more": 1}, "more")])
def test_bad_bans_are_refused(guarded, kind, value, body, wanted):
    answer = guarded.http("PUT", f"/api/bans/{kind}/{value}", body)
    assert answer.status == 400 and wanted in answer.body.decode(), answer
    assert guarded.http("GET", "/api/bans").json["items"] == []


def test_there_are_only_so_many(guarded):
    redis = guarded.redis()
    end_ms = int(time.time() * 1000) + 600_000
    names = [f"player@p{i}" for i in range(10_000)]
    for start in range(0, len(names), 1000):
        part = names[start:start + 1000]
        redis.hset("bans", mapping={name: "{}" for name in part})
        redis.zadd("bans@until", {name: end_ms for name in part})
    answer = guarded.http("PUT", "/api/bans/player/one-more", {"reason": "x", "expires_in_s": 60})
    assert answer.status == 409 and "10000" in answer.json["detail"]
    redis.zadd("bans@until", {name: 1 for name in names[:50]})  # those have ended: they make room
    ban(guarded, "player", "one-more")
    assert redis.hlen("bans") == 9_951
    redis.delete("bans", "bans@until", "bans@version")


def test_viewers_see_bans_and_change_none(guarded):
    viewer, server_key = new_key(guarded, "viewer"), new_key(guarded)
    ban(guarded, "player", "seen", "for all to see")
    assert [b["reason"] for b in guarded.http("GET", "/api/bans", key=viewer).json["items"]] == ["for all to see"]
    assert guarded.http("GET", "/api/bans/player/seen", key=viewer).json["reason"] == "for all to see"
    for method, body in (("PUT", {"reason": "x", "expires_in_s": 60}), ("DELETE", None)):
        assert guarded.http(method, "/api/bans/player/seen", body, key=viewer).status == 403
    assert guarded.http("GET", "/api/bans", key=server_key).status == 403
    unban(guarded, "player", "seen")


def test_the_command_line_bans_and_is_audited(guarded):
    def run(*args, check=True):
        return guarded.run("ban", "--data-dir", str(guarded.data_dir), *args, check=check)
    assert "banned network 127.0.9.0-24 until 20" in run("add", "network", "127.0.9.3/24", "--reason", "a flood", "--for", "30m").stdout
    wait_until(lambda: status_from(guarded, "127.0.9.200") == 403, IN_FORCE_S, "the ban")
    listed = json.loads(run("list", "--json").stdout)
    assert (listed["value"], listed["reason"], listed["author"]) == ("127.0.9.0-24", "a flood", "command-line")
    assert "a flood" in run("list").stdout
    run("remove", "network", "127.0.9.0/24")
    wait_until(lambda: status_from(guarded, "127.0.9.200") == 200, IN_FORCE_S, "the end of the ban")
    for args in (("remove", "network", "127.0.9.0/24"), ("add", "player", "a b", "--reason", "x"), ("add", "planet", "x", "--reason", "x"),
                 ("add", "player", "x", "--reason", "x", "--for", "soon"), ("add", "player", "x", "--reason", "x", "--for", "400d"),
                 ("add", "player", "x", "--reason", "a\nb"), ("add", "player", "x")):
        failed = run(*args, check=False)
        assert failed.returncode != 0 and failed.stderr, args

    def noted():
        items = guarded.http("GET", "/api/audit?route=/api/bans/%7Bkind%7D/%7Bvalue%7D&key=command-line").json["items"]
        return [(c["method"], c["target"], c["status"]) for c in reversed(items)][:2]
    target = {"kind": "network", "value": "127.0.9.0-24"}
    wait_until(lambda: noted() == [("PUT", target, 200), ("DELETE", target, 204)], 10, "the notes")


def test_all_servers_know_within_a_second_and_after_a_restart(short_tmp):
    with RedisProcess(short_tmp / unique("redis")) as redis:
        env = {"REDIS_URL": redis.url, "SKIRMISH_SERVER_THREADS": "2"}
        one, two = (Server(short_tmp / unique(n), env).start() for n in ("one", "two"))
        try:
            ban(one, "address", "127.0.0.8")
            wait_until(lambda: [status_from(s, "127.0.0.8") for s in (one, two) * 4] == [403] * 8, IN_FORCE_S, "the ban everywhere")
            two.stop()
            two.start()
            wait_until(lambda: status_from(two, "127.0.0.8") == 403, 5, "the ban after a restart")
            unban(one, "address", "127.0.0.8")
            wait_until(lambda: [status_from(s, "127.0.0.8") for s in (one, two) * 4] == [200] * 8, IN_FORCE_S, "its end everywhere")
        finally:
            one.stop()
            two.stop()


def test_bans_hold_while_redis_is_away(own_server):
    ban(own_server, "address", "127.0.0.9")
    wait_until(lambda: status_from(own_server, "127.0.0.9") == 403, IN_FORCE_S, "the ban")
    pid = own_server.redis_pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        assert status_from(own_server, "127.0.0.9", STATUS) == 403
        assert status_from(own_server, "127.0.0.10", STATUS) == 200
    finally:
        os.kill(pid, signal.SIGCONT)
