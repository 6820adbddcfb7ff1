"""Messages of tasks that a C++ worker does not know belong to the worker that knows them."""

import json
import os
import re
import subprocess

import pytest
from celery.exceptions import NotRegistered
from conftest import eventually, examples


def skirmish():
    program = os.environ.get("SKIRMISH_BIN") or examples().parent / "skirmish"
    if not os.path.exists(program):
        pytest.skip("skipped: build the program first")
    return str(program)


def test_tasks_of_a_python_worker_on_the_same_queue_go_back_to_it(client, server, start_python_worker, start_worker):
    start_python_worker(concurrency=1)
    start_worker(queue="py")
    results = [client.signature("py.add", args=(i, i)).delay() for i in range(40)]
    assert [r.get(timeout=60) for r in results] == [2 * i for i in range(40)]
    assert server.client.llen("skirmish:tasks:dead") == 0
    log = (server.directory / "cpp1.log").read_text()
    returned = re.findall(r"task_returned.*", log)
    assert len(returned) == 1 and "py.add" in returned[0] and "py1@test" in returned[0], log
    told = eventually(lambda: [f for f in json.loads(subprocess.run(
        [skirmish(), "task", "doctor", "--json", "--broker", server.url], capture_output=True, text=True,
        timeout=60).stdout) if f["problem"] == "tasks of others"], 30, "the doctor's word")
    assert told[0]["subject"] == "cpp1@test"


def test_what_waits_for_its_return_is_given_back_at_the_end(client, server, start_python_worker, start_worker):
    python = start_python_worker(concurrency=1)
    worker = start_worker(queue="py")
    # The Python worker knows it, but it is frozen before it can take it.
    client.signature("py.add", args=(1, 1)).delay().get(timeout=60)
    python.send_signal(19)
    pending = client.signature("py.add", args=(2, 2)).delay()
    eventually(lambda: server.client.hlen("unacked") >= 1 or server.client.llen("py") == 0)
    worker.stop()
    python.send_signal(18)
    assert pending.get(timeout=60) == 4
    assert server.client.llen("skirmish:tasks:dead") == 0


def test_what_nobody_knows_is_dead(client, server, start_worker):
    start_worker()
    with pytest.raises(NotRegistered):
        client.send_task("nobody.knows.this", queue="cpp").get(timeout=20)
    assert server.client.llen("skirmish:tasks:dead") == 1


def test_a_worker_takes_no_queue_of_another_program_by_default(client, server, start_python_worker):
    start_python_worker()
    environment = {**os.environ, "REDIS": server.url}
    client.control.add_consumer("celery", reply=True, timeout=5)
    refused = subprocess.run([str(examples() / "tasks_worker")], env=environment, capture_output=True, text=True, timeout=60)
    assert refused.returncode != 0 and "-Q" in refused.stderr and "py1@test" in refused.stderr, refused.stderr


def test_skirmish_worker_leaves_celerys_queue_alone_on_a_named_redis(client, server, tmp_path):
    waiting = [client.send_task("proj.mine", queue="celery") for _ in range(5)]
    worker = subprocess.Popen([skirmish(), "worker", "--broker", server.url, "--data-dir", str(tmp_path / "data")],
                              stderr=subprocess.DEVNULL)
    try:
        served = eventually(lambda: [q for key in server.client.keys("skirmish:tasks:worker:*")
                                     for q in [server.client.hget(key, "queues")] if q], 30, "the worker")
        assert served == [b"skirmish"]
        assert client.send_task("echo", [1], queue="skirmish").get(timeout=20) == 1
        assert server.client.llen("celery") == len(waiting)
    finally:
        worker.terminate()
        worker.wait(20)
