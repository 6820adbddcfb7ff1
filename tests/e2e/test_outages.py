"""What breaks on purpose: nothing acknowledged is lost, nothing is counted twice."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

from conftest import BINARY, ROOT, MariaDB, Server, unique, wait_until
from redis_process import RedisProcess
from test_replay import DATA, check_world, totals_of


def background_replay(server, path, *args):
    return subprocess.Popen([BINARY, "replay", str(path), "--json", "--url", server.url, "--api-key", server.key, *args],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def progress(server):
    try:
        keys = list(server.redis().scan_iter("ingest:*"))
        return int((server.redis().get(keys[0]) or "0").split()[0]) if keys else 0
    except Exception:  # the server is being killed
        return 0


def finish(process):
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return json.loads(out)


def check_after(server, path):
    """The world is as if nothing had happened, and one more replay changes nothing."""
    summary = server.replay(path)
    assert summary["rejected"] == 0
    expected = totals_of(path, "source")
    r = server.redis()
    for player in expected["players"]:
        state = r.hgetall(f"player:{player}")
        assert int(state["damage_dealt"]) == expected["damage"].get(player, 0), player
        assert int(state["hp"]) == expected["hp"].get(player, 100), player
        assert int(r.zscore("leaderboard:active", player) or 0) == expected["activity"].get(player, 0), player
    assert {p: int(s) for p, s in r.zrange("leaderboard:kills", 0, -1, withscores=True)} == expected["kills"]


def test_kill_9_of_the_server_during_a_replay(own_server):
    path = DATA / "csgo-match.log"
    replay = background_replay(own_server, path, "--speed", "300x")
    for at in (2, 5):
        wait_until(lambda: progress(own_server) >= at, 60, "progress")
        assert replay.poll() is None, "the replay ended before the outage"
        own_server.kill()
        own_server.start()
    finish(replay)
    check_after(own_server, path)


def test_kill_9_of_redis_during_a_replay(own_server):
    path = DATA / "csgo-match.log"
    replay = background_replay(own_server, path, "--speed", "300x")
    for at in (2, 5):
        wait_until(lambda: progress(own_server) >= at, 60, "progress")
        assert replay.poll() is None, "the replay ended before the outage"
        pid = own_server.redis_pid()
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: alive(own_server) and own_server.redis_pid() != pid, 30, "a new Redis")
    finish(replay)
    check_after(own_server, path)


def alive(server):
    try:
        return server.redis().ping()
    except Exception:
        return False


def test_a_replay_that_was_cut_goes_on(own_server):
    path = DATA / "csgo-match.log"
    replay = background_replay(own_server, path, "--speed", "300x")
    wait_until(lambda: progress(own_server) >= 3, 60, "progress")
    replay.kill()
    replay.wait()
    summary = own_server.replay(path)
    assert summary["accepted"] > 0 and summary["duplicate"] > 0
    check_after(own_server, path)


def test_a_frozen_redis_delays_but_loses_nothing(own_server):
    a, b = own_server.new_player(), own_server.new_player()
    attack = {"type": "attack", "attacker_id": a, "target_id": b, "damage": 1}
    pid = own_server.redis_pid()
    os.kill(pid, signal.SIGSTOP)
    answers = []
    thread = threading.Thread(target=lambda: answers.append(own_server.http("POST", "/api/interactions", attack)))
    try:
        thread.start()
        wait_until(lambda: own_server.http("GET", "/readyz").status == 503, 30, "a server that is not ready")
        assert own_server.http("GET", "/healthz").status == 200
    finally:
        os.kill(pid, signal.SIGCONT)
    thread.join(30)
    assert answers, "the request was never answered"
    state = wait_until(lambda: (x := own_server.http("GET", f"/api/players/{b}/state")).status == 200 and x)
    done = 100 - state.json["hp"]
    if answers[0].status == 200:
        assert done == 1
    else:
        assert answers[0].status in (503, 504) and done in (0, 1)
    assert wait_until(lambda: own_server.http("GET", "/readyz").status == 200, 20)


def test_without_redis_reads_say_unavailable_and_recover(short_tmp):
    (short_tmp / unique("r")).mkdir()
    with RedisProcess(short_tmp / unique("redis")) as backend:
        server = Server(short_tmp / unique("own"), {"REDIS_URL": backend.url}).start()
        player = server.new_player()
        backend.stop()
        answer = wait_until(lambda: (x := server.http("GET", f"/api/players/{player}/state")).status == 503 and x, 20)
        assert answer.headers["Retry-After"] and answer.json["code"] == "unavailable"
        assert server.http("GET", f"/api/players/{player}").headers["X-Cache"] == "miss", "profiles come from SQL"
        attack = {"type": "move", "player_id": player, "lat": 1, "lon": 1}
        assert server.http("POST", "/api/interactions", attack).status in (503, 504)
        backend.start()
        wait_until(lambda: server.http("GET", "/readyz").status == 200, 20)
        # Each thread of the server has a connection of its own, and each mends itself.
        wait_until(lambda: all(server.http("GET", f"/api/players/{player}/state").status == 200 for _ in range(8)), 20)
        server.stop()


def test_a_task_waits_for_redis_when_its_sender_says_retry(short_tmp):
    with RedisProcess(short_tmp / unique("redis")) as backend:
        server = Server(short_tmp / unique("own"), {"REDIS_URL": backend.url}).start()
        task = {"name": "echo", "args": [7]}
        backend.stop()
        answer = wait_until(lambda: (x := server.http("POST", "/api/tasks", task)).status == 503 and x, 20)
        assert answer.headers["Retry-After"]
        answers = []
        sender = threading.Thread(target=lambda: answers.append(server.http("POST", "/api/tasks", {**task, "retry": True})))
        sender.start()
        time.sleep(0.3)
        assert not answers
        backend.start()
        sender.join(30)
        assert answers[0].status == 202
        path = f"/api/tasks/{answers[0].json['id']}"
        wait_until(lambda: server.http("GET", path).json.get("result") == 7, 20)
        server.stop()


def test_without_sql_what_redis_knows_is_served(short_tmp):
    directory = short_tmp / unique("maria")
    directory.mkdir()
    mariadb = MariaDB(directory)  # of its own, because it is stopped
    server = Server(short_tmp / unique("own"), mariadb.env()).start()
    cached, uncached = server.new_player(), server.new_player()
    server.redis().delete(f"user:{uncached}")
    mariadb.stop()
    try:
        assert server.http("GET", f"/api/players/{cached}").status == 200
        answer = server.http("GET", f"/api/players/{uncached}")
        assert answer.status == 503 and answer.headers["Retry-After"]
        assert server.http("GET", "/readyz").json["sql"] == "unavailable"
        move = {"type": "move", "player_id": cached, "lat": 1, "lon": 1}
        assert server.http("POST", "/api/interactions", move).json["accepted"] == 1
    finally:
        mariadb.start()
    wait_until(lambda: server.http("GET", f"/api/players/{uncached}").status == 200, 20)
    server.stop()
    mariadb.stop()


def test_data_survive_a_restart_and_one_directory_has_one_server(own_server):
    a, b = own_server.new_player(), own_server.new_player()
    own_server.http("POST", "/api/interactions", {"type": "attack", "attacker_id": a, "target_id": b, "damage": 5})
    second = own_server.run("serve", "--data-dir", str(own_server.data_dir), "--listen", "127.0.0.1:0", check=False)
    assert second.returncode == 1 and "in use" in second.stderr, second.stderr
    key = own_server.key
    own_server.stop()
    own_server.start()
    assert own_server.key == key
    assert own_server.http("GET", f"/api/players/{b}/state").json["hp"] == 95


def test_open_doors_are_refused(short_tmp):
    server = Server(short_tmp / unique("open"))
    refused = server.run("serve", "--data-dir", str(server.data_dir), "--listen", "0.0.0.0:0", check=False)
    assert refused.returncode == 1 and "apikey create" in refused.stderr
