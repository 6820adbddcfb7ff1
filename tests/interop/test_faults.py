"""Workers and Redis are killed, frozen and restarted: nothing is lost, nothing runs that must not."""

import signal
import time

import pytest
from conftest import eventually


def send(client, name, *args, **options):
    return client.signature(f"cpp.{name}", args=args).apply_async(**options)


def lines(path):
    return path.read_text().splitlines() if path.exists() else []


def starts(path, text):
    return sum(1 for line in lines(path) if line.startswith(text + " "))


def test_kill_in_an_early_task_reports_it_and_gives_back_the_rest(client, server, start_worker, tmp_path):
    marks = tmp_path / "marks"
    first = start_worker("-c", "1")
    lost = send(client, "mark", str(marks), "lost", 60)
    waiting = [send(client, "mark", str(marks), f"w{i}", 0) for i in range(3)]
    eventually(lambda: starts(marks, "lost") == 1 and server.client.hlen("unacked") == 3)
    killed_at = time.monotonic()
    first.kill()
    start_worker(node="cpp2")
    assert [w.get(timeout=20) for w in waiting] == ["w0", "w1", "w2"]
    assert time.monotonic() - killed_at < 17
    with pytest.raises(Exception) as caught:
        lost.get(timeout=10)
    assert type(caught.value).__name__ == "WorkerLostError"
    assert starts(marks, "lost") == 1  # early acknowledgement: never repeated


def test_kill_in_a_late_task_repeats_it_once(client, server, start_worker, tmp_path):
    marks = tmp_path / "marks"
    first = start_worker("-c", "1")
    task = send(client, "mark_late", str(marks), "late", 3)
    eventually(lambda: starts(marks, "late") == 1)
    first.kill()
    start_worker(node="cpp2")
    assert task.get(timeout=30) == "late"
    assert starts(marks, "late") == 2
    eventually(lambda: server.client.hlen("unacked") == 0)


def test_kill_under_load_loses_nothing_and_repeats_no_early_task(client, server, start_worker, tmp_path):
    marks = tmp_path / "marks"
    first = start_worker("-c", "4")
    count = 400
    results = [send(client, "mark", str(marks), f"t{i}", 0.005) for i in range(count)]
    eventually(lambda: len(lines(marks)) > 60)
    first.kill()
    start_worker("-c", "4", node="cpp2")
    eventually(lambda: server.client.llen("cpp") == 0 and server.client.hlen("unacked") == 0, 40)
    for i in range(count):
        assert starts(marks, f"t{i}") <= 1
    # Each has a result: its own, or the report that its worker died.
    states = [eventually(lambda r=r: r.ready() and r.state, 20) for r in results]
    assert states.count("SUCCESS") >= count - 4 and set(states) <= {"SUCCESS", "FAILURE"}


def test_a_frozen_worker_does_not_repeat_what_was_given_away(client, server, start_worker, tmp_path):
    marks = tmp_path / "marks"
    first = start_worker("-c", "1")
    send(client, "mark", str(marks), "running", 2)
    waiting = [send(client, "mark", str(marks), f"w{i}", 0) for i in range(3)]
    eventually(lambda: starts(marks, "running") == 1 and server.client.hlen("unacked") == 3)
    first.process.send_signal(signal.SIGSTOP)
    start_worker(node="cpp2")
    assert [w.get(timeout=25) for w in waiting] == ["w0", "w1", "w2"]
    first.process.send_signal(signal.SIGCONT)
    again = send(client, "mark", str(marks), "after", 0)
    assert again.get(timeout=15) == "after"
    time.sleep(1)  # whatever the thawed worker would wrongly start, it starts at once
    assert [starts(marks, f"w{i}") for i in range(3)] == [1, 1, 1]


@pytest.mark.parametrize("how", ["kill", "freeze"])
def test_redis_goes_away_and_comes_back(client, server, start_worker, tmp_path, how):
    marks = tmp_path / "marks"
    start_worker("-c", "2")
    count = 100
    results = [send(client, "mark", str(marks), f"t{i}", 0.02) for i in range(count)]
    eventually(lambda: len(lines(marks)) > 20)
    if how == "kill":
        server.kill()
        time.sleep(1)
        server.start()
    else:
        server.process.send_signal(signal.SIGSTOP)
        time.sleep(6)
        server.process.send_signal(signal.SIGCONT)
    # What is acknowledged has been claimed, and starts a moment later.
    eventually(lambda: sum(1 for line in lines(marks) if "-end" in line) >= count, 40)
    assert server.client.llen("cpp") == 0
    for i in range(count):
        assert starts(marks, f"t{i}") == 1
    eventually(lambda: all(server.client.exists(f"celery-task-meta-{r.id}") for r in results))


def test_a_poison_task_ends_in_the_dead_letters(client, server, start_worker):
    task = send(client, "die")
    for i in range(3):
        worker = start_worker("-c", "1", node=f"victim{i}")
        assert worker.process.wait(40) != 0
    start_worker("-c", "1", node="last")
    eventually(lambda: server.client.llen("skirmish:tasks:dead") == 1, 40)
    with pytest.raises(Exception):
        task.get(timeout=10)
