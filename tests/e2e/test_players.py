import asyncio
import json
import time

from conftest import unique, wait_until


def test_profile_life(server):
    player = server.new_player("Zoë 🎮")
    read = server.http("GET", f"/api/players/{player}")
    assert read.json["name"] == "Zoë 🎮" and read.json["level"] == 1
    assert read.headers["X-Cache"] == "hit"
    tag = read.headers["ETag"]

    changed = server.http("PATCH", f"/api/players/{player}", {"name": "Eva", "email": "eva@example.org"})
    assert changed.status == 200 and changed.json["name"] == "Eva"
    read = server.http("GET", f"/api/players/{player}")
    assert (read.json["name"], read.json["email"], read.headers["X-Cache"]) == ("Eva", "eva@example.org", "miss")
    assert server.http("PATCH", f"/api/players/{player}", {"name": "x"}, headers={"If-Match": tag}).status == 412

    assert server.http("DELETE", f"/api/players/{player}").status == 204
    assert server.http("GET", f"/api/players/{player}").status == 404
    assert server.http("DELETE", f"/api/players/{player}").status == 404
    assert server.redis().exists(f"player:{player}", f"user:{player}") == 0


def test_an_id_is_made_when_absent_and_taken_once(server):
    made = server.http("POST", "/api/players", {"name": "Anon"})
    assert made.status == 201 and made.headers["Location"] == "/api/players/" + made.json["player_id"]
    again = server.http("POST", "/api/players", {"player_id": made.json["player_id"], "name": "Anon"})
    assert again.status == 409 and again.json["code"] == "already_exists"


def test_keys_types_and_ttls(server):
    player = server.new_player()
    r = server.redis()
    assert r.type(f"user:{player}") == "hash" and 3500 < r.ttl(f"user:{player}") <= 3600
    assert r.type(f"player:{player}") == "hash" and r.ttl(f"player:{player}") == -1
    assert r.hgetall(f"player:{player}")["hp"] == "100"
    r.expire(f"user:{player}", 100)
    server.http("POST", "/api/interactions", {"type": "move", "player_id": player, "lat": 1, "lon": 2})
    assert r.ttl(f"user:{player}") > 3500, "activity refreshes the cached profile"


def test_live_state(server):
    player = server.new_player()
    state = server.http("GET", f"/api/players/{player}/state").json
    assert (state["hp"], state["mp"], state["stamina"]) == (100, 100, 100)
    assert state["position"] is None and state["last_actions"] == []
    assert server.http("PATCH", f"/api/players/{player}/state", {"mp": 7}).json["mp"] == 7
    assert server.http("PATCH", f"/api/players/{unique()}/state", {"mp": 7}).status == 404
    assert server.http("GET", f"/api/players/{unique()}/state").status == 404


def test_live_position_expires(server):
    player = server.new_player()
    assert server.http("GET", f"/api/players/{player}/position").status == 404
    server.http("POST", "/api/interactions",
                {"type": "move", "player_id": player, "lat": 48.8566, "lon": 2.3522, "ttl_s": 10})
    found = server.http("GET", f"/api/players/{player}/position").json
    assert (found["lat"], found["lon"]) == (48.8566, 2.3522)
    assert 9000 < server.redis().pttl(f"move:{player}") <= 10_000


def test_live_state_comes_back_after_redis_was_emptied(server):
    player, other = server.new_player(), server.new_player()
    server.redis().delete(f"player:{player}", f"player:{other}")
    attack = {"type": "attack", "attacker_id": player, "target_id": other, "damage": 30}
    assert server.http("POST", "/api/interactions", attack).json["accepted"] == 1
    assert server.http("GET", f"/api/players/{other}/state").json["hp"] == 70


def found(server, query, **more):
    text = "&".join(f"{k}={v}" for k, v in {"query": query, **more}.items())
    answer = server.http("GET", f"/api/players?{text}")
    assert answer.status == 200, answer
    return answer.json


def ids(page):
    return [p["player_id"] for p in page["items"]]


