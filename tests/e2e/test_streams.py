"""A stream has one owner and one writer at a time, wherever they connect."""

import asyncio
import contextlib
import json

import pytest
import websockets
from conftest import Server, unique
from redis_process import RedisProcess

TAKEN_OVER, NOT_YOURS = 3501, 3502


def attack(attacker, target, damage):
    return {"type": "attack", "attacker_id": attacker, "target_id": target, "damage": damage}


def frame(seq, *events):
    return json.dumps({"seq": seq, "interactions": list(events)})


async def told(socket):
    return json.loads(await asyncio.wait_for(socket.recv(), 20))


async def close_code(socket):
    """What ends the socket; whatever is said before is passed over."""
    with pytest.raises(websockets.exceptions.ConnectionClosed):
        while True:
            await asyncio.wait_for(socket.recv(), 20)
    return socket.close_code


def other_key(server):
    return server.run("apikey", "--data-dir", str(server.data_dir), "create", "--role", "server").stdout.strip()


def hp(server, player):
    return server.http("GET", f"/api/players/{player}/state").json["hp"]


@pytest.fixture
def pair(short_tmp, mariadb):
    """Two server processes with one Redis and one database."""
    name = unique("db").replace("-", "_")
    mariadb.sql(f"CREATE DATABASE {name} CHARACTER SET utf8mb4", f"GRANT ALL ON {name}.* TO 'game'@'%'")
    with RedisProcess(short_tmp / unique("redis")) as backend:
        env = {**mariadb.env(name), "REDIS_URL": backend.url}
        servers = [Server(short_tmp / unique("own"), env).start() for _ in range(2)]
        yield *servers, other_key(servers[0])
        for s in servers:
            s.stop()


def test_a_stream_belongs_to_the_key_that_opened_it_first(own_server):
    server = own_server
    stream, key = unique("stream"), other_key(own_server)
    path = f"/api/ws?stream={stream}"
    a, b = server.new_player(), server.new_player()

    async def refuse():
        async with server.ws(path, key=key) as thief:
            with contextlib.suppress(websockets.ConnectionClosed):  # the refusal may be faster
                for n in range(1, 6):
                    await thief.send(frame(n))
            assert await close_code(thief) == NOT_YOURS

    async def before():
        async with server.ws(path) as owner:
            assert (await told(owner))["stream"]["committed"] == 0
            await refuse()
            for n in range(1, 6):
                await owner.send(frame(n, attack(a, b, 1)))
            while await told(owner) != {"ack": 5}:
                pass

    async def after():
        await refuse()
        async with server.ws(path) as owner:
            assert (await told(owner))["stream"]["committed"] == 5

    asyncio.run(before())
    assert hp(server, b) == 95
    # The owner outlives the server, as the number does.
    server.stop()
    server.start()
    asyncio.run(after())


def test_a_newer_connection_takes_a_stream_over_on_another_server(pair):
    first, second, key = pair
    stream = unique("stream")
    path = f"/api/ws?stream={stream}"

    def new_player():
        player = unique()
        assert first.http("POST", "/api/players", {"player_id": player, "name": "P"}, key=key).status == 201
        return player

    a, b = new_player(), new_player()

    async def session():
        async with first.ws(path, key=key) as older:
            assert (await told(older))["stream"]["committed"] == 0
            await older.send(frame(1, attack(a, b, 1)))
            assert await told(older) == {"ack": 1}
            async with second.ws(path, key=key) as newer:
                assert (await told(newer))["stream"]["committed"] == 1
                # Told without sending anything.
                assert await close_code(older) == TAKEN_OVER
                await newer.send(frame(2, attack(a, b, 1)))
                assert await told(newer) == {"ack": 2}

    asyncio.run(session())
    assert first.http("GET", f"/api/players/{b}/state", key=key).json["hp"] == 98


def test_frames_of_the_older_connection_do_not_count_any_more(own_server):
    """Also when it has not been told: both send the same number in every order."""
    server = own_server
    path = f"/api/ws?stream={unique('stream')}"
    a, b = server.new_player(), server.new_player()

    async def session():
        sockets = []
        for turn in range(1, 9):
            newer = await server.ws(path)
            assert (await told(newer))["stream"]["committed"] == turn - 1
            sockets.append(newer)
            if turn > 1:
                try:
                    await sockets[-2].send(frame(turn, attack(a, b, 10)))
                except websockets.exceptions.ConnectionClosed:
                    pass
            await newer.send(frame(turn, attack(a, b, 1)))
            assert await told(newer) == {"ack": turn}
        for older in sockets[:-1]:
            assert await close_code(older) == TAKEN_OVER
        await sockets[-1].close()

    asyncio.run(session())
    assert hp(server, b) == 92
