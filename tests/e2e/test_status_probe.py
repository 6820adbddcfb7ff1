"""The game-server probe, against servers of other makes and against one that misbehaves.

For Minecraft the other make is PrismarineJS's server from npm. For A2S neither npm nor Debian has a server (all of npm's
packages for it ask: gamedig, source-server-query, steam-server-query, sourcequery, srcds-info, steam-condenser, ssqv2, …).
So the one below was written from Valve's description alone and is first checked with two independent clients, one from npm
and one from Debian: what those understand, the probe must understand, too.
"""

import http.server
import json
import os
import pathlib
import shutil
import socket
import ssl
import struct
import subprocess
import threading
from xml.etree import ElementTree

import pytest

from conftest import ROOT, Server, free_port, unique, wait_until
from status_support import status

INTEROP = ROOT / "tests/interop"
HEADER = b"\xff\xff\xff\xff"


@pytest.fixture(scope="session")
def npm_packages():
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("skipped: node and npm are not installed")
    if not (INTEROP / "node_modules").is_dir():
        done = subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=INTEROP, capture_output=True, text=True)
        if done.returncode != 0:
            pytest.skip(f"skipped: npm cannot install the other makes: {done.stderr[-300:]}")


class A2SServer(threading.Thread):
    """Answers A2S_INFO with a challenge, whole or split, or in one of the wrong ways named by `mode`."""

    def __init__(self, port=0):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", port))
        self.port = self.socket.getsockname()[1]
        self.mode, self.players, self.requests = "whole", 7, 0
        self.start()

    def info(self):
        fields = [b"I\x11Interop\0de_interop\0cstrike\0Counter-Strike\0", struct.pack("<hBBB", 240, self.players, 32, 1),
                  b"dl\0\x01", b"1.2.3.4\0", b"\x80" + struct.pack("<H", 27015)]
        return HEADER + b"".join(fields)

    def answers(self, request):
        if self.mode == "silent":
            return []
        if self.mode == "new challenges":
            return [HEADER + b"A" + struct.pack("<I", self.requests)]
        if not request.endswith(b"\x0b\x16\x21\x2c"):
            return [HEADER + b"A\x0b\x16\x21\x2c"]
        info = self.info()
        return {
            "whole": [info],
            "split": [b"\xfe\xff\xff\xff" + struct.pack("<IBBH", 9, 2, n, 1248) + p
                      for n, p in enumerate((info[:40], info[40:]))],
            "truncated": [info[:20]],
            "oversized": [HEADER + b"I" + b"x" * 60_000],
            "nonsense": [b"\x00\x01\x02"],
        }[self.mode]

    def run(self):
        while True:
            request, peer = self.socket.recvfrom(4096)
            self.requests += 1
            if request.startswith(HEADER + b"TSource Engine Query\0"):
                for answer in self.answers(request):
                    self.socket.sendto(answer, peer)


def start(short_tmp, probe, **settings):
    env = {"SKIRMISH_STATUS_PROBE": probe, "SKIRMISH_STATUS_PROBE_TIMEOUT": "600ms",
           "SKIRMISH_STATUS_PROBE_RETRY": "300ms", **settings}
    return Server(short_tmp / unique("p"), env).start()


@pytest.fixture
def servers(short_tmp):
    started = []

    def make(probe, **settings):
        started.append(start(short_tmp, probe, **settings))
        return started[-1]

    yield make
    for s in started:
        s.stop()


def test_the_a2s_server_of_these_tests_is_one_for_qstat():
    quakestat = shutil.which("quakestat") or pytest.skip("skipped: qstat is not installed")
    game = A2SServer()
    done = subprocess.run([quakestat, "-xml", "-a2s", f"127.0.0.1:{game.port}"], capture_output=True, text=True, timeout=60)
    seen = {field.tag: field.text for field in ElementTree.fromstring(done.stdout).find("server")}
    assert (seen["name"], seen["gametype"], seen["map"]) == ("Interop", "cstrike", "de_interop"), done.stdout
    assert (seen["numplayers"], seen["maxplayers"]) == ("7", "32")


