"""The WebSocket channel leaderboard:<board>: the top as it is, then every difference, conflated."""

import asyncio
import json
import socket as sockets

from conftest import Server, unique
from status_support import RedisServer


def submit(server, board, *scores):
    body = [{"player_id": p, "score": s, "operator": "set", **(more[0] if more else {})} for p, s, *more in scores]
    answer = server.http("POST", f"/api/leaderboards/{board}/scores", body)
    assert answer.status == 200, answer


def new_board(server):
    """A board that exists and is empty: only such can be watched."""
    board = unique("b")
    assert server.http("PUT", f"/api/leaderboards/{board}", {}).status == 200
    return board


async def subscribe(socket, board, **more):
    await socket.send(json.dumps({"cid": "s", "subscribe": {"channel": f"leaderboard:{board}", **more}}))
    while True:
        got = json.loads(await asyncio.wait_for(socket.recv(), 20))
        if got.get("cid") == "s":
            return got


async def top(socket, wanted=lambda data: True):
    """The first top for which `wanted` holds, and all that came until then."""
    came = []
    while True:
        event = json.loads(await asyncio.wait_for(socket.recv(), 20))["event"]
        data = event["data"]
        assert event["channel"] == "leaderboard:" + data["board"]
        came.append(data)
        if wanted(data):
            return data, came


def leader(name):
    return lambda data: data["items"] and data["items"][0]["player_id"] == name


def test_the_top_as_it_is_and_then_each_change(server):
    board = new_board(server)

    async def run():
        async with server.ws(key=None) as first, server.ws() as second:
            assert (await subscribe(first, board))["subscribed"] == {"channel": f"leaderboard:{board}"}
            empty, _ = await top(first)
            assert (empty["board"], empty["items"], empty["total"]) == (board, [], 0)
            await asyncio.to_thread(submit, server, board, *((f"p{i:02}", i) for i in range(1, 16)))
            now, came = await top(first, leader("p15"))
            assert [e["rank"] for e in now["items"]] == list(range(1, 11)), "ten, unless asked for more"
            assert now["items"][9] == {"rank": 10, "player_id": "p06", "score": 6} and now["total"] == 15
            versions = [data["version"] for data in [empty, *came]]
            assert versions == sorted(set(versions)), "versions grow"
            page = server.http("GET", f"/api/leaderboards/{board}?limit=10").json
            assert page["version"] == now["version"] and page["items"] == now["items"]

            await subscribe(second, board, limit=2)
            two, _ = await top(second)
            assert [e["player_id"] for e in two["items"]] == ["p15", "p14"] and two["version"] == now["version"]
            # The third place changes: who watches two sees nothing of it.
            await asyncio.to_thread(submit, server, board, ("p13", 13.5))
            await top(first, lambda data: data["items"][2].get("score") == 13.5)
            await asyncio.to_thread(submit, server, board, ("p01", 100))
            seen, came = await top(second, leader("p01"))
            assert len(came) == 1 and seen["version"] > now["version"]
            await top(first, leader("p01"))

            # Whoever leaves the board leaves the top; the deleted board is empty.
            assert server.http("DELETE", f"/api/leaderboards/{board}/players/p01").status == 204
            await top(first, leader("p15"))
            assert server.http("DELETE", f"/api/leaderboards/{board}").status == 204
            await top(first, lambda data: data["items"] == [])

    asyncio.run(run())


def test_unsubscribing_and_bad_subscriptions(server):
    board, other = new_board(server), new_board(server)

    async def run():
        async with server.ws(key=None) as socket:
            for bad in ({"limit": 0}, {"limit": 101}, {"limit": "9"}):
                refused = await subscribe(socket, board, **bad)
                assert refused["error"]["code"] == "invalid_argument", refused
            assert (await subscribe(socket, "no board"))["error"]["code"] == "not_found"
            assert (await subscribe(socket, "x" * 65))["error"]["code"] == "not_found"
            await subscribe(socket, board)
            await top(socket)
            # A refused change of the subscription leaves it as it is.
            assert "error" in await subscribe(socket, board, limit=0)
            await asyncio.to_thread(submit, server, board, ("ann", 1))
            await top(socket, leader("ann"))
            await socket.send(json.dumps({"cid": "u", "unsubscribe": {"channel": f"leaderboard:{board}"}}))
            assert "unsubscribed" in json.loads(await socket.recv())
            await asyncio.to_thread(submit, server, board, ("bob", 2))
            await subscribe(socket, other)
            await asyncio.to_thread(submit, server, other, ("cat", 2))
            _, came = await top(socket, leader("cat"))
            assert {data["board"] for data in came} == {other}

    asyncio.run(run())


