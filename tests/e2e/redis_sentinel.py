"""A master, its replica and a Sentinel that lets the replica take over."""

import pathlib
import shutil
import subprocess

import redis
from conftest import free_port, wait_until

PROGRAM = shutil.which("valkey-server") or shutil.which("redis-server")


class Node:
    """A Redis on a TCP port, with its append-only file on."""

    def __init__(self, directory, master_port=None):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True)
        self.port = free_port()
        self.process = None
        self.start(master_port)

    def start(self, master_port=None):
        arguments = [PROGRAM, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.directory), "--appendonly",
                     "yes", "--save", "", "--repl-diskless-sync-delay", "0"]
        if master_port:
            arguments += ["--replicaof", "127.0.0.1", str(master_port)]
        self.process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL)
        wait_until(self.answers, 20, "an answer of Redis")

    def answers(self):
        try:
            return self.redis().ping()
        except redis.RedisError:
            return False

    def redis(self):
        return redis.Redis(port=self.port, decode_responses=True, socket_timeout=20)

    def role(self):
        return self.redis().info("replication")["role"]

    def kill(self):
        self.process.kill()
        self.process.wait(20)


class SentinelPair:
    def __init__(self, directory, name="game"):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True)
        self.name = name
        self.nodes = [Node(self.directory / "a")]
        self.nodes.append(Node(self.directory / "b", self.nodes[0].port))
        self.port = free_port()
        file = self.directory / "sentinel.conf"
        file.write_text(f"port {self.port}\nbind 127.0.0.1\ndir {self.directory}\n"
                        f"sentinel monitor {name} 127.0.0.1 {self.nodes[0].port} 1\n"
                        f"sentinel down-after-milliseconds {name} 700\nsentinel failover-timeout {name} 4000\n")
        self.sentinel = subprocess.Popen([PROGRAM, str(file), "--sentinel"], stdout=subprocess.DEVNULL)
        wait_until(self.knows_replica, 60, "the replica in the Sentinel's list")

    @property
    def url(self):
        return f"redis-sentinel://127.0.0.1:{self.port}/{self.name}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in (self.sentinel, *(node.process for node in self.nodes)):
            if process.poll() is None:
                process.kill()
                process.wait(20)

    def ask(self, *words):
        return redis.Redis(port=self.port, decode_responses=True).execute_command("SENTINEL", *words)

    def knows_replica(self):
        """There is one that could take over: in step, and known to the Sentinel as such."""
        try:
            replicas = [dict(zip(r[::2], r[1::2])) for r in self.ask("REPLICAS", self.name)]
            return any(r["flags"] == "slave" and r["master-link-status"] == "ok" for r in replicas)
        except redis.RedisError:
            return False

    def master(self):
        address = self.ask("GET-MASTER-ADDR-BY-NAME", self.name)
        return next((n for n in self.nodes if str(n.port) == str(address[1])), None)

    def other(self, node):
        return self.nodes[1 - self.nodes.index(node)]
