"""What operators do with tasks: queues, workers, the history and its search, retries, dead letters, schedules."""

import asyncio
import base64
import json
import os
import pathlib
import signal
import subprocess
import time

import pytest
from conftest import BINARY, ROOT, Server, unique, wait_until
from test_tasks import PythonWorker, call, outcome, result

WITHOUT_WORKER = {"SKIRMISH_TASKS_CONCURRENCY": "0", "SKIRMISH_TASKS_SEND_QUEUES": "mail,slow"}


@pytest.fixture
def idle(short_tmp):
    """A server without a worker: messages stay where they are."""
    s = Server(short_tmp / unique("idle"), WITHOUT_WORKER).start()
    yield s
    if s.process.poll() is None:
        s.stop()


def is_listed(server, name):
    return any(q["name"] == name for q in server.http("GET", "/api/queues").json["items"])


def queue(server, name):
    """A queue as it is listed; one that is new is listed after a second."""
    return wait_until(lambda: next((q for q in server.http("GET", "/api/queues").json["items"] if q["name"] == name), None))


def workers(server):
    return {w["node"]: w for w in server.http("GET", "/api/workers").json["items"]}


class Worker:
    """`skirmish worker` on the data directory of a server."""

    def __init__(self, server, node, queues="mail"):
        log = open(server.data_dir.parent / f"{server.data_dir.name}-{node}.log", "wb")
        self.process = subprocess.Popen([BINARY, "worker", "--data-dir", str(server.data_dir), "-n", node, "-Q", queues],
                                        stderr=log)

    def kill(self):
        self.process.kill()
        self.process.wait(20)

    def stop(self):
        self.process.terminate()
        assert self.process.wait(30) == 0


# ---- queues --------------------------------------------------------------------------------------

def test_a_queue_shows_depth_age_and_rates(idle):
    server = idle
    for _ in range(5):
        call(server, "echo", 1, queue="mail")
    call(server, "echo", 1, queue="mail", priority=9)
    seen = wait_until(lambda: (q := queue(server, "mail"))["depth"] == 6 and q)
    assert seen["by_priority"] == {"0": 5, "3": 0, "6": 0, "9": 1} and seen["unacked"] == 0 and seen["consumers"] == 0
    grown = wait_until(lambda: (q := queue(server, "mail"))["oldest_age_s"] >= 2 and q)
    assert grown["in_per_s"] is not None and grown["out_per_s"] == 0 and grown["drain_s"] is None
    # The first ones are taken: the age is that of those behind them.
    call(server, "echo", 2, queue="mail")
    server.redis().rpop("mail", 5)
    server.redis().delete("mail\x06\x169")
    taken = wait_until(lambda: (q := queue(server, "mail"))["depth"] == 1 and q)
    assert taken["oldest_age_s"] < grown["oldest_age_s"]
    flow = wait_until(lambda: (q := queue(server, "mail"))["out_per_s"] > 0 and q)
    if flow["out_per_s"] != flow["in_per_s"]:  # as they are shown, rounded
        assert (flow["drain_s"] is not None) == (flow["out_per_s"] > flow["in_per_s"]), flow


def test_a_queue_that_never_fills_has_rates(own_server):
    server = own_server
    # A rate needs something to compare with: the queue has been looked at twice before.
    assert result(server, "echo", 0) == 0
    wait_until(lambda: (q := queue(server, "skirmish")) and q["out_per_s"] is not None)
    for i in range(40):
        assert result(server, "echo", i) == i
    flow = wait_until(lambda: (q := queue(server, "skirmish")) and q["out_per_s"] and q)
    assert flow["depth"] == 0 and flow["out_per_s"] > 0.5 and flow["drain_s"] == 0 and flow["oldest_age_s"] is None


