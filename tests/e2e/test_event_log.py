"""The ordered log of committed events, and what subscribers of `activity` are told."""

import asyncio
import json

import pytest
from conftest import Server, unique, wait_until


@pytest.fixture(scope="module")
def world(short_tmp):
    s = Server(short_tmp / unique("log")).start()
    yield s
    s.stop()


def attack(a, b, damage, ident):
    return {"type": "attack", "id": ident, "attacker_id": a, "target_id": b, "damage": damage}


def page(server, since=None, limit=50):
    answer = server.http("GET", f"/api/interactions?limit={limit}" + (f"&since={since}" if since else ""))
    assert answer.status == 200, answer
    return answer.json


def read_all(server, since=None, limit=7):
    """Every event behind `since`, and the cursor behind the last."""
    out = []
    while True:
        got = page(server, since, limit)
        assert len(got["items"]) <= limit and not got["trimmed"]
        out += got["items"]
        since = got["cursor"]
        if got["next_cursor"] is None:
            return out, since
        assert got["next_cursor"] == since and len(got["items"]) == limit


def test_pages_hold_every_event_in_order(world):
    a, b = world.new_player(), world.new_player()
    _, start = read_all(world)
    sent = []
    for n in range(12):
        events = [attack(a, b, 1, unique("e")) for _ in range(n)] + [
            {"type": "move", "player_id": a, "lat": n, "lon": -n}, {"type": "respawn", "player_id": b, "hp": 100}]
        assert world.http("POST", "/api/interactions", events).status == 200
        sent += events
    for limit in (1, 7, 1000):
        events, _ = read_all(world, start, limit)
        assert [{k: e[k] for k in s} for e, s in zip(events, sent)] == sent and len(events) == len(sent)
    # At the end the cursor waits for what comes.
    _, end = read_all(world, start)
    assert page(world, end) == {"items": [], "cursor": end, "next_cursor": None, "trimmed": False,
                                "is_partial": False}
    world.http("POST", "/api/interactions", attack(a, b, 2, "later"))
    assert [e["damage"] for e in page(world, end)["items"]] == [2]


def test_rejected_events_are_not_in_it(world):
    a, b = world.new_player(), world.new_player()
    _, start = read_all(world)
    ident = unique("once")
    answer = world.http("POST", "/api/interactions", [attack(a, "nobody", 1, unique()), attack(a, b, 1, ident)]).json
    assert answer["accepted"] == 1
    world.http("POST", "/api/interactions", attack(a, b, 1, ident))
    events, _ = read_all(world, start)
    assert [e["id"] for e in events] == [ident]


def test_bad_questions(world):
    for query in ("since=x", "since=1-0", "since=1-0.x", "limit=0", "limit=1001"):
        assert world.http("GET", f"/api/interactions?{query}").status == 400, query
    assert world.http("GET", "/api/interactions", key=None).status == 401
    paths = world.http("GET", "/openapi.json", key=None).json["paths"]
    assert {"get", "post"} <= set(paths["/api/interactions"])


def test_a_reader_whose_place_is_gone_is_told(world):
    a, b = world.new_player(), world.new_player()
    world.http("POST", "/api/interactions", attack(a, b, 1, unique()))
    _, end = read_all(world)
    world.redis().xtrim("interactions", maxlen=0, approximate=False)
    assert page(world, end)["trimmed"]


def test_the_log_is_bounded_by_count_and_by_age(short_tmp):
    server = Server(short_tmp / unique("short"), {"SKIRMISH_INTERACTIONS_LOG_AGE": "1s"}).start()
    try:
        a = server.new_player()
        r = server.redis()
        # Two nodes of old entries; the trimmer looks when the server starts, and every minute.
        with r.pipeline(transaction=False) as pipe:
            for n in range(400):
                pipe.xadd("interactions", {"n": 1, "events": "{}\n"}, id=f"1700000000000-{n}")
            pipe.execute()
        server.stop()
        server.start()
        wait_until(lambda: server.redis().xlen("interactions") < 400, what="the trimming")
        server.http("POST", "/api/interactions", {"type": "move", "player_id": a, "lat": 1, "lon": 1})
        last = page(server, limit=1000)["items"][-1]
        assert last["player_id"] == a
    finally:
        server.stop()


def test_deaths_come_once_each_and_totals_are_conflated(world):
    a, b = world.new_player(), world.new_player()

    async def watch():
        async with world.ws() as socket:
            await socket.send(json.dumps({"cid": "1", "subscribe": {"channel": "activity"}}))
            assert "subscribed" in json.loads(await asyncio.wait_for(socket.recv(), 10))
            for _ in range(5):
                events = [attack(a, b, 1_000, unique()), {"type": "respawn", "player_id": b, "hp": 50}] * 8
                answer = await asyncio.to_thread(world.http, "POST", "/api/interactions", events)
                assert answer.json["accepted"] >= 9
            total = int(world.redis().get("activity:events"))
            deaths, totals = [], []
            while not totals or totals[-1] < total:
                data = json.loads(await asyncio.wait_for(socket.recv(), 10))["event"]["data"]
                if data["type"] == "death":
                    deaths.append(data)
                elif data["type"] == "events":
                    totals.append(data["total"])
            assert len(deaths) == 5 and all(d["player_id"] == b and d["killer_id"] == a for d in deaths)
            assert totals == sorted(set(totals)) and totals[-1] == total

    asyncio.run(watch())


def search(server, **query):
    text = "&".join(f"{k}={v}" for k, v in query.items())
    answer = server.http("GET", f"/api/interactions?{text}")
    assert answer.status == 200, answer
    return answer.json


def test_events_are_found_by_player_and_type_newest_first_too(world):
    a, b, c = (world.new_player() for _ in range(3))
    for n in range(5):
        events = [attack(a, b, n, unique("e")), {"type": "move", "player_id": a, "lat": n, "lon": 0},
                  attack(c, a, 10 + n, unique("e"))]
        assert world.http("POST", "/api/interactions", events).status == 200
    assert [e["damage"] for e in search(world, player=b)["items"]] == [0, 1, 2, 3, 4]
    assert [e["damage"] for e in search(world, player=a, type="attack", order="newest")["items"]] == [
        14, 4, 13, 3, 12, 2, 11, 1, 10, 0]
    assert [e["lat"] for e in search(world, player=a, type="move")["items"]] == [0, 1, 2, 3, 4]
    assert search(world, player=a, type="trade")["items"] == []
    everything, end = read_all(world, limit=1000)
    for limit in (1, 4, 1000):
        seen, since, first = [], None, None
        while True:
            page_ = search(world, order="newest", limit=limit, **({"since": since} if since else {}))
            first = first or page_
            seen += page_["items"]
            since = page_["next_cursor"]
            if since is None:
                break
        assert seen == everything[::-1]
        assert first["cursor"] == end, "to go on from there as events come"
    for bad in ("player=a%20b", "type=nothing", "order=up", "since=x&order=newest"):
        assert world.http("GET", f"/api/interactions?{bad}").status == 400, bad


def test_a_search_says_when_it_stopped_early(world):
    a = world.new_player()
    for _ in range(21):
        moves = [{"type": "move", "player_id": a, "lat": 1, "lon": 1}] * 1000
        assert world.http("POST", "/api/interactions", moves).status == 200
    for order in ("oldest", "newest"):
        page_, pages = search(world, player="nobody", order=order), 1
        assert page_["items"] == [] and page_["is_partial"] and page_["next_cursor"]
        while page_["next_cursor"]:
            page_ = search(world, player="nobody", order=order, since=page_["next_cursor"])
            pages += 1
        assert pages == 2 and not page_["is_partial"]
