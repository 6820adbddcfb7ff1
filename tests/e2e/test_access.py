"""Who may do what, and how much of it: revoked keys, quotas, idempotency, texts, cursors, shares of the worker."""

import asyncio
import json
import sqlite3
import time

import pytest
from conftest import unique, wait_until


def new_key(server, role="server"):
    made = server.run("apikey", "--data-dir", str(server.data_dir), "create", "--role", role).stdout.strip()
    return made, made.split("_")[1]


async def ask(socket, **message):
    """Sends a message with a cid and returns its answer."""
    cid = unique("c")
    await socket.send(json.dumps({"cid": cid, **message}))
    while True:
        got = json.loads(await asyncio.wait_for(socket.recv(), 20))
        if got.get("cid") == cid:
            return got


# ---- revoked keys ----

def by_cli(server, key_id):
    server.run("apikey", "--data-dir", str(server.data_dir), "revoke", key_id)


def in_redis_alone(server, key_id):
    server.redis().sadd("apikeys:revoked", key_id)


def in_sql_alone(server, key_id):
    with sqlite3.connect(server.data_dir / "skirmish.db", timeout=20) as sql:
        sql.execute("UPDATE api_keys SET revoked_at = 1 WHERE key_id = ?", (key_id,))


@pytest.mark.parametrize("revoke", [by_cli, in_redis_alone, in_sql_alone])
def test_a_revoked_key_ends_within_a_second(own_server, revoke):
    key, key_id = new_key(own_server)
    other, _ = new_key(own_server)

    async def run():
        async with own_server.ws(key=key) as socket, own_server.ws(key=other) as kept:
            assert "subscribed" in await ask(socket, subscribe={"channel": "status"})
            assert own_server.http("GET", "/api/interactions", key=key).status == 200
            await asyncio.to_thread(revoke, own_server, key_id)
            revoked_at = time.monotonic()
            await asyncio.wait_for(socket.wait_closed(), 10)
            assert socket.close_code == 3500
            # A second, and what a busy machine adds.
            assert time.monotonic() - revoked_at < 3
            assert own_server.http("GET", "/api/interactions", key=key).status == 401
            assert "subscribed" in await ask(kept, subscribe={"channel": "status"})

    asyncio.run(run())


# ---- what subscriptions take ----

def test_only_boards_that_exist_are_watched_and_no_peer_takes_all_places(own_server):
    boards = [unique("b") for _ in range(260)]
    own_server.redis().mset({f"leaderboard:{b}@seq": 1 for b in boards})

    async def run():
        async with own_server.ws(key=None) as a, own_server.ws(key=None) as b, own_server.ws() as operator:
            unknown = await ask(a, subscribe={"channel": f"leaderboard:{unique('invented')}"})
            assert unknown["error"]["code"] == "not_found", unknown
            for n, board in enumerate(boards[:250]):
                assert "subscribed" in await ask((a, b)[n % 2], subscribe={"channel": f"leaderboard:{board}"})
            refused = await ask(b, subscribe={"channel": f"leaderboard:{boards[250]}"})
            assert refused["error"]["code"] == "rate_limited", refused
            # What others of the same address watch already costs nothing, and others have places left.
            assert "subscribed" in await ask(b, subscribe={"channel": f"leaderboard:{boards[0]}"})
            assert "subscribed" in await ask(operator, subscribe={"channel": f"leaderboard:{boards[250]}"})
            # Who leaves may come again.
            assert "unsubscribed" in await ask(b, unsubscribe={"channel": f"leaderboard:{boards[1]}"})
            assert "subscribed" in await ask(b, subscribe={"channel": f"leaderboard:{boards[251]}"})

    own_server.stop()
    own_server.env["SKIRMISH_SERVER_THREADS"] = "1"
    own_server.start()
    own_server.redis().mset({f"leaderboard:{b}@seq": 1 for b in boards})
    asyncio.run(run())


# ---- chat of game servers ----

