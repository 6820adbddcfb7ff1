"""Leaderboards over HTTP: settings, scores, pages in both directions, seasons, and what is refused."""

import pytest

from conftest import unique, wait_until


def submit(server, board, player, score, **more):
    body = {"player_id": player, "score": score, **more}
    return server.http("POST", f"/api/leaderboards/{board}/scores", body)


def names(items):
    return [e["player_id"] for e in items]


def test_a_board_of_ones_own(server):
    board = unique("b")
    made = server.http("PUT", f"/api/leaderboards/{board}", {"order": "asc", "rank_mode": "competition"})
    assert made.status == 200 and made.json["order"] == "asc" and made.json["operator"] == "best"
    for player, score in (("ann", 70), ("bob", 65), ("cat", 70), ("ann", 90)):
        assert submit(server, board, player, score).status == 200
    page = server.http("GET", f"/api/leaderboards/{board}", key=None).json
    assert [(e["rank"], e["player_id"], e["score"]) for e in page["items"]] == [
        (1, "bob", 65), (2, "ann", 70), (2, "cat", 70)]
    assert page["total"] == 3
    assert server.redis().zrange(f"leaderboard:{board}", 0, -1, withscores=True)[0][1] == 65
    kept = server.http("PUT", f"/api/leaderboards/{board}", {"order": "desc"})
    assert kept.status == 409 and kept.json["code"] == "conflict"
    assert server.http("DELETE", f"/api/leaderboards/{board}/players/cat").status == 204
    assert server.http("GET", f"/api/leaderboards/{board}/players/cat").status == 404
    assert server.http("DELETE", f"/api/leaderboards/{board}").status == 204
    assert server.http("GET", f"/api/leaderboards/{board}").json["items"] == []
    assert server.http("DELETE", f"/api/leaderboards/{board}").status == 404


def test_ten_thousand_scores_and_pages_both_ways(server):
    board = unique("b")
    scores = [{"player_id": f"p{i:05}", "score": i % 7, "metadata": {"n": i}} for i in range(10_000)]
    sent = server.http("POST", f"/api/leaderboards/{board}/scores", scores)
    assert sent.status == 200 and sent.json["accepted"] == sent.json["changed"] == 10_000
    expected = [s["player_id"] for s in sorted(scores, key=lambda s: -s["score"])]
    first = server.http("GET", f"/api/leaderboards/{board}?limit=1000").json
    assert names(first["items"]) == expected[:1000] and first["previous_cursor"] is None
    assert first["items"][0]["metadata"] == {"n": 6}
    second = server.http("GET", f"/api/leaderboards/{board}?limit=1000&cursor={first['next_cursor']}").json
    assert names(second["items"]) == expected[1000:2000]
    back = server.http("GET", f"/api/leaderboards/{board}?limit=1000&cursor={second['previous_cursor']}").json
    assert back["items"] == first["items"]
    around = server.http("GET", f"/api/leaderboards/{board}/players/{expected[5000]}?around=2").json
    assert around["rank"] == 5001 and names(around["around"]) == expected[4998:5003]
    too_many = server.http("POST", f"/api/leaderboards/{board}/scores", scores + scores[:1])
    assert too_many.status == 413


def test_scores_that_no_double_holds_are_refused_by_every_route(server):
    board, player = unique("b"), server.new_player()
    event = {"type": "score", "board": board, "player_id": player}
    for score in (2**53 + 1, -2**53 - 1):
        assert submit(server, board, player, score).status == 400
        assert server.http("POST", "/api/interactions", {**event, "value": score}).status == 400
    # A score that would leave the range is rejected, and the rest of the batch applied.
    assert server.http("POST", "/api/interactions", {**event, "value": 2**53}).json["accepted"] == 1
    kill = {"type": "score", "board": unique("b"), "player_id": player, "value": 1}
    answer = server.http("POST", "/api/interactions", [{**event, "value": 1}, kill]).json
    assert answer["accepted"] == 1
    assert [(x["index"], x["code"]) for x in answer["rejected"]] == [(0, "invalid_argument")]
    assert server.http("POST", "/api/interactions", {**event, "value": -1}).json["accepted"] == 1
    assert server.redis().zscore(f"leaderboard:{board}", player) == 2**53 - 1


def test_a_repeated_submission_counts_once(server):
    board, player = unique("b"), unique()
    body = {"player_id": player, "score": 5, "operator": "increment"}
    headers = {"Idempotency-Key": unique("once")}
    for _ in range(3):
        answer = server.http("POST", f"/api/leaderboards/{board}/scores", body, headers=headers)
        assert answer.status == 200 and answer.json["score"] == 5 and answer.json["rank"] == 1


