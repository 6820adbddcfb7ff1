"""The built-in tasks, their worker inside `serve`, and the routes of tasks, notifications and jobs."""

import asyncio
import base64
import datetime
import json
import subprocess
import threading
import time
import uuid

import pytest
from conftest import BINARY, Server, free_port, unique, wait_until


def call(server, name, *args, **more):
    """Sends a task by the route and returns its id."""
    answer = server.http("POST", "/api/tasks", {"name": name, "args": list(args), **more})
    assert answer.status == 202, answer
    return answer.json["id"]


def outcome(server, task_id, seconds=30):
    """Waits for a task's end and returns its document."""

    def ended():
        answer = server.http("GET", f"/api/tasks/{task_id}")
        return answer.status == 200 and answer.json["state"] in ("SUCCESS", "FAILURE", "REVOKED") and answer.json

    return wait_until(ended, seconds, f"the end of task {task_id}")


def result(server, name, *args, **more):
    done = outcome(server, call(server, name, *args, **more))
    assert done["state"] == "SUCCESS", done
    return done["result"]


def envelope(task, *args, task_id=None, **headers):
    """A message as Celery's clients write it, and its task id."""
    task_id = task_id or str(uuid.uuid4())
    body = json.dumps([list(args), {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}])
    message = {"body": base64.b64encode(body.encode()).decode(), "content-type": "application/json",
               "content-encoding": "utf-8", "headers": {"task": task, "id": task_id, "lang": "py", **headers},
               "properties": {"body_encoding": "base64", "delivery_tag": str(uuid.uuid4()),
                              "delivery_info": {"exchange": "", "routing_key": "skirmish"}}}
    return json.dumps(message), task_id


async def subscribe(socket, player):
    """Subscribes to a player's notifications and returns what is unread."""
    await socket.send(json.dumps({"cid": "s", "subscribe": {"channel": f"notifications:{player}"}}))
    while True:
        got = json.loads(await asyncio.wait_for(socket.recv(), 20))
        if got.get("cid") == "s":
            return [n["text"] for n in got["subscribed"]["unread"]]


async def next_notification(socket):
    while True:
        got = json.loads(await asyncio.wait_for(socket.recv(), 30))
        if "notification" in got:
            return got["notification"]


def unread(server, player, query=""):
    answer = server.http("GET", f"/api/players/{player}/notifications{query}")
    assert answer.status == 200, answer
    return answer.json


def test_a_notification_is_pushed_and_kept_until_it_is_read(server):
    player, path = server.new_player(), None
    texts = ["hello", "héllo 👋 \"quoted\" \\ / <b>\nsecond line", "three"]

    async def run():
        async with server.ws() as socket:
            assert await subscribe(socket, player) == []
            sent = []
            for text in texts:
                sent.append((await asyncio.to_thread(result, server, "send_notification", player, text)))
                got = await next_notification(socket)
                assert got["text"] == text and got["player_id"] == player
                assert got["id"] == sent[-1]["notification_id"] and got["ts"].endswith("Z")
        async with server.ws() as late:
            assert await subscribe(late, player) == texts
        return sent

    sent = asyncio.run(run())
    path = f"/api/players/{player}/notifications"
    first = unread(server, player, "?limit=2")
    assert [n["text"] for n in first["items"]] == texts[:2]
    rest = unread(server, player, f"?limit=2&cursor={first['next_cursor']}")
    assert [n["text"] for n in rest["items"]] == texts[2:] and rest["next_cursor"] is None
    assert server.http("DELETE", f"{path}/{sent[1]['notification_id']}").status == 204
    assert server.http("DELETE", f"{path}/{sent[1]['notification_id']}").status == 404
    answer = server.http("POST", f"{path}/read", {"up_to": sent[0]["notification_id"]})
    assert (answer.status, answer.json) == (200, {"read": 1})
    assert [n["text"] for n in unread(server, player)["items"]] == ["three"]
    server.http("DELETE", f"/api/players/{player}")
    assert not server.redis().exists(f"notifications:{player}")


