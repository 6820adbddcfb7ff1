"""`skirmish worker`, `task` and `beat` as operators use them."""

import json
import os
import pathlib
import signal
import subprocess
import time

import pytest
from conftest import ROOT, eventually


@pytest.fixture()
def skirmish(server):
    binary = pathlib.Path(os.environ.get("SKIRMISH_BIN", ROOT / "build/dev/skirmish"))
    if not binary.exists():
        pytest.skip("skipped: build skirmish first")
    started = []
    # The program refuses variables of its name space that it does not know.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SKIRMISH_")}

    def run(*arguments, background=False):
        command = [str(binary), *arguments, "--broker", server.url]
        if background:
            log = open(server.directory / f"{arguments[0]}{len(started)}.log", "wb")
            started.append(subprocess.Popen(command, stderr=log, env=environment))
            return started[-1]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
        assert " info " not in done.stderr, done.stderr  # the answer alone
        return done.returncode, done.stdout.strip()

    yield run
    for process in started:
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait()


def test_call_result_inspect_and_shutdown(skirmish, server, client):
    worker = skirmish("worker", "-n", "op1@test", "-Q", "celery,skirmish", background=True)
    assert skirmish("task", "call", "echo", "-a", '[{"x": 1}]', "--wait", "20") == (0, '{"x":1}')
    assert client.signature("echo", kwargs={"value": 7}).apply_async(queue="celery").get(timeout=10) == 7
    code, task = skirmish("task", "call", "echo", "-a", "[2]")
    assert code == 0
    told = eventually(lambda: (r := skirmish("task", "result", task))[0] == 0 and json.loads(r[1]))
    assert told["state"] == "SUCCESS" and told["result"] == 2
    assert skirmish("task", "result", "nobody")[0] == 1
    assert json.loads(skirmish("task", "inspect", "ping")[1]) == {"op1@test": {"ok": "pong"}}
    assert skirmish("task", "call", "echo", "-a", "{")[0] == 2
    queues = json.loads(skirmish("task", "queues", "--json")[1])
    assert [q["consumers"] for q in queues if q["name"] == "celery"] == [1]
    skirmish("task", "control", "shutdown")
    assert worker.wait(20) == 0


def test_pause_purge_and_dead_letters(skirmish, server):
    skirmish("worker", "-Q", "celery,skirmish", background=True)
    assert skirmish("task", "call", "echo", "-a", "[1]", "--wait", "20")[0] == 0
    skirmish("task", "pause", "celery")
    skirmish("task", "call", "echo", "-a", "[2]", "--queue", "celery")
    for i in range(3):  # the worker serves its other queue meanwhile
        assert skirmish("task", "call", "echo", "-a", "[3]", "--wait", "20")[0] == 0
    assert server.client.llen("celery") == 1
    skirmish("task", "resume", "celery")
    eventually(lambda: server.client.llen("celery") == 0)
    skirmish("task", "call", "nobody_has_this")
    eventually(lambda: server.client.llen("skirmish:tasks:dead") == 1)
    code, found = skirmish("task", "doctor", "--json")
    assert code == 1 and "poison" in [f["problem"] for f in json.loads(found)]
    skirmish("task", "call", "echo", "--queue", "unserved")
    assert skirmish("task", "deadletter", "requeue") == (0, "1 messages")
    eventually(lambda: server.client.llen("skirmish:tasks:dead") == 1)  # and it comes back
    assert skirmish("task", "deadletter", "drop") == (0, "1 messages")
    assert skirmish("task", "purge", "unserved") == (0, "1 messages")


def test_beat_fails_over_without_a_double_or_missed_run(skirmish, server):
    server.client.hset("skirmish:tasks:beat", "tick", json.dumps({"task": "echo", "every": "1s", "args": [1], "queue": "q"}))
    first = skirmish("beat", background=True)
    eventually(lambda: server.client.llen("q") >= 3, 30)
    second = skirmish("beat", background=True)
    first.kill()
    first.wait()
    before = server.client.llen("q")
    killed = time.monotonic()
    eventually(lambda: server.client.llen("q") > before, 20)
    assert time.monotonic() - killed < 16
    last = float(server.client.hget("skirmish:tasks:beat:last", "tick"))
    # Every run is a second after another one: none stands between, whoever sent it.
    begin = server.client.llen("q")
    eventually(lambda: server.client.llen("q") >= begin + 3)
    now = float(server.client.hget("skirmish:tasks:beat:last", "tick"))
    assert abs((now - last) - round(now - last)) < 0.01
    second.send_signal(signal.SIGTERM)
    assert second.wait(20) == 0


def test_inspect_and_control_of_python_workers(skirmish, server, start_python_worker):
    worker = start_python_worker()

    def ask(what, method, arguments="{}"):
        code, told = skirmish("task", what, method, "-a", arguments)
        assert code == 0, (method, told)
        return json.loads(told)["py1@test"]

    for method in ("active", "reserved", "scheduled", "revoked"):
        assert ask("inspect", method) == []
    assert ask("inspect", "ping") == {"ok": "pong"}
    assert ask("inspect", "stats")["pool"]["max-concurrency"] == 2
    assert "py.add" in ask("inspect", "registered")
    assert ask("inspect", "active_queues")[0]["name"] == "py"
    assert ask("inspect", "conf")["task_default_queue"] == "py"
    assert ask("inspect", "clock")["clock"] > 0 and "py" in ask("inspect", "report")["ok"]
    assert ask("inspect", "query_task", '{"ids": ["x"]}') == {}
    for method, arguments in [
            ("rate_limit", {"task_name": "py.add", "rate_limit": "5/s"}), ("pool_grow", {"n": 1}), ("pool_shrink", {"n": 1}),
            ("time_limit", {"task_name": "py.add", "hard": 60}), ("add_consumer", {"queue": "other"}),
            ("cancel_consumer", {"queue": "other"}), ("disable_events", {}), ("enable_events", {}),
            ("revoke", {"task_id": "x"})]:
        assert "ok" in ask("control", method, json.dumps(arguments)), method
    assert ask("inspect", "revoked") == ["x"]
    skirmish("task", "control", "shutdown")
    assert worker.wait(30) == 0