def test_queues_are_paused_resumed_and_purged(own_server):
    server = own_server
    assert result(server, "echo", 1) == 1
    assert server.http("POST", "/api/queues/skirmish/pause").status == 204
    wait_until(lambda: queue(server, "skirmish")["paused"])
    waiting = call(server, "echo", 2)
    wait_until(lambda: queue(server, "skirmish")["depth"] == 1)
    assert server.http("POST", "/api/queues/skirmish/resume").status == 204
    assert outcome(server, waiting)["result"] == 2
    server.http("POST", "/api/queues/skirmish/pause")
    gone = call(server, "echo", 3)
    purge = "/api/queues/skirmish/purge"
    for bad in ({}, {"confirm": "skirmish"}, {"confirm": "mail", "reason": "x"}, {"confirm": "skirmish", "reason": ""}):
        assert server.http("POST", purge, bad).status == 400, bad
    assert server.redis().llen("skirmish") == 1
    assert server.http("POST", purge, {"confirm": "skirmish", "reason": "a test"}).json == {"purged": 1}
    wait_until(lambda: queue(server, "skirmish")["depth"] == 0)
    assert server.http("GET", f"/api/tasks/{gone}").status == 404
    assert server.http("POST", purge, {"confirm": "skirmish", "reason": "a test"}).json == {"purged": 0}
    server.http("POST", "/api/queues/skirmish/resume")
    noted = wait_until(lambda: [c for c in server.http("GET", "/api/audit").json["items"]
                                if c["route"] == "/api/queues/{name}/purge" and c["status"] == 200])
    assert noted[0]["target"] == {"name": "skirmish", "reason": "a test"}


def test_only_queues_are_purged(idle):
    server = idle
    server.redis().set("precious", "value")
    answer = server.http("POST", "/api/queues/precious/purge", {"confirm": "precious", "reason": "a mistake"})
    assert answer.status == 409 and server.redis().get("precious") == "value"
    for name in ("unacked", "positions", "a:b", "_kombu.binding.celery"):
        body = {"confirm": name, "reason": "x"}
        assert server.http("POST", f"/api/queues/{name}/purge", body).status == 404, name
        assert server.http("POST", f"/api/queues/{name}/pause").status == 404, name
    # A key with the name of a queue that is no list hides only that queue.
    server.redis().sadd("_kombu.binding.precious", "precious\x06\x16\x06\x16precious")
    call(server, "echo", 1, queue="mail")
    queue(server, "mail")
    assert not is_listed(server, "precious")


@pytest.mark.long
def test_a_million_keys_do_not_slow_queues_down(idle):
    server = idle
    r = server.redis()
    for start in range(0, 1_000_000, 50_000):
        r.mset({f"filler:{i}": "x" for i in range(start, start + 50_000)})
    assert r.dbsize() >= 1_000_000
    call(server, "echo", 1, queue="mail")
    wait_until(lambda: (q := queue(server, "mail")) and q["depth"] == 1)
    took = []
    before = r.info("commandstats").get("cmdstat_scan", {"calls": 0})["calls"]
    for path in ("/api/queues", "/api/workers") * 50:
        began = time.monotonic()
        assert server.http("GET", path).status == 200
        took.append(time.monotonic() - began)
    spent = sum(took)
    scans = r.info("commandstats").get("cmdstat_scan", {"calls": 0})["calls"] - before
    print(f"median {sorted(took)[50] * 1000:.1f} ms, worst {max(took) * 1000:.1f} ms, {scans} SCANs in {spent:.1f} s")
    assert scans <= 11 * (spent + 2), "requests cause no SCAN of their own"
    # One that only a Python client has declared is found, too, a part of the keys per second.
    r.sadd("_kombu.binding.declared", "declared\x06\x16\x06\x16declared")
    wait_until(lambda: is_listed(server, "declared"), 240)


# ---- workers -------------------------------------------------------------------------------------