def test_a_notification_with_an_eta(server):
    player, r = server.new_player(), server.redis()
    begin = time.monotonic()
    soon = call(server, "send_notification", player, "soon", countdown_s=3)
    hour = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1))
    call(server, "send_notification", player, "in an hour", eta=hour.isoformat(timespec="milliseconds"))

    async def run():
        async with server.ws() as socket:
            assert await subscribe(socket, player) == []
            return (await next_notification(socket))["text"], time.monotonic() - begin

    text, after = asyncio.run(run())
    assert text == "soon" and after > 2.9
    assert outcome(server, soon)["state"] == "SUCCESS"

    def player_of(member):
        return json.loads(base64.b64decode(json.loads(member.split("\n", 1)[1])["body"]))[0][0]

    def waits():
        return [s for m, s in r.zrange("skirmish:tasks:eta", 0, -1, withscores=True) if player_of(m) == player]

    assert [round(s) for s in wait_until(waits)] == [round(hour.timestamp())]
    assert [n["text"] for n in unread(server, player)["items"]] == ["soon"]


def test_a_notification_that_is_sent_twice_arrives_once(server):
    player, r = server.new_player(), server.redis()
    task_id = str(uuid.uuid4())
    for _ in range(2):
        r.lpush("skirmish", envelope("send_notification", player, "once", task_id=task_id)[0])
    last, last_id = envelope("send_notification", player, "last")
    r.lpush("skirmish", last)
    assert outcome(server, last_id)["state"] == "SUCCESS"
    wait_until(lambda: r.llen("skirmish") == 0 and r.hlen("unacked") == 0)
    assert sorted(n["text"] for n in unread(server, player)["items"]) == ["last", "once"]


@pytest.mark.parametrize("name, args, error", [
    ("send_notification", ["nobody-there", "x"], "LookupError"),
    ("send_notification", ["not an id", "x"], "ValueError"),
    ("send_notification", [None, "x"], "ValueError"),
    ("send_notification", ["a"], "TypeError"),
    ("process_assignment", ["no-such-job", "a"], "LookupError"),
    ("rebuild_leaderboard", ["not an id"], "ValueError"),
    ("export_interactions", ["yesterday"], "ValueError"),
    ("export_interactions", [None, None, "many"], "TypeError"),
    ("echo", [], "TypeError"),
    ("sleep", ["long"], "TypeError")])
def test_bad_arguments_fail_the_task(server, name, args, error):
    done = outcome(server, call(server, name, *args))
    assert done["state"] == "FAILURE" and done["result"]["exc_type"] == error, done


def test_texts_are_bounded(server):
    player = server.new_player()
    for text in ("", "x" * 2001):
        done = outcome(server, call(server, "send_notification", player, text))
        assert done["result"]["exc_type"] == "ValueError", done
    assert unread(server, player)["items"] == []


def test_an_assignment_is_processing_at_once_and_goes_to_one_worker(server):
    job, worker, other = unique("job"), server.new_player("Worker"), server.new_player("Other")
    made = server.http("POST", "/api/jobs", {"job_id": job, "kind": "report", "payload": {"about": ["x"]}})
    assert made.status == 201 and made.json["state"] == "pending" and made.json["payload"] == {"about": ["x"]}
    assert server.http("POST", "/api/jobs", {"job_id": job, "kind": "report"}).status == 409
    path = f"/api/jobs/{job}"
    assert job in [j["job_id"] for j in server.http("GET", "/api/jobs?state=pending&limit=1000").json["items"]]
    assert server.http("POST", f"{path}/assignment", {"worker_id": "nobody"}).status == 400
    assert server.http("POST", "/api/jobs/none/assignment", {"worker_id": worker}).status == 404
    assert server.http("POST", f"{path}/end", {}).status == 409
    answer = server.http("POST", f"{path}/assignment", {"worker_id": worker})
    assert answer.status == 202 and answer.json["state"] == "processing", answer
    done = outcome(server, answer.json["task_id"])
    assert done["result"] == {"job_id": job, "worker_id": worker, "status": "processing"}
    now = server.http("GET", path).json
    assert now["state"] == "processing" and now["worker_id"] == worker and now["assigned_at"]
    assert server.http("POST", f"{path}/assignment", {"worker_id": other}).status == 409
    assert outcome(server, call(server, "process_assignment", job, other))["result"]["exc_type"] == "ValueError"
    assert result(server, "process_assignment", job, worker)["status"] == "processing"  # it has it already
    assert server.http("POST", f"{path}/end", {"state": "done"}).json["state"] == "done"
    assert server.http("POST", f"{path}/assignment", {"worker_id": worker}).status == 409
    assert server.http("GET", "/api/jobs/none").status == 404


