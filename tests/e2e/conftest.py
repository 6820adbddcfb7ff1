"""The real program, on free ports, with real servers beside it. SKIRMISH_BIN names the binary."""

import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
import uuid

import pytest
import redis

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("SKIRMISH_BIN", str(ROOT / "build/dev/skirmish"))


def wait_until(condition, seconds=20, what="the condition"):
    """Polls until `condition()` is true and returns its value; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"{what} did not come true within {seconds} s"
        time.sleep(0.02)


def unique(prefix="p"):
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.body[:300]!r}>"


class Server:
    """One `skirmish serve` process on a data directory; may be killed and started again."""

    def __init__(self, data_dir, env=None, args=()):
        self.data_dir = pathlib.Path(data_dir)
        self.env = {**os.environ, **(env or {})}
        self.args = list(args)
        self.listen = f"127.0.0.1:{free_port()}"
        self.process = None
        self.url = None

    def start(self, wait=True):
        self.log = open(self.data_dir.parent / f"{self.data_dir.name}.log", "ab")
        self.process = subprocess.Popen(
            [BINARY, "serve", "--data-dir", str(self.data_dir), "--listen", self.listen, *self.args],
            stdout=subprocess.PIPE, stderr=self.log, env=self.env, text=True)
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self):
        line = self.process.stdout.readline()
        assert line.startswith("ready http://"), f"the server said {line!r}; its log:\n{self.log_text()[-3000:]}"
        self.url = line.split()[1]

    def log_text(self):
        return (self.data_dir.parent / f"{self.data_dir.name}.log").read_text(errors="replace")

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            assert self.process.wait(40) == 0, self.log_text()[-5000:]

    def kill(self):
        self.process.kill()
        self.process.wait(20)

    @property
    def key(self):
        return (self.data_dir / "admin.key").read_text().strip()

    @property
    def redis_url(self):
        return self.env.get("REDIS_URL") or f"unix://{self.data_dir}/redis.sock"

    def redis(self):
        return redis.Redis.from_url(self.redis_url, decode_responses=True)

    def redis_pid(self):
        return int(self.redis().info("server")["process_id"])

    def http(self, method, path, body=None, key="admin", headers=None, raw=None, timeout=30):
        data = raw if raw is not None else (None if body is None else json.dumps(body).encode())
        request = urllib.request.Request(self.url + path, data=data, method=method)
        if data is not None:
            request.add_header("Content-Type", "application/json")
        if key:
            request.add_header("X-API-Key", self.key if key == "admin" else key)
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        try:
            with urllib.request.urlopen(request, timeout=timeout) as r:
                return Answer(r.status, r.headers, r.read())
        except urllib.error.HTTPError as e:
            return Answer(e.code, e.headers, e.read())

    def run(self, *args, check=True, timeout=120, env=None):
        """Runs a subcommand of the program as an operator would."""
        done = subprocess.run([BINARY, *args], capture_output=True, text=True, timeout=timeout,
                              env={**self.env, **(env or {})})
        assert not check or done.returncode == 0, f"{args}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def replay(self, path, *args, **more):
        done = self.run("replay", str(path), "--json", "--url", self.url, "--api-key", self.key, *args, **more)
        return json.loads(done.stdout)

    def new_player(self, name="Player"):
        player_id = unique()
        answer = self.http("POST", "/api/players", {"player_id": player_id, "name": name})
        assert answer.status == 201, answer
        return player_id

    def ws(self, path="/api/ws", key="admin", headers=None, url=None, **more):
        import websockets  # asyncio client: `async with server.ws() as socket`
        headers = {**(headers or {}), **({"X-API-Key": self.key if key == "admin" else key} if key else {})}
        # Debian 12 has version 10, Debian 13 has 15, which named the headers anew.
        name = "additional_headers" if int(websockets.__version__.split(".")[0]) >= 14 else "extra_headers"
        return websockets.connect((url or self.url).replace("http", "ws", 1) + path, max_size=None, **{name: headers}, **more)


class MariaDB:
    """A private MariaDB on a free port, with one database."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.socket = str(self.directory / "m.sock")
        self.data = self.directory / "data"
        me = ["--user=root"] if os.geteuid() == 0 else []
        subprocess.run(["mariadb-install-db", "--no-defaults", f"--datadir={self.data}", "--skip-test-db",
                        "--auth-root-authentication-method=normal", *me], check=True, capture_output=True)
        self.base = ["mariadbd", "--no-defaults", f"--datadir={self.data}", f"--socket={self.socket}",
                     f"--pid-file={self.directory}/pid", "--bind-address=127.0.0.1", "--skip-log-bin",
                     "--innodb-buffer-pool-size=16M", "--innodb-log-file-size=8M", *me]
        self.port = free_port()
        self.process = None
        self.start()
        self.sql("CREATE DATABASE skirmish CHARACTER SET utf8mb4",
                 "CREATE USER 'game'@'%' IDENTIFIED BY 'secret'", "GRANT ALL ON skirmish.* TO 'game'@'%'")

    def start(self, *args):
        self.process = subprocess.Popen([*self.base, f"--port={self.port}", *args],
                                        stdout=subprocess.DEVNULL, stderr=open(self.directory / "log", "ab"))
        wait_until(lambda: self.sql("SELECT 1", check=False).returncode == 0, 60, "MariaDB's first answer")

    def sql(self, *statements, check=True, database=""):
        client = shutil.which("mariadb") or "mysql"
        return subprocess.run([client, "--no-defaults", f"--socket={self.socket}", "-uroot", "-N", "-B",
                               "-e", ";".join(statements), *([database] if database else [])],
                              check=check, capture_output=True, text=True)

    def stop(self):
        self.process.terminate()
        self.process.wait(60)

    def env(self, name="skirmish"):
        return {"DB_HOST": "127.0.0.1", "DB_PORT": str(self.port), "DB_USER": "game", "DB_PASSWORD": "secret",
                "DB_NAME": name}


def free_port():
    """A port that stays free until it is used, and while its server is down: the kernel gives none of this range away."""
    while True:
        port = random.randrange(12_000, 32_000)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


@pytest.fixture(scope="session")
def short_tmp():
    """A directory with a short path: Unix sockets allow 107 bytes."""
    path = tempfile.mkdtemp(prefix="sk-")
    yield pathlib.Path(path)
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def mariadb(short_tmp):
    (short_tmp / "maria").mkdir()
    server = MariaDB(short_tmp / "maria")
    yield server
    server.stop()


@pytest.fixture(scope="session", params=["sqlite", "mariadb"])
def server(request, short_tmp):
    """A server for many tests, which therefore make up their own ids. Both databases."""
    env = request.getfixturevalue("mariadb").env() if request.param == "mariadb" else {}
    s = Server(short_tmp / request.param, env).start()
    yield s
    s.stop()


@pytest.fixture
def own_server(short_tmp):
    """A server of a test's own, on SQLite, to be killed at will."""
    s = Server(short_tmp / unique("own")).start()
    yield s
    if s.process.poll() is None:
        s.stop()


@pytest.fixture
def own_server_quick(short_tmp):
    """A server of a test's own that refreshes the popular levels often."""
    s = Server(short_tmp / unique("own"), {"SKIRMISH_LEVELS_POPULAR_REFRESH": "200ms"}).start()
    yield s
    if s.process.poll() is None:
        s.stop()
