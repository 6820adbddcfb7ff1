"""Names of keys never collide, whatever the ids, and what somebody else stored under a key of one player harms no other."""

import asyncio
import json

import pytest
from conftest import Server, unique, wait_until


def new_player(server, player_id):
    answer = server.http("POST", "/api/players", {"player_id": player_id, "name": "Player"})
    assert answer.status == 201, answer
    return player_id


def attack(attacker, target, damage, **more):
    return {"type": "attack", "attacker_id": attacker, "target_id": target, "damage": damage, **more}


def post(server, *events):
    answer = server.http("POST", "/api/interactions", list(events))
    assert answer.status == 200, answer
    return answer.json


def state(server, player_id):
    answer = server.http("GET", f"/api/players/{player_id}/state")
    assert answer.status == 200, answer
    return answer.json


def test_players_whose_names_look_like_keys_are_told_apart(server):
    b = unique("k")
    names = [b, f"{b}:actions", f"{b}:actions:actions", f"{b}:c", "c", f"{b}:c:d", "c:d", "d", "player:" + b, "user:" + b]
    names = [n if b in n else f"{n}{b[2:]}" for n in names]
    for name in names:
        new_player(server, name)
    pairs = [(x, y) for x in names for y in names if x != y]
    damage = {pair: n + 1 for n, pair in enumerate(pairs)}
    for name in names:
        assert post(server, {"type": "respawn", "player_id": name, "hp": 1_000_000})["accepted"] == 1
    for _ in range(2):
        answer = post(server, *[attack(*pair, damage[pair]) for pair in pairs])
        assert (answer["accepted"], answer["rejected"]) == (len(pairs), [])

    r = server.redis()
    escaped = {n: n.replace(":", "%3A") for n in names}
    for attacker, target in pairs:
        latest = server.http("GET", f"/api/attacks/{attacker}/{target}").json
        assert latest["damage"] == damage[attacker, target]
        key = f"attack:{escaped[attacker]}:{escaped[target]}"
        assert int(r.hget(key, "damage")) == damage[attacker, target]
    for name in names:
        told = state(server, name)
        assert told["hp"] == 1_000_000 - 2 * sum(d for (_, target), d in damage.items() if target == name)
        assert told["damage_dealt"] == 2 * sum(d for (attacker, _), d in damage.items() if attacker == name)
        assert {a["attacker_id"] for a in told["last_actions"]} == {name}
        assert r.type(f"player:{name}") == "hash" and r.type(f"actions:{name}") == "list"
        assert server.http("GET", f"/api/players/{name}").json["player_id"] == name
    assert len(list(r.scan_iter(f"attack:*{b[2:]}*", count=1000))) == len(pairs)
    # The board `x@seq` cannot exist, and boards named like a level's are that level's.
    assert server.http("GET", f"/api/leaderboards/{b}@seq").status in (400, 404)

    gone = names[0]
    assert server.http("DELETE", f"/api/players/{gone}").status == 204
    assert r.exists(f"player:{gone}", f"actions:{gone}") == 0
    assert state(server, names[1])["last_actions"]


@pytest.mark.parametrize("store", [
    lambda r, key: r.set(key, "text"), lambda r, key: r.rpush(key, "1"), lambda r, key: r.zadd(key, {"hp": 1}),
    lambda r, key: r.hset(key, "hp", "many")])
def test_a_player_whose_state_is_something_else_is_set_aside(server, store):
    a, b, broken = server.new_player(), server.new_player(), server.new_player()
    r = server.redis()
    r.delete(f"player:{broken}")
    store(r, f"player:{broken}")
    answer = post(server, attack(a, broken, 1), attack(broken, b, 1), attack(a, b, 5),
                  {"type": "move", "player_id": broken, "lat": 1, "lon": 2})
    assert answer["accepted"] == 1
    assert [(x["index"], x["code"]) for x in answer["rejected"]] == [(0, "conflict"), (1, "conflict"), (3, "conflict")]
    assert f"player:{broken}" in answer["rejected"][0]["detail"]
    assert state(server, b)["hp"] == 95 and r.zscore("leaderboard:active", a) == 1
    assert server.http("GET", f"/api/attacks/{a}/{b}").json["damage"] == 5
    assert f"key_damaged key=player:{broken}" in server.log_text()
    if r.type(f"player:{broken}") != "hash":
        assert server.http("GET", f"/api/players/{broken}/state").status == 409
        assert server.http("PATCH", f"/api/players/{broken}/state", {"hp": 5}).status == 409
    # An operator removes it: the player is born again.
    r.delete(f"player:{broken}")
    assert post(server, attack(a, broken, 1))["accepted"] == 1
    assert state(server, broken)["hp"] == 99


