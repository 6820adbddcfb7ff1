"""Workers and Redis are killed, frozen and restarted: nothing is lost, nothing runs that must not."""

import signal
import time

import celery
import pytest
from conftest import Proxy, Server, eventually


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
    # Once the thawed worker holds nothing any more, it has dropped or started all that it held.
    thawed = client.control.inspect(destination=["cpp1@test"], timeout=5)
    eventually(lambda: thawed.reserved() == thawed.active() == {"cpp1@test": []}, 30)
    assert [starts(marks, f"w{i}") for i in range(3)] == [1, 1, 1]


@pytest.mark.parametrize("name", ["mark", "mark_late"])
def test_kill_between_fetch_and_start_runs_it_once_elsewhere(client, server, proxy, start_worker, tmp_path, name):
    marks = tmp_path / "marks"
    first = start_worker("-c", "1", REDIS=proxy.url)
    # Redis hands the message out; the worker never hears of it.
    proxy.hold_replies()
    task = send(client, name, str(marks), "x", 0)
    eventually(lambda: server.client.hlen("unacked") == 1)
    assert server.client.llen("cpp") == 0 and starts(marks, "x") == 0
    first.kill()
    start_worker(node="cpp2")
    assert task.get(timeout=30) == "x"
    assert starts(marks, "x") == 1
    eventually(lambda: server.client.hlen("unacked") == 0)


@pytest.mark.parametrize("name, repeated", [("mark", 0), ("mark_late", 1)])
def test_kill_after_the_end_before_result_and_ack(client, server, proxy, start_worker, tmp_path, name, repeated):
    marks = tmp_path / "marks"
    first = start_worker("-c", "1", REDIS=proxy.url)
    task = send(client, name, str(marks), "x", 1.5)
    eventually(lambda: starts(marks, "x") == 1)
    proxy.hold_requests()  # what ended is not written
    eventually(lambda: starts(marks, "x-end") == 1)
    assert not server.client.exists(f"celery-task-meta-{task.id}")
    first.kill()
    start_worker(node="cpp2")
    if repeated:
        assert task.get(timeout=30) == "x"
    else:
        with pytest.raises(Exception) as caught:
            task.get(timeout=30)
        assert type(caught.value).__name__ == "WorkerLostError"
    assert starts(marks, "x") == 1 + repeated


@pytest.mark.parametrize("name", ["mark", "mark_late"])
def test_kill_when_the_result_is_written_and_the_worker_does_not_know(client, server, proxy, start_worker, tmp_path, name):
    marks = tmp_path / "marks"
    first = start_worker("-c", "1", REDIS=proxy.url)
    task = send(client, name, str(marks), "x", 1.5)
    proxy.when_asked(f"celery-task-meta-{task.id}", proxy.hold_replies)
    assert task.get(timeout=20) == "x"  # result and acknowledgement are one step
    assert server.client.hlen("unacked") == 0
    first.kill()
    start_worker(node="cpp2")
    eventually(lambda: server.client.zcard("skirmish:tasks:workers") == 1, 30, "the recovery")
    assert starts(marks, "x") == 1 and task.state == "SUCCESS"


@pytest.mark.parametrize("name, repeated", [("mark", 0), ("mark_late", 1)])
def test_kill_between_the_result_in_another_redis_and_the_ack(client, server, proxy, start_worker, tmp_path, name, repeated):
    (tmp_path / "results").mkdir()
    results = Server(tmp_path / "results")
    to_results = Proxy(results.port)
    app = celery.Celery("two", broker=server.url, backend=results.url)
    try:
        marks = tmp_path / "marks"
        first = start_worker("-c", "1", REDIS=proxy.url, RESULTS=to_results.url)
        task = app.signature(f"cpp.{name}", args=(str(marks), "x", 1.5)).apply_async(queue="cpp")
        # What goes to the broker after the result has gone: the acknowledgement.
        to_results.when_asked(f"celery-task-meta-{task.id}", proxy.hold_requests)
        assert task.get(timeout=20) == "x"
        assert server.client.hlen("unacked") == repeated
        first.kill()
        start_worker(node="cpp2", RESULTS=results.url)
        eventually(lambda: server.client.zcard("skirmish:tasks:workers") == 1, 30, "the recovery")
        eventually(lambda: server.client.hlen("unacked") == 0 and server.client.llen("cpp") == 0)
        eventually(lambda: starts(marks, "x-end") == 1 + repeated)
        assert starts(marks, "x") == 1 + repeated
        assert task.state == "SUCCESS"  # the loss of a worker does not overwrite what was written
    finally:
        app.close()
        to_results.close()
        results.kill()


