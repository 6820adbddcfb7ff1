"""Who is near: over HTTP, and pushed on `near:<player_id>`, by real moves through real commits."""

import asyncio
import json
import math
import random

import pytest
from conftest import unique, wait_until

RADIUS_M = 6_371_008.8


def haversine(a, b):
    (lat1, lon1), (lat2, lon2) = [(math.radians(x), math.radians(y)) for x, y in (a, b)]
    h = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    return 2 * RADIUS_M * math.asin(math.sqrt(min(1, h)))


def move(player, lat, lon, ttl_s=60):
    return {"type": "move", "player_id": player, "lat": lat, "lon": lon, "ttl_s": ttl_s}


def post(server, *events):
    answer = server.http("POST", "/api/interactions", list(events))
    assert answer.status == 200 and answer.json["rejected"] == [], answer


def nearby(server, player, **query):
    text = "&".join(f"{k}={v}" for k, v in query.items())
    answer = server.http("GET", f"/api/players/{player}/nearby?{text}")
    assert answer.status == 200, answer
    return answer.json["items"]


def place_of_its_own():
    """Far from what other tests do on the shared server."""
    return random.uniform(-60, 60), random.uniform(-170, 170)


def test_agrees_with_haversine(server):
    rng = random.Random(4)
    for lat0, lon0 in ((89.99, 20), (-18.5, 179.999), place_of_its_own()):
        at = {}
        for _ in range(30):
            lat = max(-90, min(90, lat0 + rng.uniform(-0.02, 0.02)))
            lon = (lon0 + rng.uniform(-0.03, 0.03) + 180) % 360 - 180
            at[server.new_player()] = (round(lat, 7), round(lon, 7))
        post(server, *[move(p, *where) for p, where in at.items()])
        middle, *others = at
        for radius in (100, 1_500, 3_000):
            exact = sorted((haversine(at[middle], at[p]), p) for p in others)
            expected = [(p, d) for d, p in exact if d <= radius]
            found = nearby(server, middle, radius_m=radius, limit=1000)
            assert [e["player_id"] for e in found] == [p for p, _ in expected]
            assert all(abs(e["distance_m"] - d) < 0.1 for e, (_, d) in zip(found, expected))
        lat, lon = at[middle]
        by_place = server.http("GET", f"/api/nearby?lat={lat}&lon={lon}&radius_m=3000&limit=1").json["items"]
        assert by_place[0]["player_id"] == middle and by_place[0]["distance_m"] == 0


def test_who_may_ask_and_how(server):
    a = server.new_player()
    assert server.http("GET", f"/api/players/{a}/nearby").status == 404, "it has no live position"
    lat, lon = place_of_its_own()
    post(server, move(a, lat, lon))
    assert nearby(server, a) == []
    assert server.http("GET", f"/api/players/{a}/nearby", key=None).status == 401
    assert server.http("GET", f"/api/nearby?lat={lat}&lon={lon}", key=None).status == 401
    for query in ("radius_m=0", "radius_m=x", "radius_m=30000000", "limit=0", "limit=1001"):
        assert server.http("GET", f"/api/players/{a}/nearby?{query}").status == 400, query
    for query in ("", "lat=1", "lat=91&lon=0", "lat=0&lon=181", "lat=nan&lon=0", "lat=1&lon=2x", "lat=inf&lon=0"):
        assert server.http("GET", f"/api/nearby?{query}").status == 400, query


def test_an_expired_position_is_not_shown(server):
    lat, lon = place_of_its_own()
    a, b = server.new_player(), server.new_player()
    post(server, move(a, lat, lon), move(b, lat, lon))
    assert [e["player_id"] for e in nearby(server, a)] == [b]
    # As if its time were over: what a TTL does, without waiting ten seconds for the shortest.
    server.redis().pexpire(f"move:{b}", 1)
    wait_until(lambda: not server.redis().exists(f"move:{b}"))
    assert nearby(server, a) == []
    wait_until(lambda: server.redis().zscore("positions", b) is None, what="the clean-up")
    assert server.redis().zscore("positions", a) is not None


class Watcher:
    def __init__(self, socket, channel):
        self.socket, self.channel, self.pushes = socket, channel, []

    async def subscribe(self, **more):
        await self.socket.send(json.dumps({"cid": "1", "subscribe": {"channel": self.channel, **more}}))
        answer = json.loads(await asyncio.wait_for(self.socket.recv(), 10))
        assert answer == {"cid": "1", "subscribed": {"channel": self.channel}}, answer

    async def next(self):
        push = json.loads(await asyncio.wait_for(self.socket.recv(), 10))["event"]
        assert push["channel"] == self.channel
        self.pushes.append(push["data"])
        return push["data"]

    async def until(self, condition):
        while not condition(await self.next()):
            pass
        return self.pushes[-1]