def test_what_else_stands_under_other_keys_of_a_player_stops_nobody(server):
    a, b = server.new_player(), server.new_player()
    r = server.redis()
    for key in (f"actions:{a}", f"attack:{a}:{b}", f"move:{a}", f"achievements:{a}", f"user:{a}", f"inventory:{a}"):
        r.delete(key)
        r.set(key, "text")
    # 1000 damage unlocks an achievement.
    events = [attack(a, b, 1000), attack(b, a, 1), {"type": "move", "player_id": a, "lat": 1, "lon": 2}]
    for n in (1, 2):
        answer = post(server, *events)
        assert (answer["accepted"], answer["rejected"]) == (3, [])
        told = state(server, a)
        assert (told["hp"], told["damage_dealt"], told["last_actions"]) == (100 - n, 1000 * n, [])
        assert r.zscore("leaderboard:active", a) == 2 * n and r.zscore("leaderboard:active", b) == n
        assert len(state(server, b)["last_actions"]) == n
    assert told["position"]["lat"] == 1
    assert server.http("GET", f"/api/attacks/{a}/{b}").json["damage"] == 1000
    lost = post(server, {"type": "item", "player_id": a, "item": "gem", "quantity": 1},
                {"type": "item", "player_id": b, "item": "gem", "quantity": 1})
    assert lost["accepted"] == 1 and [(x["index"], x["code"]) for x in lost["rejected"]] == [(0, "conflict")]
    wait_until(lambda: f"key_damaged key=actions:{a}" in server.log_text())


def test_another_type_under_a_key_that_all_share_changes_nothing(own_server):
    server = own_server
    a, b = server.new_player(), server.new_player()
    r = server.redis()
    assert post(server, attack(a, b, 1))["accepted"] == 1
    hp = 99
    level = server.http("POST", "/api/levels", {"level_id": unique("l"), "name": "A level"}).json["level_id"]
    move = {"type": "move", "player_id": a, "lat": 1, "lon": 2}
    completion = {"type": "completion", "level_id": level, "player_id": a, "score": 1}
    for name, needing in (("leaderboard:active", []), ("leaderboard:active@seq", []), ("leaderboard:active@moved", []),
                          ("positions", [move]), ("interactions", []), ("activity:open", []), ("activity:events", []),
                          ("attacks:pending", []), ("levels:popular", [completion]),
                          ("players:levelled", [completion])):
        kept = r.dump(name)
        r.delete(name)
        r.rpush(name, "text")
        refused = server.http("POST", "/api/interactions", [attack(a, b, 1), *needing])
        assert refused.status == 503 and state(server, b)["hp"] == hp, (name, refused)
        assert f"the key {name} holds a list" in server.log_text()
        # An operator mends it, and the server goes on by itself.
        r.delete(name)
        if kept is not None:
            r.restore(name, 0, kept)
        assert post(server, attack(a, b, 1))["accepted"] == 1
        hp -= 1
        assert state(server, b)["hp"] == hp, name
    # The parts of what is pending are nobody's but these scripts': what else stands there is replaced.
    for part in range(64):
        r.set(f"attacks:pending:{part}", "text")
    assert post(server, attack(a, b, 1))["accepted"] == 1
    hp -= 1
    r.set("attacks:pending", "1.5")
    refused = server.http("POST", "/api/interactions", [attack(a, b, 1)])
    assert refused.status == 503 and state(server, b)["hp"] == hp, refused
    r.delete("attacks:pending")
    slice_now = "activity:" + r.zrange("activity:open", 0, -1)[-1]
    r.delete(slice_now)
    r.rpush(slice_now, "text")
    refused = server.http("POST", "/api/interactions", [attack(a, b, 1)])
    assert refused.status == 503 and state(server, b)["hp"] == hp, refused
    r.delete(slice_now)
    # One board that is damaged refuses what needs it, and nothing else.
    r.delete("leaderboard:global")
    r.rpush("leaderboard:global", "text")
    mixed = post(server, completion, attack(a, b, 1))
    assert mixed["accepted"] == 1 and mixed["rejected"][0]["code"] == "conflict" and state(server, b)["hp"] == hp - 1
    r.delete("leaderboard:global")


