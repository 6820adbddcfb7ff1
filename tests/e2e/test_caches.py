"""Profiles and levels behind their caches: how often SQL is asked, and what is served when it is away."""

import asyncio
import collections
import os
import pathlib
import resource
import signal
import subprocess
import threading
import time

import pytest

from conftest import BINARY, Server, unique, wait_until
from status_support import QueryLog, RedisServer


@pytest.fixture
def maria(mariadb):
    """A database of a test's own; the server is running and thawed afterwards."""
    name = unique("db").replace("-", "_")
    mariadb.sql(f"CREATE DATABASE {name} CHARACTER SET utf8mb4", f"GRANT ALL ON {name}.* TO 'game'@'%'")
    mariadb.own_env = mariadb.env(name)
    yield mariadb
    if mariadb.process.poll() is not None:
        mariadb.start()
    mariadb.process.send_signal(signal.SIGCONT)
    mariadb.sql(f"DROP DATABASE {name}")


@pytest.fixture
def maria_server(short_tmp, maria):
    server = Server(short_tmp / unique("own"), maria.own_env).start()
    yield server
    if server.process.poll() is None:
        server.stop()


def profile(server, player):
    return server.http("GET", f"/api/players/{player}")


def from_cache(answer):
    assert answer.status == 200, answer
    return answer.headers["X-Cache"]


async def read_at_once(server, path, count, prepare=None):
    """Status and X-Cache of `count` requests, each on a connection of its own, all open before the first is sent."""
    host, port = server.url.removeprefix("http://").split(":")
    request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nX-API-Key: {server.key}\r\nConnection: close\r\n\r\n".encode()
    connections = [await asyncio.open_connection(host, port) for _ in range(count)]
    if prepare:
        await asyncio.to_thread(prepare)

    async def ask(reader, writer):
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        await reader.read()
        writer.close()
        found = [line.split(": ")[1] for line in head.split("\r\n") if line.startswith("x-cache")]
        return int(head.split()[1]), found[0] if found else None

    return collections.Counter(await asyncio.gather(*(ask(*c) for c in connections)))


def test_a_thousand_readers_of_a_cold_profile_cost_one_query(short_tmp, maria):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard if hard > 0 else 65_536, hard))
    server = Server(short_tmp / unique("own"), {**maria.own_env, "SKIRMISH_SERVER_THREADS": "4"}).start()
    try:
        player = server.new_player()
        log = QueryLog(maria)
        log.start()
        query = f"SELECT name, email, level, created_at, version FROM players%{player}%"
        server.redis().delete(f"user:{player}")
        assert log.count(query) == 0
        # The table is locked for a while, so that the load takes long enough for all to come meanwhile.
        lock = threading.Thread(target=maria.sql, args=("LOCK TABLES players WRITE", "SELECT SLEEP(0.5)"),
                                kwargs={"database": maria.own_env["DB_NAME"]})

        def lock_players():
            lock.start()
            wait_until(lambda: "SELECT SLEEP" in maria.sql("SHOW PROCESSLIST").stdout, what="the lock")

        answers = asyncio.run(read_at_once(server, f"/api/players/{player}", 1_000, lock_players))
        lock.join()
        assert sum(answers.values()) == 1_000 and {status for status, _ in answers} == {200}, answers
        assert answers[(200, "miss")] > 1, answers
        assert log.count(query) == 1
        again = asyncio.run(read_at_once(server, f"/api/players/{player}", 1_000))
        assert again == {(200, "hit"): 1_000} and log.count(query) == 1
        nobody = unique("nobody")
        like = f"SELECT name, email, level, created_at, version FROM players%{nobody}%"
        absent = asyncio.run(read_at_once(server, f"/api/players/{nobody}", 200))
        assert absent == {(404, None): 200} and log.count(like) == 1, "an absence is remembered as well"
        assert server.http("POST", "/api/players", {"player_id": nobody, "name": "Now"}).status == 201
        assert from_cache(profile(server, nobody)) == "hit", "until it is born"
    finally:
        server.stop()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("how", ["killed", "frozen"])
def test_without_sql_the_cached_is_served_and_the_rest_refused_quickly(maria, maria_server, how):
    server = maria_server
    player, uncached = server.new_player(), server.new_player()
    level, uncached_level = unique("level"), unique("level")
    for name in (level, uncached_level):
        assert server.http("POST", "/api/levels", {"level_id": name, "name": "Dust"}).status == 201
    server.redis().delete(f"user:{uncached}", f"level:{uncached_level}")
    assert from_cache(profile(server, player)) == from_cache(server.http("GET", f"/api/levels/{level}")) == "hit"
    if how == "killed":
        maria.process.kill()
        maria.process.wait(20)
    else:
        maria.process.send_signal(signal.SIGSTOP)
    time.sleep(0.3)  # until each of its threads has stopped, and copies in memory know what was deleted
    try:
        assert profile(server, player).status == 200
        took = []
        for path in (f"/api/players/{uncached}", f"/api/levels/{uncached_level}") * 3:
            begin = time.monotonic()
            refused = server.http("GET", path)
            took.append(time.monotonic() - begin)
            assert refused.status == 503 and refused.headers["Retry-After"], refused
            assert refused.json["code"] == "unavailable"
        assert min(took) < 1 and max(took) < 5, took
        wait_until(lambda: from_cache(profile(server, player)) == "stale", what="the outage to be noticed")
        assert from_cache(server.http("GET", f"/api/levels/{level}", key=None)) == "stale"
    finally:
        if how == "killed":
            maria.start()
        else:
            maria.process.send_signal(signal.SIGCONT)
    wait_until(lambda: profile(server, uncached).status == 200, what="the end of the outage")
    wait_until(lambda: from_cache(profile(server, player)) == "hit", what="the end of the outage to be noticed")


