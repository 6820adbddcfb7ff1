import asyncio
import json

import pytest
from conftest import unique

pytestmark = pytest.mark.tsan


def post(server, *events):
    answer = server.http("POST", "/api/interactions", list(events))
    assert answer.status == 200, answer
    return answer.json


def attack(attacker, target, damage, **more):
    return {"type": "attack", "attacker_id": attacker, "target_id": target, "damage": damage, **more}


def test_an_attack_leaves_everything_it_should(server):
    a, b = server.new_player(), server.new_player()
    ts = "2026-01-02T03:04:05.678Z"
    assert post(server, attack(a, b, 27, id=unique("e"), weapon="ak47", ts=ts)) == {"accepted": 1, "rejected": []}
    latest = server.http("GET", f"/api/attacks/{a}/{b}").json
    assert latest["damage"] == 27 and latest["ts"] == ts
    r = server.redis()
    assert r.type(f"attack:{a}:{b}") == "hash" and 86_000 < r.ttl(f"attack:{a}:{b}") <= 86_400
    state = server.http("GET", f"/api/players/{a}/state").json
    assert (state["damage_dealt"], state["interaction"], state["target"]) == (27, "attack", b)
    assert state["last_actions"][0]["weapon"] == "ak47"
    assert server.http("GET", f"/api/players/{b}/state").json["hp"] == 73
    assert r.zscore("leaderboard:active", a) == 1 and r.zscore("leaderboard:active", b) is None
    assert server.http("GET", f"/api/attacks/{b}/{a}").status == 404


def test_an_attack_without_an_id_gets_one(server):
    a, b, nobody = server.new_player(), server.new_player(), unique("nobody")
    own = unique("own")
    sent = [attack(a, b, 1), attack(a, b, 2, id=own), attack(a, nobody, 3), {"type": "respawn", "player_id": b, "hp": 9},
            attack(b, a, 4), attack(a, b, 5)]
    answer = post(server, *sent)
    assert [x["index"] for x in answer["ids"]] == [0, 4, 5], "those that had none and were applied"
    ids = [x["id"] for x in answer["ids"]]
    assert all(len(x) == 26 for x in ids) and ids == sorted(set(ids))
    assert server.http("GET", f"/api/attacks/{a}/{b}").json["id"] == ids[2]
    assert server.http("GET", f"/api/attacks/{b}/{a}").json["id"] == ids[1]
    actions = server.http("GET", f"/api/players/{a}/state").json["last_actions"]
    assert [x["id"] for x in actions[:3]] == [ids[2], own, ids[0]]
    log = server.http("GET", f"/api/interactions?player={a}&type=attack&order=newest&limit=4").json["items"]
    assert {x["id"] for x in log} == {own, *ids}
    # Sent again, it is another attack.
    first, again = (post(server, attack(a, b, 1))["ids"][0]["id"] for _ in range(2))
    assert ids[2] < first < again


def test_order_within_a_batch_is_kept(server):
    a, b = server.new_player(), server.new_player()
    post(server, attack(a, b, 60), {"type": "respawn", "player_id": b, "hp": 80}, attack(a, b, 30))
    assert server.http("GET", f"/api/players/{b}/state").json["hp"] == 50
    post(server, attack(a, b, 1000), attack(a, b, 5))
    assert server.http("GET", f"/api/players/{b}/state").json["hp"] == 0, "never below zero"


def test_unknown_players_are_rejected_by_index(server):
    a, b, nobody = server.new_player(), server.new_player(), unique("nobody")
    answer = post(server, attack(a, b, 1), attack(a, nobody, 1), attack(nobody, b, 1), attack(a, b, 2))
    assert answer["accepted"] == 2
    assert [(x["index"], x["code"]) for x in answer["rejected"]] == [(1, "not_found"), (2, "not_found")]
    assert server.http("GET", f"/api/players/{b}/state").json["hp"] == 97
    assert server.redis().exists(f"player:{nobody}") == 0


def test_an_event_id_counts_once(server):
    a, b = server.new_player(), server.new_player()
    once = attack(a, b, 10, id=unique("e"))
    assert post(server, once, once)["accepted"] == 2
    assert post(server, once)["accepted"] == 1
    assert server.http("GET", f"/api/players/{b}/state").json["hp"] == 90
    assert server.redis().zscore("leaderboard:active", a) == 1


def test_scores(server):
    a, board = server.new_player(), unique("board")
    score = {"type": "score", "board": board, "player_id": a}
    post(server, {**score, "value": 5}, {**score, "value": 3, "operator": "increment"})
    assert server.redis().zscore(f"leaderboard:{board}", a) == 8
    post(server, {**score, "value": 7, "operator": "best"})
    assert server.redis().zscore(f"leaderboard:{board}", a) == 8
    post(server, {**score, "value": 2, "operator": "set"}, {**score, "value": 1})
    assert server.http("GET", f"/api/leaderboards/{board}/players/{a}").json["score"] == 3