def test_of_two_who_assign_one_wins(server):
    job = unique("job")
    workers = [server.new_player() for _ in range(6)]
    assert server.http("POST", "/api/jobs", {"job_id": job, "kind": "race"}).status == 201
    tasks = [call(server, "process_assignment", job, w) for w in workers]
    states = [outcome(server, t)["state"] for t in tasks]
    assert states.count("SUCCESS") == 1 and states.count("FAILURE") == 5
    assert server.http("GET", f"/api/jobs/{job}").json["worker_id"] == workers[states.index("SUCCESS")]


def test_rebuild_leaderboard_puts_untold_changes_in_their_place(server):
    board, r = unique("board"), server.redis()
    players = [unique() for _ in range(5)]
    scores = [{"player_id": p, "score": 10 * i} for i, p in enumerate(players)]
    assert server.http("POST", f"/api/leaderboards/{board}/scores", scores).status in (200, 201), board
    r.zadd(f"leaderboard:{board}", {players[0]: 1000})  # behind the back of the index
    told = result(server, "rebuild_leaderboard", board)
    assert told["board"] == board and told["players"] == 5
    items = server.http("GET", f"/api/leaderboards/{board}").json["items"]
    assert [e["player_id"] for e in items] == [players[0], *reversed(players[1:])]


def test_export_interactions_in_pages(own_server):
    server = own_server
    a, b = server.new_player(), server.new_player()
    sent = 0
    for part in range(7):
        events = [{"type": "attack", "attacker_id": a, "target_id": b, "damage": 1, "id": f"e{part}-{i}"} for i in range(30)]
        assert server.http("POST", "/api/interactions", events).json["accepted"] == 30
        sent += 30
    seen, since, pages = [], None, 0
    while True:
        page = result(server, "export_interactions", since, None, 50)
        assert page["count"] == len(page["events"]) <= 80  # whole commits
        seen += [e["id"] for e in page["events"]]
        pages += 1
        since = page["next_since"]
        if since is None:
            break
    assert len(seen) == len(set(seen)) == sent and pages >= 4
    everything = result(server, "export_interactions", time.time() - 600, time.time() + 600)
    assert everything["count"] == sent and everything["next_since"] is None
    later = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)).isoformat(timespec="milliseconds")
    assert result(server, "export_interactions", later, None)["events"] == []


def test_routes_of_tasks_workers_and_queues(server):
    assert result(server, "echo", {"x": [1, None, "é"]}) == {"x": [1, None, "é"]}
    assert result(server, "sleep", 0.01) == 0.01
    assert result(server, "echo", kwargs={"value": 7}) == 7
    node = wait_until(lambda: next((w["node"] for w in server.http("GET", "/api/workers").json["items"]
                                    if w["node"].startswith("serve-")), None))
    short = node.split("@")[0]

    def listed():
        return {q["name"]: q for q in server.http("GET", "/api/queues").json["items"]}

    queues = wait_until(lambda: (q := listed()) and q.get("skirmish", {}).get("consumers") == 1 and q)
    assert queues["skirmish"]["depth"] == 0 and not queues["skirmish"]["paused"]
    assert server.http("POST", f"/api/workers/{short}/ping", {}).json["answers"] == {node: {"ok": "pong"}}
    assert server.http("POST", "/api/workers/all/ping", {}).json["answers"][node] == {"ok": "pong"}
    registered = server.http("POST", f"/api/workers/{short}/registered", {}).json["answers"][node]
    assert {"echo", "sleep", "send_notification", "process_assignment", "rebuild_leaderboard",
            "export_interactions"} <= set(registered)
    waiting = call(server, "echo", 1, countdown_s=4)
    assert server.http("DELETE", f"/api/tasks/{waiting}").status == 204
    done = outcome(server, waiting)
    assert done["state"] == "REVOKED" and done["result"]["exc_message"] == ["revoked"]
    running = call(server, "sleep", 60)
    wait_until(lambda: running in json.dumps(server.http("POST", f"/api/workers/{short}/active", {}).json))
    assert server.http("DELETE", f"/api/tasks/{running}?terminate=true").status == 204
    assert outcome(server, running)["result"]["exc_message"] == ["terminated"]


