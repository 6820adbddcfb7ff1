"""What admin keys change is noted before it is made, whatever is down."""

import asyncio
import json
import os
import signal
import time

import pytest
from conftest import Server, unique, wait_until
from redis_process import RedisProcess


def new_key(server, role):
    return server.http("POST", "/api/keys", {"role": role, "label": f"{role} of a test"}).json


def changes(server, query="", **more):
    answer = server.http("GET", f"/api/audit?limit=1000{query}", **more)
    assert answer.status == 200, answer
    return answer.json["items"]


def told(server, wanted, query=""):
    """The changes that match, once their outcomes are known."""
    def look():
        found = [c for c in changes(server, query) if wanted.items() <= c.items()]
        return found if found and all(c["status"] for c in found) else None
    return wait_until(look, 20, f"a note of {wanted}")


def test_a_change_tells_who_what_on_what_and_how_it_ended(server):
    admin = new_key(server, "admin")
    player = server.new_player()
    answer = server.http("PUT", f"/api/chat/general/mutes/{player}", {"seconds": 5}, key=admin["key"])
    assert answer.status == 204
    (noted,) = told(server, {"key_id": admin["key_id"]}, f"&key={admin['key_id']}")
    assert abs(time.time() - time.mktime(time.strptime(noted["at"][:19] + " UTC", "%Y-%m-%dT%H:%M:%S %Z")) + time.timezone) < 60
    assert {k: noted[k] for k in ("label", "method", "route", "target", "request_id", "status", "address")} == {
        "label": "admin of a test", "method": "PUT", "route": "/api/chat/{channel}/mutes/{player_id}",
        "target": {"channel": "general", "player_id": player}, "request_id": answer.headers["X-Request-Id"], "status": 204,
        "address": "127.0.0.1"}
    missing = server.http("DELETE", f"/api/players/{unique()}", key=admin["key"])
    assert missing.status == 404
    assert told(server, {"request_id": missing.headers["X-Request-Id"]})[0]["status"] == 404


def test_what_changes_nothing_and_what_others_do_is_not_noted(server):
    admin, game = new_key(server, "admin"), new_key(server, "server")
    assert server.http("GET", "/api/keys", key=admin["key"]).status == 200
    assert server.http("POST", "/api/levels", {"nonsense": 1}, key=admin["key"]).status == 400
    assert server.http("POST", "/api/players", {"name": "x"}, key=game["key"]).status == 201
    assert server.http("POST", "/api/levels", {"name": "x"}, key=game["key"]).status == 403
    last = server.http("POST", "/api/levels", {"name": "x"}, key=admin["key"])
    told(server, {"request_id": last.headers["X-Request-Id"]})
    assert [c["request_id"] for c in changes(server, f"&key={admin['key_id']}")] == [last.headers["X-Request-Id"]]
    assert changes(server, f"&key={game['key_id']}") == []


def test_filters_and_pages(server):
    admin = new_key(server, "admin")
    for n in range(5):
        server.http("POST", "/api/levels", {"name": f"l{n}"}, key=admin["key"])
    server.http("DELETE", f"/api/players/{unique()}", key=admin["key"])
    of_key = f"&key={admin['key_id']}"
    wait_until(lambda: len([c for c in changes(server, of_key) if c["status"]]) == 6, 20, "six notes")
    assert len(changes(server, of_key + "&route=/api/levels")) == 5
    assert len(changes(server, of_key + "&route=/api/players/%7Bid%7D")) == 1
    assert changes(server, of_key + "&since=2999-01-01T00:00:00Z") == []
    middle = changes(server, of_key)[2]["at"]
    assert {c["at"] >= middle for c in changes(server, of_key + f"&since={middle}")} == {True}
    found, cursor = [], ""
    while cursor is not None:
        page = server.http("GET", f"/api/audit?limit=2{of_key}" + (f"&cursor={cursor}" if cursor else "")).json
        found += page["items"]
        cursor = page["next_cursor"]
    assert found == changes(server, of_key) and len(found) == 6
    assert [c["id"] for c in found] == sorted((c["id"] for c in found), reverse=True)
    for wrong in ("since=yesterday", "key=a%20b", "cursor=%00", "limit=0", "route=%00", "since=1960-01-01T00:00:00Z"):
        assert server.http("GET", f"/api/audit?{wrong}").status == 400, wrong