def ids(view):
    return [e["player_id"] for e in view["players"]]


def test_pushes_follow_the_players(server):
    lat, lon = place_of_its_own()
    a, b, c = (server.new_player() for _ in range(3))

    async def watch():
        async with server.ws() as socket:
            watcher = Watcher(socket, f"near:{a}")
            await watcher.subscribe(radius_m=500, limit=10)
            assert await watcher.next() == {"position": None, "players": []}
            post(server, move(a, lat, lon), move(b, lat, lon), move(c, lat + 1, lon))
            view = await watcher.until(lambda v: ids(v) == [b])
            assert haversine((view["position"]["lat"], view["position"]["lon"]), (lat, lon)) < 0.1
            post(server, move(c, lat + 0.001, lon))
            await watcher.until(lambda v: ids(v) == [b, c])
            post(server, move(b, lat - 1, lon))
            await watcher.until(lambda v: ids(v) == [c])
            # Subscribing again changes the radius.
            await watcher.subscribe(radius_m=50)
            await watcher.until(lambda v: ids(v) == [])
            await socket.send(json.dumps({"cid": "2", "unsubscribe": {"channel": f"near:{a}"}}))
            while "unsubscribed" not in json.loads(await asyncio.wait_for(socket.recv(), 10)):
                pass

    asyncio.run(watch())


def test_pushes_are_conflated(server):
    """However often players move: a few pushes a second, and the last one is how it is."""
    lat, lon = place_of_its_own()
    a, b = server.new_player(), server.new_player()
    post(server, move(a, lat, lon))

    async def watch():
        async with server.ws() as socket, server.ws() as sender:
            watcher = Watcher(socket, f"near:{a}")
            await watcher.subscribe()
            await watcher.next()
            loop = asyncio.get_running_loop()
            begin = loop.time()
            moves = 0
            while loop.time() - begin < 2:
                moves += 1
                await sender.send(json.dumps({"cid": "m", "interactions": [move(b, lat, lon + moves * 1e-6)]}))
                assert json.loads(await asyncio.wait_for(sender.recv(), 10))["accepted"] == 1
            last = round(lon + moves * 1e-6, 7)
            await watcher.until(lambda v: v["players"] and abs(v["players"][0]["lon"] - last) < 1e-7)
            seconds = loop.time() - begin
            assert len(watcher.pushes) <= 4 * seconds + 3
            return moves, len(watcher.pushes)

    moves, pushes = asyncio.run(watch())
    assert moves > pushes


def test_a_reader_that_sleeps_gets_the_latest_and_stays(server):
    lat, lon = place_of_its_own()
    a = server.new_player()
    crowd = [server.new_player() for _ in range(60)]

    async def watch():
        # Small buffers on its side, and it reads nothing for a while.
        async with server.ws(max_queue=1) as socket:
            watcher = Watcher(socket, f"near:{a}")
            await watcher.subscribe(limit=1000)
            for step in range(30):
                shift = step * 1e-6
                await asyncio.to_thread(post, server, move(a, lat, lon + shift),
                                        *[move(p, lat, lon + shift) for p in crowd])
            return await watcher.until(
                lambda v: len(v["players"]) == 60 and abs(v["position"]["lon"] - (lon + shift)) < 1e-7)

    assert asyncio.run(watch())


def test_a_player_watches_only_itself_and_names_are_checked(server):
    async def ask(channel, key="admin", **more):
        async with server.ws(key=key) as socket:
            await socket.send(json.dumps({"cid": "1", "subscribe": {"channel": channel, **more}}))
            return json.loads(await asyncio.wait_for(socket.recv(), 10))["error"]["code"]

    assert asyncio.run(ask("near:ann", key=None)) == "unauthenticated"
    assert asyncio.run(ask("near:")) == "not_found"
    for more in ({"radius_m": 0}, {"radius_m": "x"}, {"radius_m": 1.5}, {"limit": 1001}):
        assert asyncio.run(ask("near:ann", **more)) == "invalid_argument", more


def in_box(server, *box, limit=10000):
    answer = server.http("GET", f"/api/positions?bbox={','.join(map(str, box))}&limit={limit}")
    assert answer.status == 200, answer
    return answer.json