def test_a_lost_worker_is_shown_as_lost_and_one_that_left_is_not(idle):
    server = idle
    lost, left = Worker(server, "lost@test"), Worker(server, "left@test")
    wait_until(lambda: {"lost@test", "left@test"} <= workers(server).keys())
    wait_until(lambda: queue(server, "mail")["consumers"] == 2)
    seen = wait_until(lambda: (w := workers(server)["lost@test"]) and "processed" in w and w)
    assert seen["state"] == "online" and seen["kind"] == "skirmish" and seen["queues"] == ["mail"] and seen["host"]
    left.stop()
    wait_until(lambda: "left@test" not in workers(server))
    lost.kill()
    gone = wait_until(lambda: (w := workers(server)["lost@test"])["state"] == "lost" and w, 40)
    assert gone["lost_at"] and gone["queues"] == ["mail"]
    wait_until(lambda: queue(server, "mail")["consumers"] == 0)
    server.stop()
    server.start()
    assert workers(server)["lost@test"]["state"] == "lost", "a restart does not forget it"
    again = Worker(server, "lost@test")
    wait_until(lambda: workers(server)["lost@test"]["state"] == "online")
    again.stop()
    wait_until(lambda: "lost@test" not in workers(server))


def heartbeat(server, node, **more):
    event = {"type": "worker-heartbeat", "hostname": node, "timestamp": time.time(), "freq": 2.0, "active": 1,
             "processed": 7, "sw_ident": "py-celery", "sw_ver": "5.6.2", **more}
    publish(server, event)


def publish(server, *events):
    """Publishes events as Celery's workers do."""
    channel = events[0]["type"].replace("-", ".") if len(events) == 1 else "task.multi"
    body = base64.b64encode(json.dumps(events[0] if len(events) == 1 else list(events)).encode()).decode()
    server.redis().publish(f"/0.celeryev/{channel}", json.dumps({"body": body, "properties": {"body_encoding": "base64"}}))


def test_python_workers_are_known_by_their_events(idle):
    server = idle

    def seen():
        heartbeat(server, "py@elsewhere")
        return workers(server).get("py@elsewhere")

    about = wait_until(seen)
    assert about["kind"] == "celery" and about["processed"] == 7 and about["software"] == "py-celery 5.6.2"
    publish(server, {"type": "worker-offline", "hostname": "py@elsewhere", "timestamp": time.time()})
    wait_until(lambda: "py@elsewhere" not in workers(server))


# ---- the history and its search ------------------------------------------------------------------

class History:
    """Writes events into the history as the recorder does, by its own script."""

    def __init__(self, server, limit=1_000_000):
        self.redis, self.limit = server.redis(), limit
        self.script = self.redis.register_script((ROOT / "src/tasks/admin/history.lua").read_text())

    def add(self, *events):
        for start in range(0, len(events), 200):
            args = [self.limit, 7 * 86_400]
            for task_id, at, state, fields in events[start:start + 200]:
                flat = [x for pair in fields.items() for x in pair]
                args += [task_id, f"{at:.6f}", state, len(fields), *flat]
            self.script(keys=["skirmish:tasks:history:"], args=args)


def task(i, state="SUCCESS", name="proj.add", worker="w1@h", at=None, args=None):
    at = time.time() - 10_000 + i / 100 if at is None else at
    return (f"task-{i:07}", at, state,
            {"name": name, "args": args or f"({i}, 'Player {i}')", "kwargs": "{}", "worker": worker, "ended": f"{at:.6f}"})


def search(server, query):
    answer = server.http("GET", f"/api/tasks?{query}")
    assert answer.status == 200, answer
    return answer.json


def ids(page):
    return [t["id"] for t in page["items"]]


def walk(server, query, seconds=20):
    """The ids of all pages."""
    out, cursor, deadline = [], "", time.monotonic() + seconds
    while True:
        page = search(server, query + cursor)
        out += ids(page)
        if page["next_cursor"] is None:
            return out
        cursor = f"&cursor={page['next_cursor']}"
        assert time.monotonic() < deadline


