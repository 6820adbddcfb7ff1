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
    assert server.http("POST", "/api/interactions", attack).json == {"accepted": 1, "rejected": []}
    assert server.http("GET", f"/api/players/{other}/state").json["hp"] == 70