def test_a_part_of_the_map(server):
    lat, lon = place_of_its_own()
    a, b, c = (server.new_player() for _ in range(3))
    post(server, move(a, lat, lon), move(b, lat + 0.01, lon + 0.01), move(c, lat + 1, lon))
    box = (lon - 0.005, lat - 0.005, lon + 0.02, lat + 0.02)
    view = in_box(server, *box)
    assert sorted(p["player_id"] for p in view["items"]) == sorted([a, b])
    assert (view["total"], view["is_partial"], view["next_cursor"]) == (2, False, None)
    one = next(p for p in view["items"] if p["player_id"] == a)
    assert abs(one["lat"] - lat) < 1e-5 and abs(one["lon"] - lon) < 1e-5 and 0 <= one["age_s"] < 30
    part = in_box(server, *box, limit=1)
    assert len(part["items"]) == 1 and part["is_partial"] and part["total"] == 2
    # An expired one is left out at once.
    server.redis().delete(f"move:{b}")
    assert [p["player_id"] for p in in_box(server, *box)["items"]] == [a]
    # Across the 180th meridian.
    post(server, move(a, lat, 179.999), move(c, lat, -179.999))
    view = in_box(server, 179.9, lat - 0.1, -179.9, lat + 0.1)
    assert {a, c} <= {p["player_id"] for p in view["items"]}
    for bad in ("bbox=1,2,3", "bbox=1,2,3,4,5", "bbox=0,10,1,9", "bbox=x,0,1,1", "bbox=-181,0,1,1", "bbox=0,0,1,nan",
                "limit=0", "limit=10001"):
        assert server.http("GET", f"/api/positions?{bad}").status == 400, bad


def test_a_sample_of_many_is_even(server):
    """Two crowds of 3,000 and 1,000 players: of 400 points about 300 and 100."""
    r = server.redis()
    lat, lon = place_of_its_own()
    pipe = r.pipeline()
    word = unique("s")
    # As commit.lua writes them; the cells are taken from real moves.
    ends = [server.new_player(), server.new_player()]
    post(server, move(ends[0], lat, lon), move(ends[1], lat + 0.5, lon))
    cells = [r.zscore("positions", e) for e in ends]
    for crowd, count in ((0, 3000), (1, 1000)):
        for n in range(count):
            name = f"{word}-{crowd}-{n}"
            pipe.hset(f"move:{name}", mapping={"lat": lat + crowd * 0.5, "lon": lon, "alt": 0,
                                               "ts": "2026-01-01T00:00:00.000Z"})
            pipe.expire(f"move:{name}", 120)
            pipe.zadd("positions", {name: cells[crowd]})
    pipe.execute()
    view = in_box(server, lon - 0.1, lat - 0.1, lon + 0.1, lat + 0.6, limit=400)
    assert view["is_partial"] and len(view["items"]) == 400 and 3500 < view["total"] < 4500
    north = sum(p["lat"] > lat + 0.25 for p in view["items"])
    assert 60 <= north <= 140, north
    pipe = r.pipeline()
    for crowd, count in ((0, 3000), (1, 1000)):
        for n in range(count):
            pipe.delete(f"move:{word}-{crowd}-{n}")
            pipe.zrem("positions", f"{word}-{crowd}-{n}")
    pipe.execute()


def test_the_map_is_pushed(server):
    lat, lon = place_of_its_own()
    a, b = server.new_player(), server.new_player()
    post(server, move(a, lat, lon))

    async def watch():
        async with server.ws() as socket:
            watcher = Watcher(socket, "positions")
            await watcher.subscribe(bbox=[lon - 0.01, lat - 0.01, lon + 0.01, lat + 0.01])
            view = await watcher.next()
            assert view["player_ids"] == [a] and abs(view["lat"][0] - lat) < 1e-4 and len(view["age_s"]) == 1
            assert view["total"] == 1 and view["is_partial"] is False
            loop = asyncio.get_running_loop()
            begin = loop.time()
            first = len(watcher.pushes)
            for step in range(20):
                await asyncio.to_thread(post, server, move(b, lat, lon + step * 1e-4))
            await watcher.until(lambda v: b in v["player_ids"] and abs(v["lon"][v["player_ids"].index(b)] - lon - 19e-4) < 2e-5)
            assert len(watcher.pushes) - first <= 2 * (loop.time() - begin) + 2
            # Another box.
            await socket.send(json.dumps({"cid": "2", "subscribe": {"channel": "positions", "bbox": [
                lon + 1, lat - 0.001, lon + 1.001, lat]}}))
            while "subscribed" not in json.loads(await asyncio.wait_for(socket.recv(), 10)):
                pass
            await watcher.until(lambda v: v["player_ids"] == [])
            for bad in ({"bbox": [1, 2, 3]}, {"bbox": "all"}, {"bbox": [0, 1, 2, 0]}, {"limit": 0}):
                await socket.send(json.dumps({"cid": "3", "subscribe": {"channel": "positions", **bad}}))
                while True:
                    answer = json.loads(await asyncio.wait_for(socket.recv(), 10))
                    if answer.get("cid") == "3":
                        break
                assert answer["error"]["code"] == "invalid_argument", bad
        async with server.ws(key=None) as socket:
            await socket.send(json.dumps({"cid": "1", "subscribe": {"channel": "positions"}}))
            answer = json.loads(await asyncio.wait_for(socket.recv(), 10))
            assert answer["error"]["code"] == "unauthenticated"

    asyncio.run(watch())
