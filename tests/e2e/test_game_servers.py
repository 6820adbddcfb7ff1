"""Live logs of game servers: by HTTP with the sender's offsets, by UDP, by following a file; each line once."""

import http.client
import os
import random
import re
import signal
import socket
import subprocess
import threading
import time

import pytest
from conftest import BINARY, Server, free_port, unique, wait_until

KILL = 'L 05/01/2024 - 20:{:02}:{:02}: "Ann<2><STEAM_1:0:1><CT>" [1 2 3] killed "Bob<3><STEAM_1:0:2><TERRORIST>" [4 5 6] with "awp"\n'
ATTACK = ('L 05/01/2024 - 20:00:00: "Ann<2><STEAM_1:0:1><CT>" [1 2 3] attacked "Bob<3><STEAM_1:0:2><TERRORIST>" [4 5 6] with "awp" '
          '(damage "10") (damage_armor "0") (health "90") (armor "0") (hitgroup "chest")\n')


def kill_lines(first, count):
    return "".join(KILL.format(n // 60 % 60, n % 60) for n in range(first, first + count))


def score(server, board, player="STEAM_1:0:1"):
    return int(server.redis().zscore(f"leaderboard:{board}", player) or 0)


class Sender:
    """What a game server does: sends its log in pieces, each with its offsets, until it is answered with 200."""

    def __init__(self, server, name="duel", token="0816dd577479d82a", key=None):
        self.server, self.name, self.token = server, name, token
        self.key = key or server.http("POST", "/api/keys", {"role": "server", "scopes": ["events"]}).json["key"]
        self.log = b""
        self.sent = 0  # bytes that were answered with 200

    def write(self, text):
        self.log += text.encode()

    def post(self, begin, end, body=None, headers=None):
        more = {"X-Logbytes-BeginOffset": str(begin), "X-Logbytes-EndOffset": str(end),
                "X-Server-Instance-Token": self.token, "Content-Type": "text/plain", **(headers or {})}
        path = f"/api/ingest/source-log?server={self.name}&key={self.key}"
        return self.server.http("POST", path, key=None, raw=self.log[begin:end] if body is None else body, headers=more)

    def send(self, upto=None):
        """Sends what was not answered yet."""
        upto = len(self.log) if upto is None else upto
        answer = self.post(self.sent, upto)
        assert answer.status == 200, answer
        self.sent = upto
        return answer.json


@pytest.fixture
def server(short_tmp):
    server = Server(short_tmp / unique("games")).start()
    yield server
    server.stop()


def metric(server, name):
    """The value of a metric with its labels, as /metrics writes them."""
    text = server.http("GET", "/metrics").body.decode()
    found = re.search(r"^" + re.escape(name) + r" (\S+)$", text, re.M)
    return float(found[1]) if found else 0.0


def test_what_comes_again_is_applied_once(server):
    sender = Sender(server)
    sender.write(kill_lines(0, 10))
    first = sender.send()
    assert first["lines"] == 10 and first["committed"] == len(sender.log) and first["rejected"] == 0, first
    assert score(server, "kills") == 10
    again = sender.post(0, len(sender.log)).json
    assert again["repeated_bytes"] == len(sender.log) and again["accepted"] == 0, again
    # From the middle of what is known: what is new of it counts.
    begin = len(KILL) * 5
    sender.write(kill_lines(10, 3))
    assert sender.post(begin, len(sender.log)).status == 200
    assert score(server, "kills") == 13
    assert metric(server, 'skirmish_ingest_http_bytes_total{outcome="applied"}') == len(sender.log)
    assert metric(server, 'skirmish_ingest_http_bytes_total{outcome="missed"}') == 0


def test_boards_and_last_actions_name_the_server(server):
    sender = Sender(server)
    sender.write('L 05/01/2024 - 20:00:00: Started map "de_dust2" (CRC "1")\n' + ATTACK + kill_lines(0, 2))
    sender.send()
    for board, points in (("kills", 2), ("server:duel:kills", 2), ("weapon:awp", 2), ("map:de_dust2", 2),
                          ("server:duel:streaks", 2), ("streaks", 2)):
        assert score(server, board) == points, board
    assert score(server, "server:duel:deaths", "STEAM_1:0:2") == 2
    actions = server.http("GET", "/api/players/STEAM_1:0:1/actions").json["items"]
    assert {a["server"] for a in actions} == {"duel"}, actions
    assert any(a["type"] == "attack" and a["weapon"] == "awp" for a in actions), actions
    board = server.http("GET", "/api/leaderboards/server:duel:kills", key=None).json
    assert board["items"][0]["player_id"] == "STEAM_1:0:1" and board["items"][0]["score"] == 2
    assert server.http("GET", "/api/levels/de_dust2", key=None).status == 200
    assert server.http("GET", "/api/players/STEAM_1:0:2").json["name"] == "Bob"


def test_goes_on_where_it_was_killed_also_within_a_line(server):
    sender = Sender(server)
    sender.write(kill_lines(0, 3))
    cut = len(sender.log) - 40
    sender.send(cut)
    assert score(server, "kills") == 2
    server.kill()
    server.start()
    sender.write(kill_lines(3, 2))
    done = sender.send()
    assert score(server, "kills") == 5
    assert done["missed_bytes"] == 0 and done["repeated_bytes"] == 0, done
    # In ever smaller pieces, down to nothing at all.
    sender.write(kill_lines(5, 2))
    while sender.sent < len(sender.log):
        sender.send(min(sender.sent + 7, len(sender.log)))
    sender.send()
    assert score(server, "kills") == 7


def test_killed_at_any_moment_it_has_each_line_once(server):
    sender = Sender(server)
    sender.write(kill_lines(0, 300))
    moments = random.Random(18)

    def try_to_send(upto):
        try:
            if sender.post(sender.sent, upto).status == 200:
                sender.sent = upto
        except (OSError, http.client.HTTPException):
            pass  # the server was killed

    posts = 0
    while sender.sent < len(sender.log):
        upto = min(sender.sent + 1_000, len(sender.log))
        posts += 1
        assert posts < 500
        if posts % 6:
            try_to_send(upto)
            continue
        poster = threading.Thread(target=try_to_send, args=(upto,))
        poster.start()
        time.sleep(moments.random() * 0.02)  # before, while or after it is applied
        server.kill()
        poster.join()
        server.start()
    assert score(server, "kills") == 300
    assert score(server, "server:duel:kills") == 300


def test_redis_dies_and_the_same_is_sent_again(server):
    sender = Sender(server)
    sender.write(kill_lines(0, 5))
    sender.send()
    os.kill(server.redis_pid(), signal.SIGKILL)
    sender.write(kill_lines(5, 5))

    def is_taken():
        return sender.post(sender.sent, len(sender.log)).status == 200

    wait_until(is_taken, 60, "Redis' return")
    assert score(server, "kills") == 10


def test_a_restarted_game_server_is_another_log(server):
    sender = Sender(server)
    sender.write(kill_lines(0, 5))
    sender.send()
    # By its token.
    other = Sender(server, token="553d26732901bd2d", key=sender.key)
    other.write(kill_lines(100, 2))
    other.send()
    assert score(server, "kills") == 7
    # By what its log begins with.
    same = Sender(server, token="553d26732901bd2d", key=sender.key)
    same.write(kill_lines(200, 1))
    same.send()
    assert score(server, "kills") == 8
    # Other servers have logs of their own.
    arena = Sender(server, name="arena", token="553d26732901bd2d", key=sender.key)
    arena.write(kill_lines(200, 1))
    arena.send()
    assert score(server, "kills") == 9 and score(server, "server:arena:kills") == 1


def test_what_never_comes_is_counted_and_passed_over(server):
    sender = Sender(server)
    sender.write(kill_lines(0, 2))
    sender.send()
    sender.write(kill_lines(2, 2))
    sender.sent += len(KILL.format(0, 0))
    done = sender.send()
    assert done["missed_bytes"] == len(KILL.format(0, 0)), done
    assert score(server, "kills") == 3
    assert metric(server, 'skirmish_ingest_http_bytes_total{outcome="missed"}') == done["missed_bytes"]
    # Whoever is asked for the first time in the middle of a log has missed nothing.
    late = Sender(server, name="late", key=sender.key)
    late.write(kill_lines(0, 2))
    late.sent = len(late.log) // 2
    assert late.send()["missed_bytes"] == 0


def test_two_requests_at_once_apply_each_line_once(server):
    sender = Sender(server)
    sender.write(kill_lines(0, 500))
    answers = []

    def post():
        answers.append(sender.post(0, len(sender.log)).status)

    threads = [threading.Thread(target=post) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert 200 in answers and set(answers) <= {200, 503}, answers
    assert sender.post(0, len(sender.log)).status == 200
    assert score(server, "kills") == 500


def test_bad_requests_change_nothing(server):
    sender = Sender(server)
    line = kill_lines(0, 1).encode()
    path = "/api/ingest/source-log"

    def status(query, headers=None, body=line, key=None):
        return server.http("POST", path + query, key=key, raw=body, headers=headers).status

    good = f"?server=duel&key={sender.key}"
    begin, end = "X-Logbytes-BeginOffset", "X-Logbytes-EndOffset"
    assert status("?server=duel") == 401
    assert status("?server=duel&key=sk_000000000000_0") == 401
    chat_key = server.http("POST", "/api/keys", {"role": "server", "scopes": ["chat"]}).json["key"]
    assert status(f"?server=duel&key={chat_key}") == 403
    assert status(f"?key={sender.key}") == 400
    for name in ("", "a%20b", "a:b", "x" * 33):
        assert status(f"?server={name}&key={sender.key}") == 400, name
    for headers in ({begin: "0"}, {end: "9"}, {begin: "9", end: "3"}, {begin: "-1", end: "3"}, {begin: "x", end: "3"},
                    {begin: "0", end: "99999999999999999999"}, {begin: "5", end: "5"}):
        assert status(good, headers) == 400, headers
    assert status(good, {"X-Server-Instance-Token": "x" * 65}) == 400
    assert status(good, {}, b"x" * (1 << 20) + b"x") == 413
    assert server.http("GET", path + good, key=None).status == 405
    assert score(server, "kills") == 0
    # A key in the query is for this route alone.
    assert server.http("GET", f"/api/nearby?lat=1&lon=1&key={sender.key}", key=None).status in (400, 401)
    assert status("?server=duel", key="admin") == 200, "a header is as good"
    assert score(server, "kills") == 1
    assert sender.key.split("_")[2] not in server.log_text()


def test_without_offsets_and_with_offsets_that_do_not_fit(server):
    sender = Sender(server)
    path = f"/api/ingest/source-log?server=duel&key={sender.key}"
    answer = server.http("POST", path, key=None, raw=kill_lines(0, 2).encode()[:-1]).json
    assert answer["lines"] == 2 and answer["committed"] is None, answer
    assert metric(server, "skirmish_ingest_http_unnumbered_total") == 1
    sender.write(kill_lines(0, 3))
    size = len(sender.log)
    for _ in range(2):
        assert sender.post(0, size + 1, body=sender.log).status == 200
    assert score(server, "kills") == 5
    assert "ingest_offsets_do_not_fit" in server.log_text()


def test_many_lines_in_one_request(server):
    """More events than one frame holds, with lines that nobody understands among them."""
    sender = Sender(server)
    sender.write("".join(kill_lines(n, 1) + "nonsense\n" for n in range(3_000)))
    done = sender.send()
    assert done["lines"] == 6_000 and done["unknown_lines"] == 3_000, done
    assert score(server, "kills") == 3_000


# ---- UDP ----------------------------------------------------------------------------------------------------------------

def datagram(head, line):
    return b"\xff\xff\xff\xff" + head.encode() + line.encode() + b"\x00"


@pytest.fixture
def udp_server(short_tmp):
    port = free_port()
    server = Server(short_tmp / unique("udp"), args=[
        "--set", f"ingest.udp_listen=127.0.0.1:{port}", "--set", "ingest.udp_servers.duel.secret=2foo",
        "--set", "ingest.udp_servers.lan.sources=127.0.0.0/8"]).start()
    server.udp_port = port
    yield server
    server.stop()


def send_all(server, datagrams):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for d in datagrams:
            s.sendto(d, ("127.0.0.1", server.udp_port))


def outcome(server, name):
    return metric(server, f'skirmish_ingest_udp_datagrams_total{{outcome="{name}"}}')


def test_udp_lines_with_and_without_a_secret(udp_server):
    lines = [KILL.format(0, n) for n in range(10)]
    send_all(udp_server, [datagram("S2foo", line) for line in lines])
    wait_until(lambda: score(udp_server, "server:duel:kills") == 10, 30, "ten kills")
    send_all(udp_server, [datagram("R", lines[0]), datagram("log ", lines[1]), datagram("S2bar", lines[2]), b"\xff\xff\xff\xffI",
                          datagram("R", lines[3])])
    wait_until(lambda: score(udp_server, "server:lan:kills") == 3, 30, "three kills")
    wait_until(lambda: outcome(udp_server, "taken") == 13, 20, "the count")
    assert outcome(udp_server, "wrong_secret") == 1 and outcome(udp_server, "malformed") == 1
    assert metric(udp_server, "skirmish_ingest_udp_dropped_by_kernel_total") == 0
    assert score(udp_server, "kills") == 13


def test_udp_lines_wait_for_redis(udp_server):
    send_all(udp_server, [datagram("S2foo", KILL.format(0, 0))])
    wait_until(lambda: score(udp_server, "kills") == 1, 30, "a kill")
    os.kill(udp_server.redis_pid(), signal.SIGKILL)
    send_all(udp_server, [datagram("S2foo", KILL.format(1, n)) for n in range(20)])

    def has_all():
        try:
            return score(udp_server, "kills") == 21
        except Exception:  # Redis is on its way
            return False

    wait_until(has_all, 60, "the kills that waited")


def test_a_stop_applies_what_was_received(udp_server):
    send_all(udp_server, [datagram("S2foo", KILL.format(0, n)) for n in range(50)])
    wait_until(lambda: outcome(udp_server, "taken") == 50, 30, "the datagrams")
    udp_server.stop()
    udp_server.start()
    assert score(udp_server, "kills") == 50


@pytest.mark.parametrize("settings, why", [
    (["ingest.udp_listen=127.0.0.1:1"], "ingest.udp_servers"),
    (["ingest.udp_servers.duel.secret=foo"], "digit from 1 to 9"),
    (["ingest.udp_servers.duel.sources=here"], "here"),
    (["ingest.udp_servers.duel.sources= , "], "anybody"),
    (["ingest.udp_servers.duel.port=3"], "secret and sources"),
    (["ingest.origin=north"], "ingest.origin"),
    (["ingest.body_limit=1"], "ingest.body_limit"),
])
def test_settings_that_cannot_work_are_refused(short_tmp, settings, why):
    words = [word for s in settings for word in ("--set", s)]
    done = subprocess.run([BINARY, "check", "--data-dir", str(short_tmp / "none"), *words], capture_output=True, text=True)
    assert done.returncode != 0 and why in done.stderr, (done.returncode, done.stdout[-500:], done.stderr)


def test_a_secret_is_not_shown(short_tmp):
    done = subprocess.run([BINARY, "check", "--data-dir", str(short_tmp / "none"), "--set", "ingest.udp_servers.duel.secret=1secret"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "1secret" not in done.stdout and "ingest.udp_servers = (set, hidden)" in done.stdout


# ---- files --------------------------------------------------------------------------------------------------------------

def test_following_a_file_of_a_named_server(server, tmp_path):
    log = tmp_path / "games.log"
    log.write_text(kill_lines(0, 3))
    command = [BINARY, "replay", "--follow", str(log), "--server", "duel", "--url", server.url, "--api-key", server.key]
    for expected in (4, 5):
        follower = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            with log.open("a") as out:
                out.write(kill_lines(3, 1))
            wait_until(lambda n=expected: score(server, "server:duel:kills") == n, 60, "the kills")
        finally:
            follower.send_signal(signal.SIGTERM)
            assert follower.wait(30) == 0, follower.stderr.read()
    assert score(server, "kills") == 5
    # Under another name the same file would be other events.
    other = [word if word != "duel" else "arena" for word in command]
    done = subprocess.run(other, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and "--server duel" in done.stderr, done.stderr
    bad = [word if word != "duel" else "a:b" for word in command]
    assert subprocess.run(bad, capture_output=True, text=True, timeout=60).returncode != 0
