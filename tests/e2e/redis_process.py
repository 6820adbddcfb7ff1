"""A Redis (or Valkey) of a test's own, on a Unix socket, with its append-only file on."""

import pathlib
import shutil
import subprocess

import redis
from conftest import wait_until


class RedisProcess:
    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.socket = str(self.directory / "r.sock")
        self.url = f"unix://{self.socket}"
        self.process = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        program = shutil.which("valkey-server") or shutil.which("redis-server")
        self.process = subprocess.Popen(
            [program, "--port", "0", "--unixsocket", self.socket, "--dir", str(self.directory), "--appendonly", "yes",
             "--save", ""], stdout=subprocess.DEVNULL)
        wait_until(self.answers, 20, "an answer of Redis")

    def answers(self):
        try:
            return redis.Redis.from_url(self.url).ping()
        except redis.RedisError:
            return False

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)

    def kill(self):
        self.process.kill()
        self.process.wait(20)
