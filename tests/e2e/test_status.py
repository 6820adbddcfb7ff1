"""The server status as its readers see it, with a real MariaDB and a real Redis."""

import gzip
import json
import re
import time

import pytest

from conftest import Server, unique, wait_until
from status_support import QueryLog, RedisServer, Worker, create_constants, read_many, status


@pytest.fixture(scope="module")
def backends(mariadb, short_tmp):
    redis_server = RedisServer(short_tmp / "status-redis")
    yield mariadb, redis_server
    redis_server.stop()


@pytest.fixture
def world(backends, short_tmp):
    """Starts servers on a fresh database and an empty Redis."""
    mariadb, redis_server = backends
    redis_server.client().flushall()
    database = unique("s").replace("-", "_")
    create_constants(mariadb, database)
    started = []

    class World:
        pass

    w = World()
    w.mariadb, w.redis, w.database = mariadb, redis_server, database
    w.env = {**mariadb.env(database), "REDIS_URL": redis_server.url}
    w.log = QueryLog(mariadb)

    def start(kind=Server, *args, **env):
        s = kind(short_tmp / unique("d"), {**w.env, **env}, args).start()
        started.append(s)
        return s

    w.start = start
    yield w
    for s in started:
        if s.process.poll() is None:
            s.stop()


def test_document_and_headers(world):
    server = world.start(STATUS_CACHE_TTL="900")
    for path in ("/server/status", "/api/server/status"):
        answer = server.http("GET", path, key=None)
        assert answer.status == 200
        assert answer.json["rates"] == {"exp": 2.5, "pvp": 1.0, "pve": 1.0, "color_mob": 1.0, "skill": 1.0}
        assert answer.json["server_status"] == 1.0 and answer.json["client_status"] == 257.0
        assert answer.json["_meta"] == {"ServerStatus": "up or down", "RateExp": "experience", "CLIENT_STATUS": "client"}
        assert answer.json["_cache"]["cached"] is True and answer.json["_cache"]["age_seconds"] < 20
        for word in ("max-age=", "stale-while-revalidate=", "stale-if-error="):
            assert word in answer.headers["Cache-Control"]
        assert answer.headers["Date"] and answer.headers["X-Request-Id"]
    etag = answer.headers["ETag"]
    again = server.http("GET", "/server/status", key=None, headers={"If-None-Match": f'"x", {etag}'})
    assert again.status == 304 and again.body == b"" and again.headers["ETag"] == etag
    packed = server.http("GET", "/server/status", key=None, headers={"Accept-Encoding": "br, gzip"})
    assert packed.headers["Content-Encoding"] == "gzip" and json.loads(gzip.decompress(packed.body))["rates"]
    head = server.http("HEAD", "/server/status", key=None)
    assert head.status == 200 and head.body == b"" and int(head.headers["Content-Length"]) > 100
    r = world.redis.client()
    assert r.type("server:status") == "string" and 850 < r.ttl("server:status") <= 900
    assert json.loads(r.get("server:status"))["rates"]["exp"] == 2.5
    debug = server.http("GET", "/server/status/debug", key=None).json
    assert debug["cached"] and debug["is_fresh"] and 850 < debug["ttl"] <= 900 and debug["updated_at"]
    assert server.http("GET", "/health", key=None).json["status"] == "ok"
    assert server.http("POST", "/server/status", key=None).status == 405