def test_players_are_found_by_the_beginning_of_id_name_and_email(server):
    word = unique("w")
    for n, (name, email) in enumerate([("x", ""), (word.upper() + " Zoë", ""), ("y", f"{word}@example.org")]):
        player_id = f"{word}-1" if n == 0 else f"{n}-{word}"
        answer = server.http("POST", "/api/players", {"player_id": player_id, "name": name, "email": email})
        assert answer.status == 201, answer
    page = found(server, word)
    assert ids(page) == [f"{word}-1", f"1-{word}", f"2-{word}"]
    assert page["items"][2] == {"player_id": f"2-{word}", "name": "y", "email": f"{word}@example.org", "level": 1,
                                "online": False}
    assert page["next_cursor"] is None and page["is_partial"] is False
    assert ids(found(server, word.upper())) == [f"1-{word}"], "names in any case, ids and addresses as they are"
    assert ids(found(server, word + "%25")) == ids(found(server, word + "_")) == []
    # One at a time, across the three orders.
    seen, cursor = [], ""
    for _ in range(3):
        page = found(server, word, limit=1, cursor=cursor)
        seen += ids(page)
        cursor = page["next_cursor"]
    assert seen == [f"{word}-1", f"1-{word}", f"2-{word}"] and cursor is None
    # A changed name is found, the old one is not.
    assert server.http("PATCH", f"/api/players/1-{word}", {"name": "Q" + word}).status == 200
    assert ids(found(server, "q" + word)) == [f"1-{word}"]
    assert ids(found(server, word)) == [f"{word}-1", f"2-{word}"]
    # Who matches in several ways is shown once.
    assert server.http("PATCH", f"/api/players/{word}-1", {"name": word, "email": word}).status == 200
    assert ids(found(server, word)) == [f"{word}-1", f"2-{word}"]


def test_who_is_online_is_shown_and_listed(server):
    word = unique("o")
    mover, sleeper = f"{word}-a", f"{word}-b"
    for player_id in (mover, sleeper):
        assert server.http("POST", "/api/players", {"player_id": player_id, "name": "x"}).status == 201
    server.http("POST", "/api/interactions", {"type": "move", "player_id": mover, "lat": 1, "lon": 2, "ttl_s": 60})
    assert [(p["player_id"], p["online"]) for p in found(server, word)["items"]] == [(mover, True), (sleeper, False)]
    assert ids(found(server, word, online="true")) == [mover]
    assert ids(found(server, word, online="false")) == [sleeper]

    def all_online():
        out, cursor = [], ""
        while cursor is not None:
            page = found(server, "", online="true", limit=1, cursor=cursor)
            out += ids(page)
            cursor = page["next_cursor"]
        return out

    assert mover in all_online() and sleeper not in all_online()

    async def chat():
        async with server.ws() as socket:
            await socket.send(json.dumps({"cid": "1", "subscribe": {"channel": "general", "as": sleeper}}))
            assert "subscribed" in json.loads(await asyncio.wait_for(socket.recv(), 10))
            listed = await asyncio.to_thread(all_online)
            assert sleeper in listed and listed == sorted(set(listed))

    asyncio.run(chat())


def test_a_bad_search_is_refused(server):
    for query in ("online=maybe", "limit=0", "limit=1001", "cursor=x", "cursor=i.zz.a", "cursor=i..a%20b",
                  "query=" + "x" * 255, "query=%00"):
        assert server.http("GET", f"/api/players?{query}").status == 400, query


def test_last_actions_have_a_route(server):
    a, b = server.new_player(), server.new_player()
    assert server.http("GET", f"/api/players/{a}/actions").json == {"items": [], "next_cursor": None}
    for damage in (1, 2):
        server.http("POST", "/api/interactions", {"type": "attack", "attacker_id": a, "target_id": b, "damage": damage})
    wait_until(lambda: [e["damage"] for e in server.http("GET", f"/api/players/{a}/actions").json["items"]] == [2, 1])
    assert server.http("GET", f"/api/players/{unique()}/actions").status == 404
