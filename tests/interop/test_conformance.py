"""C++ workers and Python clients (and the other way round) over the real Celery."""

import json
import threading
import time

import pytest
from celery import chain, chord, group
from celery.exceptions import TaskRevokedError, TimeLimitExceeded
from celery.result import AsyncResult
from conftest import eventually


def cpp(app, name, *args, **kwargs):
    return app.signature(f"cpp.{name}", args=args, kwargs=kwargs)


def py(app, name, *args):
    return app.signature(f"py.{name}", args=args)


def stored(server, task_id):
    return json.loads(server.client.get(f"celery-task-meta-{task_id}") or "{}")


def test_delay_kwargs_and_defaults(client, start_worker):
    start_worker()
    assert cpp(client, "add", 2, 3).delay().get(timeout=10) == 5
    assert cpp(client, "add", a=1, b=2).delay().get(timeout=10) == 3
    assert cpp(client, "add", 1).delay().get(timeout=10) == 11
    assert cpp(client, "echo", {"k": ["é", None, 1.5, "\U0001f600"]}).delay().get(timeout=10) == {
        "k": ["é", None, 1.5, "\U0001f600"]}


@pytest.mark.parametrize("name, args, error", [
    ("fail", ("boom",), ValueError), ("add", (1, 2, 3), TypeError), ("add", ("x", 1), TypeError)])
def test_failures_become_python_exceptions(client, start_worker, name, args, error):
    start_worker()
    result = cpp(client, name, *args).delay()
    with pytest.raises(error):
        result.get(timeout=10)
    assert result.state == "FAILURE" and "C++ task" in result.traceback


def test_countdown_eta_and_expires(client, server, start_worker):
    start_worker()
    for countdown in (0.7, 3.0):  # one waits in the worker, one in Redis
        begin = time.monotonic()
        assert cpp(client, "add", 1, 1).apply_async(countdown=countdown).get(timeout=15) == 2
        assert countdown - 0.1 <= time.monotonic() - begin < countdown + 1.0
    late = cpp(client, "add", 1, 1).apply_async(countdown=2, expires=1)
    with pytest.raises(TaskRevokedError):
        late.get(timeout=15)
    assert eventually(lambda: server.client.hlen("unacked") == 0)


def test_retry_autoretry_and_progress(client, start_worker):
    start_worker()
    assert cpp(client, "flaky", 2).delay().get(timeout=15) == 2
    assert cpp(client, "autoretry").delay().get(timeout=15) == 2
    progress = cpp(client, "progress").delay()
    eventually(lambda: progress.state == "PROGRESS")
    assert progress.info == {"done": 3}
    assert progress.get(timeout=10) == "done"


@pytest.mark.parametrize("mode", [(), ("--sandbox",)])
def test_revoke_before_and_during(client, server, start_worker, mode):
    start_worker("-c", "4", *mode)
    waiting = cpp(client, "add", 1, 1).apply_async(countdown=1.2)
    waiting.revoke()
    with pytest.raises(TaskRevokedError):
        waiting.get(timeout=10)
    # A task that looks at nothing ends only where it has a process of its own.
    for name in ("sleep", "block") if mode else ("sleep",):
        running = cpp(client, name, 30).delay()
        inspect = client.control.inspect(timeout=1)
        eventually(lambda: any(t["id"] == running.id for t in (inspect.active() or {}).get("cpp1@test", [])))
        running.revoke(terminate=True)
        with pytest.raises(TaskRevokedError):
            running.get(timeout=10)
        assert stored(server, running.id)["result"]["exc_message"] == ["terminated"]
    assert cpp(client, "add", 1, 2).delay().get(timeout=10) == 3


def stamped(sig, **stamps):
    if hasattr(sig, "stamp"):
        sig.stamp(**stamps)
        return sig
    # Celery 5.2 has no stamps; a client may write them all the same.
    return sig.set(headers={"stamped_headers": list(stamps), "stamps": {k: [v] for k, v in stamps.items()}})


