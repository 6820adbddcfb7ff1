"""`skirmish replay --follow`: a log that grows, is renamed, truncated; the follower and the server die in between."""

import json
import os
import random
import signal
import subprocess

import pytest
from conftest import BINARY, Server, unique, wait_until

KILL = 'L 05/01/2024 - 20:{:02}:{:02}: "Ann<2><STEAM_1:0:1><CT>" killed "Bob<3><STEAM_1:0:2><TERRORIST>" with "awp"\n'


class Follower:
    def __init__(self, server, log, *args):
        self.command = [BINARY, "replay", "--follow", str(log), "--url", server.url, "--api-key", server.key, "--json",
                        *args]
        self.process = None

    def start(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        return self

    def kill(self):
        self.process.kill()
        self.process.communicate()

    def end(self):
        """Ends it in order and gives what it says."""
        self.process.send_signal(signal.SIGTERM)
        out, err = self.process.communicate(timeout=30)
        assert self.process.returncode == 0, err
        return json.loads(out)


@pytest.fixture
def server(short_tmp):
    server = Server(short_tmp / unique("follow")).start()
    yield server
    server.stop()


@pytest.fixture
def log(tmp_path):
    return tmp_path / "games.log"


def append(path, text):
    with path.open("a") as out:
        out.write(text)


def kills(server):
    return int(server.redis().zscore("leaderboard:kills", "STEAM_1:0:1") or 0)


def kill_lines(first, count):
    return "".join(KILL.format(n // 60 % 60, n % 60) for n in range(first, first + count))


def wait_for_kills(server, count):
    wait_until(lambda: kills(server) >= count, 60, f"{count} kills")
    assert kills(server) == count


def test_lines_arrive_as_they_are_written_and_a_partial_one_waits(server, log):
    follower = Follower(server, log).start()
    try:
        append(log, kill_lines(0, 3))
        wait_for_kills(server, 3)
        append(log, KILL.format(1, 1)[:60])
        append(log, KILL.format(1, 1)[60:] + KILL.format(1, 2)[:-1])
        wait_for_kills(server, 4)
        append(log, "\n" + kill_lines(200, 1))
        wait_for_kills(server, 6)
    finally:
        summary = follower.end()
    assert summary["kills"] == 6 and summary["accepted"] > 6 and summary["duplicate"] == 0


def test_goes_on_where_it_was_killed(server, log):
    append(log, kill_lines(0, 400))
    follower = Follower(server, log).start()
    wait_until(lambda: kills(server) > 20, 60, "a few kills")
    follower.kill()
    append(log, kill_lines(400, 100))
    follower.start()
    wait_for_kills(server, 500)
    again = follower.end()
    assert again["duplicate"] > 0
    assert kills(server) == 500


def test_renamed_and_truncated_logs(server, log):
    follower = Follower(server, log).start()
    append(log, kill_lines(0, 5))
    wait_for_kills(server, 5)
    # The server goes on writing to the renamed file for a moment; its last line has no end.
    log.rename(log.with_name("games.log.1"))
    append(log, kill_lines(0, 5))
    append(log.with_name("games.log.1"), kill_lines(5, 1) + KILL.format(0, 7)[:-1])
    wait_for_kills(server, 12)
    os.truncate(log, 0)
    append(log, kill_lines(0, 2))
    wait_for_kills(server, 14)
    follower.end()


@pytest.mark.parametrize("copies", [False, True], ids=["renamed", "copied"])
def test_rotated_while_nobody_followed(server, log, copies):
    follower = Follower(server, log).start()
    append(log, kill_lines(0, 5))
    wait_for_kills(server, 5)
    follower.kill()
    append(log, kill_lines(5, 5))
    old = log.with_name("games.log.1")
    if copies:
        old.write_bytes(log.read_bytes())
        os.truncate(log, 0)
    else:
        log.rename(old)
    append(log, kill_lines(0 if not copies else 100, 7))  # a renamed file is known even among equals
    follower.start()
    wait_for_kills(server, 17)
    follower.end()


def test_a_file_that_cannot_be_gone_on_with_is_refused(server, log):
    append(log, kill_lines(0, 1))
    log.with_name("games.log.follow").write_text('{"mapping": 0}')
    done = subprocess.run(Follower(server, log).command, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and "games.log.follow" in done.stderr
    without = subprocess.run([BINARY, "replay", "--follow", str(log)], capture_output=True, text=True, timeout=60)
    assert without.returncode == 2 and "--url" in without.stderr


@pytest.mark.long
def test_each_line_once_whatever_dies(server, log):
    """The log grows and rotates, while the follower and the server are killed at random."""
    rng = random.Random(5)
    follower = Follower(server, log).start()
    written = 0
    for turn in range(12):
        count = rng.randrange(20, 120)
        text = kill_lines(written, count)
        cut = rng.randrange(len(text))
        append(log, text[:cut])
        what = turn % 4
        if what == 0:
            follower.kill()
            follower.start()
        elif what == 1:
            server.kill()
            server.start()
        append(log, text[cut:])
        written += count
        if what == 2:
            wait_for_kills(server, written)  # so it follows this file by now, not the one before
            append(log, kill_lines(written, 1))
            written += 1
            log.rename(log.with_name(f"games.log.{turn}"))
    wait_for_kills(server, written)
    follower.end()
