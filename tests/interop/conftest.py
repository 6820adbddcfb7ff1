"""Partners of the conformance tests: a Redis server, a C++ worker and a real Celery worker, and Celery as the client.

SKIRMISH_EXAMPLES names the directory of the built examples (default: build/dev/examples, else build/release/examples).
"""

import gc
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

celery = pytest.importorskip("celery", reason="skipped: Celery is not installed (apt install celery)")
import redis  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent


# Taken out of the environment, because the program refuses variables of its own that it does not know.
EXAMPLES = os.environ.pop("SKIRMISH_EXAMPLES", None)


def examples():
    for place in [EXAMPLES] if EXAMPLES else [ROOT / "build/dev/examples", ROOT / "build/release/examples"]:
        if (pathlib.Path(place) / "tasks_worker").exists():
            return pathlib.Path(place)
    pytest.skip("skipped: build the examples first")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def eventually(condition, deadline=20.0, what="the condition"):
    """Polls until `condition()` is true and returns its value."""
    end = time.monotonic() + deadline
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"{what} did not come within {deadline} s")


class Server:
    """A Redis server that can be killed, frozen and started again, and that loses nothing it acknowledged."""

    def __init__(self, directory):
        self.port = free_port()
        self.directory = directory
        self.start()

    def start(self):
        program = shutil.which("redis-server") or shutil.which("valkey-server")
        self.process = subprocess.Popen(
            [program, "--port", str(self.port), "--save", "", "--appendonly", "yes", "--appendfsync", "everysec",
             "--dir", str(self.directory)],
            stdout=subprocess.DEVNULL,
        )
        self.client = redis.Redis(port=self.port)
        eventually(self.answers, what="Redis")

    def answers(self):
        try:
            return self.client.ping()
        except redis.exceptions.RedisError:
            return False

    def kill(self):
        self.process.kill()
        self.process.wait()

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/0"


class Proxy:
    """Stands between a worker and Redis, and can hold what goes either way."""

    def __init__(self, upstream_port):
        self.upstream_port = upstream_port
        self.requests_flow, self.replies_flow = threading.Event(), threading.Event()
        self.requests_flow.set(), self.replies_flow.set()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.closed = False
        self.trigger, self.action = None, None
        threading.Thread(target=self.accept, daemon=True).start()

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/0"

    def accept(self):
        while True:
            try:
                here, _ = self.listener.accept()
            except OSError:
                return
            there = socket.create_connection(("127.0.0.1", self.upstream_port))
            for a, b, flow in ((here, there, self.requests_flow), (there, here, self.replies_flow)):
                a.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self.pump, args=(a, b, flow), daemon=True).start()

    def pump(self, source, target, flow):
        try:
            while data := source.recv(1 << 16):
                if flow is self.requests_flow and self.trigger and self.trigger in data:
                    self.action()
                flow.wait()  # what has arrived is held, too
                if self.closed:
                    break
                target.sendall(data)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def hold_requests(self):
        self.requests_flow.clear()

    def hold_replies(self):
        self.replies_flow.clear()

    def when_asked(self, text, action):
        """Calls `action` once a request holds `text`, before it is passed on."""
        self.action, self.trigger = action, text.encode()

    def close(self):
        self.closed = True
        self.listener.close()
        self.requests_flow.set(), self.replies_flow.set()


class Worker:
    """A C++ worker."""

    def __init__(self, server, *arguments, queue="cpp", node="cpp1", **environment):
        self.server = server
        self.log = open(server.directory / f"{node}.log", "ab")
        self.process = subprocess.Popen(
            [str(examples() / "tasks_worker"), "-Q", queue, "-n", f"{node}@test", *arguments],
            env={**os.environ, "REDIS": server.url, **environment},
            stderr=self.log,
        )
        self.node = f"{node}@test"
        eventually(self.ready, what=f"the worker {node}")

    def last_heartbeat(self):
        """By Redis' clock."""
        return max(score for _, score in self.server.client.zrange("skirmish:tasks:workers", 0, -1, withscores=True))

    def ready(self):
        for name in self.server.client.keys("skirmish:tasks:worker:*"):
            if self.server.client.hget(name, "node") == self.node.encode():
                return self.server.client.hget(name, "pid") == str(self.process.pid).encode()
        return False

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
        return self.process.returncode


@pytest.fixture()
def server(tmp_path):
    s = Server(tmp_path)
    yield s
    s.process.send_signal(signal.SIGCONT)
    s.kill()


@pytest.fixture()
def start_worker(server):
    started = []

    def start(*arguments, **options):
        worker = Worker(server, *arguments, **options)
        started.append(worker)
        return worker

    yield start
    for worker in started:
        worker.process.send_signal(signal.SIGCONT)
        if worker.process.poll() is None:
            worker.kill()


@pytest.fixture()
def proxy(server):
    p = Proxy(server.port)
    yield p
    p.close()


@pytest.fixture()
def client(server):
    """A Celery app as Python clients have it."""
    app = celery.Celery("client", broker=server.url, backend=server.url)
    app.conf.update(task_default_queue="py", task_routes={"cpp.*": {"queue": "cpp"}},
                    # The server is gone before the last result object is.
                    result_backend_transport_options={"retry_policy": {"timeout": 0.1, "max_retries": 0}})
    yield app
    gc.collect()
    app.close()


@pytest.fixture()
def start_python_worker(server):
    """Starts a real Celery worker that serves the queue `py`."""
    started = []

    def start(concurrency=2):
        environment = dict(os.environ, REDIS=server.url, C_FORCE_ROOT="1", PYTHONPATH=str(HERE))
        started.append(subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "python_tasks", "worker", "-Q", "py", "-c", str(concurrency),
             "-n", "py1@test", "-l", "WARNING", "-E"],
            cwd=server.directory, env=environment, stdout=subprocess.DEVNULL,
            stderr=open(server.directory / "py.log", "wb")))
        probe = celery.Celery("probe", broker=server.url, backend=server.url)
        eventually(lambda: probe.control.ping(timeout=0.5, destination=["py1@test"]), 40, "the Python worker")
        probe.close()
        return started[-1]

    yield start
    for process in started:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:  # it may wait for a process that its time limit has killed
            process.kill()
            process.wait()


@pytest.fixture()
def python_worker(start_python_worker):
    return start_python_worker()