def test_leaderboard_pages_and_ranks(server):
    board = unique("board")
    players = [server.new_player() for _ in range(5)]
    post(server, *[{"type": "score", "board": board, "player_id": p, "value": 10 - i}
                   for i, p in enumerate(players)])
    first = server.http("GET", f"/api/leaderboards/{board}?limit=3", key=None).json
    assert [(x["rank"], x["player_id"]) for x in first["items"]] == list(enumerate(players[:3], 1))
    rest = server.http("GET", f"/api/leaderboards/{board}?limit=3&cursor={first['next_cursor']}").json
    assert [x["player_id"] for x in rest["items"]] == players[3:] and rest["next_cursor"] is None
    around = server.http("GET", f"/api/leaderboards/{board}/players/{players[2]}?around=1").json
    assert around["rank"] == 3 and [x["player_id"] for x in around["around"]] == players[1:4]
    ranks = server.http("GET", f"/api/leaderboards/{board}/ranks?ids={players[4]},{unique()}").json["items"]
    assert [(x["rank"], x["player_id"]) for x in ranks] == [(5, players[4])]


def test_stream_frames_are_applied_once(server):
    async def session():
        a, b, stream = server.new_player(), server.new_player(), unique("stream")
        path = f"/api/ws?stream={stream}"

        async with server.ws(path) as socket:
            assert json.loads(await socket.recv()) == {"stream": {"id": stream, "committed": 0}}
            for seq in (1, 2):
                await socket.send(json.dumps({"seq": seq, "interactions": [attack(a, b, 10)]}))
            while json.loads(await socket.recv()) != {"ack": 2}:
                pass
        async with server.ws(path) as socket:
            assert json.loads(await socket.recv())["stream"]["committed"] == 2
            # An old frame is acknowledged and changes nothing; a gap is refused; the next one is applied.
            await socket.send(json.dumps({"seq": 2, "interactions": [attack(a, b, 10)]}))
            assert json.loads(await socket.recv()) == {"ack": 2}
            await socket.send(json.dumps({"seq": 9, "interactions": [attack(a, b, 10)]}))
            refused = json.loads(await socket.recv())
            assert refused["error"]["code"] == "conflict" and refused["error"]["seq"] == 9
            await socket.send(json.dumps({"seq": 3, "interactions": [attack(a, b, 10), attack(a, unique(), 1), 7]}))
            answers = [json.loads(await socket.recv()) for _ in range(3)]
            assert {x["reject"]["index"] for x in answers[:2]} == {1, 2}
            assert answers[2] == {"ack": 3}
        assert server.http("GET", f"/api/players/{b}/state").json["hp"] == 70
        assert 86_000 < server.redis().ttl(f"ingest:{stream}") <= 86_400

    asyncio.run(session())


def test_a_death_is_announced_once(server):
    async def session():
        a, b = server.new_player(), server.new_player()
        async with server.ws() as socket:
            await socket.send(json.dumps({"cid": "1", "subscribe": {"channel": "activity"}}))
            assert json.loads(await socket.recv()) == {"subscribed": {"channel": "activity"}, "cid": "1"}
            await asyncio.to_thread(post, server, attack(a, b, 60), attack(a, b, 60), attack(a, b, 60))
            await asyncio.to_thread(post, server, attack(a, b, 60))
            await asyncio.to_thread(post, server, {"type": "respawn", "player_id": b, "hp": 1}, attack(a, b, 1))
            deaths = []
            while len(deaths) < 2:
                data = json.loads(await asyncio.wait_for(socket.recv(), 10))["event"]["data"]
                if data.get("player_id") == b:
                    deaths.append(data)
            assert all(d["type"] == "death" and d["killer_id"] == a for d in deaths)
            # What comes next is not a third death of the same player.
            await socket.send(json.dumps({"cid": "2", "unsubscribe": {"channel": "activity"}}))
            assert json.loads(await socket.recv())["cid"] == "2"

    asyncio.run(session())


def test_bad_messages_are_answered_and_the_socket_lives(server):
    async def session():
        async with server.ws() as socket:
            bad = ["", "{", "[]", "7", '"x"', "{}", '{"cid":"1"}', '{"cid":"1","dance":{}}', '{"subscribe":7}',
                   '{"subscribe":{"channel":"no such"}}', '{"interactions":{}}', '{"seq":0,"interactions":[]}',
                   '{"seq":1.5,"interactions":[]}', '{"seq":1,"interactions":[]}', "[" * 1000]
            for text in bad:
                await socket.send(text)
                answer = json.loads(await asyncio.wait_for(socket.recv(), 10))
                assert "code" in answer["error"], (text, answer)
            await socket.send(json.dumps({"cid": "9", "interactions": []}))
            assert json.loads(await socket.recv()) == {"accepted": 0, "cid": "9"}

    asyncio.run(session())


def test_a_bad_key_closes_the_socket_for_good(server):
    async def session():
        import websockets
        async with server.ws(key="sk_nonsense") as socket:
            try:
                await socket.recv()
                raise AssertionError("the socket stayed open")
            except websockets.ConnectionClosed as e:
                assert e.rcvd.code == 3500
        async with server.ws(key=None) as socket:
            await socket.send(json.dumps({"cid": "1", "interactions": []}))
            assert json.loads(await socket.recv())["error"]["code"] == "unauthenticated"

    asyncio.run(session())