def test_the_top_of_a_busy_board_may_be_a_moment_old(server):
    board, redis = unique("b"), server.redis()
    players = [f"p{i}" for i in range(2_000)]

    def move(points):
        """Everybody moves, and nobody is put in place: what a commit under load leaves."""
        key = f"leaderboard:{board}"
        last = redis.incr(f"{key}@seq", len(players))
        redis.zadd(key, {p: points - i for i, p in enumerate(players)})
        redis.hset(f"{key}@moved", mapping={p: last - len(players) + i for i, p in enumerate(players)})

    def best(**headers):
        answer = server.http("GET", f"/api/leaderboards/{board}?limit=3", key=None, headers=headers)
        assert names(answer.json["items"]) == players[:3]
        return answer.json["items"][0]["score"]

    for points in (5_000, 6_000, 7_000):
        move(points)
        assert best(**{"Cache-Control": "no-cache"}) == points
        wait_until(lambda: best() == points)


def test_seasons(server):
    board = unique("b")
    assert server.http("PUT", f"/api/leaderboards/{board}", {"reset": "@weekly"}).json["next_reset"]
    submit(server, board, "ann", 3)
    assert server.http("POST", f"/api/leaderboards/{board}/seasons").json["season"] == 2
    assert server.http("GET", f"/api/leaderboards/{board}").json["items"] == []
    old = server.http("GET", f"/api/leaderboards/{board}?season=1", key=None).json
    assert names(old["items"]) == ["ann"]
    seasons = server.http("GET", f"/api/leaderboards/{board}/seasons").json
    assert seasons["season"] == 2 and [s["season"] for s in seasons["items"]] == [1]


@pytest.mark.parametrize("body, where", [
    ({"player_id": "a b", "score": 1}, "/player_id"),
    ({"player_id": "a"}, "/score"),
    ({"player_id": "a", "score": "1"}, "/score"),
    ({"player_id": "a", "score": 2**54}, "/score"),
    ({"player_id": "a", "score": 1, "operator": "add"}, "/operator"),
    ({"player_id": "a", "score": 1, "extra": 1}, "/extra"),
    ({"player_id": "a", "score": 1, "metadata": "x" * 1100}, "/metadata"),
    ([{"player_id": "a", "score": 1}, 5], "/1"),
])
def test_bad_scores_are_refused(server, body, where):
    answer = server.http("POST", f"/api/leaderboards/{unique('b')}/scores", body)
    assert answer.status == 400 and answer.json["errors"][0]["pointer"] == where


def test_bad_settings_and_roles(server):
    board = unique("b")
    for body in ({"order": "up"}, {"reset": "every day"}, {"reset": "0 0 31 2 *"}, {"x": 1}):
        assert server.http("PUT", f"/api/leaderboards/{board}", body).status == 400, body
    assert server.http("PUT", f"/api/leaderboards/{board}", {}, key=None).status == 401
    assert submit(server, "active", "ann", 1).status == 403
    assert server.http("GET", f"/api/leaderboards/{board}?cursor=1").status == 400


def test_boards_are_listed(server):
    configured, scored, streamed = (unique("b") for _ in range(3))
    assert server.http("PUT", f"/api/leaderboards/{configured}", {"order": "asc"}).status == 200
    assert submit(server, scored, "ann", 1).status == 200
    player = server.new_player()
    event = {"type": "score", "board": streamed, "player_id": player, "value": 3, "operator": "best"}
    assert server.http("POST", "/api/interactions", event).json["rejected"] == []

    def listed(limit=1000):
        out, cursor = [], ""
        while cursor is not None:
            page = server.http("GET", f"/api/leaderboards?limit={limit}&cursor={cursor}").json
            out += page["items"]
            cursor = page["next_cursor"]
        return out

    boards = {b["board"]: b for b in listed()}
    assert {configured, scored, streamed, "active", "global", "kills"} <= set(boards)
    assert (boards[configured]["order"], boards[configured]["configured"], boards[configured]["players"]) == ("asc", True, 0)
    assert (boards[scored]["configured"], boards[scored]["players"], boards[streamed]["players"]) == (False, 1, 1)
    assert list(boards) == sorted(boards) and [b["board"] for b in listed(limit=2)] == list(boards)
    assert server.http("DELETE", f"/api/leaderboards/{scored}").status == 204
    assert scored not in [b["board"] for b in listed()]
    assert server.http("GET", "/api/leaderboards?cursor=a%20b").status == 400
