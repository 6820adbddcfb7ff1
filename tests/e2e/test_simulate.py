"""`skirmish simulate` and `serve --demo`: a world that plays by itself, and whose totals the API confirms."""

import pathlib
import re

from conftest import Server, unique, wait_until


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


def test_bad_usage(short_tmp):
    server = Server(short_tmp / unique("sim"))
    for args in (["--rate", "fast"], ["--duration", "soon"], ["--players", "1"], ["--interval", "0"]):
        done = server.run("simulate", "--data-dir", str(server.data_dir), *args, check=False)
        assert done.returncode == 2 and done.stderr.strip(), args


def test_serve_demo_plays_until_it_is_stopped(short_tmp):
    server = Server(short_tmp / unique("demo"), args=["--demo"]).start()
    try:
        wait_until(lambda: server.http("GET", "/api/leaderboards/active", key=None).json["items"], what="activity")
        assert server.http("GET", "/api/levels?sort=popular", key=None).json["items"]
    finally:
        server.stop()
    assert pathlib.Path(server.data_dir / "admin.key").exists()