@pytest.mark.parametrize("channel", ["status", "presence:general", "notifications:ann", "activity", "unheard-of", "near:ann"])
def test_chat_events_reach_chat_channels_only(server, channel):
    event = {"type": "chat", "channel": channel, "from": "ann", "text": "x"}
    refused = server.http("POST", "/api/interactions", [event])
    assert refused.status == 400 and "no chat channel" in refused.json["errors"][0]["message"], refused


def test_the_text_limit_is_one_and_in_characters(server):
    player = server.new_player()
    for length, status in ((2_000, 200), (2_001, 400)):
        event = {"type": "chat", "channel": "general", "from": player, "text": "\u0416" * length}
        assert server.http("POST", "/api/interactions", [event]).status == status
    for length, status in ((2_000, 201), (2_001, 400)):
        said = {"from": player, "text": "\u0416" * length}
        assert server.http("POST", "/api/chat/team:x/messages", said).status == status


def test_a_key_that_varies_the_speaker_is_limited_too(own_server):
    own_server.stop()
    own_server.env.update(SKIRMISH_CHAT_KEY_RATE="1", SKIRMISH_CHAT_KEY_BURST="5")
    own_server.start()
    key, _ = new_key(own_server)
    other, _ = new_key(own_server)

    def say(with_key):
        return own_server.http("POST", "/api/chat/general/messages", {"from": unique(), "text": "x"}, key=with_key).status

    answers = [say(key) for _ in range(20)]
    assert answers[:5] == [201] * 5 and 429 in answers
    assert say(other) == 201 and say("admin") == 201


# ---- idempotency ----

def test_an_idempotency_key_stands_for_one_body_and_one_sender(server):
    key, _ = new_key(server)
    board, once = unique("b"), {"Idempotency-Key": unique("once")}
    scores, task = f"/api/leaderboards/{board}/scores", {"name": "echo", "args": [1]}
    one = [{"player_id": "ann", "score": 5, "operator": "increment"}]
    for _ in range(2):
        assert server.http("POST", scores, one, headers=once).status == 200
    changed = server.http("POST", scores, [{**one[0], "score": 6}], headers=once)
    assert changed.status == 422 and changed.json["code"] == "conflict", changed
    assert server.http("POST", scores, [{**one[0], "score": 7}], headers=once, key=key).status == 200
    top = server.http("GET", f"/api/leaderboards/{board}", headers={"Cache-Control": "no-cache"}).json["items"]
    assert top[0]["score"] == 12

    first = server.http("POST", "/api/tasks", task, headers=once)
    assert first.status == 202
    assert server.http("POST", "/api/tasks", task, headers=once).json["id"] == first.json["id"]
    # How often sending is tried is not part of what is sent.
    assert server.http("POST", "/api/tasks", {**task, "retry": True}, headers=once).json["id"] == first.json["id"]
    assert server.http("POST", "/api/tasks", {**task, "args": [2]}, headers=once).status == 422
    others = server.http("POST", "/api/tasks", {**task, "args": [2]}, headers=once, key=key)
    assert others.status == 202 and others.json["id"] != first.json["id"]


def test_an_event_id_stands_for_one_event_and_one_sender(server):
    key, _ = new_key(server)
    a, b, event_id = server.new_player(), server.new_player(), unique("e")
    attack = {"type": "attack", "id": event_id, "attacker_id": a, "target_id": b, "damage": 1}
    server.http("POST", f"/api/players/{a}/inventory", {"item": "gold", "quantity": 10})

    def post(event, with_key="admin"):
        return server.http("POST", "/api/interactions", [event], key=with_key).json

    def hp():
        return server.http("GET", f"/api/players/{b}/state").json["hp"]

    assert [post(attack)["accepted"] for _ in range(2)] == [1, 1] and hp() == 99
    refused = post({**attack, "damage": 50})
    assert refused["accepted"] == 0 and refused["rejected"][0]["code"] == "conflict" and hp() == 99
    assert post({**attack, "damage": 2}, key)["accepted"] == 1 and hp() == 97

    trade = {"type": "trade", "id": unique("t"), "from": a, "to": b, "give": {"gold": 1}}
    assert [post(trade)["accepted"] for _ in range(2)] == [1, 1]
    assert post({**trade, "give": {"gold": 2}})["rejected"][0]["code"] == "conflict"
    assert post({**trade, "give": {"gold": 3}}, key)["accepted"] == 1
    assert server.http("GET", f"/api/players/{a}/inventory").json["items"] == {"gold": 6}

    level = unique("level")
    server.http("POST", "/api/levels", {"level_id": level, "name": "A level"})
    done = {"player_id": a, "score": 5, "completion_id": unique("d")}
    path = f"/api/levels/{level}/completions"
    assert [server.http("POST", path, body).status for body in (done, done, {**done, "score": 6})] == [201, 200, 409]