def test_revoke_by_stamp(client, start_worker):
    first = start_worker("-c", "4")
    running = stamped(cpp(client, "sleep", 30), tenant="blue").delay()
    other = stamped(cpp(client, "sleep", 30), tenant="red").delay()
    inspect = client.control.inspect(timeout=1)
    eventually(lambda: len((inspect.active() or {}).get(first.node, [])) == 2)

    def ask(**arguments):
        return client.control.broadcast("revoke_by_stamped_headers", arguments=arguments, reply=True, timeout=2)[0][first.node]

    assert "not terminated" in ask(headers={"tenant": ["blue"]})["ok"]
    # What comes later has it, too, and after a restart.
    with pytest.raises(TaskRevokedError):
        stamped(cpp(client, "add", 1, 1), tenant="blue").delay().get(timeout=10)
    assert stamped(cpp(client, "add", 1, 1), tenant="red").delay().get(timeout=10) == 2
    assert not [i for i in inspect.revoked()[first.node] if "blue" in i]
    assert "revoked" in ask(headers={"tenant": ["blue", "green"]}, terminate=True)["ok"]
    with pytest.raises(TaskRevokedError):
        running.get(timeout=10)
    assert not other.ready()
    client.control.revoke(other.id, terminate=True)
    assert first.stop() == 0
    start_worker(node="cpp2")
    with pytest.raises(TaskRevokedError):
        stamped(cpp(client, "add", 1, 1), tenant="blue").delay().get(timeout=10)


def test_a_revoke_survives_a_restart(client, start_worker):
    first = start_worker()
    task = cpp(client, "add", 1, 1).apply_async(countdown=6)
    task.revoke()
    eventually(lambda: client.control.inspect(timeout=0.5).revoked().get("cpp1@test"))
    assert first.stop() == 0
    start_worker(node="cpp2")
    with pytest.raises(TaskRevokedError):
        task.get(timeout=20)


@pytest.mark.parametrize("mode", [(), ("--sandbox",)])
def test_time_limits(client, start_worker, mode):
    start_worker("-c", "2", *mode)
    soft = cpp(client, "sleep", 30).apply_async(soft_time_limit=1)
    with pytest.raises(Exception) as caught:
        soft.get(timeout=15)
    assert type(caught.value).__name__ == "SoftTimeLimitExceeded"
    hard = cpp(client, "block", 30).apply_async(time_limit=1)
    begin = time.monotonic()
    with pytest.raises(TimeLimitExceeded):
        hard.get(timeout=15)
    assert time.monotonic() - begin < 8
    # The pool is whole again.
    assert [cpp(client, "add", i, 1).delay().get(timeout=10) for i in range(4)] == [1, 2, 3, 4]


def test_the_sandbox_survives_a_crash(client, start_worker):
    start_worker("--sandbox")
    with pytest.raises(Exception) as caught:
        cpp(client, "die").delay().get(timeout=15)
    assert type(caught.value).__name__ == "WorkerLostError"
    assert cpp(client, "add", 1, 2).delay().get(timeout=10) == 3


