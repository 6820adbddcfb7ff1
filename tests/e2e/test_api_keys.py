"""API keys: roles, scopes, expiry, when they were used last; over HTTP and by the command line."""

import asyncio
import datetime
import json
import time

import pytest
import websockets
from conftest import unique, wait_until
from raw_client import RawClient
from test_access import ask


def create(server, **wish):
    made = server.http("POST", "/api/keys", wish)
    assert made.status == 201 and made.headers["Cache-Control"] == "no-store", made
    return made.json


def cli(server, *words, **more):
    return server.run("apikey", "--data-dir", str(server.data_dir), *words, **more)




def listed(server, key_id):
    return next(k for k in server.http("GET", "/api/keys").json["items"] if k["key_id"] == key_id)


def time_of(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def test_a_key_is_made_listed_and_revoked(server):
    made = create(server, role="server", label="Estonia 1", scopes=["events", "chat"], expires_in_s=3600)
    row = listed(server, made["key_id"])
    assert {**row, "key": made["key"]} == made
    assert (row["role"], row["label"], row["scopes"], row["is_revoked"]) == ("server", "Estonia 1", ["chat", "events"], False)
    assert 3590 < time_of(row["expires_at"]) - time.time() < 3610 and row["last_used_at"] is None
    plain = create(server, role="admin")
    assert (plain["label"], plain["scopes"], plain["expires_at"]) == ("", None, None)
    assert server.http("GET", "/api/keys", key=plain["key"]).status == 200
    assert server.http("DELETE", f"/api/keys/{plain['key_id']}").status == 204
    wait_until(lambda: server.http("GET", "/api/keys", key=plain["key"]).status == 401, 3, "the end of the key")
    assert listed(server, plain["key_id"])["is_revoked"]
    assert server.http("DELETE", "/api/keys/nonesuch").status == 404
    # Nothing shows a secret.
    assert made["key"].split("_")[2] not in server.http("GET", "/api/keys").body.decode()


@pytest.mark.parametrize("wish", [
    {}, {"role": "player"}, {"role": "server", "scopes": []}, {"role": "server", "scopes": ["all"]},
    {"role": "server", "scopes": "events"}, {"role": "viewer", "scopes": ["events"]}, {"role": "server", "expires_in_s": 0},
    {"role": "server", "label": "a\nb"}, {"role": "server", "label": "x" * 65}, {"role": "server", "label": "\u202ex"}])
def test_what_is_no_wish_for_a_key_makes_none(server, wish):
    before = len(server.http("GET", "/api/keys").json["items"])
    assert server.http("POST", "/api/keys", wish).status == 400
    assert len(server.http("GET", "/api/keys").json["items"]) == before


def test_the_command_line_makes_the_same_keys(own_server):
    server = own_server
    key = cli(server, "create", "--label", "logs", "--scope", "read", "--expires-in", "90d").stdout.strip()
    row = listed(server, key.split("_")[1])
    assert (row["role"], row["label"], row["scopes"]) == ("server", "logs", ["read"])
    assert abs(time_of(row["expires_at"]) - time.time() - 90 * 86400) < 60
    shown = [json.loads(line) for line in cli(server, "list", "--json").stdout.splitlines()]
    assert row in shown and len(shown) == 2
    table = cli(server, "list").stdout
    assert "never used" in table and "expires" in table and "read" in table
    for wrong in (["--label", "a\nb"], ["--scope", "nonsense"], ["--expires-in", "soon"], ["--role", "player"],
                  ["--role", "viewer", "--scope", "events"]):
        assert cli(server, "create", *wrong, check=False).returncode != 0, wrong
    assert len(cli(server, "list", "--json").stdout.splitlines()) == 2


def test_a_key_expires_to_the_moment_on_open_sockets_too(server):
    made = create(server, role="server", expires_in_s=4)
    ends = time_of(made["expires_at"])

    async def run():
        async with server.ws(key=made["key"]) as socket:
            assert server.http("GET", "/api/interactions", key=made["key"]).status == 200
            await asyncio.wait_for(socket.wait_closed(), 20)
            assert socket.close_code == 3500
            assert 0 <= time.time() - ends < 2

    asyncio.run(run())
    # Its row is remembered as a good one; its end is not forgotten for that.
    assert server.http("GET", "/api/interactions", key=made["key"]).status == 401


@pytest.mark.long
def test_a_key_used_now_says_so_within_a_minute(server):
    used, socketed, idle = (create(server, role="server") for _ in range(3))
    start = time.time()
    assert server.http("GET", "/api/interactions", key=used["key"]).status == 200

    async def run():
        async with server.ws(key=socketed["key"]) as socket:
            await ask(socket, subscribe={"channel": "status"})
            await asyncio.to_thread(wait_until, lambda: listed(server, used["key_id"])["last_used_at"], 60, "the use")
            await asyncio.to_thread(wait_until, lambda: listed(server, socketed["key_id"])["last_used_at"], 60, "the use")

    asyncio.run(run())
    assert abs(time_of(listed(server, used["key_id"])["last_used_at"]) - start) < 10
    assert listed(server, idle["key_id"])["last_used_at"] is None


SCOPED = {"read": ("GET", "/api/interactions", None), "events": ("POST", "/api/interactions", []),
          "chat": ("POST", "/api/chat/general/messages", {"from": "ann", "text": "x"}),
          "players": ("POST", "/api/players", {"name": "x"}), "state": ("PUT", "/api/state/ns/k", 1),
          "tasks": ("POST", "/api/tasks", {"name": "echo", "args": [1]})}


@pytest.mark.parametrize("scope", SCOPED)
def test_a_scope_opens_its_routes_and_no_others(server, scope):
    key = create(server, role="server", scopes=[scope])["key"]
    allowed = {name for name, (method, path, body) in SCOPED.items() if server.http(method, path, body, key=key).status < 300}
    # `GET /api/interactions` is a read of the group `events`.
    assert allowed == {scope} | ({"read"} if scope == "events" else set())
    refused = server.http("GET", "/api/keys", key=key)
    assert refused.status == 403


def test_scopes_hold_on_sockets(server):
    reader, talker = (create(server, role="server", scopes=[s])["key"] for s in ("read", "chat"))
    attack = {"type": "attack", "attacker_id": "a", "target_id": "b", "damage": 1}

    async def run():
        async with server.ws(key=reader) as socket:
            assert "subscribed" in await ask(socket, subscribe={"channel": "general"})
            for message in ({"chat": {"channel": "general", "from": "ann", "text": "x"}}, {"interactions": [attack]}):
                assert (await ask(socket, **message))["error"]["code"] == "forbidden"
        async with server.ws(key=talker) as socket:
            assert "subscribed" in await ask(socket, subscribe={"channel": "general"})
            assert "subscribed" in await ask(socket, subscribe={"channel": "activity"}), "what anyone may hear"
            assert "sent" in await ask(socket, chat={"channel": "general", "from": "ann", "text": "x"})
            for message in ({"subscribe": {"channel": "near:ann"}}, {"interactions": [attack]}):
                assert (await ask(socket, **message))["error"]["code"] == "forbidden"
        async with server.ws(f"/api/ws?stream={unique('s')}", key=talker) as socket:
            with pytest.raises(websockets.exceptions.ConnectionClosed):
                await asyncio.wait_for(socket.recv(), 20)
            assert socket.close_code == 3500

    asyncio.run(run())


def test_chat_events_need_the_scope_for_chat(server):
    """Whether they come in a batch, a frame or a numbered frame of a stream; events of other types need none of it."""
    player = server.new_player()
    chat = {"type": "chat", "channel": "general", "from": player, "text": unique("said")}
    move = {"type": "move", "player_id": player, "lat": 1, "lon": 2}
    events, both = (create(server, role="server", scopes=s)["key"] for s in (["events"], ["events", "chat"]))
    operator = create(server, role="admin", scopes=["events"])["key"]
    for key in (events, operator):
        refused = server.http("POST", "/api/interactions", [move, chat], key=key)
        assert refused.status == 403 and "chat" in refused.json["detail"], refused
        assert server.http("POST", "/api/interactions", [move], key=key).json["accepted"] == 1

    async def run():
        async with server.ws(f"/api/ws?stream={unique('s')}", key=events) as socket:
            await socket.recv()
            await socket.send(json.dumps({"seq": 1, "interactions": [move, chat]}))
            reject = json.loads(await asyncio.wait_for(socket.recv(), 20))["reject"]
            assert (reject["index"], reject["code"]) == (1, "forbidden")
            assert json.loads(await asyncio.wait_for(socket.recv(), 20)) == {"ack": 1}
        async with server.ws(key=events) as socket:
            await socket.send(json.dumps({"cid": "1", "interactions": [chat]}))
            assert json.loads(await asyncio.wait_for(socket.recv(), 20))["reject"]["code"] == "forbidden"

    asyncio.run(run())
    said = server.http("GET", "/api/chat/general/messages").json["items"]
    assert chat["text"] not in [m["text"] for m in said]
    assert server.http("POST", "/api/interactions", [chat], key=both).json["accepted"] == 1


def test_a_moderator_is_an_admin_for_chat(server):
    key = create(server, role="admin", scopes=["chat"])["key"]
    assert server.http("PUT", "/api/chat/general/mutes/ann", {"seconds": 1}, key=key).status == 204
    assert server.http("POST", "/api/levels", {"name": "x"}, key=key).status == 403
    assert server.http("GET", "/api/audit", key=key).status == 403
    assert server.http("POST", "/api/keys", {"role": "admin"}, key=key).status == 403


def test_a_viewer_reads_everything_and_changes_nothing(server):
    key = create(server, role="viewer", label="dashboard")["key"]
    player = server.new_player()
    for path in ("/api/keys", "/api/audit", "/api/interactions", f"/api/players/{player}", "/api/tasks", "/api/state/ns"):
        assert server.http("GET", path, key=key).status == 200, path
    for method, path, body in (("POST", "/api/interactions", []), ("DELETE", f"/api/players/{player}", None),
                               ("POST", "/api/keys", {"role": "admin"}), ("POST", "/api/status/refresh", None),
                               ("PUT", "/api/state/ns/k", 1)):
        assert server.http(method, path, body, key=key).status == 403, path

    async def run():
        async with server.ws(key=key) as socket:
            assert "subscribed" in await ask(socket, subscribe={"channel": f"near:{player}"})
            refused = await ask(socket, chat={"channel": "general", "from": "ann", "text": "x"})
            assert refused["error"]["code"] == "forbidden"

    asyncio.run(run())


def test_a_body_that_comes_after_the_end_of_the_key_is_not_carried_out(server):
    made, kept = create(server, role="server"), create(server, role="server")
    players = {row["key"]: unique() for row in (made, kept)}

    def send_head(client, key):
        body = json.dumps({"player_id": players[key], "name": "late"}).encode()
        head = f"POST /api/players HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\nContent-Length: {len(body)}\r\n\r\n"
        client.send(head.encode() + body[:5])
        return body[5:]

    with RawClient(server) as late, RawClient(server) as good:
        rest, rest_of_good = send_head(late, made["key"]), send_head(good, kept["key"])
        time.sleep(0.3)
        assert server.http("DELETE", f"/api/keys/{made['key_id']}").status == 204
        wait_until(lambda: server.http("GET", "/api/queues", key=made["key"]).status == 401, 3, "the end of the key")
        assert late.send(rest).response()[0] == 401
        assert good.send(rest_of_good).response()[0] == 201
    assert server.http("GET", f"/api/players/{players[made['key']]}").status == 404