def test_cors(world):
    site = {"Origin": "https://play.example.com"}
    closed = world.start()
    assert "Access-Control-Allow-Origin" not in closed.http("GET", "/server/status", key=None, headers=site).headers
    listed = world.start(Server, SKIRMISH_STATUS_CORS_ORIGINS="https://a.example, https://play.example.com")
    answer = listed.http("GET", "/server/status", key=None, headers=site)
    assert answer.headers["Access-Control-Allow-Origin"] == "https://play.example.com"
    assert "Origin" in answer.headers["Vary"]
    other = listed.http("GET", "/server/status", key=None, headers={"Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in other.headers
    asked = listed.http("OPTIONS", "/server/status", key=None, headers=site)
    assert asked.status == 204 and "GET" in asked.headers["Access-Control-Allow-Methods"]
    everyone = world.start(Server, SKIRMISH_STATUS_CORS_ORIGINS="*")
    for path in ("/server/status", "/server/status?strict=1"):  # the fast path and the ordinary one
        assert everyone.http("GET", path, key=None, headers=site).headers["Access-Control-Allow-Origin"] == "*"


def wait_for_first_refreshes(server):
    """A start refreshes once or twice, the second time when it has made the tables; after that only the clock asks."""
    first_seen = {}

    def is_quiet():
        text = server.http("GET", "/metrics", key=None).body.decode()
        refreshes = re.search(r"^skirmish_status_refreshes_total (\d+)", text, re.M).group(1)
        since = first_seen.setdefault(refreshes, time.monotonic())
        return "skirmish_status_leader 1" in text and refreshes != "0" and time.monotonic() - since > 2

    wait_until(is_quiet, what="the end of the first refreshes")


def test_a_warm_cache_costs_no_query_and_a_cold_one_exactly_one(world):
    server = world.start()
    wait_for_first_refreshes(server)
    world.log.start()
    answers = read_many(server)
    assert len(answers) == 10_000 and {code for code, _ in answers} == {200}
    assert all(body["_cache"]["cached"] for _, body in answers)
    assert world.log.count() == 0

    world.redis.client().delete("server:status")
    answers = read_many(server)
    assert {code for code, _ in answers} == {200}
    # The near cache may have served them all before it saw that the key is gone; the next reader then fills it.
    wait_until(lambda: status(server) and world.redis.client().exists("server:status"), what="the filled cache")
    assert world.log.count() == 1


def test_a_cold_start_with_many_readers_and_processes_costs_one_query(world):
    servers = [world.start(Server, SKIRMISH_STATUS_REFRESHER="0") for _ in range(2)]
    world.redis.client().delete("server:status")
    time.sleep(1)  # nothing is refreshed by the clock here: the key stays away until somebody reads
    assert not world.redis.client().exists("server:status")
    world.log.start()
    for server in servers:
        answers = read_many(server, connections=100, requests=1000)
        assert {code for code, _ in answers} == {200}
        assert all(body["rates"]["exp"] == 2.5 for _, body in answers)
    assert world.log.count() == 1


def test_the_interval_changes_live(world):
    server = world.start(STATUS_UPDATE_INTERVAL="600")
    r = world.redis.client()
    status(server)
    for bad in ("4", "86401", "soon", "5.5", "", "-5", "9" * 500):
        r.set("config:status_interval", bad)
        wait_until(lambda b=bad: f"value={b[:200]}" in server.log_text() or f'value="{b}"' in server.log_text(),
                   what=f"a log line about {bad[:20]!r}")
        assert server.http("GET", "/server/status/debug", key=None).json["interval_seconds"] == 600
    wait_for_first_refreshes(server)
    world.log.start()
    r.set("config:status_interval", "5")
    wait_until(lambda: server.http("GET", "/server/status/debug", key=None).json["interval_seconds"] == 5)
    wait_until(lambda: world.log.count() >= 3, 40, "three refreshes")
    r.delete("config:status_interval")
    wait_until(lambda: server.http("GET", "/server/status/debug", key=None).json["interval_seconds"] == 600)


def test_the_interval_is_set_by_the_api(world):
    apis = [world.start(), world.start()]
    api = apis[0]
    debug = lambda of: of.http("GET", "/server/status/debug", key=None).json  # noqa: E731
    setting = debug(api)["interval_seconds"]
    assert debug(api)["is_interval_set"] is False
    for bad in (9, 3601, 1.5, "60", None):
        assert api.http("PUT", "/api/status/interval", {"interval_seconds": bad}).status == 400, bad
    assert debug(api)["interval_seconds"] == setting
    assert api.http("PUT", "/api/status/interval", {"interval_seconds": 60}).json == {"interval_seconds": 60}
    for of in apis:
        wait_until(lambda of=of: (debug(of)["interval_seconds"], debug(of)["is_interval_set"]) == (60, True), 20, "the interval everywhere")
    assert api.redis().get("config:status_interval") == "60"
    assert api.http("DELETE", "/api/status/interval").status == 204
    assert api.http("DELETE", "/api/status/interval").status == 204
    for of in apis:
        wait_until(lambda of=of: (debug(of)["interval_seconds"], debug(of)["is_interval_set"]) == (setting, False), 20, "the setting again")


def test_refresh_now(world):
    server = world.start()
    before = status(server)["updated_at"]
    assert server.http("POST", "/api/status/refresh", key=None).status == 401
    world.mariadb.sql("UPDATE constants SET Value = 7 WHERE Name = 'RateExp'", database=world.database)
    done = server.http("POST", "/api/status/refresh")
    assert done.status == 200 and done.json["updated_at"] > before
    wait_until(lambda: status(server)["rates"]["exp"] == 7.0)


def test_one_of_many_workers_refreshes_and_another_takes_over(world):
    workers = [world.start(Worker, STATUS_UPDATE_INTERVAL="5") for _ in range(3)]

    def leaders():
        return [w for w in workers if w.process.poll() is None and
                b"skirmish_status_leader 1" in w.http("GET", "/metrics", key=None).body]

    def lease():
        return world.redis.client().get("server:status:leader")

    wait_until(lambda: len(leaders()) == 1, what="one leader")
    for w in workers:
        wait_until(lambda w=w: w.http("GET", "/health", key=None).json["status"] == "ok")
    first = leaders()[0]
    first.kill()
    # What makes it the 15 s: the lease ends soon, and the others look twice a second.
    assert world.redis.client().pttl("server:status:leader") <= 10_000
    wait_until(lambda: len(leaders()) == 1, 40, "the takeover")
    second, token = leaders()[0], lease()
    second.stop()  # gives its lease back, so the next one need not wait for it
    assert lease() != token
    wait_until(lambda: len(leaders()) == 1, what="the handover")


def test_bad_rows_are_told_of_and_the_others_served(world):
    create_constants(world.mariadb, world.database, value_type="VARCHAR(50)", rows=(
        "('ServerStatus', '0', 'down')", "('RateExp', 'many', '')", "('RatePvp', NULL, NULL)", "('RatePve', '3', 'a')",
        "('RatePve', '4', 'b')", "(NULL, '5', 'nameless')", "('RateSkill', '6', REPEAT('x', 10000000))"))
    server = world.start()
    d = wait_until(lambda: status(server), what="a status")
    assert d["server_status"] == 0.0 and d["rates"] == {"exp": 1.0, "pvp": 1.0, "pve": 3.0, "color_mob": 1.0, "skill": 6.0}
    assert len(d["_meta"]["RateSkill"]) <= 1024
    log = server.log_text()
    for words in ("RateExp is `many`", "RatePvp is NULL", "RatePve stands there twice", "no Name", "10000000 bytes"):
        assert words in log, words
    # A table that goes: the values known last are served, and the log says so.
    world.mariadb.sql("DROP TABLE constants", database=world.database)
    assert server.http("POST", "/api/status/refresh").status == 200
    assert status(server)["rates"]["pve"] == 3.0
    assert "status_table_missing" in server.log_text()


def test_history_and_badge(world):
    server = world.start(STATUS_UPDATE_INTERVAL="600")
    for _ in range(3):
        assert server.http("POST", "/api/status/refresh").status == 200
    assert world.redis.client().xlen("server:status:history") >= 3
    history = wait_until(lambda: (lambda h: h if len(h["points"]) >= 3 else None)(
        server.http("GET", "/api/server/status/history?hours=24", key=None).json), 10)
    assert history["uptime_percent"] == 100.0 and history["points"][0]["online"] is True
    for bad in ("0", "721", "x", ""):
        assert server.http("GET", f"/api/server/status/history?hours={bad}", key=None).status == 400
    badge = server.http("GET", "/api/server/status/badge.svg", key=None)
    assert badge.headers["Content-Type"].startswith("image/svg+xml") and b"online" in badge.body