def test_sandboxed_tasks_see_a_chosen_environment(client, start_worker, monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("DB_PASSWORD", "hunter2")
    start_worker("--sandbox")
    assert cpp(client, "variable", "TZ").delay().get(timeout=10) == "UTC"
    assert cpp(client, "variable", "DB_PASSWORD").delay().get(timeout=10) is None
    start_worker("--sandbox", "--sandbox-environment", "DB_*", queue="chosen", node="cpp2")
    assert cpp(client, "variable", "DB_PASSWORD").apply_async(queue="chosen").get(timeout=10) == "hunter2"
    assert cpp(client, "variable", "TZ").apply_async(queue="chosen").get(timeout=10) is None


def test_canvases_of_a_python_client(client, start_worker, python_worker):
    start_worker("-c", "4")
    c, p = (lambda *a: cpp(client, "add", *a)), (lambda *a: py(client, "add", *a))
    sums = {"cpp": cpp(client, "total"), "py": py(client, "total")}
    for work, wanted in [
            (chain(c(1, 2), p(10), c(100)), 113),
            (chain(p(1, 2), c(10), p(100)), 113),
            (chain(cpp(client, "wait", 0.1), cpp(client, "echo")), "waited"),
            (group([c(1, 1), p(2, 2), c(3, 3)]), [2, 4, 6]),
            (group([chain(p(1, 1), c(5)), chain(c(1, 1), p(6))]), [7, 8]),
            (chain(group([p(1, 1), c(2, 2)]), sums["cpp"], p(1)), 7),
            (chain(c(1, 1), group([p(1), c(2)]), sums["py"], c(100)), 107),
            (chord([chord([p(1, 1), c(2, 2)], sums["py"]), c(3, 3)], sums["cpp"]), 12)]:
        assert work().get(timeout=20) == wanted, work


# Celery's worker overwrites the chord's size when it starts the group, after which a Python member may end the chord early:
# so when Python comes first, C++ does the rest.
@pytest.mark.parametrize("first, inner", [("cpp", "cpp"), ("cpp", "py"), ("cpp", "both"), ("py", "cpp")])
def test_a_group_at_the_end_of_a_chord_member_stands_apart(client, server, start_worker, python_worker, first, inner):
    """A C++ member ends last."""
    start_worker("-c", "4")
    add = {"cpp": lambda *a: cpp(client, "add", *a), "py": lambda *a: py(client, "add", *a)}
    slow, body = cpp(client, "slow_add", 3, 3), cpp(client, "echo")
    ends = [add["py" if inner == "both" else inner](1), add["cpp" if inner == "both" else inner](2)]
    assert chord([chain(add[first](1, 1), group(ends)), slow], body)().get(timeout=20) == [[3, 4], 6]
    # A group that is itself a member is flattened.
    assert sorted(chord([group(add[first](1, 1), add[first](2, 2)), slow], body)().get(timeout=20)) == [2, 4, 6]
    if first == "cpp":  # Python leaves the size of the group
        eventually(lambda: not server.client.keys("celery-taskset-meta-*.[jstd]"), what="the chord's keys are gone")


def test_a_chord_learns_that_an_early_step_of_a_member_failed(client, start_worker, python_worker):
    start_worker("-c", "4")
    add = cpp(client, "add", 1, 1)
    for broken in (chain(cpp(client, "fail", "no"), cpp(client, "add", 1), py(client, "add", 1)),
                   chain(cpp(client, "fail", "no"), group(cpp(client, "add", 1), py(client, "add", 1))),
                   chord([cpp(client, "fail", "no"), add], cpp(client, "total"))):
        result = chord([broken, add, py(client, "add", 1, 1)], cpp(client, "total"))()
        with pytest.raises(Exception) as caught:
            AsyncResult(result.id, app=client).get(timeout=20)  # without its parents, whose error would come first
        assert type(caught.value).__name__ == "ChordError", broken


@pytest.mark.parametrize("last", ["cpp", "py"])
@pytest.mark.parametrize("body", ["cpp", "py"])
def test_whoever_ends_last_completes_the_chord(client, server, start_worker, python_worker, last, body):
    start_worker("-c", "4")
    total = {"cpp": cpp(client, "total"), "py": py(client, "total")}[body]
    slow = {"cpp": cpp(client, "slow_add", 2, 2), "py": py(client, "slow_add", 2, 2)}[last]
    assert chord([cpp(client, "add", 1, 1), slow, py(client, "add", 3, 3)], total)().get(timeout=20) == 12
    eventually(lambda: not server.client.keys("celery-taskset-meta-*.[jstd]"), what="the chord's keys are gone")


def test_a_failed_chord_member_and_an_errback(client, server, start_worker, python_worker):
    start_worker()
    broken = chord([cpp(client, "add", 1, 1), cpp(client, "fail", "no")], cpp(client, "total"))()
    with pytest.raises(Exception) as caught:
        AsyncResult(broken.id, app=client).get(timeout=20)  # without its parents, whose error would come first
    assert type(caught.value).__name__ == "ChordError" and "ValueError('no')" in str(caught.value)
    note = py(client, "note").set(task_id="the-note")
    failed = cpp(client, "fail", "why").apply_async(link_error=note)
    assert AsyncResult("the-note", app=client).get(timeout=20) == f"noted {failed.id}"
    steps = chain(cpp(client, "fail", "first"), cpp(client, "add", 1))()
    with pytest.raises(ValueError):
        steps.get(timeout=20)


def test_callbacks_parents_and_headers(client, start_worker):
    start_worker()
    after = cpp(client, "echo").set(task_id="after")
    cpp(client, "add", 1, 2).apply_async(link=after)
    assert AsyncResult("after", app=client).get(timeout=10) == 3
    about = cpp(client, "about").apply_async(headers={"tenant": "blue"}, shadow="shown")
    told = about.get(timeout=10)
    assert told["headers"]["tenant"] == "blue" and told["id"] == told["root"] == about.id and told["queue"] == "cpp"


def test_a_cpp_task_calls_a_python_task(client, start_worker, python_worker):
    start_worker()
    inner = cpp(client, "calls", 20, 3).delay().get(timeout=10)
    assert AsyncResult(inner, app=client).get(timeout=20) == 23


def from_cpp(client, what, task="client"):
    """Lets the C++ client send `what` and returns the id of its result, or for groups the group's result."""
    sent = cpp(client, task, what).delay()
    told = sent.get(timeout=30)
    if task != "group":
        return AsyncResult(told, app=client)
    # Celery waits through the first object that it has made for an id: those it found among the task's children.
    members = {child.id: child for parent in sent.children for child in getattr(parent, "results", None) or []}
    return [members.get(i) or AsyncResult(i, app=client) for i in told]


@pytest.mark.parametrize("what, wanted", [
    ("delay", 5), ("kwargs", 6), ("countdown", 2), ("eta", 3), ("priority", 4), ("retry", 2),
    ("headers", {"tenant": "blue", "shadow": "shown"})])
def test_a_cpp_client_and_a_python_worker(client, start_worker, python_worker, what, wanted):
    start_worker("-c", "4")
    assert from_cpp(client, what).get(timeout=30) == wanted


def test_canvases_of_a_cpp_client(client, server, start_worker, python_worker):
    start_worker("-c", "4")
    for what, wanted in [
            ("python first", 113), ("cpp first", 113), ("a group within", 107), ("python last, cpp body", 12),
            ("python last, python body", 12), ("cpp last, cpp body", 12), ("cpp last, python body", 12),
            ("chains as members", 12), ("a chord as a member", 12), ("a chain that ends in a group", [[3, 4], 6])]:
        assert from_cpp(client, what, "canvas").get(timeout=30) == wanted, what
    assert [r.get(timeout=30) for r in from_cpp(client, "plain", "group")] == [2, 4, 6]
    assert [r.get(timeout=30) for r in from_cpp(client, "after a chain", "group")] == [4, 6]
    assert cpp(client, "group_get").delay().get(timeout=40) == [2, 4, 6]  # awaited in C++
    eventually(lambda: not server.client.keys("celery-taskset-meta-*.[jstd]"), what="the chords' keys are gone")


@pytest.mark.parametrize("what, error", [
    ("cpp fails", "TypeError"), ("python fails", "ChordError"), ("cpp member fails", "ChordError"),
    ("an early step fails", "ChordError"), ("a chord as a member fails", "ChordError")])
def test_failing_canvases_of_a_cpp_client(client, start_worker, python_worker, what, error):
    start_worker("-c", "4")
    with pytest.raises(Exception) as caught:
        from_cpp(client, what, "canvas").get(timeout=30)
    assert type(caught.value).__name__ == error


def test_callbacks_of_a_cpp_client(client, start_worker, python_worker):
    start_worker()
    from_cpp(client, "callback")
    assert AsyncResult("linked", app=client).get(timeout=30) == 42
    failed = from_cpp(client, "errback")
    assert AsyncResult("noted", app=client).get(timeout=30) == f"noted {failed.id}"


def test_a_cpp_client_ignores_the_result_of_a_python_task(client, server, start_worker, python_worker):
    start_worker()
    ignored = from_cpp(client, "ignore")
    eventually(lambda: client.control.inspect(["py1@test"], timeout=1).stats()["py1@test"]["total"].get("py.add"))
    assert from_cpp(client, "delay").get(timeout=30) == 5
    assert not stored(server, ignored.id)


def test_python_workers_serve_the_priorities_of_cpp_clients(client, start_worker, start_python_worker, tmp_path):
    start_worker()
    marks = tmp_path / "order"
    cpp(client, "marks", str(marks)).delay().get(timeout=10)
    start_python_worker(concurrency=1)
    eventually(lambda: marks.exists() and len(marks.read_text().split()) == 4)
    assert marks.read_text().split() == ["p0", "p3", "p6", "p9"]


@pytest.mark.parametrize("what, error", [
    ("revoke_before", TaskRevokedError), ("revoke_during", TaskRevokedError), ("expires", TaskRevokedError),
    ("limit", TimeLimitExceeded)])
def test_a_cpp_client_ends_a_task_of_a_python_worker(client, start_worker, python_worker, what, error):
    start_worker()
    with pytest.raises(error):
        from_cpp(client, what).get(timeout=30)


def test_ignore_result_and_unknown_tasks(client, server, start_worker):
    start_worker()
    ignored = cpp(client, "ignored").delay()
    with pytest.raises(Exception) as caught:
        cpp(client, "never_heard_of").delay().get(timeout=10)
    assert type(caught.value).__name__ == "NotRegistered"
    assert server.client.get(f"celery-task-meta-{ignored.id}") is None
    letter = json.loads(server.client.lindex("skirmish:tasks:dead", 0))
    assert letter["task"] == "cpp.never_heard_of" and "registered" in letter["reason"]


@pytest.mark.parametrize("garbage", [
    b"not json", b"[]", b"{}", b'{"body": "!!!", "headers": {"task": "cpp.echo", "id": "bad-64"}, "content-type": '
    b'"application/json", "properties": {"body_encoding": "base64"}}',
    b'{"body": "gAJ9", "content-type": "application/x-python-serialize", "headers": {"task": "cpp.echo", "id": "x"}}'])
def test_poison_goes_to_the_dead_letters(client, server, start_worker, garbage):
    start_worker()
    server.client.lpush("cpp", garbage)
    assert cpp(client, "add", 1, 2).delay().get(timeout=10) == 3
    eventually(lambda: server.client.llen("cpp") == 0 and server.client.hlen("unacked") == 0)
    if b"bad-64" in garbage:
        eventually(lambda: stored(server, "bad-64").get("status") == "FAILURE")
    else:
        eventually(lambda: server.client.llen("skirmish:tasks:dead") == 1)


def test_priorities_are_served_in_celerys_order(client, server, start_worker, tmp_path):
    marks = tmp_path / "order"
    for priority in (9, 6, 3, 0):
        cpp(client, "mark", str(marks), f"p{priority}", 0).apply_async(priority=priority)
    start_worker("-c", "1")
    eventually(lambda: marks.exists() and marks.read_text().count("-end") == 4)
    order = [line.split()[0] for line in marks.read_text().splitlines() if "-end" not in line]
    assert order == ["p0", "p3", "p6", "p9"]


@pytest.mark.parametrize("name, least", [("limited", 0.9), ("limited_together", 0.45)])
def test_rate_limits(client, server, start_worker, name, least):
    start_worker("-c", "4")
    start_worker("-c", "4", node="cpp2") if name == "limited_together" else None
    begin = time.monotonic()
    ids = [cpp(client, name).delay().id for _ in range(11)]
    eventually(lambda: all(server.client.exists(f"celery-task-meta-{i}") for i in ids))
    assert least <= time.monotonic() - begin < 6


def test_protocol_1_is_understood(client, server, start_worker):
    start_worker()
    body = {"task": "cpp.add", "id": "one", "args": [4, 5], "kwargs": {}, "retries": 0, "eta": None, "expires": None,
            "utc": True, "callbacks": None, "errbacks": None, "timelimit": [None, None], "taskset": None, "chord": None}
    server.client.lpush("cpp", json.dumps({
        "body": json.dumps(body), "content-encoding": "utf-8", "content-type": "application/json", "headers": {},
        "properties": {"delivery_tag": "t1", "delivery_info": {"exchange": "", "routing_key": "cpp"}}}))
    assert AsyncResult("one", app=client).get(timeout=10) == 9


def test_every_inspect_command(client, server, start_worker):
    worker = start_worker("-c", "2", "-E")
    node = worker.node
    cpp(client, "sleep", 20).delay()
    inspect = client.control.inspect(timeout=1, destination=[node])
    eventually(lambda: inspect.active()[node])
    assert inspect.ping() == {node: {"ok": "pong"}}
    stats = inspect.stats()[node]
    assert stats["pool"]["max-concurrency"] == 2 and stats["broker"]["transport"] == "redis"
    active = inspect.active()[node][0]
    assert active["name"] == "cpp.sleep" and active["args"] == [20] and active["time_start"]
    assert inspect.reserved()[node] == []
    far = cpp(client, "add", 1, 1).apply_async(countdown=3600)
    eventually(lambda: any(t["request"]["id"] == far.id for t in inspect.scheduled()[node]))
    assert "cpp.limited [rate_limit=10/s]" in inspect.registered()[node]
    assert inspect.active_queues()[node][0]["name"] == "cpp"
    assert inspect.query_task(active["id"])[node][active["id"]][0] == "active"
    assert inspect.clock()[node]["clock"] > 0
    assert inspect.conf()[node]["worker_concurrency"] == 2
    assert "skirmish" in inspect.report()[node]["ok"]
    assert inspect.memsample()[node]
    assert "revoked" in inspect.hello("somebody@else")[node]
    assert client.control.broadcast("no_such", reply=True, timeout=1) == [{node: {"error": "KeyError('no_such')"}}]


def test_every_control_command(client, start_worker):
    worker = start_worker("-c", "2")
    control, node = client.control, worker.node

    def ask(method, **arguments):
        return control.broadcast(method, arguments=arguments, destination=[node], reply=True, timeout=2)[0][node]

    assert ask("rate_limit", task_name="cpp.add", rate_limit="100/s") == {"ok": "new rate limit set successfully"}
    assert ask("rate_limit", task_name="cpp.none", rate_limit="1/s") == {"error": "unknown task"}
    assert ask("time_limit", task_name="cpp.add", hard=60, soft=30) == {"ok": "time limits set successfully"}
    assert ask("pool_grow", n=2) == {"ok": "pool will grow"}
    assert ask("pool_shrink", n=1) == {"ok": "pool will shrink"}
    assert client.control.inspect(timeout=1).stats()[node]["pool"]["max-concurrency"] == 3
    assert ask("autoscale", max=10, min=1) == {"error": "ValueError('Autoscale not enabled')"}
    assert "error" in ask("pool_restart")
    assert ask("add_consumer", queue="other") == {"ok": "add consumer other"}
    assert cpp(client, "add", 1, 1).apply_async(queue="other").get(timeout=10) == 2
    assert ask("cancel_consumer", queue="other") == {"ok": "no longer consuming from other"}
    assert ask("enable_events") == {"ok": "task events enabled"}
    assert ask("enable_events") == {"ok": "task events already enabled"}
    assert ask("disable_events") == {"ok": "task events disabled"}
    assert ask("revoke", task_id=["a", "b"]) == {"ok": "tasks a, b flagged as revoked"}
    assert ask("revoke", task_id="zzz", terminate=True) == {"ok": "terminate: tasks unknown"}
    assert ask("heartbeat") is None
    assert ask("election", id="e1", topic="t", action=None) is None
    control.broadcast("shutdown", destination=[node])
    assert worker.process.wait(20) == 0


@pytest.fixture()
def watch(client):
    """The events that a monitor sees from now on."""
    seen, stop = [], threading.Event()

    def listen():
        with client.connection_for_read() as connection:
            receiver = client.events.Receiver(connection, handlers={"*": seen.append})
            while not stop.is_set():
                try:
                    receiver.capture(limit=None, timeout=1, wakeup=False)
                except OSError:
                    pass

    thread = threading.Thread(target=listen)
    thread.start()
    yield lambda: seen
    stop.set()
    thread.join()


def test_events_as_monitors_see_them(client, start_worker, watch):
    start_worker("-E")
    seen = watch()
    eventually(lambda: any(e["type"] == "worker-heartbeat" for e in seen))
    good = cpp(client, "add", 1, 2).delay()
    bad = cpp(client, "fail", "x").delay()
    again = cpp(client, "flaky", 1).delay()
    good.get(timeout=10)
    eventually(lambda: {e["type"] for e in seen if e.get("uuid") == bad.id} >= {"task-received", "task-failed"})
    eventually(lambda: {e["type"] for e in seen if e.get("uuid") == again.id} >= {"task-retried", "task-succeeded"})
    eventually(lambda: any(e["type"] == "task-succeeded" and e["uuid"] == good.id for e in seen))
    of_good = {e["type"]: e for e in seen if e.get("uuid") == good.id}
    assert of_good["task-received"]["name"] == "cpp.add" and of_good["task-received"]["args"] == "(1, 2)"
    assert of_good["task-succeeded"]["result"] == "3" and of_good["task-succeeded"]["runtime"] >= 0
    assert "task-started" in of_good


def test_a_cpp_client_tells_monitors_what_it_sends(client, start_worker, watch):
    start_worker(SENT_EVENTS="1")
    seen = watch()
    eventually(lambda: any(e["type"] == "worker-heartbeat" for e in seen))
    sent = from_cpp(client, "priority")
    told = eventually(lambda: next((e for e in seen if e["type"] == "task-sent" and e["uuid"] == sent.id), None))
    assert told["name"] == "py.add" and told["args"] == "(1, 3)" and told["queue"] == "py" and told["parent_id"]


@pytest.mark.parametrize("mode", [(), ("--sandbox",)])
def test_a_cpp_worker_tells_monitors_what_it_sends(client, start_worker, watch, mode):
    """Steps, callbacks, retries and bodies of chords, with or without -E, as Celery's workers do."""
    start_worker("-c", "4", *mode, SENT_EVENTS="1")
    seen = watch()
    eventually(lambda: any(e["type"] == "worker-heartbeat" for e in seen))
    add = cpp(client, "add", 1, 1)

    def sent(task_id, count=1):
        return eventually(lambda: (told := [e for e in seen if e["type"] == "task-sent" and e["uuid"] == task_id])[count - 1:]
                          and told, what="the event")

    steps = chain(add, cpp(client, "add", 5))()
    told, = sent(steps.id)
    assert told["name"] == "cpp.add" and told["args"] == "(2, 5)" and told["queue"] == "cpp" and told["retries"] == 0
    assert told["parent_id"] == told["root_id"] == steps.parent.id and told["hostname"].startswith("gen")
    add.clone().apply_async(link=cpp(client, "echo").set(task_id="linked-event"))
    assert sent("linked-event")[0]["args"] == "(2,)"
    body = chord([add.clone(), add.clone()], cpp(client, "total"))()
    assert sent(body.id)[0]["args"] == "([2, 2],)"
    again = cpp(client, "flaky", 2).delay()
    first, second = sent(again.id, 2)
    assert first["retries"] == 1 and second["retries"] == 2 and second["eta"] and first["args"] == "(2,)"
    failing = cpp(client, "fail", "x").apply_async(link_error=cpp(client, "echo").set(task_id="errback-event"))
    assert sent("errback-event")[0]["args"] == f"('{failing.id}',)"


def test_dead_letter_after_n_failures(client, server, start_worker):
    start_worker()
    with pytest.raises(RuntimeError):
        cpp(client, "poison").delay().get(timeout=10)
    letter = json.loads(eventually(lambda: server.client.lindex("skirmish:tasks:dead", 0)))
    assert letter["reason"].startswith("failed 2 times")


def test_warm_shutdown_gives_back_what_has_not_started(client, server, start_worker):
    worker = start_worker("-c", "1")
    running = cpp(client, "sleep", 2).delay()
    waiting = [cpp(client, "add", i, 0).delay() for i in range(3)]
    eventually(lambda: server.client.hlen("unacked") == 3)
    assert worker.stop() == 0
    assert stored(server, running.id)["result"] == "slept"
    assert server.client.llen("cpp") == 3 and server.client.hlen("unacked") == 0
    start_worker(node="cpp2")
    assert [w.get(timeout=10) for w in waiting] == [0, 1, 2]