def test_a_player_on_a_channel_is_no_other_channel(server):
    t = "team:" + unique("t")

    def there(channel):
        return [x["player_id"] for x in server.http("GET", f"/api/chat/{channel}/presence").json["items"]]

    async def run():
        async with server.ws() as one, server.ws() as two:
            for socket, channel, player in ((one, t, "b"), (two, f"{t}:b", "c")):
                await socket.send(json.dumps({"subscribe": {"channel": channel, "as": player}}))
                assert "subscribed" in json.loads(await asyncio.wait_for(socket.recv(), 20))
            assert await asyncio.to_thread(there, t) == ["b"]
            assert await asyncio.to_thread(there, f"{t}:b") == ["c"]

    asyncio.run(run())
    wait_until(lambda: there(t) == there(f"{t}:b") == [])


BAD_QUEUES = ["leaderboard:kills", "levels:popular", "unacked", "unacked_index", "skirmish:tasks:revoked", "positions",
              "interactions", "no-such-queue", "celery-task-meta-x", "", " celery", "celery\x06\x163"]


def test_tasks_are_sent_to_configured_queues_only(short_tmp):
    server = Server(short_tmp / unique("own"), {"SKIRMISH_TASKS_SEND_QUEUES": "mail,a.b_c"}).start()
    try:
        r = server.redis()
        r.zadd("leaderboard:kills", {"a": 1})
        before = {queue: r.type(queue) for queue in BAD_QUEUES}
        for queue in BAD_QUEUES:
            answer = server.http("POST", "/api/tasks", {"name": "echo", "args": [1], "queue": queue})
            assert answer.status == 400, (queue, answer)
            told = answer.json["errors"]
            assert told[0]["pointer"] == "/queue", told
            assert all(name in told[0]["message"] for name in ("celery", "skirmish", "mail", "a.b_c")), told
        assert {queue: r.type(queue) for queue in BAD_QUEUES} == before
        for queue in ("mail", "a.b_c"):
            assert server.http("POST", "/api/tasks", {"name": "nobody.knows", "queue": queue}).status == 202
            assert r.llen(queue) == 1
        for queue in ("celery", "skirmish"):
            assert server.http("POST", "/api/tasks", {"name": "echo", "args": [1], "queue": queue}).status == 202
        for queue in BAD_QUEUES + [7]:
            if queue == "no-such-queue":
                continue
            for command in ("add_consumer", "cancel_consumer"):
                assert server.http("POST", f"/api/workers/all/{command}", {"queue": queue}).status == 400, queue
        schema = server.http("GET", "/openapi.json", key=None).json["paths"]["/api/tasks"]["post"]
        allowed = schema["requestBody"]["content"]["application/json"]["schema"]["properties"]["queue"]
        assert allowed["enum"] == ["celery", "skirmish", "mail", "a.b_c"]
    finally:
        server.stop()


@pytest.mark.parametrize("queues", ["leaderboard:kills", "mail,unacked", "a b"])
def test_a_name_that_cannot_be_a_queue_stops_the_start(short_tmp, queues):
    server = Server(short_tmp / unique("own"), {"SKIRMISH_TASKS_SEND_QUEUES": queues}).start(wait=False)
    assert server.process.wait(60) != 0
    assert "tasks.send_queues" in server.log_text()
