"""What operators note about players: written once, listed, in the audit log, and gone with the player."""

from conftest import unique, wait_until


def path_of(player):
    return f"/api/players/{player}/notes"


def note(server, player, text, status=201, **more):
    answer = server.http("POST", path_of(player), {"text": text}, **more)
    assert answer.status == status, answer
    return answer.json


def texts(server, player, query=""):
    return [one["text"] for one in server.http("GET", path_of(player) + query).json["items"]]


def test_notes_are_written_listed_and_deleted(server):
    player = server.new_player()
    assert texts(server, player) == []
    key = server.http("POST", "/api/keys", {"role": "admin", "label": "the night shift"}).json
    first = note(server, player, "Was warned.\nTwice. \U0001f409 <b>&\"'", key=key["key"])
    assert first["author"] == key["key_id"] and first["label"] == "the night shift" and first["created_at"].endswith("Z")
    note(server, player, "second")
    assert texts(server, player) == ["second", "Was warned.\nTwice. \U0001f409 <b>&\"'"]
    assert server.http("DELETE", f"{path_of(player)}/{first['note_id']}").status == 204
    assert server.http("DELETE", f"{path_of(player)}/{first['note_id']}").status == 404
    assert texts(server, player) == ["second"]
    noted = wait_until(lambda: [one for one in server.http("GET", "/api/audit?route=/api/players/%7Bid%7D/notes").json["items"]
                                if one["target"].get("id") == player and one["status"] == 201], 20, "the audit log")
    assert len(noted) == 2


def test_pages_follow_each_other(server):
    player = server.new_player()
    for i in range(7):
        note(server, player, f"note {i}")
    found, cursor = [], ""
    while True:
        page = server.http("GET", f"{path_of(player)}?limit=3{cursor}").json
        assert len(page["items"]) <= 3
        found += [one["text"] for one in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert sorted(found) == [f"note {i}" for i in range(7)]
    for bad in ("x", "1", "-1-x", "a-b", "9" * 30 + "-x", "%00"):
        assert server.http("GET", f"{path_of(player)}?cursor={bad}").status == 400, bad


def test_a_note_that_is_sent_again_is_written_once(server):
    player, key = server.new_player(), {"Idempotency-Key": unique("note")}
    assert note(server, player, "once", headers=key) == note(server, player, "once", headers=key)
    assert texts(server, player) == ["once"]
    note(server, player, "another", 409, headers=key)
    note(server, server.new_player(), "of another player", headers=key)
    note(server, player, "x", 400, headers={"Idempotency-Key": "not an id"})


def test_bad_notes_change_nothing(server):
    player = server.new_player()
    for bad in ({}, {"text": ""}, {"text": "x" * 2001}, {"text": 1}, {"text": "x\u0000"}, {"text": "x", "more": 1}, []):
        assert server.http("POST", path_of(player), bad).status == 400, bad
    note(server, unique(), "nobody", 404)
    assert server.http("GET", path_of(unique())).status == 404
    assert texts(server, player) == []
    note(server, player, "\U0001f409" * 2000)


def test_there_is_a_most(server):
    player = server.new_player()
    for i in range(200):
        note(server, player, str(i))
    note(server, player, "one too many", 409)
    assert len(texts(server, player, "?limit=1000")) == 200


def test_notes_go_with_the_player(server):
    player = server.new_player()
    note(server, player, "gone")
    assert server.http("DELETE", f"/api/players/{player}").status == 204
    assert server.http("GET", path_of(player)).status == 404
    assert server.http("POST", "/api/players", {"player_id": player, "name": "Anew"}).status == 201
    assert texts(server, player) == []
