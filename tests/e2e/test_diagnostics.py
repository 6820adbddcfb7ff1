"""What the machinery says of itself: servers, backends, settings, slow requests, warnings."""

from conftest import wait_until


def test_a_server_is_listed(server):
    wait_until(lambda: server.http("GET", "/api/servers").json["servers"], 20, "the first announcement")
    rows = server.http("GET", "/api/servers?limit=100").json["servers"]
    assert any(row["state"] == "online" and row["pid"] > 0 and row["version"] for row in rows), rows


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