def test_a_change_is_seen_by_every_thread_at_once(short_tmp):
    server = Server(short_tmp / unique("own"), {"SKIRMISH_SERVER_THREADS": "4"}).start()
    try:
        player, level = server.new_player(), unique("level")
        server.http("POST", "/api/levels", {"level_id": level, "name": "-1"})

        def names():  # each request is a connection of its own, so they are spread over the threads
            return {server.http("GET", path).json["name"] for path in paths for _ in range(12)}

        paths = [f"/api/players/{player}", f"/api/levels/{level}"]
        for i in range(10):
            names()  # all threads have copies in memory
            for path in paths:
                assert server.http("PATCH", path, {"name": str(i)}).status == 200
            assert names() == {str(i)}
        names()
        for path in paths:
            assert server.http("DELETE", path).status == 204
        assert {server.http("GET", path).status for path in paths for _ in range(12)} == {404}
        text = server.http("GET", "/metrics").body.decode()
        for name in ("hits", "near_hits", "misses", "loads", "waits", "stale"):
            assert f'skirmish_cache_{name}_total{{cache="profiles"}}' in text, name
        assert 'skirmish_cache_load_seconds_count{cache="levels"}' in text
    finally:
        server.stop()


def test_a_change_on_one_server_reaches_the_memory_of_another(short_tmp, maria):
    with_redis = RedisServer(short_tmp / unique("redis"))
    env = {**maria.own_env, "REDIS_URL": with_redis.url}
    servers = [Server(short_tmp / unique("own"), env).start() for _ in range(2)]
    one, two = servers
    two.data_dir = one.data_dir  # the key was made by the first
    try:
        player = one.new_player()
        for server in servers * 4:
            assert profile(server, player).json["name"] == "Player"
        assert one.http("PATCH", f"/api/players/{player}", {"name": "Zoë"}).status == 200
        wait_until(lambda: all(profile(two, player).json["name"] == "Zoë" for _ in range(8)), 10)
        assert two.http("DELETE", f"/api/players/{player}").status == 204
        wait_until(lambda: all(profile(one, player).status == 404 for _ in range(8)), 10)
    finally:
        for server in servers:
            server.stop()
        with_redis.stop()


def test_a_damaged_entry_is_loaded_again(own_server):
    player, level = own_server.new_player(), unique("level")
    own_server.http("POST", "/api/levels", {"level_id": level, "name": "Dust"})
    r = own_server.redis()
    r.delete(f"user:{player}")
    r.hset(f"user:{player}", "name", "somebody else's")
    r.set(f"level:{level}", "no JSON")
    assert (x := profile(own_server, player)).json["name"] == "Player" and from_cache(x) == "miss"
    assert own_server.http("GET", f"/api/levels/{level}").json["name"] == "Dust"
    r.delete(f"user:{player}")
    r.set(f"user:{player}", "not even a hash")
    wait_until(lambda: profile(own_server, player).json["name"] == "Player" and r.type(f"user:{player}") == "hash")
    assert r.hget(f"user:{player}", "name") == "Player" and r.ttl(f"user:{player}") > 3_500


def test_reading_keeps_a_profile_alive(own_server):
    player = own_server.new_player()
    own_server.redis().expire(f"user:{player}", 100)
    # The copy in a thread's memory goes as soon as Redis has said so.
    wait_until(lambda: profile(own_server, player).status == 200 and own_server.redis().ttl(f"user:{player}") > 3_500)


def test_the_example(short_tmp):
    example = pathlib.Path(BINARY).parent / "examples/cached_profiles"
    if not example.exists():
        pytest.skip("skipped: the examples are not built")
    backend = RedisServer(short_tmp / unique("redis"))
    try:
        done = subprocess.run([example], env={**os.environ, "REDIS_URL": backend.url}, capture_output=True, text=True,
                              timeout=60)
        assert done.returncode == 0, done.stderr
        assert [line.split("  ")[:2] for line in done.stdout.splitlines()[:4]] == [
            ["Ada", "miss"], ["Ada", "hit"], ["Ada", "hit"], ["Grace", "miss"]]
        assert done.stdout.endswith("the source was asked 2 times\n")
        assert backend.client().hgetall("user:42") == {"name": "Grace", "level": "3"}
    finally:
        backend.stop()
