"""What the tests of the server status share: backends that are stopped and started, and many readers at once."""

import asyncio
import json
import pathlib
import shutil
import signal
import subprocess
import urllib.request

import redis

from conftest import BINARY, Server, free_port, wait_until

ROWS = ("('ServerStatus', 1, 'up or down')", "('RateExp', 2.5, 'experience')", "('CLIENT_STATUS', 257, 'client')")


def create_constants(mariadb, database, rows=ROWS, value_type="DOUBLE"):
    mariadb.sql(f"DROP DATABASE IF EXISTS {database}", f"CREATE DATABASE {database} CHARACTER SET utf8mb4",
                f"GRANT ALL ON {database}.* TO 'game'@'%'")
    mariadb.sql(f"CREATE TABLE constants (Name VARCHAR(64), Value {value_type}, Description LONGTEXT)",
                *(f"INSERT INTO constants VALUES {row}" for row in rows), database=database)


class QueryLog:
    """Counts the statements that MariaDB receives: those about `constants`, unless told others."""

    def __init__(self, mariadb):
        self.mariadb = mariadb

    def start(self):
        self.mariadb.sql("SET GLOBAL log_output='TABLE'", "SET GLOBAL general_log=0",
                         "TRUNCATE mysql.general_log", "SET GLOBAL general_log=1")

    def count(self, like="SELECT Name, Value, Description FROM constants"):
        answer = self.mariadb.sql(f"SELECT COUNT(*) FROM mysql.general_log WHERE argument LIKE '{like}'")
        return int(answer.stdout)


class RedisServer:
    """A Redis on a free port that keeps nothing when it is killed."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.process = None
        self.start()

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}"

    def start(self):
        program = shutil.which("valkey-server") or shutil.which("redis-server")
        self.process = subprocess.Popen([program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
                                         "--dir", str(self.directory)], stdout=subprocess.DEVNULL)
        wait_until(self.answers, what="Redis's first answer")

    def answers(self):
        try:
            return self.client().ping()
        except redis.RedisError:
            return False

    def client(self):
        return redis.Redis(port=self.port, decode_responses=True)

    def stop(self):
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait(20)

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)


class Worker(Server):
    """One `skirmish status-worker`."""

    def start(self, wait=True):
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self.log = open(self.data_dir.parent / f"{self.data_dir.name}.log", "ab")
        self.process = subprocess.Popen(
            [BINARY, "status-worker", "--data-dir", str(self.data_dir), "--listen", self.listen, *self.args],
            stdout=subprocess.PIPE, stderr=self.log, env=self.env, text=True)
        if wait:
            self.wait_ready()
        return self


def status(server, path="/server/status", **headers):
    answer = server.http("GET", path, key=None, headers=headers)
    assert answer.status == 200, answer
    return answer.json


async def _read_many(host, port, path, connections, requests):
    bodies = []

    async def one(count):
        reader, writer = await asyncio.open_connection(host, port)
        for _ in range(count):
            writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = int(head.lower().split("content-length: ")[1].split("\r\n")[0])
            bodies.append((int(head.split()[1]), await reader.readexactly(length)))
        writer.close()

    await asyncio.gather(*(one(requests // connections) for _ in range(connections)))
    return bodies


def read_many(server, connections=100, requests=10_000, path="/server/status"):
    """Statuses and parsed bodies of `requests` reads over `connections` connections at once."""
    host, port = server.url.removeprefix("http://").split(":")
    return [(code, json.loads(body)) for code, body in
            asyncio.run(_read_many(host, int(port), path, connections, requests))]


def get_raw(url, headers=None, method="GET"):
    return urllib.request.urlopen(urllib.request.Request(url, headers=headers or {}, method=method), timeout=20)
