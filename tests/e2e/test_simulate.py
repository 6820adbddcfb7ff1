"""`skirmish simulate` and `serve --demo`: a world that plays by itself, and whose totals the API confirms."""

import fcntl
import os
import pathlib
import pty
import re
import select
import struct
import subprocess
import termios

from conftest import BINARY, Server, unique, wait_until


def totals(text):
    rows = re.findall(r"^(.+?) {2,}(\d+) +(\d+)(  differs)?$", text, re.M)
    return {what: (int(done), int(back)) for what, done, back, _ in rows}


def test_the_totals_agree(own_server):
    done = own_server.run("simulate", "--url", own_server.url, "--api-key", own_server.key, "--duration", "6s",
                          "--rate", "100/s", "--interval", "1s", "--players", "12", "--levels", "7")
    told = totals(done.stdout)
    assert len(told) == 8, done.stdout
    assert all(did == back for did, back in told.values()), told
    assert all(did > 0 for did, _ in told.values()), told
    for words in ("Leaderboard (global)", "Popular levels", "Recent activity", "[general] ", "[achievement] ",
                  "[activity] ", "12 players, 7 levels"):
        assert words in done.stdout, words
    assert "\x1b" not in done.stdout, "no terminal, no escape sequences"


def test_a_server_of_its_own_and_the_default_world(short_tmp):
    server = Server(short_tmp / unique("sim"))
    text = server.run("simulate", "--data-dir", str(server.data_dir), "--duration", "2s", "--rate", "20/s",
                      "--db-delay", "400ms").stdout
    slow, quick = re.search(r"a profile from SQL: ([\d.]+) ms, from the cache: ([\d.]+) ms", text).groups()
    assert float(slow) >= 400 > float(quick)
    assert "20 players, 20 levels" in text and "differs" not in text and "[cache] skirmish: popular" in text


def run_on_terminal(args, rows, columns):
    """Runs the program on a terminal of its own and returns what it wrote there, and its exit code."""
    process, terminal = pty.fork()
    if process == 0:
        os.execv(BINARY, [BINARY, *args])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    written = b""
    while True:
        try:
            part = os.read(terminal, 65_536)
        except OSError:  # Linux says so when the other side is closed
            part = b""
        if not part:
            os.close(terminal)
            return written.decode().replace("\r\n", "\n"), os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        written += part


def test_the_live_view_fits_its_terminal(own_server):
    rows, columns = 30, 72
    text, code = run_on_terminal(["simulate", "--url", own_server.url, "--api-key", own_server.key, "--duration", "4s",
                                  "--rate", "50/s", "--interval", "1s"], rows, columns)
    assert code == 0, text[-3_000:]
    *screens, last = text.split("\x1b[H\x1b[J")
    assert len(screens) > 5
    for screen in screens[1:]:
        lines = screen.splitlines()
        assert len(lines) < rows and all(len(line) <= columns for line in lines), screen
    assert last.startswith("20 players, 20 levels")
    for words in ("a profile from SQL", "Leaderboard (global)", "Popular levels", "Recent activity", "Channels",
                  "[general] ", "levels completed"):
        assert words in text, words
    assert len(totals(last)) == 8 and "differs" not in last


def test_bad_usage(short_tmp):
    server = Server(short_tmp / unique("sim"))
    for args in (["--rate", "fast"], ["--duration", "soon"], ["--players", "1"], ["--interval", "0"]):
        done = server.run("simulate", "--data-dir", str(server.data_dir), *args, check=False)
        assert done.returncode == 2 and done.stderr.strip(), args


def test_serve_demo_plays_until_it_is_stopped(short_tmp):
    server = Server(short_tmp / unique("demo"), args=["--demo"]).start()
    try:
        wait_until(lambda: server.http("GET", "/api/leaderboards/active", key=None).json["items"], what="activity")
        wait_until(lambda: server.http("GET", "/api/levels?sort=popular", key=None).json["items"], what="a level that was completed")
    finally:
        server.stop()
    assert pathlib.Path(server.data_dir / "admin.key").exists()


def test_serve_demo_stops_though_nobody_reads_its_output(short_tmp):
    server = Server(short_tmp / unique("demo"), args=["--demo"])
    unread, out = os.pipe()
    fcntl.fcntl(out, fcntl.F_SETPIPE_SZ, 4096)
    log = open(short_tmp / f"{server.data_dir.name}.log", "wb")
    server.process = subprocess.Popen([BINARY, "serve", "--data-dir", str(server.data_dir), "--listen", server.listen, "--demo"],
                                      stdout=out, stderr=log, env=server.env)
    try:
        server.url = f"http://{server.listen}"
        full = lambda: not select.select([], [out], [], 0)[1]  # noqa: E731
        wait_until(full, 60, "a full pipe")
        played = lambda: sum(one["score"] for one in server.http("GET", "/api/leaderboards/active", key=None).json["items"])  # noqa: E731
        before = played()
        wait_until(lambda: played() > before, 30, "a world that plays on")
    finally:
        server.stop()
        os.close(out)
        os.close(unread)