class PythonWorker:
    """Answers remote control as a worker that stands nowhere in Redis: `{"ok": <method>}`."""

    def __init__(self, client, node):
        self.client, self.node, self.ended = client, node, threading.Event()
        self.channel = client.pubsub()
        self.channel.subscribe("/0.celery.pidbox")
        wait_until(lambda: client.pubsub_numsub("/0.celery.pidbox")[0][1] > 0)
        self.thread = threading.Thread(target=self.work)
        self.thread.start()

    def work(self):
        while not self.ended.is_set():
            message = self.channel.get_message(ignore_subscribe_messages=True, timeout=0.1)
            if message is None:
                continue
            asked = json.loads(base64.b64decode(json.loads(message["data"])["body"]))
            if self.node in (asked["destination"] or [self.node]) and asked.get("reply_to"):
                body = base64.b64encode(json.dumps({self.node: {"ok": asked["method"]}}).encode()).decode()
                self.client.lpush(asked["reply_to"]["routing_key"] + ".reply.celery.pidbox",
                                  json.dumps({"body": body, "properties": {"body_encoding": "base64"}}))

    def end(self):
        self.ended.set()
        self.thread.join()


def test_python_workers_are_listed_and_commanded(own_server):
    server = own_server
    python = PythonWorker(server.redis(), "py1@elsewhere")
    try:
        nodes = wait_until(lambda: len(n := [w["node"] for w in server.http("GET", "/api/workers").json["items"]]) == 2 and n)
        assert "py1@elsewhere" in nodes
        assert server.http("POST", "/api/workers/py1/pool_grow", {"n": 1}).json["answers"] == {
            "py1@elsewhere": {"ok": "pool_grow"}}
    finally:
        python.end()
    assert server.http("POST", "/api/workers/py1/ping", {}).status == 404


@pytest.mark.parametrize("method, path, body, status", [
    ("POST", "/api/tasks", {}, 400), ("POST", "/api/tasks", {"name": ""}, 400),
    ("POST", "/api/tasks", {"name": "echo", "args": {}}, 400),
    ("POST", "/api/tasks", {"name": "echo", "kwargs": []}, 400),
    ("POST", "/api/tasks", {"name": "echo", "eta": "tomorrow"}, 400),
    ("POST", "/api/tasks", {"name": "echo", "countdown_s": -1}, 400),
    ("POST", "/api/tasks", {"name": "echo", "priority": 10}, 400),
    ("GET", "/api/tasks/unheard-of", None, 404), ("GET", "/api/tasks?cursor=x", None, 400),
    ("POST", "/api/tasks", {"name": "echo", "retry": 1}, 400),
    ("POST", "/api/workers/nobody/ping", {}, 404), ("POST", "/api/workers/all/explode", {}, 404),
    ("POST", "/api/workers/all/ping", [], 400),
    ("POST", "/api/jobs", {"kind": ""}, 400), ("POST", "/api/jobs", {"kind": "k", "job_id": "no id"}, 400),
    ("POST", "/api/jobs/x/end", {"state": "lost"}, 400), ("GET", "/api/jobs?cursor=no+id", None, 400),
    ("GET", "/api/players/p/notifications?cursor=no", None, 400),
    ("POST", "/api/players/p/notifications/read", {"up_to": "no"}, 400),
    ("DELETE", "/api/players/p/notifications/no", None, 400)])
def test_bad_requests(server, method, path, body, status):
    assert server.http(method, path, body).status == status


@pytest.fixture
def server_with_unserved_queue(short_tmp):
    s = Server(short_tmp / unique("own"), {"SKIRMISH_TASKS_SEND_QUEUES": "unserved"}).start()
    yield s
    s.stop()


def test_nobody_but_the_server_has_an_object_signed_and_posted(server):
    refused = server.http("POST", "/api/tasks", {"name": "status_webhook", "args": [{}]})
    assert refused.status == 400 and "status_webhook" in refused.json["detail"], refused


def test_a_task_is_sent_once_for_an_idempotency_key(server_with_unserved_queue):
    server = server_with_unserved_queue
    server.http("POST", "/api/tasks", {"name": "echo", "args": [0], "queue": "unserved"})

    def send(key, **body):
        return server.http("POST", "/api/tasks", {"name": "echo", "args": [1], "queue": "unserved", **body},
                           headers={"Idempotency-Key": key})

    first = send("order-1")
    again = send("order-1", retry=True)
    other = send("order-2", retry=True)
    assert [r.status for r in (first, again, other)] == [202] * 3
    assert first.json["id"] == again.json["id"] != other.json["id"]
    assert server.http("POST", "/api/tasks", {"name": "echo", "queue": "unserved", "retry": True}).status == 202
    assert server.redis().llen("unserved") == 4
    assert send("no id!").status == 400


@pytest.mark.parametrize("method, path", [
    ("POST", "/api/tasks"), ("GET", "/api/tasks"), ("GET", "/api/workers"), ("GET", "/api/queues"), ("GET", "/api/jobs"),
    ("POST", "/api/jobs"), ("GET", "/api/players/p/notifications"), ("POST", "/api/players/p/notifications/read")])