def test_tasks_are_found_by_any_condition(idle):
    server = idle
    history = History(server)
    states = ("SUCCESS", "FAILURE", "RETRY")
    history.add(*(task(i, states[i % 3], f"proj.{'ab'[i % 2]}", f"w{i % 5}@h") for i in range(600)))
    page = search(server, "state=FAILURE,RETRY&limit=10")
    assert ids(page) == [f"task-{i:07}" for i in range(599, 0, -1) if i % 3][:10]
    assert page["counts"] == {"SUCCESS": 200, "FAILURE": 200, "RETRY": 200} and not page["is_partial"]
    both = search(server, "state=FAILURE&name=proj.a&worker=w0@h&limit=100")
    assert ids(both) == [f"task-{i:07}" for i in range(599, -1, -1) if i % 3 == 1 and i % 2 == 0 and i % 5 == 0]
    assert both["counts"] == {"SUCCESS": 20, "FAILURE": 20, "RETRY": 20} and both["next_cursor"] is None
    assert search(server, "name=proj.b")["counts"] == {"SUCCESS": 100, "FAILURE": 100, "RETRY": 100}
    assert ids(search(server, "id=0000123")) == ["task-0000123"] and ids(search(server, "id=nonesuch")) == []
    found = search(server, "arguments=player%20123")
    assert ids(found) == ["task-0000123"] and found["counts"] == {"SUCCESS": 1}
    assert ids(search(server, "arguments=Player%20123&state=FAILURE")) == []
    assert ids(search(server, "arguments=nobody")) == []
    for query in ("state=LOST", "cursor=x", "cursor=aTEgYQ&id=x%00", "arguments=%00", "since=x", "id=" + "x" * 300):
        assert server.http("GET", f"/api/tasks?{query}").status == 400, query


def test_cursors_do_not_drift(idle):
    server = idle
    history = History(server)
    same = time.time() - 5_000
    # Hundreds of the same moment, and others that come while somebody reads.
    history.add(*(task(i, at=same) for i in range(500)), *(task(i) for i in range(500, 700)))
    for query in ("name=proj.add&limit=50", "state=SUCCESS,FAILURE&limit=50"):
        seen, cursor, new = [], "", 10_000
        while True:
            page = search(server, query + cursor)
            seen += ids(page)
            if page["next_cursor"] is None:
                break
            cursor = f"&cursor={page['next_cursor']}"
            history.add(*(task(new + k, at=time.time()) for k in range(20)))
            new += 20
        assert len(seen) == len(set(seen)) and {f"task-{i:07}" for i in range(700)} <= set(seen)


def test_a_search_by_text_in_a_long_history_has_pages_and_counts(idle):
    server = idle
    history = History(server)
    history.add(*(task(i, "FAILURE" if i % 100 == 0 else "SUCCESS", args=f"('Needle-{i % 40:02}', {i})") for i in range(6_000)))
    few = search(server, "arguments=needle-00&state=FAILURE&limit=7")
    assert ids(few) == [f"task-{i:07}" for i in range(5_800, -1, -200)][:7]
    assert few["counts"] == {"SUCCESS": 120, "FAILURE": 30}
    assert walk(server, "arguments=needle-00&limit=40") == [f"task-{i:07}" for i in range(5_960, -1, -40)]
    assert search(server, "arguments=needle")["counts"] is None, "too many to count"
    # More lines come while somebody reads.
    first = search(server, "arguments=needle-01&limit=10")
    history.add(*(task(i, args="('needle-01',)") for i in range(6_000, 6_010)))
    second = search(server, f"arguments=needle-01&limit=10&cursor={first['next_cursor']}")
    assert ids(first) + ids(second) == [f"task-{i:07}" for i in range(5_961, -1, -40)][:20]


