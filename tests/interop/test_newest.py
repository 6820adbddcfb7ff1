"""The newest Celery and Flower of the Python package index, in a virtual environment under build/. Skipped without an index."""

import json
import os
import pathlib
import re
import subprocess
import sys
import urllib.error
import urllib.request

import pytest
from conftest import ROOT, eventually, free_port


@pytest.fixture(scope="session")
def newest():
    """The Python of an environment that has them."""
    place = ROOT / "build/peers/celery"
    python = place / "bin/python"
    probe = [str(python), "-c", "import celery, flower, pytest, redis; print(celery.__version__, flower.__version__)"]
    if not python.exists() or subprocess.run(probe, capture_output=True).returncode != 0:
        made = subprocess.run([sys.executable, "-m", "venv", "--clear", str(place)], capture_output=True, text=True)
        if made.returncode != 0:
            pytest.skip("skipped: no virtual environments here (apt install python3-venv)")
        try:
            got = subprocess.run([str(python), "-m", "pip", "install", "-q", "--retries", "1", "--timeout", "15",
                                  "celery[redis]", "flower", "pytest"], capture_output=True, text=True, timeout=600)
        except subprocess.TimeoutExpired:
            pytest.skip("skipped: the package index is too slow")
        if got.returncode != 0:
            pytest.skip(f"skipped: no package index ({got.stderr.strip().splitlines()[-1:]})")
    versions = subprocess.run(probe, capture_output=True, text=True, check=True).stdout.strip()
    print(f"newest Celery and Flower: {versions}")
    return python


def test_conformance_in_both_directions(newest):
    done = subprocess.run([str(newest), "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_conformance.py"],
                          cwd=pathlib.Path(__file__).parent, capture_output=True, text=True, timeout=1500)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    # A suite that skips itself proves nothing.
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) > 25, done.stdout[-500:]
    assert "skipped" not in done.stdout, done.stdout[-500:]


@pytest.fixture()
def flower(newest, server):
    port = free_port()
    log = open(server.directory / "flower.log", "wb")
    process = subprocess.Popen(
        [str(newest), "-m", "celery", f"--broker={server.url}", f"--result-backend={server.url}", "flower",
         "--address=127.0.0.1", f"--port={port}"],
        env={**os.environ, "FLOWER_UNAUTHENTICATED_API": "true"}, cwd=server.directory, stdout=log, stderr=log)

    def ask(path, method="GET"):
        try:
            request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method, data=b"" if method == "POST" else None)
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.read().decode()
        except (urllib.error.URLError, OSError):
            return ""

    eventually(lambda: ask("/healthcheck"), 60, "Flower's first answer")
    yield ask
    process.terminate()
    process.wait()


def test_flower_sees_cpp_workers_and_their_tasks(flower, client, start_worker):
    worker = start_worker("-c", "2", "-E")
    node = worker.node

    def seen():
        workers = json.loads(flower("/api/workers?refresh=1") or "{}")
        told = workers.get(node, {})
        return told if {"stats", "registered", "active_queues", "conf"} <= set(told) else None

    about = eventually(seen, 60, "the worker in Flower")
    assert about["stats"]["pool"]["max-concurrency"] == 2 and about["stats"]["broker"]["transport"] == "redis"
    assert any(name.startswith("cpp.add") for name in about["registered"])
    assert [q["name"] for q in about["active_queues"]] == ["cpp"]
    good = client.signature("cpp.add", args=(2, 3)).delay()
    bad = client.signature("cpp.fail", args=("why",)).delay()

    def told(task_id, state):
        info = json.loads(flower(f"/api/task/info/{task_id}") or "{}")
        return info if info.get("state") == state else None

    info = eventually(lambda: told(good.id, "SUCCESS"), 60, "the task in Flower")
    assert info["name"] == "cpp.add" and info["args"] == "(2, 3)" and info["result"] == "5" and info["runtime"] >= 0
    assert info["worker"] == node if isinstance(info["worker"], str) else True
    assert "ValueError('why')" in eventually(lambda: told(bad.id, "FAILURE"), 60)["exception"]
    for page in ("/workers", f"/worker/{node}", "/tasks", "/broker", "/metrics"):
        assert flower(page), page
    assert f'worker="{node}"' in flower("/metrics")
    grown = flower(f"/api/worker/pool/grow/{node}?n=1", "POST")
    assert "will grow" in grown or "Growing" in grown, grown
    eventually(lambda: client.control.inspect(timeout=1).stats()[node]["pool"]["max-concurrency"] == 3)
    flower(f"/api/worker/shutdown/{node}", "POST")
    assert worker.process.wait(30) == 0