def test_the_a2s_server_of_these_tests_is_one(npm_packages):
    game = A2SServer()
    for mode in ("whole", "split"):
        game.mode = mode
        done = subprocess.run(["node", "a2s_client.js", str(game.port)], cwd=INTEROP, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        seen = json.loads(done.stdout)
        assert seen["name"] == "Interop" and seen["map"] == "de_interop" and seen["version"] == "1.2.3.4"
        assert seen["players"]["online"] == 7 and seen["players"]["max"] == 32


@pytest.mark.parametrize("mode", ["whole", "split"])
def test_a2s(servers, mode):
    game = A2SServer()
    game.mode = mode
    server = servers(f"a2s://127.0.0.1:{game.port}")
    d = wait_until(lambda: (lambda s: s if s.get("online") else None)(status(server)), what="an observation")
    assert (d["players"], d["max_players"], d["map"], d["name"], d["version"]) == (7, 32, "de_interop", "Interop", "1.2.3.4")
    assert 0 <= d["latency_ms"] < 600 and d["observed_at"]


@pytest.fixture(scope="session")
def a2s_server_of_another_make():
    """A program around an A2S implementation of the Rust registry: npm and Debian have clients only."""
    cargo = shutil.which("cargo") or pytest.skip("skipped: cargo is not installed")
    place = ROOT / "build/peers/a2s_server"
    shutil.copytree(INTEROP / "a2s_server", place, dirs_exist_ok=True)
    env = {**os.environ, "CARGO_HOME": str(place / "cargo"), "CARGO_TARGET_DIR": str(place / "target")}

    def run(*args):
        done = subprocess.run([cargo, *args], cwd=place, env=env, capture_output=True, text=True, timeout=600)
        if done.returncode != 0:
            pytest.skip(f"skipped: cargo cannot fetch or build the other make: {done.stderr[-300:]}")

    run("info", "netget-tool@0.3.5", "--registry", "crates-io")  # fetches it, and none of its dependencies
    wire = next(place.glob("cargo/registry/src/*/netget-tool-0.3.5/src/server/a2s/wire.rs"))
    shutil.copy(wire, place / "src/wire.rs")
    run("build", "--release")
    return place / "target/release/a2s_server"


@pytest.mark.long
def test_a2s_of_another_make(a2s_server_of_another_make, servers):
    info = {"name": "Elsewhere ünd", "map": "cp_badlands", "folder": "tf", "game": "Team Fortress", "app_id": 440,
            "players": 21, "max_players": 24, "bots": 3, "version": "9.8.7", "port": 27015, "keywords": "alltalk", "game_id": 440}
    game = subprocess.Popen([a2s_server_of_another_make, json.dumps(info)], stdout=subprocess.PIPE, text=True)
    try:
        server = servers(f"a2s://127.0.0.1:{int(game.stdout.readline())}")
        d = wait_until(lambda: (lambda s: s if s.get("online") else None)(status(server)), what="an observation")
        assert (d["players"], d["max_players"], d["map"], d["name"], d["version"]) == (21, 24, "cp_badlands", "Elsewhere ünd", "9.8.7")
    finally:
        game.kill()
        game.wait(10)


def test_a2s_flapping_is_damped_and_times_are_true(servers):
    game = A2SServer()
    server = servers(f"a2s://127.0.0.1:{game.port}", SKIRMISH_STATUS_PROBE_FAILURES="3", SKIRMISH_STATUS_PROBE_RETRY="1s")
    seen = wait_until(lambda: (lambda s: s if s.get("online") else None)(status(server)))["observed_at"]
    for mode, words in (("truncated", "truncated"), ("oversized", "too large"), ("nonsense", "does not start"),
                        ("new challenges", "challenge"), ("silent", "no answer in time")):
        game.mode = mode
        # One failure: it still counts as online, but observed_at stays at the last good answer.
        assert server.http("POST", "/api/status/refresh").status == 200
        wait_until(lambda w=words: w in server.log_text(), what=f"a log line about {words}")
        game.mode = "whole"
        d = status(server)
        assert d["online"] is True
        wait_until(lambda: status(server)["observed_at"] > seen, what="the next good answer")
        seen = status(server)["observed_at"]
    game.mode = "silent"
    server.http("POST", "/api/status/refresh")
    d = wait_until(lambda: (lambda s: s if s["online"] is False else None)(status(server)), 40, "offline after three")
    assert d["observed_at"] >= seen and d["checked_at"] > d["observed_at"] and d["players"] == 7
    game.mode = "whole"
    server.http("POST", "/api/status/refresh")
    assert wait_until(lambda: status(server)["online"])
    history = wait_until(lambda: (lambda h: h if h["points"] and h["uptime_percent"] < 100 else None)(
        server.http("GET", "/api/server/status/history", key=None).json))
    assert history["players_peak"] == 7


def test_a_silent_game_server_delays_no_reader(servers):
    game = A2SServer()
    game.mode = "silent"
    server = servers(f"a2s://127.0.0.1:{game.port}", SKIRMISH_STATUS_PROBE_TIMEOUT="20s")
    for _ in range(20):
        answer = server.http("GET", "/server/status", key=None, timeout=10)
        assert answer.status == 200 and answer.json["_cache"]["cached"]


def test_minecraft_of_another_make(npm_packages, servers):
    port = free_port()
    game = subprocess.Popen(["node", "minecraft_server.js", str(port)], cwd=INTEROP, stdout=subprocess.PIPE, text=True)
    try:
        assert game.stdout.readline().strip() == "ready"
        server = servers(f"minecraft://127.0.0.1:{port}")
        d = wait_until(lambda: (lambda s: s if s.get("online") else None)(status(server)), what="an observation")
        assert (d["players"], d["max_players"], d["name"], d["version"]) == (0, 42, "Interop here", "1.20.4")
    finally:
        game.kill()
        game.wait(10)


def can_connect(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def test_tcp_and_http_of_another_make(servers):
    directory = pathlib.Path(__file__).parent
    port = free_port()
    web = subprocess.Popen(["/usr/bin/python3", "-m", "http.server", str(port), "--bind", "127.0.0.1"], cwd=directory,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: can_connect(port))
        for probe, online in ((f"http://127.0.0.1:{port}/", True), (f"tcp://127.0.0.1:{port}", True),
                              (f"http://127.0.0.1:{port}/nothing-there", False), (f"tcp://127.0.0.1:{free_port()}", False)):
            server = servers(probe)
            d = wait_until(lambda s=server: (lambda x: x if "online" in x else None)(status(s)), what=probe)
            assert d["online"] is online, probe
    finally:
        web.kill()
        web.wait(10)


def make_certificates(directory):
    """An authority of our own, and what it signed for `localhost`."""
    def openssl(*args):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-days", "2", *args], cwd=directory, check=True, capture_output=True)
    openssl("-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=The tests' authority")
    openssl("-CA", "ca.pem", "-CAkey", "ca.key", "-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=localhost",
            "-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE")


@pytest.fixture
def https(tmp_path):
    """An HTTPS server of Python's: its port, and the file of the authority that vouches for it."""
    make_certificates(tmp_path)

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/up" else 404)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1], str(tmp_path / "ca.pem")
    server.shutdown()
    server.server_close()


def test_https_with_a_certificate_that_is_checked(https, servers):
    port, authority = https
    known = {"SSL_CERT_FILE": authority, "SKIRMISH_STATUS_PROBE_TIMEOUT": "5s"}
    for probe, env, online, said in (
            (f"https://localhost:{port}/up", known, True, None),
            (f"https://localhost:{port}/down", known, False, "status 404"),
            (f"https://127.0.0.1:{port}/up", known, False, "certificate verify failed"),  # a name it does not bear
            (f"https://localhost:{port}/up", {}, False, "certificate verify failed")):  # an authority nobody trusts
        server = servers(probe, **env)
        d = wait_until(lambda s=server: (lambda x: x if "online" in x else None)(status(s)), what=probe)
        assert d["online"] is online, (probe, server.log_text()[-2000:])
        assert said is None or said in server.log_text(), server.log_text()[-2000:]


def test_a_wrong_probe_url_stops_the_start(short_tmp):
    server = Server(short_tmp / unique("p"), {"SKIRMISH_STATUS_PROBE": "ftp://game"})
    server.start(wait=False)
    assert server.process.wait(30) == 1
    assert "status.probe" in server.log_text()
