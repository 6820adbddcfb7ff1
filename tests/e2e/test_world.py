"""The list that people go through to accept a game backend: players, levels, completions, popularity, achievements,
inventories, trades, activity."""

import asyncio
import json
import random
import threading
import time

import pytest

from conftest import Server, unique, wait_until
from status_support import RedisServer


def post(server, *events):
    answer = server.http("POST", "/api/interactions", list(events))
    assert answer.status == 200, answer
    return answer.json


def new_level(server, **more):
    level_id = unique("level")
    answer = server.http("POST", "/api/levels", {"level_id": level_id, "name": "A level", **more})
    assert answer.status == 201, answer
    return level_id


def complete(server, level, player, score=10, **more):
    return server.http("POST", f"/api/levels/{level}/completions", {"player_id": player, "score": score, **more})


def inventory(server, player):
    return server.http("GET", f"/api/players/{player}/inventory").json["items"]


class Listener:
    """Collects what is published on channels, as `redis-cli SUBSCRIBE` would see it."""

    def __init__(self, server, *channels):
        self.pubsub = server.redis().pubsub(ignore_subscribe_messages=True)
        self.pubsub.subscribe(*channels)
        for _ in channels:
            self.pubsub.get_message(timeout=5)
        self.messages = []

    def read(self, wanted, seconds=10):
        """The first message for which `wanted` holds."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            m = self.pubsub.get_message(timeout=0.2)
            if not m:
                continue
            data = json.loads(m["data"])
            self.messages.append(data)
            if wanted(data):
                return data
        raise AssertionError(f"not published; only {self.messages}")


def test_players_are_created_read_changed_and_deleted(server):
    player = server.new_player("Ada")
    r = server.redis()
    assert r.type(f"user:{player}") == "hash" and 3_500 < r.ttl(f"user:{player}") <= 3_600
    assert server.http("GET", f"/api/players/{player}").json["level"] == 1
    assert server.http("PATCH", f"/api/players/{player}", {"name": "Grace"}).json["name"] == "Grace"
    assert server.http("GET", f"/api/players/{player}").json["name"] == "Grace"
    server.http("POST", f"/api/players/{player}/inventory", {"item": "sword", "quantity": 1})
    server.http("PUT", f"/api/players/{player}/achievements/first")
    assert server.http("DELETE", f"/api/players/{player}").status == 204
    assert server.http("GET", f"/api/players/{player}").status == 404
    assert server.http("GET", f"/api/players/{player}/inventory").status == 404
    assert r.exists(f"inventory:{player}", f"achievements:{player}", f"player:{player}") == 0


def test_activity_refreshes_the_profile(server):
    a, b = server.new_player(), server.new_player()
    r = server.redis()
    r.expire(f"user:{a}", 100)
    level = new_level(server)
    chat = f"/api/chat/team:{unique()}/messages"
    for activity in (lambda: post(server, {"type": "attack", "attacker_id": a, "target_id": b, "damage": 1}),
                     lambda: post(server, {"type": "move", "player_id": a, "lat": 1, "lon": 2}),
                     lambda: post(server, {"type": "chat", "channel": "general", "from": a, "text": "hi"}),
                     lambda: complete(server, level, a),
                     lambda: server.http("POST", chat, {"from": a, "text": "hi"}),
                     lambda: server.http("POST", f"/api/players/{a}/inventory", {"item": "sword", "quantity": 1}),
                     lambda: post(server, {"type": "trade", "from": a, "to": b, "give": {"sword": 1}, "take": {}}),
                     lambda: server.http("PUT", f"/api/players/{a}/achievements/{unique()}"),
                     lambda: server.http("PATCH", f"/api/players/{a}/state", {"mp": 5})):
        r.expire(f"user:{a}", 100)
        activity()
        assert r.ttl(f"user:{a}") > 3_500


def test_levels_are_created_read_changed_and_deleted(server):
    level = new_level(server)
    assert server.http("GET", f"/api/levels/{level}", key=None).json["difficulty"] == "Medium"
    r = server.redis()
    assert r.type(f"level:{level}") == "string" and r.ttl(f"level:{level}") > 3_500
    assert server.http("PATCH", f"/api/levels/{level}", {"difficulty": "Hard"}).json["difficulty"] == "Hard"
    assert server.http("GET", f"/api/levels/{level}").json["difficulty"] == "Hard"
    assert server.http("DELETE", f"/api/levels/{level}").status == 204
    assert server.http("GET", f"/api/levels/{level}").status == 404
    assert r.zscore("levels:popular", level) is None


def test_a_completion_counts_everywhere_and_once(server):
    player, level, once = server.new_player(), new_level(server), unique("c")
    listener = Listener(server, "activity")
    answer = complete(server, level, player, 25, completion_id=once)
    assert answer.status == 201 and answer.json["repeated"] is False
    again = complete(server, level, player, 25, completion_id=once)
    assert again.status == 200 and again.json["repeated"] is True
    complete(server, level, player, 5)
    r = server.redis()
    assert r.zscore("levels:popular", level) == 2
    assert r.zscore("leaderboard:global", player) == 30
    assert r.zscore(f"leaderboard:level:{level}", player) == 30
    assert server.http("GET", f"/api/leaderboards/level:{level}").json["items"][0]["player_id"] == player
    assert server.http("GET", f"/api/players/{player}").json["level"] == 3
    said = listener.read(lambda m: m["type"] == "completion" and m["player_id"] == player)
    assert said["level_id"] == level and said["score"] == 25


def test_a_completion_of_what_does_not_exist_is_refused(server):
    player, level = server.new_player(), new_level(server)
    assert complete(server, unique("nolevel"), player).status == 404
    assert complete(server, level, unique("nobody")).status == 404
    assert server.redis().zscore("levels:popular", level) == 0
    answer = post(server, {"type": "completion", "level_id": level, "player_id": player, "score": 1},
                  {"type": "completion", "level_id": unique("nolevel"), "player_id": player, "score": 1})
    assert answer["accepted"] == 1 and [x["index"] for x in answer["rejected"]] == [1]


def test_concurrent_completions_with_one_id_count_once(server):
    player, level, once = server.new_player(), new_level(server), unique("c")
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(complete(server, level, player, 7, completion_id=once)))
               for _ in range(12)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(a.status for a in answers) == [200] * 11 + [201]
    assert server.redis().zscore("leaderboard:global", player) == 7
    assert server.http("GET", f"/api/players/{player}").json["level"] == 2


def test_levels_reached_get_to_sql_neither_lost_nor_doubled(server):
    player, level = server.new_player(), new_level(server)
    for _ in range(5):
        complete(server, level, player)
    r = server.redis()
    wait_until(lambda: not r.sismember("players:levelled", player), what="the level in SQL")
    # Without any of Redis' memory of the player, the profile comes from SQL.
    r.delete(f"user:{player}", f"player:{player}")
    profile = server.http("GET", f"/api/players/{player}")
    assert profile.json["level"] == 6 and profile.headers["X-Cache"] == "miss"
    complete(server, level, player)
    assert server.http("GET", f"/api/players/{player}").json["level"] == 7


def announced(server):
    """The levels that were announced as popular, in order."""
    messages = server.http("GET", "/api/chat/cache/messages?limit=1000").json["items"]
    assert all(m["event"] == "popular_refresh" and len(m["levels"]) == 1 for m in messages)
    return [m["levels"][0] for m in messages]


def test_a_level_that_becomes_popular_is_cached_for_two_hours_at_once(own_server):
    # The cycle of this server is a minute: nothing here waits for it.
    server = own_server
    r = server.redis()
    player = server.new_player()
    wait_until(lambda: r.get("lease:popular"), what="the cycle's first turn")
    levels = [new_level(server, name=f"Level {n}") for n in range(13)]
    assert server.http("GET", "/api/levels?sort=popular").json["items"] == [], "nobody has completed any"
    listener = Listener(server, "cache")
    # The first level is not completed at all, the second once and so on: two of those fall out again.
    for times, level in enumerate(levels):
        for n in range(times):
            complete(server, level, player)
        if times:
            said = listener.read(lambda m, level=level: m["levels"] == [level])
            assert said["channel"] == "cache" and said["id"] and f"Level {times}" in said["text"]
            assert r.ttl(f"level:{level}") > 7_100
    answer = server.http("GET", "/api/levels?sort=popular&limit=100", key=None)
    assert [x["level_id"] for x in answer.json["items"]] == levels[:0:-1]
    assert [x["completions"] for x in answer.json["items"]] == list(range(12, 0, -1))
    assert announced(server) == levels[1:], "one message a level"
    wait_until(lambda: r.smembers("levels:cached") == set(levels[3:]), what="the ten that are popular now")
    # One more completion brings the first back, ahead of the one in its place.
    for _ in range(4):
        complete(server, levels[1], player)
    listener.read(lambda m: m["levels"] == [levels[1]])
    # When a popular level goes, the next one is popular.
    assert server.http("DELETE", f"/api/levels/{levels[-1]}").status == 204
    assert listener.read(lambda m: True)["levels"] == [levels[3]]
    assert r.ttl(f"level:{levels[3]}") > 7_100


def test_the_cycle_repairs_and_announces_only_changes(own_server_quick):
    server = own_server_quick
    r = server.redis()
    player, level, other = server.new_player(), new_level(server), new_level(server)
    complete(server, level, player)
    complete(server, other, player)
    wait_until(lambda: r.smembers("levels:cached") == {level, other}, what="both to be cached")
    assert sorted(announced(server)) == sorted([level, other])
    for _ in range(3):
        r.expire(f"level:{level}", 60)
        wait_until(lambda: r.ttl(f"level:{level}") > 7_100, what="the cycle to give it two hours again")
    assert len(announced(server)) == 2, "nothing has changed"
    r.delete(f"level:{other}")
    wait_until(lambda: announced(server)[2:] == [other], what="the message of the one that had to be loaded")
    # A changed level is not served stale, although the refresher writes the cache too.
    for n in range(20):
        server.http("PATCH", f"/api/levels/{level}", {"description": f"{n}"})
        assert server.http("GET", f"/api/levels/{level}").json["description"] == f"{n}"
    wait_until(lambda: r.ttl(f"level:{level}") > 7_100, what="the changed one to be cached for two hours")
    assert server.http("GET", "/api/levels?sort=sideways").status == 400


def test_one_of_two_servers_refreshes_and_the_other_takes_over(short_tmp, mariadb):
    backend = RedisServer(short_tmp / unique("redis"))
    name = unique("db").replace("-", "_")
    mariadb.sql(f"CREATE DATABASE {name} CHARACTER SET utf8mb4", f"GRANT ALL ON {name}.* TO 'game'@'%'")
    interval_s = 0.3
    env = {**mariadb.env(name), "REDIS_URL": backend.url,
           "SKIRMISH_LEVELS_POPULAR_REFRESH": f"{interval_s * 1000:.0f}ms"}
    r = backend.client()
    first = Server(short_tmp / unique("own"), env).start()
    second = Server(short_tmp / unique("own"), env)
    try:
        level, player = new_level(first), first.new_player()
        complete(first, level, player)
        leader = wait_until(lambda: r.get("lease:popular"), what="a leader")
        second.start()
        listener = Listener(second, "cache")
        begin = time.monotonic()
        for _ in range(10):
            r.delete(f"level:{level}")
            listener.read(lambda m: m.get("levels") == [level])
        assert time.monotonic() - begin > 7 * interval_s, "one of them refreshes, not both"
        assert r.get("lease:popular") == leader
        first.kill()
        r.expire(f"level:{level}", 60)
        wait_until(lambda: r.get("lease:popular") not in (None, leader), what="the second to lead")
        wait_until(lambda: r.ttl(f"level:{level}") > 7_100, what="the level to be cached for 2 hours again")
    finally:
        for server in (first, second):
            if server.process and server.process.poll() is None:
                server.stop()
        backend.stop()
        mariadb.sql(f"DROP DATABASE {name}")


def test_achievements_are_unlocked_once(server):
    a, b = server.new_player(), server.new_player()
    listener = Listener(server, "achievement")
    path = f"/api/players/{a}/achievements/dragon-slayer"
    assert server.http("PUT", path).status == 201
    first = server.http("GET", f"/api/players/{a}/achievements", key=None).json["items"]
    assert [x["achievement"] for x in first] == ["dragon-slayer"]
    assert server.http("PUT", path).json["unlocked"] is False
    assert server.http("GET", f"/api/players/{a}/achievements").json["items"] == first
    said = listener.read(lambda m: m.get("player_id") == a)
    assert said["achievement"] == "dragon-slayer"
    assert server.http("PUT", f"/api/players/{unique('nobody')}/achievements/x").status == 404
    # Declared ones: damage passes 1,000, and the first kill.
    attack = {"type": "attack", "attacker_id": a, "target_id": b, "damage": 400}
    post(server, attack, attack)
    names = {x["achievement"] for x in server.http("GET", f"/api/players/{a}/achievements").json["items"]}
    assert names == {"dragon-slayer", "first-blood"}
    post(server, attack, attack)
    names = {x["achievement"] for x in server.http("GET", f"/api/players/{a}/achievements").json["items"]}
    assert names == {"dragon-slayer", "first-blood", "hard-hitter"}
    assert listener.read(lambda m: m.get("achievement") == "hard-hitter")["player_id"] == a
    seen = [m["achievement"] for m in listener.messages if m.get("player_id") == a]
    assert sorted(seen) == ["dragon-slayer", "first-blood", "hard-hitter"], "each announced once"


def test_an_achievement_for_levels_and_chat(server):
    player, level = server.new_player(), new_level(server)
    for _ in range(9):
        complete(server, level, player)
    post(server, {"type": "chat", "channel": "general", "from": player, "text": "gg"})
    names = {x["achievement"] for x in server.http("GET", f"/api/players/{player}/achievements").json["items"]}
    assert names == {"first-steps", "veteran", "hello"}


def test_inventories(server):
    player = server.new_player()
    path = f"/api/players/{player}/inventory"
    assert inventory(server, player) == {}
    assert server.http("POST", path, {"item": "potion", "quantity": 3}).json["quantity"] == 3
    assert server.http("POST", path, {"item": "potion", "quantity": -1}).json["quantity"] == 2
    assert server.http("POST", path, {"item": "potion", "quantity": -5}).status == 409
    assert inventory(server, player) == {"potion": 2}
    assert server.http("POST", path, {"item": "potion", "quantity": -2}).json["quantity"] == 0
    assert inventory(server, player) == {}
    # Events of a match are not refused: what is not there is not lost.
    post(server, {"type": "item", "player_id": player, "item": "hegrenade", "quantity": -1},
         {"type": "item", "player_id": player, "item": "hegrenade", "quantity": 2})
    assert inventory(server, player) == {"hegrenade": 2}
    for bad in ({"item": "a b", "quantity": 1}, {"item": "a"}, {"item": "a", "quantity": "1"},
                {"item": "a", "quantity": 1, "x": 1}, {"item": "a", "quantity": 10**12}):
        assert server.http("POST", path, bad).status == 400, bad
    assert server.http("POST", f"/api/players/{unique()}/inventory", {"item": "a", "quantity": 1}).status == 404


def trade(a, b, give, take, **more):
    return {"type": "trade", "from": a, "to": b, "give": give, "take": take, **more}


def test_a_trade_moves_goods_both_ways_or_not_at_all(server):
    a, b = server.new_player(), server.new_player()
    post(server, {"type": "item", "player_id": a, "item": "sword", "quantity": 1},
         {"type": "item", "player_id": b, "item": "gold", "quantity": 60})
    once = trade(a, b, {"sword": 1}, {"gold": 50}, id=unique("t"))
    assert post(server, once) == {"accepted": 1, "rejected": []}
    assert inventory(server, a) == {"gold": 50} and inventory(server, b) == {"sword": 1, "gold": 10}
    assert post(server, once)["accepted"] == 1, "applied before"
    assert inventory(server, a) == {"gold": 50}
    refused = post(server, trade(a, b, {"sword": 1}, {"gold": 5}), trade(a, b, {"gold": 5}, {"sword": 2}))
    assert refused["accepted"] == 0
    assert [(x["index"], x["code"]) for x in refused["rejected"]] == [(0, "conflict"), (1, "conflict")]
    assert inventory(server, a) == {"gold": 50} and inventory(server, b) == {"sword": 1, "gold": 10}
    state = server.http("GET", f"/api/players/{a}/state").json
    assert (state["interaction"], state["target"]) == ("trade", b)
    assert server.redis().zscore("leaderboard:active", a) == 1, "only the applied one counts"
    assert state["last_actions"][0]["type"] == "trade"
    # A refused trade may be tried again under its id once the goods are there.
    late = trade(a, b, {"shield": 1}, {}, id=unique("t"))
    assert post(server, late)["accepted"] == 0
    post(server, {"type": "item", "player_id": a, "item": "shield", "quantity": 1})
    assert post(server, late) == {"accepted": 1, "rejected": []}
    assert inventory(server, b)["shield"] == 1


@pytest.mark.parametrize("change", [{"to": None}, {"give": {}, "take": {}}, {"give": {"gold": 0}},
                                    {"give": {"gold": 2_000_000_000}}, {"give": {f"i{n}": 1 for n in range(33)}},
                                    {"give": {"a b": 1}}, {"give": {"gold": 1.5}}, {"give": [1]}])
def test_bad_trades_are_refused(server, change):
    a, b = server.new_player(), server.new_player()
    event = trade(a, b, {"gold": 1}, {})
    event.update({"to": a} if change == {"to": None} else change)
    assert server.http("POST", "/api/interactions", [event]).status == 400


def test_trades_conserve_what_there_is(server):
    """Thousands of random trades from several connections: nothing appears or vanishes, nothing is negative."""
    players = [server.new_player() for _ in range(6)]
    items = ["gold", "sword", "potion"]
    post(server, *[{"type": "item", "player_id": p, "item": i, "quantity": 20} for p in players for i in items])
    accepted = []

    def work(seed):
        choose = random.Random(seed)
        for _ in range(10):
            batch = []
            for _ in range(50):
                a, b = choose.sample(players, 2)
                batch.append(trade(a, b, {choose.choice(items): choose.randint(1, 30)},
                                   {choose.choice(items): choose.randint(1, 30)}, id=unique("t")))
            accepted.append(post(server, *batch)["accepted"])

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    owned = [inventory(server, p) for p in players]
    assert 0 < sum(accepted) < 2_000, "some were possible and some were not"
    for item in items:
        assert sum(o.get(item, 0) for o in owned) == 120
    assert all(q > 0 for o in owned for q in o.values())
    r = server.redis()
    assert sum(r.zscore("leaderboard:active", p) or 0 for p in players) == sum(accepted)


def test_a_stream_applies_every_kind_of_event_once(server):
    import asyncio
    a, b, level, stream = server.new_player(), server.new_player(), new_level(server), unique("s")
    channel = "team:" + unique("t")
    events = [{"type": "item", "player_id": a, "item": "gold", "quantity": 10},
              {"type": "trade", "from": a, "to": b, "give": {"gold": 3}, "take": {}},
              {"type": "completion", "level_id": level, "player_id": a, "score": 20},
              {"type": "chat", "channel": channel, "from": a, "text": "hi"},
              {"type": "attack", "attacker_id": a, "target_id": b, "damage": 5}]

    async def send_twice():
        for _ in range(2):
            async with server.ws(f"/api/ws?stream={stream}") as socket:
                await socket.recv()
                await socket.send(json.dumps({"seq": 1, "interactions": events}))
                while "ack" not in json.loads(await socket.recv()):
                    pass

    asyncio.run(send_twice())
    assert inventory(server, a) == {"gold": 7} and inventory(server, b) == {"gold": 3}
    r = server.redis()
    assert r.zscore(f"leaderboard:level:{level}", a) == 20 and r.zscore("levels:popular", level) == 1
    assert r.xlen(f"chat:{channel}") == 1
    state = server.http("GET", f"/api/players/{a}/state").json
    assert state["interaction"] == "attack", "the trade came before"


def boards_of(server, player):
    """The boards that show the player, as Redis has them."""
    r = server.redis()
    return {key for key in r.scan_iter("leaderboard:*", count=1000)
            if "@" not in key and r.type(key) == "zset" and r.zscore(key, player) is not None}


def test_a_deleted_player_is_on_no_board_or_list_any_more(own_server):
    server = own_server
    r = server.redis()
    a, b, level, board = server.new_player(), server.new_player(), new_level(server), unique("board")
    for player in (a, b):
        complete(server, level, player)
        post(server, {"type": "score", "board": board, "player_id": player, "value": 5},
             {"type": "move", "player_id": player, "lat": 48.8566, "lon": 2.3522},
             {"type": "score", "board": "kills", "player_id": player, "value": 1})
    boards = {f"leaderboard:{x}" for x in ("global", "active", "kills", board, f"level:{level}")}
    assert boards_of(server, a) == boards_of(server, b) == boards

    async def run():
        async with server.ws() as socket:
            await socket.send(json.dumps({"cid": "1", "subscribe": {"channel": "general", "as": a}}))
            assert "subscribed" in json.loads(await asyncio.wait_for(socket.recv(), 20))
            assert r.zscore("presence:general", a) and r.zscore("presence@players", a)
            # Something pending of somebody else keeps what is done now pending, while nobody flushes it.
            r.set("acts:filer", "somebody", px=60_000)
            entry = f"1\n{b} 1 00000 0 0 0\n"
            r.rpush("acts:pending", entry)
            r.incrby("acts:bytes", len(entry))
            post(server, {"type": "move", "player_id": a, "lat": 1, "lon": 2})
            assert r.llen("acts:pending") == 2 and r.zscore("leaderboard:active", a) == 1
            assert (await asyncio.to_thread(server.http, "DELETE", f"/api/players/{a}")).status == 204
            pushed = json.loads(await asyncio.wait_for(socket.recv(), 20))
            assert pushed == {"unsubscribed": {"channel": "general", "reason": "removed"}}

    asyncio.run(run())
    r.delete("acts:filer")
    wait_until(lambda: not r.exists("acts:pending", "acts:filing"), what="what was pending to be flushed")
    assert r.zscore("leaderboard:active", b) == 2, "nothing of the others is lost"
    assert boards_of(server, a) == set() and boards_of(server, b) == boards
    for item in boards:
        name = item.removeprefix("leaderboard:")
        shown = server.http("GET", f"/api/leaderboards/{name}", key=None).json
        assert [x["player_id"] for x in shown["items"]] == [b], name
    assert r.zscore("positions", a) is None and r.zscore("positions", b) is not None
    assert r.zscore("presence:general", a) is None and r.zscore("presence@players", a) is None
    assert r.exists(f"presence:general@{a}", f"actions:{a}", f"move:{a}", f"player:{a}") == 0
    # Again is no harm, and a new player of the same id begins with nothing.
    assert server.http("DELETE", f"/api/players/{a}").status == 404
    assert server.http("POST", "/api/players", {"player_id": a, "name": "new"}).status == 201
    assert boards_of(server, a) == set()
    post(server, {"type": "move", "player_id": a, "lat": 1, "lon": 2})
    wait_until(lambda: r.zscore("leaderboard:active", a) == 1, what="the new one's first interaction")


def test_a_deleted_level_is_on_no_board_or_list_any_more(server):
    r = server.redis()
    player, level = server.new_player(), new_level(server)
    complete(server, level, player)
    channel = f"level:{level}"
    assert server.http("POST", f"/api/chat/{channel}/messages", {"from": player, "text": "hi"}).status == 201
    assert server.http("PUT", f"/api/chat/{channel}/mutes/{player}", {"seconds": 600}).status in (200, 204)

    async def run():
        async with server.ws() as socket:
            await socket.send(json.dumps({"cid": "1", "subscribe": {"channel": channel, "as": player}}))
            assert "subscribed" in json.loads(await asyncio.wait_for(socket.recv(), 20))
            assert (await asyncio.to_thread(server.http, "DELETE", f"/api/levels/{level}")).status == 204
            pushed = json.loads(await asyncio.wait_for(socket.recv(), 20))
            assert pushed == {"unsubscribed": {"channel": channel, "reason": "removed"}}

    asyncio.run(run())
    left = [key for key in r.scan_iter(f"*{level}*", count=1000)]
    assert left == [], "no key is the level's"
    for key in ("levels:popular", "levels:cached", "chat@channels"):
        assert all(level not in x for x in r.zrange(key, 0, -1)) if r.type(key) == "zset" else not r.sismember(key, level)
    assert complete(server, level, player).status == 404
    assert server.http("DELETE", f"/api/levels/{level}").status == 404
