"""Several game servers, the webhook that hears of them, and what shows that a status worker is gone."""

import hashlib
import hmac
import http.server
import json
import re
import threading

import pytest

from conftest import Server, free_port, unique, wait_until
from status_support import RedisServer, Worker, status
from test_status_probe import A2SServer


@pytest.fixture
def start(short_tmp):
    started = []

    def make(kind=Server, *args, **env):
        fast = {"SKIRMISH_STATUS_PROBE_TIMEOUT": "600ms", "SKIRMISH_STATUS_PROBE_RETRY": "300ms"}
        started.append(kind(short_tmp / unique("n"), {**fast, **env}, args).start())
        return started[-1]

    yield make
    for s in started:
        s.stop()


@pytest.fixture
def redis_server(short_tmp):
    server = RedisServer(short_tmp / unique("r"))
    yield server
    server.stop()


@pytest.fixture
def hook():
    """A receiver that refuses the first attempt of each delivery."""
    seen = []

    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            first = all(h["Skirmish-Delivery"] != self.headers["Skirmish-Delivery"] for h, _ in seen)
            seen.append((dict(self.headers), body))
            self.send_response(500 if first else 204)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    server.seen = seen
    yield server
    server.shutdown()
    server.server_close()


def read_when(server, path, test, seconds=20):
    def good():
        answer = server.http("GET", path, key=None)
        return answer.json if answer.status == 200 and test(answer.json) else None
    return wait_until(good, seconds, what=path)


def test_several_servers_by_name(start):
    arena, lobby = A2SServer(), A2SServer()
    lobby.players = 3
    server = start(SKIRMISH_STATUS_PROBES=f"arena=a2s://127.0.0.1:{arena.port}, lobby=a2s://127.0.0.1:{lobby.port}, "
                                          f"gone=tcp://127.0.0.1:{free_port()}")
    d = read_when(server, "/api/servers/lobby/status", lambda d: d["online"])
    assert (d["server"], d["players"], d["max_players"], d["map"]) == ("lobby", 3, 32, "de_interop")
    assert read_when(server, "/api/servers/gone/status", lambda d: d["online"] is False)["observed_at"] is None
    first = read_when(server, "/api/servers/arena/status", lambda d: d.get("online"))
    assert first["players"] == 7 and first["rates"] and status(server)["players"] == 7
    read_when(server, "/api/servers/lobby/status/history", lambda h: h["players_peak"] == 3)
    read_when(server, "/api/servers/arena/status/history", lambda h: h["players_peak"] == 7)
    for path in ("/api/servers/nobody/status", "/api/servers/nobody/status/history"):
        assert server.http("GET", path, key=None).status == 404


def test_the_webhook_hears_of_each_change_once(start, hook):
    game = A2SServer()
    start(SKIRMISH_STATUS_PROBES=f"arena=a2s://127.0.0.1:{game.port}", SKIRMISH_STATUS_PROBE_FAILURES="2",
          SKIRMISH_STATUS_WEBHOOK_URL=f"http://127.0.0.1:{hook.server_address[1]}/hook?token=x",
          SKIRMISH_STATUS_WEBHOOK_SECRET="s3cret", STATUS_UPDATE_INTERVAL="5")

    def taken():
        return [json.loads(body) for i, (head, body) in enumerate(hook.seen)
                if any(h["Skirmish-Delivery"] == head["Skirmish-Delivery"] for h, _ in hook.seen[:i])]

    wait_until(lambda: game.requests > 1, what="a first answer")
    game.mode = "silent"
    wait_until(lambda: len(taken()) == 1, 40, what="news of the end")
    down = taken()[0]
    assert (down["event"], down["server"], down["online"]) == ("server_down", "arena", False)
    assert (down["players"], down["map"]) == (7, "de_interop") and down["observed_at"] < down["changed_at"]
    game.mode = "whole"
    wait_until(lambda: len(taken()) == 2, 40, what="news of the return")
    assert taken()[1]["event"] == "server_up" and len(hook.seen) == 4
    for head, body in hook.seen:
        t, mac = re.fullmatch(r"t=(\d+),v1=([0-9a-f]{64})", head["Skirmish-Signature"]).groups()
        assert hmac.new(b"s3cret", f"{t}.".encode() + body, hashlib.sha256).hexdigest() == mac


def test_a_server_that_is_down_keeps_its_last_words(start):
    game = A2SServer()
    server = start(SKIRMISH_STATUS_PROBE=f"a2s://127.0.0.1:{game.port}", SKIRMISH_STATUS_PROBE_FAILURES="1")
    seen = read_when(server, "/server/status", lambda d: d.get("online"))
    game.mode = "silent"
    assert server.http("POST", "/api/status/refresh").status == 200
    d = read_when(server, "/server/status", lambda d: d["online"] is False)
    assert (d["players"], d["map"], d["name"]) == (7, "de_interop", "Interop")
    assert d["observed_at"] == seen["observed_at"] < d["checked_at"] == d["changed_at"]


def test_a_status_worker_that_is_gone_shows(start, redis_server):
    env = {"REDIS_URL": redis_server.url, "SKIRMISH_STATUS_STALE_AFTER": "5s", "SKIRMISH_STATUS_FRESH_GRACE": "1s",
           "STATUS_UPDATE_INTERVAL": "5", "STATUS_CACHE_TTL": "5"}
    server = start(SKIRMISH_STATUS_REFRESHER="0", **env)
    worker = start(Worker, **env)
    health = read_when(server, "/health", lambda h: h["status"] == "ok" and h["last_scheduled_refresh"])
    assert "message" not in health
    log = worker.log_text()
    assert "status_worker_started interval=5s redis=redis://127.0.0.1" in log and "sql=" in log
    line = next(line for line in log.splitlines() if "status_refreshed" in line)
    for field in ("online=", "rate_exp=", "players=", "duration_ms=", "next_in=5s"):
        assert field in line, line
    worker.kill()

    def is_filled_but_stale():
        status(server)  # readers keep the cache filled
        h = server.http("GET", "/health", key=None).json
        return h if h["status"] == "stale" and h["age_seconds"] < 5 else None

    h = wait_until(is_filled_but_stale, 40, what="a young document that no worker refreshed")
    assert "no status worker has refreshed" in h["message"]
    assert "status_filled_for_a_reader" in server.log_text()
    metrics = server.http("GET", "/metrics", key=None).body.decode()
    assert float(re.search(r"^skirmish_status_scheduled_refresh_time_seconds (\S+)", metrics, re.M).group(1)) > 1e9


def test_a_document_of_another_program_is_read(start, redis_server):
    server = start(SKIRMISH_STATUS_REFRESHER="0", REDIS_URL=redis_server.url)
    for updated_at in (1_795_233_971, 1_795_233_971.0, "2026-11-21T04:06:11", "2026-11-21T04:06:11.000000"):
        redis_server.client().set("server:status", json.dumps({"rates": {"exp": 2}, "updated_at": updated_at}))
        d = read_when(server, "/server/status", lambda d: d["rates"]["exp"] == 2.0)
        assert d["updated_at"] == "2026-11-21T04:06:11.000Z" and d["updated_at_unix"] == 1_795_233_971


def test_a_clean_first_start_has_nothing_to_complain_of(start):
    server = start()
    assert status(server)["rates"]
    wait_until(lambda: "status_refreshed" in server.log_text(), what="the first refresh")
    lines = server.log_text().splitlines()
    assert [line for line in lines if re.search(r"Z (warn|warning|error) ", line)] == []
    migrated = [line.split("migrated", 1)[1] for line in lines if " migrated " in line]
    assert migrated and len(migrated) == len(set(migrated))