def test_the_history_is_bounded_by_a_setting(short_tmp):
    server = Server(short_tmp / unique("bounded"), {"SKIRMISH_TASKS_HISTORY_LIMIT": "1000", **WITHOUT_WORKER}).start()
    try:
        history = History(server, limit=1_000)
        history.add(*(task(i, at=time.time() - 50_000 + i) for i in range(5_000)))
        r = server.redis()
        assert r.zcard("skirmish:tasks:history:all") <= 1_000
        kept = ids(search(server, "limit=1000"))
        assert kept[0] == "task-0004999" and len(kept) <= 1_000
        # The recorder keeps the limit of the setting.
        publish(server, {"type": "task-received", "uuid": "newest", "hostname": "w@h", "name": "n", "args": "()",
                         "timestamp": time.time()})
        wait_until(lambda: ids(search(server, "name=n")) == ["newest"])
        assert r.zcard("skirmish:tasks:history:all") <= 1_000
        texts = [k for k in r.scan_iter("skirmish:tasks:history:text:*", count=10_000)]
        assert len(texts) <= 2 * 1_000 // 256 + 3
        assert ids(search(server, "arguments=player%204990")) == ["task-0004990"]
    finally:
        server.stop()


@pytest.mark.long
def test_failures_are_found_at_once_among_700_000_tasks(short_tmp):
    server = Server(short_tmp / unique("huge"), {"SKIRMISH_TASKS_HISTORY_LIMIT": "1000000", **WITHOUT_WORKER}).start()
    try:
        history = History(server)
        began = time.monotonic()
        failed = {58_000 * k + 1_234 for k in range(12)}
        for start in range(0, 700_000, 10_000):
            history.add(*(task(i, "FAILURE" if i in failed else "SUCCESS", f"proj.{i % 3}",
                               args=f"({i}, 'dragon')" if i in failed else f"({i}, 'player {i}')")
                          for i in range(start, start + 10_000)))
        r = server.redis()
        assert r.zcard("skirmish:tasks:history:all") == 700_000
        print(f"700,000 tasks in {time.monotonic() - began:.0f} s, {r.info('memory')['used_memory_human']}")
        expected = [f"task-{i:07}" for i in sorted(failed, reverse=True)]
        for query, wanted in (("state=FAILURE", expected), ("arguments=dragon", expected),
                              ("arguments=Dragon&state=FAILURE", expected),
                              ("state=FAILURE&name=proj.1", [f"task-{i:07}" for i in sorted(failed, reverse=True) if i % 3 == 1]),
                              ("arguments=player%20350001%27", ["task-0350001"]), ("id=0350001", ["task-0350001"]),
                              ("arguments=nowhere", [])):
            began = time.monotonic()
            page = search(server, query)
            took = time.monotonic() - began
            print(f"{query}: {took * 1000:.0f} ms, counts {page['counts']}, partial {page['is_partial']}")
            found = ids(page)
            if page["is_partial"]:
                found += walk(server, f"{query}&cursor={page['next_cursor']}")
            assert found == wanted, query
    finally:
        server.stop()


# ---- retry, revoke, tree -------------------------------------------------------------------------

def test_a_failed_task_is_sent_again_with_its_whole_arguments(own_server):
    server = own_server
    text = "it's \"long\"\n" + "é" * 1_500
    failed = call(server, "send_notification", "nobody-there", text, priority=3)
    assert outcome(server, failed)["state"] == "FAILURE"
    player = "nobody-there"
    assert server.http("POST", "/api/players", {"player_id": player, "name": "x"}).status == 201
    answer = server.http("POST", f"/api/tasks/{failed}/retry")
    assert answer.status == 202 and answer.headers["Location"] == f"/api/tasks/{answer.json['id']}"
    again = outcome(server, answer.json["id"])
    assert again["state"] == "SUCCESS" and again["id"] != failed
    assert server.http("GET", f"/api/players/{player}/notifications").json["items"][0]["text"] == text
    # Of one that succeeded the events tell enough, unless they were cut.
    good = call(server, "echo", [1, {"a": None}])
    outcome(server, good)
    repeated = wait_until(lambda: (a := server.http("POST", f"/api/tasks/{good}/retry")).status == 202 and a)
    assert outcome(server, repeated.json["id"])["result"] == [1, {"a": None}]
    cut = call(server, "echo", "x" * 5_000)
    outcome(server, cut)
    wait_until(lambda: server.http("GET", f"/api/tasks/{cut}").json.get("args"))
    refused = server.http("POST", f"/api/tasks/{cut}/retry")
    assert refused.status == 409 and "whole arguments" in refused.json["detail"]
    assert server.http("POST", "/api/tasks/nonesuch/retry").status == 404
    assert server.http("POST", f"/api/tasks/{good}/retry?queue=a:b").status == 400