def test_the_command_line_shows_the_same(own_server):
    server = own_server
    made = server.http("POST", "/api/levels", {"name": "One"})
    (noted,) = told(server, {"request_id": made.headers["X-Request-Id"]})

    def audit(*words, **more):
        return server.run("audit", "--data-dir", str(server.data_dir), *words, **more)

    assert json.loads(audit("--json", "--route", "/api/levels").stdout) == noted
    table = audit("--since", "1h").stdout
    assert noted["request_id"] in table and "first start" in table and "201" in table
    assert audit("--key", "nonesuch").stdout == ""
    assert audit("--since", "whenever", check=False).returncode != 0


def test_a_socket_of_an_admin_is_noted(server):
    admin, viewer = new_key(server, "admin"), new_key(server, "viewer")

    async def run():
        for key in (admin, viewer):
            async with server.ws(key=key["key"]):
                pass

    asyncio.run(run())
    (noted,) = told(server, {"key_id": admin["key_id"]}, f"&key={admin['key_id']}")
    assert (noted["method"], noted["route"], noted["status"]) == ("WEBSOCKET", "/api/ws", 101)
    assert changes(server, f"&key={viewer['key_id']}") == []


@pytest.fixture
def apart(short_tmp, mariadb):
    """A server whose Redis and SQL can each be taken away."""
    name = unique("db").replace("-", "_")
    mariadb.sql(f"CREATE DATABASE {name} CHARACTER SET utf8mb4", f"GRANT ALL ON {name}.* TO 'game'@'%'")
    with RedisProcess(short_tmp / unique("redis")) as backend:
        s = Server(short_tmp / unique("own"), {**mariadb.env(name), "REDIS_URL": backend.url}).start()
        yield s, backend, name
        s.stop()


def test_without_sql_changes_are_noted_in_redis(apart, mariadb):
    server, backend, name = apart
    player = server.new_player()
    mariadb.sql(f"RENAME TABLE {name}.audit_log TO {name}.audit_gone")
    answer = server.http("PUT", f"/api/chat/general/mutes/{player}", {"seconds": 5})
    assert answer.status == 204
    assert server.redis().xlen("audit@pending") > 0
    mariadb.sql(f"RENAME TABLE {name}.audit_gone TO {name}.audit_log")
    assert told(server, {"request_id": answer.headers["X-Request-Id"]})[0]["status"] == 204
    wait_until(lambda: server.redis().xlen("audit@pending") == 0, 20, "the end of what is pending")


def test_without_redis_changes_are_noted_in_sql_and_without_both_refused(apart, mariadb):
    server, backend, name = apart
    made = server.http("POST", "/api/keys", {"role": "server"})
    assert made.status == 201
    backend.kill()
    without_redis = server.http("DELETE", f"/api/keys/{made.json['key_id']}")
    assert without_redis.status == 204
    rows = mariadb.sql(f"SELECT status FROM {name}.audit_log WHERE request_id = '{without_redis.headers['X-Request-Id']}'").stdout
    assert rows.split() == ["204"]

    mariadb.sql(f"RENAME TABLE {name}.audit_log TO {name}.audit_gone")
    keys = len(server.http("GET", "/api/keys").json["items"])
    refused = server.http("POST", "/api/keys", {"role": "admin"})
    assert refused.status == 503, refused
    assert len(server.http("GET", "/api/keys").json["items"]) == keys, "refused before it was made"
    mariadb.sql(f"RENAME TABLE {name}.audit_gone TO {name}.audit_log")
    backend.start()


def test_nothing_is_lost_when_the_server_is_killed(own_server):
    server = own_server
    made = [server.http("POST", "/api/levels", {"name": f"l{n}"}).headers["X-Request-Id"] for n in range(20)]
    server.kill()
    server.start()
    wait_until(lambda: set(made) <= {c["request_id"] for c in changes(server)}, 20, "the notes")
    notes = [c["request_id"] for c in changes(server)]
    assert len(notes) == len(set(notes))