def test_a_late_task_is_repeated_at_most_once_a_kill(client, server, start_worker, tmp_path):
    marks = tmp_path / "marks"
    tasks = [send(client, "mark_late", str(marks), f"t{i}", 2) for i in range(2)]
    for kill in range(2):
        worker = start_worker("-c", "2", node=f"victim{kill}")
        eventually(lambda: starts(marks, "t0") == starts(marks, "t1") == kill + 1, 40)
        worker.kill()
    start_worker("-c", "2", node="last")
    assert [t.get(timeout=40) for t in tasks] == ["t0", "t1"]
    assert [starts(marks, f"t{i}") for i in range(2)] == [3, 3]
    assert server.client.llen("skirmish:tasks:dead") == 0


def test_messages_of_a_dead_worker_are_back_within_15_s_of_its_last_heartbeat(client, server, start_worker, tmp_path):
    marks = tmp_path / "marks"
    first = start_worker("-c", "1")
    send(client, "mark", str(marks), "runs", 120)
    waiting = send(client, "mark", str(marks), "held", 0)
    eventually(lambda: starts(marks, "runs") == 1 and server.client.hlen("unacked") == 1)
    beat = first.last_heartbeat()
    first.kill()
    start_worker(node="cpp2")
    assert waiting.get(timeout=30) == "held"
    seconds, micros = server.client.time()
    assert seconds + micros / 1e6 - beat < 15


@pytest.mark.parametrize("name", ["mark", "mark_late"])
@pytest.mark.parametrize("how", ["kill", "freeze", "restart"])
def test_redis_goes_away_and_comes_back(client, server, start_worker, tmp_path, how, name):
    marks = tmp_path / "marks"
    start_worker("-c", "2")
    count = 100
    results = [send(client, name, str(marks), f"t{i}", 0.02) for i in range(count)]
    eventually(lambda: len(lines(marks)) > 20)
    if how == "kill":
        server.kill()
        time.sleep(1)
        server.start()
    elif how == "restart":
        server.process.send_signal(signal.SIGTERM)
        server.process.wait()
        server.start()
    else:
        server.process.send_signal(signal.SIGSTOP)
        time.sleep(6)
        server.process.send_signal(signal.SIGCONT)
    # What is acknowledged has been claimed, and starts a moment later.
    eventually(lambda: sum(1 for line in lines(marks) if "-end" in line) >= count, 40)
    assert server.client.llen("cpp") == 0
    for i in range(count):
        assert starts(marks, f"t{i}") == 1  # the worker lives: not even a late task is repeated
    eventually(lambda: server.client.hlen("unacked") == 0)
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


def test_worker_and_redis_are_killed_together(client, server, start_worker, tmp_path):
    marks = tmp_path / "marks"
    first = start_worker("-c", "2")
    count = 60
    names = ["mark", "mark_late"]
    results = [send(client, names[i % 2], str(marks), f"t{i}", 0.05) for i in range(count)]
    eventually(lambda: len(lines(marks)) > 20)
    server.kill()
    first.kill()
    server.start()
    start_worker("-c", "2", node="cpp2")
    eventually(lambda: all(server.client.exists(f"celery-task-meta-{r.id}") for r in results), 60)
    eventually(lambda: server.client.hlen("unacked") == 0 and server.client.llen("cpp") == 0)
    for i in range(0, count, 2):
        assert starts(marks, f"t{i}") <= 1
    for i in range(1, count, 2):
        assert 1 <= starts(marks, f"t{i}") <= 2