def test_a_python_task_is_sent_again_from_its_stored_arguments(idle):
    server = idle
    r = server.redis()
    History(server).add(("py-1", time.time(), "FAILURE", {"name": "proj.py", "args": "(1, <object>)", "kwargs": "{}", "queue": "mail"}))
    assert server.http("POST", "/api/tasks/py-1/retry").status == 409
    r.set("celery-task-meta-py-1", json.dumps({"status": "FAILURE", "result": None, "args": [1, [2, "x"]], "kwargs": {"k": 1}}))
    again = server.http("POST", "/api/tasks/py-1/retry").json["id"]
    sent = json.loads(r.lindex("mail", 0))
    assert json.loads(base64.b64decode(sent["body"]))[:2] == [[1, [2, "x"]], {"k": 1}]
    assert sent["headers"]["id"] == again and sent["headers"]["task"] == "proj.py" and sent["headers"]["parent_id"] == "py-1"


def test_many_are_counted_retried_and_revoked(idle):
    server = idle
    r, history = server.redis(), History(server)
    history.add(*(task(i, "FAILURE" if i % 10 == 0 else "RECEIVED", f"proj.{i % 2}") for i in range(2_500)))
    retry = {"filter": {"name": "proj.0"}, "dry_run": True}
    assert server.http("POST", "/api/tasks/retry", retry).json == {
        "matched": 250, "changed": 0, "failed": 0, "is_partial": False, "next_cursor": None}
    assert r.llen("celery") == 0
    done = server.http("POST", "/api/tasks/retry", {**retry, "dry_run": False, "reason": "fixed"}, timeout=120).json
    assert done["matched"] == done["changed"] == 250 and r.llen("celery") == 250
    revoke = {"filter": {"name": "proj.1"}}
    first = server.http("POST", "/api/tasks/revoke", revoke, timeout=120).json
    assert first["changed"] == 1_000 and first["is_partial"]
    second = server.http("POST", "/api/tasks/revoke", {**revoke, "cursor": first["next_cursor"]}, timeout=120).json
    assert second["changed"] == 250 and not second["is_partial"] and r.zcard("skirmish:tasks:revoked") == 1_250
    for path in ("/api/tasks/retry", "/api/tasks/revoke"):
        for bad in ({}, {"filter": {}}, {"filter": {"state": ["LOST"]}}, {"filter": {"nmae": "x"}}, {"filter": {"id": "x"}, "cursor": "x"}):
            assert server.http("POST", path, bad).status == 400, bad


def test_a_tree_shows_chains_groups_and_progress(idle):
    server = idle
    r, now = server.redis(), time.time()
    fields = {"name": "n", "root_id": "top"}
    history = History(server)
    history.add(("top", now, "SUCCESS", {"name": "top", "received": now}),
                ("step", now + 1, "SUCCESS", {**fields, "parent_id": "top", "received": now + 1}),
                *((f"m{i}", now + 2 + i, "SUCCESS" if i < 50 else "STARTED", {**fields, "parent_id": "step", "received": now + 2 + i})
                  for i in range(70)))
    for i in range(70):
        r.set(f"celery-task-meta-m{i}", json.dumps({"status": "SUCCESS" if i < 49 else "FAILURE" if i == 49 else "STARTED",
                                                    "group_id": "g1", "result": None}))
    r.set("celery-taskset-meta-g1.s", 80)
    tree = server.http("GET", "/api/tasks/top/tree").json
    assert (tree["id"], tree["state"], tree["kind"]) == ("top", "SUCCESS", "task")
    (step,) = tree["children"]
    (group,) = step["children"]
    assert (group["kind"], group["id"], group["size"], group["ended"], group["failed"]) == ("group", "g1", 80, 50, 1)
    assert len(group["children"]) == 50 and group["more"] == 20 and group["children"][0]["id"] == "m0"
    assert server.http("GET", "/api/tasks/m3/tree").json["parent_id"] == "step"
    r.set("celery-taskset-meta-g2", json.dumps({"result": [["g2", None], [[["m1", None], None], [["m2", None], None]]]}))
    saved = server.http("GET", "/api/tasks/g2/tree").json
    assert [c["id"] for c in saved["children"]] == ["m1", "m2"] and saved["ended"] == 2
    assert server.http("GET", "/api/tasks/nonesuch/tree").status == 404


