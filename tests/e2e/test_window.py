"""The sliding window behind leaderboard:active, with real commits and real time (a short window of short slices)."""

import pytest
from conftest import Server, unique, wait_until
from packed_slice import all_counts
from redis_process import RedisProcess

LONG = {"SKIRMISH_ACTIVITY_SLICE": "1s"}                    # 24 hours: nothing leaves
SHORT = {**LONG, "SKIRMISH_ACTIVITY_WINDOW": "3s"}


@pytest.fixture
def make_server(short_tmp):
    servers = []

    def make(env, data_dir=None):
        servers.append(Server(data_dir or short_tmp / unique("window"), env).start())
        return servers[-1]

    yield make
    for server in reversed(servers):
        if server.process.poll() is None:
            server.stop()


def board(server):
    return {p: int(n) for p, n in server.redis().zrange("leaderboard:active", 0, -1, withscores=True)}


def attack(a, b):
    return {"type": "attack", "attacker_id": a, "target_id": b, "damage": 1}


def move(player):
    return {"type": "move", "player_id": player, "lat": 1, "lon": 2}


def post(server, events):
    answer = server.http("POST", "/api/interactions", events)
    assert answer.status == 200 and answer.json["rejected"] == [], answer


def slices(r, kind):
    return {s for s in r.zrange(f"activity:{kind}", 0, -1)}


def test_slices_hold_what_the_board_shows(make_server):
    server = make_server(LONG)
    r = server.redis()
    a, b = server.new_player(), server.new_player()
    assert server.http("POST", f"/api/players/{a}/inventory", {"item": "gold", "quantity": 9}).status == 200
    trade = {"type": "trade", "id": unique("t"), "from": a, "to": b, "give": {"gold": 1}, "take": {}}
    post(server, [attack(a, b), attack(a, b), move(b), trade])
    assert board(server) == {a: 3, b: 1}
    wait_until(lambda: slices(r, "sealed"), what="a sealed slice")
    post(server, [move(b), move(b)])
    assert board(server) == {a: 3, b: 3} == all_counts(r)
    sealed = slices(r, "sealed")
    wait_until(lambda: slices(r, "sealed") - sealed, what="another one")
    assert all_counts(r) == {a: 3, b: 3}
    for name in r.scan_iter("activity:[0-9]*"):
        assert r.ttl(name) == -1, "slices stay until they are swept"
    # Who reached three first ranks first.
    items = server.http("GET", "/api/leaderboards/active", key=None).json["items"]
    assert [(e["rank"], e["player_id"], e["score"]) for e in items] == [(1, a, 3), (2, b, 3)]
    near = server.http("GET", f"/api/leaderboards/active/players/{b}?around=1", key=None).json
    assert near["rank"] == 2 and [e["player_id"] for e in near["around"]] == [a, b]


def test_what_is_older_than_the_window_leaves(make_server):
    server = make_server(SHORT)
    r = server.redis()
    a, b = server.new_player(), server.new_player()
    post(server, [attack(a, b), move(a), move(b)])
    assert board(server) == {a: 2, b: 1}
    wait_until(lambda: not r.exists("leaderboard:active"), what="the window's end")
    wait_until(lambda: not r.keys("activity:[0-9]*"), what="the slices' end")
    assert slices(r, "open") == slices(r, "sealed") == set() and not r.exists("activity:swept")
    assert server.http("GET", "/api/leaderboards/active", key=None).json["items"] == []
    post(server, [move(b)])
    items = server.http("GET", "/api/leaderboards/active", key=None).json["items"]
    assert [(e["player_id"], e["score"]) for e in items] == [(b, 1)]


def test_a_killed_server_with_another_slice_length_goes_on(make_server):
    server = make_server(LONG)
    r = server.redis()
    a = server.new_player()
    for _ in range(3):
        post(server, [move(a)])
        known = slices(r, "sealed")
        wait_until(lambda: slices(r, "sealed") - known, what="a sealed slice")
    post(server, [move(a)])
    server.kill()
    server = make_server({"SKIRMISH_ACTIVITY_SLICE": "3s"}, server.data_dir)
    post(server, [move(a)])
    assert board(server) == {a: 5} == all_counts(server.redis())
    server.stop()
    server = make_server({**SHORT, "SKIRMISH_ACTIVITY_SLICE": "2s"}, server.data_dir)
    wait_until(lambda: not server.redis().exists("leaderboard:active"), what="the window's end")


def sealed_by(server):
    text = server.http("GET", "/metrics", key=None).body.decode()
    return sum(int(line.split()[1]) for line in text.splitlines()
               if line.startswith("skirmish_window_slices_sealed_total "))


def test_two_servers_keep_one_window(make_server, short_tmp):
    with RedisProcess(short_tmp / unique("redis")) as shared:
        servers = [make_server({**LONG, "REDIS_URL": shared.url}) for _ in range(2)]
        r = servers[0].redis()
        players = [servers[0].new_player() for _ in range(4)]
        rounds = 0
        while len(slices(r, "sealed")) < 3:
            for server in servers:
                post(server, [move(p) for p in players])
            rounds += 1
        assert board(servers[0]) == {p: 2 * rounds for p in players} == all_counts(r)
        # One leads. When it is killed, the other takes over.
        other, leader = sorted(servers, key=sealed_by)
        assert sealed_by(other) == 0
        leader.kill()
        post(other, [move(players[0])])
        wait_until(lambda: sealed_by(other), what="a slice sealed by the other")
        assert all_counts(r)[players[0]] == 2 * rounds + 1
        other.stop()


@pytest.mark.parametrize("method, path, body", [
    ("DELETE", "/players/ann", None), ("DELETE", "", None), ("POST", "/seasons", None),
    ("PUT", "", {"reset": "@daily"}), ("POST", "/scores", {"player_id": "ann", "score": 1})])
def test_nobody_else_changes_the_window(server, method, path, body):
    assert server.http(method, f"/api/leaderboards/active{path}", body).status == 403