# ---- texts ----

HOSTILE = ["a\nb", "a\tb", "a\u0000b", "\u001b[2J", "\u007f", "\u0085", "\u202eevil", "\u2066x\u2069", "a\u2028b"]


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_one_line_that_does_not_mislead(server, name):
    player = server.new_player()
    for method, path, body in (
            ("POST", "/api/players", {"name": name}),
            ("PATCH", f"/api/players/{player}", {"name": name}),
            ("PATCH", f"/api/players/{player}", {"email": f"ann@example.org{name}"}),
            ("POST", "/api/levels", {"name": name}),
            ("POST", "/api/levels", {"name": "x", "difficulty": name}),
            ("POST", "/api/jobs", {"kind": name})):
        answer = server.http(method, path, body)
        assert answer.status == 400 and answer.json["errors"][0]["message"].startswith("must"), (path, answer)
    assert server.http("GET", f"/api/players/{player}").json["name"] == "Player"


def test_names_have_up_to_64_characters_of_any_script(server):
    assert server.http("POST", "/api/players", {"name": "\U0001f600" * 64}).status == 201
    assert server.http("POST", "/api/players", {"name": "\U0001f600" * 65}).status == 400
    level = server.http("POST", "/api/levels", {"name": "\u0416" * 128, "description": "\u0416" * 10_000})
    assert level.status == 201
    assert server.http("POST", "/api/chat/general/messages", {"from": "ann", "text": "\u202ex"}).status == 400


# ---- numbers ----

HUGE = ["18446744073709551615-18446744073709551615", "18446744073709551615-0", "9223372036854775808-0",
        "1-18446744073709551615", "99999999999999999999", "5--0", "-1", "+5", "0x10", "1e3"]


@pytest.mark.parametrize("number", HUGE)
def test_no_number_is_too_large_for_an_answer(server, number):
    player = server.new_player()
    quoted = number.replace("+", "%2B")
    for path in (f"/api/chat/general/messages?since={quoted}", f"/api/chat/general/messages?cursor={quoted}",
                 f"/api/players/{player}/notifications?cursor={quoted}", f"/api/interactions?since={quoted}.0",
                 f"/api/interactions?since=1-0.{quoted}", f"/api/tasks?cursor={quoted}",
                 f"/api/leaderboards/global?limit={quoted}", f"/api/leaderboards/global?season={quoted}",
                 f"/api/nearby?lat=0&lon=0&radius_m={quoted}"):
        if number == "1e3" and "lat=" in path:
            continue
        answer = server.http("GET", path)
        assert answer.status == 400, (path, answer)
    body = {"up_to": number}
    assert server.http("POST", f"/api/players/{player}/notifications/read", body).status == 400
    assert server.http("DELETE", f"/api/players/{player}/notifications/{quoted}").status == 400
    assert server.http("DELETE", f"/api/chat/general/messages/{quoted}").status in (400, 404)


# ---- the built-in worker ----

@pytest.mark.long
def test_sleepers_leave_half_of_the_worker_to_others(own_server):
    def call(name, *args):
        return own_server.http("POST", "/api/tasks", {"name": name, "args": list(args)}).json["id"]

    def state(task_id):
        return own_server.http("GET", f"/api/tasks/{task_id}").json

    refused = call("sleep", 3600)
    wait_until(lambda: state(refused).get("state") == "FAILURE", what="the refusal")
    assert state(refused)["result"]["exc_type"] == "ValueError"
    for _ in range(40):
        call("sleep", 60)
    quick = call("echo", "hello")
    wait_until(lambda: state(quick).get("state") == "SUCCESS", 15, "a quick task beside 40 sleepers")