# ---- dead letters --------------------------------------------------------------------------------

def test_dead_letters_are_listed_requeued_and_dropped(own_server):
    server = own_server
    r = server.redis()
    sent = [call(server, "nobody.knows", i, queue="skirmish") for i in range(5)]
    wait_until(lambda: r.llen("skirmish:tasks:dead") == 5, 60)
    page = server.http("GET", "/api/dead-letters?limit=2").json
    assert page["total"] == 5 and len(page["items"]) == 2
    assert all(x["task"] == "nobody.knows" and x["queue"] == "skirmish" and x["reason"] for x in page["items"])
    r.lpush("skirmish:tasks:dead", json.dumps({"id": "new", "task": "t", "queue": "mail", "reason": "r", "message": "{}"}))
    rest = server.http("GET", f"/api/dead-letters?cursor={page['next_cursor']}").json
    assert sorted(x["id"] for x in page["items"] + rest["items"]) == sorted(sent) and rest["next_cursor"] is None
    for bad in ({}, {"ids": []}, {"all": False}, {"all": True, "ids": ["x"]}):
        assert server.http("POST", "/api/dead-letters/requeue", bad).status == 400, bad
        assert server.http("POST", "/api/dead-letters/drop", {**bad, "reason": "x"}).status == 400, bad
    assert server.http("POST", "/api/dead-letters/drop", {"all": True}).status == 400, "no reason"
    assert server.http("GET", "/api/dead-letters?cursor=x").status == 400
    assert server.http("POST", "/api/dead-letters/requeue", {"ids": [sent[0]]}).json == {"requeued": 1}
    wait_until(lambda: r.llen("skirmish:tasks:dead") == 6, 60)  # nobody knows it still
    assert server.http("POST", "/api/dead-letters/drop", {"ids": sent[:2], "reason": "a test"}).json == {"dropped": 2}
    assert server.http("POST", f"/api/tasks/{sent[2]}/retry").status == 202, "a dead letter has its whole arguments"
    assert server.http("POST", "/api/dead-letters/drop", {"all": True, "reason": "a test"}).json["dropped"] >= 4


# ---- schedules -----------------------------------------------------------------------------------