def test_all_of_it_needs_a_key(server, method, path):
    assert server.http(method, path, {} if method == "POST" else None, key=None).status == 401


def test_history_survives_a_restart(own_server):
    server = own_server

    def listed(query):
        answer = server.http("GET", f"/api/tasks?{query}")
        assert answer.status == 200, answer
        return [t["id"] for t in answer.json["items"]]

    wait_until(lambda: result(server, "sleep", 0) == 0 and listed("name=sleep"), what="the first event")
    good = call(server, "echo", "remembered")
    bad = call(server, "send_notification", "nobody-there", "x")
    outcome(server, good), outcome(server, bad)
    wait_until(lambda: good in listed("state=SUCCESS") and bad in listed("state=FAILURE"))
    server.stop()
    server.start()
    assert good in listed("state=SUCCESS") and good in listed("name=echo") and bad not in listed("name=echo")
    node = server.http("GET", f"/api/tasks/{good}").json["worker"]
    assert listed(f"worker={node}&state=FAILURE") == [bad] and listed("name=echo&state=FAILURE") == []
    assert listed("name=echo&until=2020-01-01") == [] and listed("name=echo&since=2020-01-01T00:00:00Z") == [good]
    assert server.http("GET", "/api/tasks?since=lately").status == 400
    told = server.http("GET", f"/api/tasks/{good}").json
    assert told["result"] == "remembered" and told["name"] == "echo" and told["worker"].startswith("serve-")
    assert told["runtime_s"] >= 0 and told["received"] and told["ended"] and told["retries"] == 0
    server.redis().delete(f"celery-task-meta-{good}")
    assert server.http("GET", f"/api/tasks/{good}").json["state"] == "SUCCESS"  # from the events
    first = server.http("GET", "/api/tasks?limit=1").json
    second = server.http("GET", f"/api/tasks?limit=1&cursor={first['next_cursor']}").json
    assert [first["items"][0]["id"], second["items"][0]["id"]] in ([good, bad], [bad, good])


def metric(server, line):
    """The value of one line of /metrics."""
    text = server.http("GET", "/metrics").body.decode()
    return next((float(row.rsplit(" ", 1)[1]) for row in text.splitlines() if row.startswith(line + " ")), None)


def test_metrics_have_bounded_labels(own_server):
    server = own_server
    ended = 'skirmish_tasks_total{task="echo",outcome="succeeded"}'
    assert metric(server, ended) == 0
    for i in range(3):
        result(server, "echo", i)
    outcome(server, call(server, "nobody.knows", queue="skirmish"))
    wait_until(lambda: metric(server, ended) == 3)
    assert metric(server, 'skirmish_task_runtime_seconds_count{task="echo"}') == 3
    assert metric(server, "skirmish_task_wait_seconds_count") >= 3
    assert metric(server, "skirmish_task_dead_letters_total") == 1
    assert metric(server, 'skirmish_task_queue_messages{queue="skirmish"}') == 0
    assert metric(server, "skirmish_tasks_running") == 0
    assert b"nobody.knows" not in server.http("GET", "/metrics").body


def test_serve_without_a_worker_leaves_the_queue_to_others(short_tmp):
    server = Server(short_tmp / unique("own"), {"SKIRMISH_TASKS_CONCURRENCY": "0"}).start()
    try:
        task = call(server, "echo", 1)
        assert server.redis().llen("skirmish") == 1 and server.http("GET", "/api/workers").json["items"] == []
        # An operator's worker on the same data directory serves it, with /metrics of its own.
        port = free_port()
        log = open(server.data_dir.parent / f"{server.data_dir.name}-worker.log", "wb")
        worker = subprocess.Popen([BINARY, "worker", "--data-dir", str(server.data_dir), "-c", "2", "--metrics-listen",
                                   f"127.0.0.1:{port}"], stderr=log)
        try:
            assert outcome(server, task, 60)["result"] == 1
            elsewhere = Server(server.data_dir)
            elsewhere.url = f"http://127.0.0.1:{port}"
            ended = 'skirmish_tasks_total{task="echo",outcome="succeeded"}'
            assert wait_until(lambda: metric(elsewhere, ended)) == 1
            player = server.new_player()
            assert result(server, "send_notification", player, "x")["player_id"] == player
        finally:
            worker.terminate()
            assert worker.wait(30) == 0
    finally:
        server.stop()