def test_games_move_the_live_boards(server):
    """Completions and interactions write scores by other ways than the boards' own routes."""
    player, level = server.new_player(), unique("level")
    server.http("POST", "/api/levels", {"level_id": level, "name": "A level"})

    async def run():
        async with server.ws(key=None) as socket:
            await subscribe(socket, f"level:{level}")
            await top(socket)
            done = {"player_id": player, "score": 25}
            await asyncio.to_thread(server.http, "POST", f"/api/levels/{level}/completions", done)
            data, _ = await top(socket, leader(player))
            assert data["items"] == [{"rank": 1, "player_id": player, "score": 25}]

    asyncio.run(run())


def test_a_storm_of_scores_is_conflated_and_two_servers_agree(short_tmp, mariadb):
    backend = RedisServer(short_tmp / unique("redis"))
    name = unique("db").replace("-", "_")
    mariadb.sql(f"CREATE DATABASE {name} CHARACTER SET utf8mb4", f"GRANT ALL ON {name}.* TO 'game'@'%'")
    env = {**mariadb.env(name), "REDIS_URL": backend.url, "SKIRMISH_SERVER_THREADS": "2"}
    servers = [Server(short_tmp / unique("own"), env).start() for _ in range(2)]
    board, changes = new_board(servers[0]), 400

    def storm():
        for i in range(1, changes + 1):
            submit(servers[0], board, (f"p{i % 5}", i))

    async def watch(server):
        async with server.ws(key=None) as socket:
            await subscribe(socket, board)
            await top(socket)
            ready.release()
            _, came = await top(socket, lambda data: data["items"] and data["items"][0]["score"] == changes)
            return came

    async def run():
        watching = [asyncio.create_task(watch(s)) for s in servers * 3]
        for _ in watching:
            await ready.acquire()
        await asyncio.to_thread(storm)
        return await asyncio.gather(*watching)

    try:
        ready = asyncio.Semaphore(0)
        seen = asyncio.run(run())
        final = servers[1].http("GET", f"/api/leaderboards/{board}", key=None).json
        for came in seen:
            assert came[-1]["items"] == final["items"] and came[-1]["version"] == final["version"]
            versions = [data["version"] for data in came]
            assert versions == sorted(set(versions))
            assert 1 < len(came) < changes, "neither each change nor only the last"
    finally:
        for server in servers:
            server.stop()
        backend.stop()
        mariadb.sql(f"DROP DATABASE {name}")


def test_a_slow_reader_gets_the_latest_and_is_not_closed(own_server):
    board = unique("b")
    note = {"metadata": {"text": "x" * 1_000}}
    submit(own_server, board, *((f"p{i}", i, note) for i in range(1, 101)))
    rounds = 60  # of 100 KB each: more than what the sockets' buffers and the queue of the server hold

    async def run():
        narrow = sockets.socket()
        narrow.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 16_384)
        host, port = own_server.url.removeprefix("http://").split(":")
        narrow.connect((host, int(port)))
        async with own_server.ws(key=None) as quick, own_server.ws(key=None, sock=narrow, max_queue=1) as slow:
            for socket in (quick, slow):
                await subscribe(socket, board, limit=100)
                await top(socket)
            for i in range(1, rounds + 1):
                await asyncio.to_thread(submit, own_server, board, ("p1", 1_000 + i, note))
                await top(quick, lambda data: data["items"][0]["score"] == 1_000 + i)
            _, came = await top(slow, lambda data: data["items"][0]["score"] == 1_000 + rounds)
            assert len(came) < rounds, "what was overtaken was left out"

    asyncio.run(run())