def test_schedules_are_added_run_and_removed(own_server):
    server = own_server
    fixed = server.data_dir.parent / f"{server.data_dir.name}.toml"
    fixed.write_text('[nightly]\ntask = "echo"\nargs = [1]\ncron = "0 4 * * *"\n')
    beat = subprocess.Popen([BINARY, "beat", "--data-dir", str(server.data_dir), "--schedule", str(fixed)], stderr=subprocess.DEVNULL)
    try:
        def listed():
            page = server.http("GET", "/api/schedules").json
            return {s["name"]: s for s in page["items"]}, page["is_running"]

        wait_until(lambda: "nightly" in listed()[0] and listed()[1])
        assert listed()[0]["nightly"]["source"] == "file" and listed()[0]["nightly"]["cron"] == "0 4 * * *"
        often = server.http("PUT", "/api/schedules/often", {"task": "echo", "args": ["tick"], "every": "1s"})
        assert often.status == 200 and often.json["source"] == "redis" and often.json["missed"] == "once"
        ticks = wait_until(lambda: len(t := search(server, "arguments=tick")["items"]) >= 2 and t, 40)
        assert ticks[0]["name"] == "echo"
        seen = listed()[0]["often"]
        assert seen["last_run_at"] and seen["next_run_at"] > seen["last_run_at"]
        assert server.http("PUT", "/api/schedules/often", {"task": "echo", "args": ["tock"], "every": "1h"}).status == 200
        ran = server.http("POST", "/api/schedules/often/run")
        assert ran.status == 202 and outcome(server, ran.json["id"])["result"] == "tock"
        assert outcome(server, server.http("POST", "/api/schedules/nightly/run").json["id"])["result"] == 1
        assert server.http("DELETE", "/api/schedules/often").status == 204
        assert server.http("DELETE", "/api/schedules/often").status == 404 and "often" not in listed()[0]
        assert server.http("POST", "/api/schedules/often/run").status == 404
        assert server.http("PUT", "/api/schedules/nightly", {"task": "echo", "every": "1h"}).status == 409
        assert server.http("DELETE", "/api/schedules/nightly").status == 409
        for bad in ({"task": "echo"}, {"every": "1s"}, {"task": "echo", "every": "soon"}, {"task": "echo", "cron": "x"},
                    {"task": "echo", "every": "1s", "cron": "@daily"}, {"task": "echo", "every": "1s", "queue": "a:b"},
                    {"task": "status_webhook", "every": "1s"}, {"task": "echo", "every": "1s", "evry": 1},
                    {"task": "echo", "cron": "@daily", "timezone": "Nowhere/Else"}):
            assert server.http("PUT", "/api/schedules/bad", bad).status == 400, bad
        assert "bad" not in listed()[0]
    finally:
        beat.send_signal(signal.SIGTERM)
        beat.wait(20)


# ---- channels ------------------------------------------------------------------------------------

def test_queues_workers_and_tasks_are_pushed(own_server):
    server = own_server
    viewer = server.http("POST", "/api/keys", {"role": "viewer"}).json["key"]

    async def read():
        async with server.ws(key=viewer) as socket:
            got = {"queues": [], "workers": [], "tasks": []}

            async def receive():
                message = json.loads(await asyncio.wait_for(socket.recv(), 20))
                if "event" in message:
                    got[message["event"]["channel"]].append((time.monotonic(), message["event"]["data"]))

            for channel in got:
                await socket.send(json.dumps({"subscribe": {"channel": channel}, "cid": 1}))
            while not got["queues"] or not got["workers"]:
                await receive()
            began = time.monotonic()
            sent = await asyncio.to_thread(lambda: [call(server, "echo", i) for i in range(50)])
            seen = {}
            while set(sent) - {i for i, state in seen.items() if state == "SUCCESS"}:
                await receive()
                for _, rows in got["tasks"]:
                    seen.update({row["id"]: row["state"] for row in rows["items"]})
            while time.monotonic() - began < 4:
                await receive()
            for channel, messages in got.items():
                count = len([t for t, _ in messages if t > began])
                # Fast workers end all tasks between two messages.
                assert (1 if channel == "tasks" else 2) <= count <= time.monotonic() - began + 2, (channel, count)
            assert any(w["node"].startswith("serve-") for w in got["workers"][-1][1]["items"])
            assert any(q["name"] == "skirmish" for q in got["queues"][-1][1]["items"])

    asyncio.run(read())


def test_only_operators_read_the_channels(own_server):
    server = own_server
    key = server.http("POST", "/api/keys", {"role": "server"}).json["key"]

    async def ask():
        async with server.ws(key=key) as socket:
            for channel in ("queues", "workers", "tasks"):
                await socket.send(json.dumps({"subscribe": {"channel": channel}, "cid": channel}))
                answer = json.loads(await asyncio.wait_for(socket.recv(), 20))
                assert answer["error"]["code"] == "forbidden", answer

    asyncio.run(ask())
