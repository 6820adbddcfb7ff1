"""The server status while MariaDB, Redis or both are stopped, frozen and started again: never an error."""

import threading
import time

import pytest

from conftest import Server, MariaDB, unique, wait_until
from status_support import RedisServer, create_constants, status


class Reader(threading.Thread):
    """Reads all the time, and notes whatever is not a 200 or takes long."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.problems, self.slowest, self.reads = server, [], 0.0, 0
        self.running = True

    def run(self):
        while self.running:
            start = time.monotonic()
            try:
                answer = self.server.http("GET", "/server/status", key=None, timeout=10)
                if answer.status != 200 or "rates" not in answer.json:
                    self.problems.append(repr(answer))
            except Exception as e:  # noqa: BLE001: any error is what this looks for
                self.problems.append(repr(e))
            self.slowest = max(self.slowest, time.monotonic() - start)
            self.reads += 1
            time.sleep(0.01)

    def finish(self):
        self.running = False
        self.join(20)
        assert not self.problems, self.problems[:3]
        assert self.reads > 20
        assert self.slowest < 6, f"a reader waited {self.slowest:.1f} s"


@pytest.fixture
def world(short_tmp):
    """Backends of a test's own, because they are stopped."""
    directory = short_tmp / unique("o")
    directory.mkdir()
    mariadb = MariaDB(directory)
    create_constants(mariadb, "game")
    redis_server = RedisServer(directory / "redis")
    server = Server(directory / "data", {**mariadb.env("game"), "REDIS_URL": redis_server.url}).start()
    wait_until(lambda: status(server)["_cache"]["cached"], what="the first document")
    yield server, mariadb, redis_server
    if server.process.poll() is None:
        server.kill()
    redis_server.stop()
    if mariadb.process.poll() is None:
        mariadb.process.kill()


def expect(server, what, **wanted):
    def fits():
        d = status(server)
        flat = {"stale": d.get("stale", False), **d["_cache"]}
        return all(flat.get(k) == v for k, v in wanted.items())
    wait_until(fits, 30, what)


def test_every_combination_and_back_again(world):
    server, mariadb, redis_server = world
    reader = Reader(server)
    reader.start()

    mariadb.stop()
    expect(server, "the cache while MariaDB is down", cached=True)
    redis_server.stop()
    expect(server, "the last known while both are down", stale=True, cached=False)
    d = status(server)
    assert d["rates"]["exp"] == 2.5 and d["_cache"]["age_seconds"] >= 0
    assert status(server, "/server/status?strict=1")["stale"] is True
    mariadb.start()
    expect(server, "the database while only Redis is down", cached=False, source="database", stale=False)
    mariadb.sql("UPDATE constants SET Value = 9 WHERE Name = 'RateExp'", database="game")
    wait_until(lambda: status(server)["rates"]["exp"] == 9.0, what="a change seen without Redis")
    redis_server.start()
    expect(server, "the cache again", cached=True, stale=False)
    assert status(server)["rates"]["exp"] == 9.0
    assert redis_server.client().exists("server:status")

    redis_server.stop()
    expect(server, "the database", cached=False, source="database")
    mariadb.stop()
    expect(server, "the last known", stale=True)
    redis_server.start()
    expect(server, "the last known with an empty Redis", stale=True)
    mariadb.start()
    expect(server, "the cache in the end", cached=True, stale=False)
    reader.finish()


def test_frozen_backends_delay_nobody(world):
    server, mariadb, redis_server = world
    reader = Reader(server)
    reader.start()
    redis_server.freeze()
    expect(server, "the database while Redis is frozen", source="database")
    mariadb.process.send_signal(19)  # SIGSTOP
    expect(server, "the last known while both are frozen", stale=True)
    mariadb.process.send_signal(18)  # SIGCONT
    redis_server.thaw()
    expect(server, "the cache", cached=True)
    reader.finish()


def test_the_last_known_survives_a_restart(world):
    server, mariadb, redis_server = world
    mariadb.stop()
    redis_server.stop()
    expect(server, "the last known", stale=True)
    server.kill()
    server.start(wait=False)
    wait_until(lambda: reachable(server), 30, "the restarted server")
    expect(server, "the last known after a restart", stale=True, cached=False)
    assert status(server)["rates"]["exp"] == 2.5
    assert server.http("GET", "/health", key=None).json["status"] == "stale"
    mariadb.start()
    redis_server.start()
    expect(server, "the cache", cached=True, stale=False)


def test_nothing_known_gives_the_defaults(world):
    server, mariadb, redis_server = world
    mariadb.stop()
    redis_server.stop()
    server.kill()
    (server.data_dir / "status.json").unlink()
    server.start(wait=False)
    wait_until(lambda: reachable(server), 30, "the restarted server")
    d = status(server)
    assert d["_cache"]["cached"] is False and d["_cache"]["error"]
    assert d["rates"] == {"exp": 1.0, "pvp": 1.0, "pve": 1.0, "color_mob": 1.0, "skill": 1.0}
    assert d["client_status"] == 256.0
    assert server.http("GET", "/server/status?strict=1", key=None).status == 503
    health = server.http("GET", "/health", key=None)
    assert health.status == 503 and health.json["status"] == "error"
    assert server.http("POST", "/api/status/refresh", key="sk_x_y").status in (401, 503)


def reachable(server):
    try:
        return server.http("GET", "/healthz", key=None, timeout=2).status == 200
    except OSError:
        return False
