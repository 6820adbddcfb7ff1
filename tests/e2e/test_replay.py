"""Real match logs into a live world, compared with totals that an independent script computes."""

import collections
import json
import subprocess
import sys

import packed_slice
import pytest
from conftest import ROOT, Server, unique

DATA = ROOT / "tests/data"
SUPPORT = ROOT / "tests/support"


def totals_of(path, fmt):
    out = subprocess.run([sys.executable, str(SUPPORT / "match_totals.py"), "--format", fmt, str(path)],
                         check=True, capture_output=True, text=True).stdout
    return json.loads(out)


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    """The two bundled logs, and another match of each format that the program has never seen."""
    made = tmp_path_factory.mktemp("matches")
    out = [(DATA / "csgo-match.log", "source"), (DATA / "quake3-games.log", "quake3")]
    for fmt in ("source", "quake3"):
        path = made / f"{fmt}.log"
        with path.open("wb") as log:
            subprocess.run([sys.executable, str(SUPPORT / "make_match.py"), "--format", fmt, "--seed", "77"],
                           check=True, stdout=log)
        out.append((path, fmt))
    return out


@pytest.mark.parametrize("which", range(4), ids=["csgo", "quake3", "made-source", "made-quake3"])
def test_world_equals_the_independent_totals(short_tmp, request, logs, which):
    path, fmt = logs[which]
    env = request.getfixturevalue("mariadb").env("replay") if which == 0 else {}
    if which == 0:
        request.getfixturevalue("mariadb").sql("DROP DATABASE IF EXISTS replay", "CREATE DATABASE replay",
                                               "GRANT ALL ON replay.* TO 'game'@'%'")
    server = Server(short_tmp / unique("replay"), env).start()
    try:
        check_world(server, path, totals_of(path, fmt))
    finally:
        server.stop()


def check_world(server, path, expected):
    summary = server.replay(path)
    for name, count in expected["totals"].items():
        assert summary[name] == count, name
    assert summary["duplicate"] == 0 and summary["rejected"] == 0
    again = server.replay(path)
    assert again["accepted"] == 0 and again["duplicate"] == summary["accepted"]

    r = server.redis()
    hp, dealt, activity = {}, {}, {}
    for player in expected["players"]:
        state = r.hgetall(f"player:{player}")
        hp[player] = int(state["hp"])
        dealt[player] = int(state["damage_dealt"])
        activity[player] = int(r.zscore("leaderboard:active", player) or 0)
    assert hp == {p: expected["hp"].get(p, 100) for p in expected["players"]}
    assert dealt == {p: expected["damage"].get(p, 0) for p in expected["players"]}
    assert activity == {p: expected["activity"].get(p, 0) for p in expected["players"]}
    kills = {p: int(s) for p, s in r.zrange("leaderboard:kills", 0, -1, withscores=True)}
    assert kills == expected["kills"]
    for pair, last in expected["attacks"].items():
        attacker, target = pair.split(" ")
        # A `:` inside an id is `%3A` there, so that no two pairs share a key.
        record = r.hgetall("attack:" + ":".join(player.replace(":", "%3A") for player in (attacker, target)))
        assert int(record["damage"]) == last["damage"], pair
        if last["ts"]:
            assert record["ts"] == last["ts"], pair
    assert sum(1 for _ in r.scan_iter("attack:*", count=1000)) == len(expected["attacks"])
    for level in expected["levels"]:
        assert server.http("GET", f"/api/levels/{level}", key=None).status == 200
    check_game(r, expected)
    assert packed_slice.all_counts(r) == expected["activity"]


RULES = {"first-blood": ("kills", 1), "hard-hitter": ("damage_dealt", 1_000), "first-steps": ("completions", 1),
         "veteran": ("level", 10), "hello": ("chats", 1)}


def check_achievements(r, players):
    """What the counters of the replayed match have passed is unlocked, and was announced once."""
    unlocked = set()
    for player in players:
        counters = r.hgetall(f"player:{player}")
        passed = {name for name, (counter, threshold) in RULES.items() if int(counters.get(counter, 0)) >= threshold}
        assert passed <= set(r.hgetall(f"achievements:{player}")), player
        unlocked |= {(player, name) for name in r.hgetall(f"achievements:{player}")}
    said = [json.loads("{" + fields["extra"].lstrip(",") + "}") for _, fields in r.xrange("chat:achievement")]
    announced = sorted((x["player_id"], x["achievement"]) for x in said)
    assert announced == sorted(unlocked)
    return unlocked


def check_game(r, expected):
    """Items, completions, chat and achievements: what is no interaction."""
    unlocked = check_achievements(r, expected["players"])
    assert any(expected["kills"].values()) == any(name == "first-blood" for _, name in unlocked)
    owned = {k.removeprefix("inventory:"): {i: int(n) for i, n in r.hgetall(k).items()}
             for k in r.scan_iter("inventory:*", count=1000)}
    assert owned == expected["inventory"]
    assert {k.removeprefix("chat:"): r.xlen(k) for k in r.scan_iter("chat:*") if k != "chat:achievement"
            and k != "chat:cache"} == expected["chat"]
    popular, scores, levels = collections.Counter(), collections.Counter(), collections.Counter()
    for level, player, score in expected["completions"]:
        popular[level] += 1
        scores[player] += score
        levels[player] += 1
    assert {x: int(n) for x, n in r.zrange("levels:popular", 0, -1, withscores=True) if n} == popular
    assert {p: int(n) for p, n in r.zrange("leaderboard:global", 0, -1, withscores=True)} == dict(scores)
    assert {p: int(r.hget(f"player:{p}", "level")) for p in expected["players"]} == \
        {p: 1 + levels[p] for p in expected["players"]}


def test_into_a_server_of_its_own(short_tmp):
    server = Server(short_tmp / unique("own"))
    table = server.run("replay", str(DATA / "csgo-match.log"), "--data-dir", str(server.data_dir)).stdout
    assert "damage" in table and "14518" in table
    once_more = json.loads(server.run("replay", str(DATA / "csgo-match.log"), "--data-dir", str(server.data_dir),
                                      "--json").stdout)
    assert once_more["accepted"] == 0


def test_refusals_say_what_to_do(short_tmp, tmp_path):
    server = Server(short_tmp / unique("own"))
    nothing = tmp_path / "nothing.log"
    nothing.write_text("hello\nworld\n")
    for args in (["replay", str(tmp_path / "absent")], ["replay", str(nothing)],
                 ["replay", str(DATA / "csgo-match.log"), "--speed", "fast"],
                 ["replay", str(DATA / "csgo-match.log"), "--origin", "here"],
                 ["replay", str(DATA / "csgo-match.log"), "--format", "doom"],
                 ["replay", str(DATA / "csgo-match.log"), "--url", "ftp://x"]):
        done = server.run(*args, "--data-dir", str(server.data_dir), check=False)
        assert done.returncode == 2 and done.stderr.strip(), (args, done)
