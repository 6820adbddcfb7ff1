"""What the machinery says of itself: servers, backends, settings, slow requests, warnings."""

import os
import pathlib
import subprocess

from conftest import BINARY, Server, unique, wait_until


def test_a_server_is_listed(server):
    wait_until(lambda: server.http("GET", "/api/servers").json["servers"], 20, "the first announcement")
    rows = server.http("GET", "/api/servers?limit=100").json["servers"]
    assert any(row["state"] == "online" and row["pid"] > 0 and row["version"] for row in rows), rows


def test_workers_beat_and_status_workers_are_listed(short_tmp):
    server = Server(short_tmp / unique("roles")).start()
    data = ["--data-dir", str(server.data_dir)]
    log = open(short_tmp / unique("roles.log"), "wb")
    rows = lambda: {row["role"]: row for row in server.http("GET", "/api/servers").json["servers"]}  # noqa: E731
    started = {}
    try:
        for role, arguments in (("worker", ["-c", "3"]), ("beat", []), ("status-worker", ["--listen", "127.0.0.1:0"])):
            started[role] = subprocess.Popen([BINARY, role, *data, *arguments], stdout=subprocess.DEVNULL, stderr=log, env=server.env)
        wait_until(lambda: set(rows()) == {"serve", *started}, 30, "all four")
        found = rows()
        for role, process in started.items():
            row = found[role]
            assert row["pid"] == process.pid and row["version"] == found["serve"]["version"] and row["state"] == "online"
            assert row["started_at"] <= row["seen_at"]
        assert found["worker"]["threads"] == 3
        # One that ends is taken out; one that is killed is lost.
        started["beat"].terminate()
        assert started["beat"].wait(30) == 0
        assert "beat" not in rows()
        started["worker"].kill()
        wait_until(lambda: rows()["worker"]["state"] == "lost", 40, "the loss")
    finally:
        for process in started.values():
            process.kill()
            process.wait(20)
        server.stop()


def test_a_status_worker_ends_though_redis_never_knew_of_it(short_tmp):
    log = open(short_tmp / unique("away.log"), "wb")
    process = subprocess.Popen([BINARY, "status-worker", "--data-dir", str(short_tmp / unique("away")), "--listen", "127.0.0.1:0"],
                               stdout=subprocess.PIPE, stderr=log, text=True, env={**os.environ, "REDIS_URL": "redis://127.0.0.1:1"})
    assert process.stdout.readline().startswith("ready http://")
    process.terminate()
    assert process.wait(60) == 0, pathlib.Path(log.name).read_text()


def test_operators_read_readiness_and_metrics_below_api(server):
    assert server.http("GET", "/api/readyz").json == server.http("GET", "/readyz", key=None).json
    assert b"skirmish_connections_closed_slow_total" in server.http("GET", "/api/metrics").body
    assert server.http("GET", "/api/metrics", key=None).status == 401


def test_backends_are_asked(server):
    body = server.http("GET", "/api/backends").json
    assert body["redis"]["is_reachable"] and body["redis"]["version"] and body["redis"]["used_memory"] > 0
    assert body["sql"]["is_reachable"] and body["sql"]["version"]


def test_settings_hide_secrets(server):
    rows = {row["name"]: row for row in server.http("GET", "/api/config").json["settings"]}
    assert rows["http.listen"]["value"]
    for name in ("redis.url", "db.url", "db.password", "status.webhook_secret"):
        assert rows[name].get("value", "") == "", name


def test_rings_are_lists(server):
    assert isinstance(server.http("GET", "/api/slow-requests").json["slow_requests"], list)
    assert isinstance(server.http("GET", "/api/warnings").json["warnings"], list)
